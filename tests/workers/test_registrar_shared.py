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
from registrar.registers import register
from workers.test_registrar import CONTACT, FLOW, LIMIT_S, answers, received, subscribe, take

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.registrar.sqlite import read_snapshot
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

    def __init__(self, directory: Path, context: BusContext, server: RedisServer, **more: Any) -> None:
        self.settings = Settings(
            data_dir=directory, domains=("switchboard.test",), location=server.url, **more
        )
        self.settings.run_dir.mkdir(parents=True)
        self.edge = bind_inbox(context, Endpoints(self.settings.run_dir).inbox("edge-tx"))
        self.edge_rx = bind_inbox(context, Endpoints(self.settings.run_dir).inbox("edge-rx"))
        self.service = RegistrarService(self.settings, context, 0)

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
