"""Look-ups in the background: turns, memory, counters; whoever asks is here a queue that the test answers from."""

import select
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
from name_server import NameServer, name_server

from switchboard.core.commands import Lookup, NextHop, Question
from switchboard.transports.desk import Desk, Found, Service
from switchboard.transports.names import Names, serve
from switchboard.transports.resolve import CHOSEN_S, LASTS_S, NOTED_S, PATIENCE_S, SLOW_S, Resolver
from switchboard.transports.turns import SHARE, SHARE_AT_ONCE

DEADLINE_S = 10.0
HERE = Lookup("here.example", None)
HOP = NextHop("192.0.2.1", 5060)


class Asked:
    """A resolver whose look-ups the test makes; `now` is its clock."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.resolver = Resolver(lambda host: host != "unreachable", self._keep, lambda: self.now)

    def _keep(self, desk: Desk) -> None:
        self.desk = desk

    def ask(self, host: str = HERE.host, asker: str = "anna") -> None:
        self.resolver.ask(Question(Lookup(host, None), asker))

    def taken(self) -> list[str]:
        """The names that were asked for since the last call."""
        found = []
        while not self.desk.asked.empty():
            lookup = self.desk.asked.get()
            assert lookup
            found.append(lookup.host)
        return found

    def find(
        self, *hops: NextHop, host: str = HERE.host, lasts_s: float = 60, is_answered: bool = True
    ) -> None:
        self.desk.tell(Lookup(host, None), Found((Service(0, 0, hops),), lasts_s, is_answered))

    def is_readable(self) -> bool:
        return bool(select.select([self.resolver.fd], [], [], 0)[0])


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    yield asked
    asked.resolver.close()


def test_a_name_is_asked_for_once_whoever_wants_it(asked: Asked) -> None:
    asked.ask()
    asked.ask()
    asked.ask(asker="ben")
    assert asked.taken() == ["here.example"]
    assert asked.resolver.waiting == 1
    assert not asked.is_readable()
    asked.find(HOP)
    assert asked.is_readable()
    assert asked.resolver.answers() == [(HERE, (HOP,))]
    assert not asked.is_readable()
    assert asked.resolver.waiting == 0


@pytest.mark.parametrize("hops", [(HOP,), ()])
def test_an_answer_is_kept_as_long_as_it_says(asked: Asked, hops: tuple[NextHop, ...]) -> None:
    """One that there is nothing, too."""
    expected = [(HERE, hops)]
    asked.ask()
    asked.find(*hops, lasts_s=30)
    assert asked.resolver.answers() == expected
    assert asked.taken() == ["here.example"]
    asked.now += 29
    asked.ask(asker="ben")
    assert asked.is_readable()
    assert asked.resolver.answers() == expected
    assert not asked.is_readable()
    assert asked.taken() == []
    asked.now += 1
    asked.ask()
    assert asked.taken() == ["here.example"]
    assert asked.resolver.stats()["lookups_remembered"] == 1


def test_what_does_not_last_is_asked_for_again(asked: Asked) -> None:
    for _ in range(2):
        asked.ask()
        asked.find(HOP, lasts_s=0)
        assert asked.resolver.answers() == [(HERE, (HOP,))]
        assert asked.taken() == ["here.example"]


def test_how_long_an_answer_counts_for_all(asked: Asked) -> None:
    asked.ask()
    assert asked.resolver.lasts_s(HERE) == 0
    asked.find(HOP, lasts_s=30)
    asked.resolver.answers()
    asked.now += 10
    assert asked.resolver.lasts_s(HERE) == 20
    asked.now += 30
    assert asked.resolver.lasts_s(HERE) == 0
    asked.ask()
    asked.find(HOP, lasts_s=3600)
    asked.resolver.answers()
    assert asked.resolver.lasts_s(HERE) == LASTS_S


def test_where_weights_decide_an_answer_does_not_count_for_long(asked: Asked) -> None:
    asked.ask()
    both = Service(0, 1, (HOP,)), Service(0, 1, (NextHop("192.0.2.2", 5060),))
    asked.desk.tell(HERE, Found(both, 3600))
    asked.resolver.answers()
    assert asked.resolver.lasts_s(HERE) == CHOSEN_S


def test_the_first_address_that_can_be_reached(asked: Asked) -> None:
    asked.ask()
    asked.find(NextHop("unreachable", 5060), HOP)
    assert asked.resolver.answers() == [(HERE, (HOP,))]
    asked.ask("other.example")
    asked.find(NextHop("unreachable", 5060), host="other.example")
    assert asked.resolver.answers() == [(Lookup("other.example", None), (NextHop("unreachable", 5060),))]


def test_one_asker_does_not_keep_others_from_their_turn(asked: Asked) -> None:
    for number in range(SHARE + SHARE_AT_ONCE + 5):
        asked.ask(f"n{number}.example")
    assert len(asked.taken()) == SHARE_AT_ONCE
    assert [hops for _, hops in asked.resolver.answers()] == [()] * 5
    assert asked.resolver.stats()["lookups_refused"] == 5
    asked.ask(asker="ben")
    assert asked.taken() == ["here.example"]
    asked.find(host="n3.example")
    asked.resolver.answers()
    assert asked.taken() == [f"n{SHARE_AT_ONCE}.example"]


def test_an_ipv6_site_is_one_asker(asked: Asked) -> None:
    for number in range(SHARE_AT_ONCE + 1):
        asked.ask(f"n{number}.example", f"2001:db8::{number:x}")
    assert len(asked.taken()) == SHARE_AT_ONCE
    asked.ask(asker="2001:db8:0:1::1")
    assert asked.taken() == ["here.example"]


def test_who_waits_for_the_same_name_has_a_turn_of_their_own(asked: Asked) -> None:
    for number in range(SHARE):
        asked.ask(f"n{number}.example")
    asked.taken()
    last = f"n{SHARE - 1}.example"
    asked.ask(last, "ben")
    assert asked.taken() == [last]
    asked.find(HOP, host=last)
    assert asked.resolver.answers() == [(Lookup(last, None), (HOP,))]


def test_whose_turn_does_not_come_in_time_waits_no_longer(asked: Asked) -> None:
    for number in range(SHARE_AT_ONCE + 1):
        asked.ask(f"n{number}.silent")
    asked.ask(f"n{SHARE_AT_ONCE}.silent", "ben")
    asked.ask("late.silent")
    asked.now += PATIENCE_S + 0.1
    for number in range(SHARE_AT_ONCE):
        asked.find(host=f"n{number}.silent", lasts_s=5, is_answered=False)
    answered = [lookup.host for lookup, hops in asked.resolver.answers() if not hops]
    assert answered == [*(f"n{number}.silent" for number in range(SHARE_AT_ONCE)), "late.silent"]
    assert asked.resolver.waiting == 1  # ben's
    stats = asked.resolver.stats()
    assert (stats["lookups_unanswered"], stats["lookups_slow"]) == (SHARE_AT_ONCE + 1, SHARE_AT_ONCE)


def test_slow_ones_are_counted_and_unanswered_ones_noted(asked: Asked) -> None:
    asked.ask()
    asked.now += SLOW_S + 0.1
    asked.find(HOP)
    asked.resolver.answers()
    assert asked.resolver.notes() == []
    asked.ask("x.silent")
    asked.find(host="x.silent", is_answered=False)
    asked.resolver.answers()
    assert asked.resolver.stats()["lookups_slow"] == 1
    (note,) = asked.resolver.notes()
    assert note.startswith("1 names were looked up in the last minute")
    asked.now += NOTED_S + 1
    assert asked.resolver.notes() == []


@pytest.mark.parametrize("host", ["10.1", "2130706433", "x" * 300])
def test_what_is_no_host_leads_nowhere(asked: Asked, host: str) -> None:
    asked.ask(host)
    assert asked.is_readable()
    assert asked.resolver.answers() == [(Lookup(host, None), ())]
    assert asked.resolver.stats()["lookups"] == 0


@pytest.fixture
def server() -> Iterator[NameServer]:
    with name_server() as server:
        server.records = {("here.example.", "A"): [HOP[0]]}
        yield server


@pytest.fixture
def resolver(server: NameServer, tmp_path: Path) -> Iterator[Resolver]:
    names = Names(tmp_path / "hosts", server.settings(tmp_path), server.port)
    resolver = Resolver(bool, lambda desk: serve(desk, names))
    yield resolver
    resolver.close()


def collect(resolver: Resolver, count: int) -> dict[Lookup, tuple[NextHop, ...]]:
    found: list[tuple[Lookup, tuple[NextHop, ...]]] = []
    until = time.monotonic() + DEADLINE_S
    while len(found) < count:
        readable, _, _ = select.select([resolver.fd], [], [], until - time.monotonic())
        assert readable, "no answer in time"
        found += resolver.answers()
    return dict(found)


def test_in_a_thread_of_its_own(resolver: Resolver, server: NameServer) -> None:
    """Each is answered once, whatever becomes of it, and then the descriptor is quiet."""
    asked = [
        HERE,
        Lookup("a..b", 1),
        Lookup("none.example", 5060),
        *(Lookup("127.0.0.9", n) for n in range(1, 20)),
    ]
    for lookup in asked:
        resolver.ask(Question(lookup, "anna"))
    found = collect(resolver, len(asked))
    assert found.keys() == set(asked)
    assert (found[HERE], found[asked[1]], found[asked[2]]) == ((HOP,), (), ())
    assert found[Lookup("127.0.0.9", 7)] == (NextHop("127.0.0.9", 7),)
    assert select.select([resolver.fd], [], [], 0)[0] == []
    resolver.ask(Question(HERE, "ben"))
    assert collect(resolver, 1) == {HERE: (HOP,)}
    assert server.asked["here.example.", "A"] == 1


def test_a_thousand_names_that_are_not_answered_delay_nobody_else(resolver: Resolver) -> None:
    for number in range(1_140):
        resolver.ask(Question(Lookup(f"n{number}.silent", None), "anna"))
    resolver.answers()
    began_at = time.monotonic()
    resolver.ask(Question(HERE, "ben"))
    while HERE not in collect(resolver, 1):
        pass
    assert time.monotonic() - began_at < SLOW_S


def test_what_goes_wrong_in_the_thread_leaves_nobody_waiting(
    resolver: Resolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_names: Names, _lookup: Lookup) -> Found:
        raise RuntimeError("as no code of ours does")

    monkeypatch.setattr(Names, "find", fail)
    resolver.ask(Question(HERE, "anna"))
    assert collect(resolver, 1) == {HERE: ()}
    assert resolver.stats()["lookups_unanswered"] == 1


def test_close_may_come_after_the_end(server: NameServer, tmp_path: Path) -> None:
    names = Names(tmp_path / "hosts", server.settings(tmp_path), server.port)
    ended = Event()

    def look_up(desk: Desk) -> None:
        serve(desk, names)
        ended.set()

    resolver = Resolver(bool, look_up)
    resolver.ask(Question(HERE, "anna"))
    collect(resolver, 1)
    resolver.close()
    assert ended.wait(DEADLINE_S)
    resolver.close()


def test_close_does_not_wait(resolver: Resolver) -> None:
    for number in range(50):
        resolver.ask(Question(Lookup(f"n{number}.silent", None), str(number)))
    began_at = time.monotonic()
    resolver.close()
    assert time.monotonic() - began_at < SLOW_S
