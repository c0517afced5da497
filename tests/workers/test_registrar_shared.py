"""Two registrars' processes, but for the processes, that share a location on a real Redis server."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import zmq
from bus.inbox import bind_inbox, next_frame
from redis_server import RedisServer, redis_server
from registrar.registers import connection, register
from workers.test_registrar import BROWSER, CONTACT, FLOW, LIMIT_S, answers, received, subscribe, take

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.registrar.sqlite import read_snapshot
from switchboard.registrar.store import registrar_of
from switchboard.settings.model import Settings
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.workers.registrar import RegistrarService


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


class Site:
    """A registrar, and the edge that it answers by."""

    def __init__(
        self, directory: Path, context: BusContext, server: RedisServer, instance: int = 0, **more: Any
    ) -> None:
        self.settings = Settings(
            data_dir=directory, domains=("switchboard.test",), location=server.url, **more
        )
        self.settings.run_dir.mkdir(parents=True, exist_ok=True)
        self.edge = bind_inbox(context, Endpoints(self.settings.run_dir).inbox("edge-tx"))
        self.edge_rx = bind_inbox(context, Endpoints(self.settings.run_dir).inbox("edge-rx"))
        self.service = RegistrarService(self.settings, context, instance)

    def send(self, *raws: bytes) -> list[Message]:
        return answers(self.edge, self.service, *raws)

    def turn(self) -> None:
        """A round of the loop."""
        now = time.monotonic()
        for fd, call in self.service.watch().items():
            if zmq.select([fd], [], [], 0)[0]:
                call(now)
        if self.service.next_deadline() <= now:
            self.service.handle_timer(now)
        self.service.flush()

    def tend(self, holds: Callable[[], object]) -> None:
        until = time.monotonic() + 5 * LIMIT_S
        while not holds():
            assert time.monotonic() < until, "never"
            self.turn()
            time.sleep(0.002)

    def contacts(self, user: str = "lukas") -> list[str]:
        return [each.contact for each in self.service._store.bindings(user)]

    def close(self) -> None:
        self.service._store.close()


@pytest.fixture
def sites(tmp_path: Path, context: BusContext, server: RedisServer) -> Iterator[tuple[Site, Site]]:
    with (
        closing(Site(tmp_path / "a", context, server)) as one,
        closing(Site(tmp_path / "b", context, server)) as other,
    ):
        yield one, other


def test_the_routers_of_both_hear_of_every_change(context: BusContext, sites: tuple[Site, Site]) -> None:
    one, other = sites
    hearing = subscribe(context, other.settings, other.service)
    assert [each.status for each in one.send(register(f"<{CONTACT}>"))] == [200]
    other.tend(lambda: other.contacts() == [CONTACT])
    while (found := next_frame(hearing))[0] != "location.changed":
        pass
    assert [user for user, _ in found[1][1]] == ["lukas"]
    assert read_snapshot(other.settings.store_path)[1].keys() == {"lukas"}


def test_both_get_registers_of_one_user_at_once(sites: tuple[Site, Site]) -> None:
    one, other = sites
    one.send(register("<sip:a@h>", call_id="a"))
    late = register("<sip:b@h>", call_id="b")
    bystander = register("<sip:eva@h>", user="eva")
    other.service.receive_frame(frames.pack("sip.received", [received(each) for each in (late, bystander)]))
    other.service.flush()
    found: list[bytes] = []
    until = time.monotonic() + LIMIT_S
    while len(found) < 2:
        assert time.monotonic() < until
        other.service.flush()
        if other.edge.poll(5):
            found += [each for _, each in next_frame(other.edge)[1]]
    assert all(each.startswith(b"SIP/2.0 200 ") for each in found)
    assert b"sip:eva@h" in found[0]
    assert b"sip:a@h" in found[1]
    assert other.contacts() == ["sip:a@h", "sip:b@h"]
    assert other.service.stats()["location.conflicts"] == 1
    assert next_frame(other.edge_rx) == ("source.registered", [[FLOW]])
    one.tend(lambda: one.contacts() == ["sip:a@h", "sip:b@h"])
    assert [each.status for each in one.send(register("<sip:b@h>", call_id="b", cseq=1))] == [500]


def test_while_redis_is_away_queries_are_answered_and_changes_get_503(
    server: RedisServer, sites: tuple[Site, Site]
) -> None:
    one, _ = sites
    one.send(register(f"<{CONTACT}>"))
    server.kill()
    refused, known = one.send(register("<sip:eva@h>", user="eva"), register())
    assert (refused.status, known.status) == (503, 200)
    assert b"\r\nRetry-After: " in refused.raw
    assert CONTACT in (known.get(Header.CONTACT) or "")
    assert "Connection refused" in one.service.writings[0].note()
    server.start()
    one.tend(lambda: not one.service.writings[0].error)
    one.tend(lambda: server.do("EXISTS", "{switchboard:0}:user:lukas"))
    assert [each.status for each in one.send(register("<sip:eva@h>", user="eva"))] == [200]


def test_without_registers_it_is_noticed_too_that_redis_is_away(
    server: RedisServer, sites: tuple[Site, Site]
) -> None:
    one, _ = sites
    server.kill()
    one.tend(lambda: one.service.writings[0].error)
    assert "Connection" in one.service.writings[0].note()


def test_it_starts_while_redis_is_away_with_its_copy(
    tmp_path: Path, context: BusContext, server: RedisServer, sites: tuple[Site, Site]
) -> None:
    one, _ = sites
    one.send(register(f"<{CONTACT}>"))
    one.close()
    server.kill()
    (tmp_path / "c").mkdir()
    (tmp_path / "a" / "location.db").rename(tmp_path / "c" / "location.db")
    with closing(Site(tmp_path / "c", context, server)) as again:
        assert [each.status for each in again.send(register())] == [200]
        assert [each.status for each in again.send(register("<sip:b@h>"))] == [503]
        assert again.contacts() == [CONTACT]


def test_what_a_command_removes_is_removed_everywhere(sites: tuple[Site, Site]) -> None:
    one, other = sites
    one.send(register(f"<{CONTACT}>"))
    other.tend(lambda: other.contacts() == [CONTACT])
    assert other.service.answer("location.remove", ["lukas", ""]) == 1
    one.tend(lambda: one.contacts() == [])


def test_many_users_in_one_round(sites: tuple[Site, Site]) -> None:
    one, other = sites
    take(one.service, *[register(f"<sip:u{each}@h>", user=f"u{each}") for each in range(300)])
    other.tend(lambda: other.service.stats()["users"] == 300)


@pytest.fixture
def two(tmp_path: Path, context: BusContext, server: RedisServer) -> Iterator[tuple[Site, Site]]:
    """Both registrars of one switchboard, each with an edge of its own."""
    with (
        closing(Site(tmp_path / "a", context, server, registrars=2)) as one,
        closing(Site(tmp_path / "b", context, server, instance=1, registrars=2)) as other,
    ):
        yield one, other


def heard(socket: zmq.Socket[bytes], wanted: str) -> Any:
    """The body of the next frame with this subject."""
    while (found := next_frame(socket))[0] != wanted:
        pass
    return found[1]


def test_of_two_registrars_each_tells_what_it_has_learned_apart(
    context: BusContext, two: tuple[Site, Site]
) -> None:
    one, other = two
    hearing = [
        subscribe(context, one.settings, one.service),
        subscribe(context, other.settings, other.service, 1),
    ]
    one.send(register(f"<{CONTACT}>"))
    other.tend(lambda: other.contacts() == [CONTACT])
    number, records = heard(hearing[0], "location.changed")
    told, same = heard(hearing[1], "location.learned")
    assert (registrar_of(number), registrar_of(told), records) == (0, 1, same)
    assert read_snapshot(other.settings.data_dir / "location-1.db")[0] == told


def test_each_beats_and_says_whether_it_can_write(server: RedisServer, two: tuple[Site, Site]) -> None:
    """A beat that comes before the edge is connected is lost; another one follows."""
    _, other = two

    def tells(can_write: bool) -> bool:
        other.service._beat(time.monotonic())
        return bool(other.edge_rx.poll(50)) and next_frame(other.edge_rx) == (
            "registrar.beat",
            [1, can_write],
        )

    other.tend(lambda: tells(can_write=True))
    server.kill()
    other.tend(lambda: tells(can_write=False))


def test_what_one_has_bound_over_a_connection_the_other_unbinds_when_it_ends(two: tuple[Site, Site]) -> None:
    one, other = two
    one.service.receive_frame(
        frames.pack("sip.received", [received(register(BROWSER, user="u1"), connection(1))])
    )
    one.service.flush()
    other.tend(lambda: other.contacts("u1"))
    other.service.receive("connection.closed", [[connection(1)]], time.monotonic())
    other.tend(lambda: not other.contacts("u1"))
    one.tend(lambda: not one.contacts("u1"))
