"""How the presence worker follows the calls: events, and the journal's word where some are missing."""

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.rpc import RpcServer
from switchboard.presence.calls import Calls
from switchboard.workers.followed_calls import COMPARE_EVERY_S, FollowedCalls

AT = 1_800_000_000.0
LIMIT_S = 20.0
OPEN = {"call_id": "c9", "caller": "sip:lukas@x", "callee": "sip:lenka@x", "state": "up"}


class Followed:
    """Under test, with a journal that answers when it is told to."""

    def __init__(self, context: BusContext, endpoint: Endpoint) -> None:
        self.calls = Calls(lambda uri: uri[4:-2], lambda _: None)
        self.journal = RpcServer(context, endpoint)
        self.under_test = FollowedCalls(self.calls, context, endpoint)
        self.now = 1000.0

    def look(self, wait_s: float = 1.0) -> None:
        self.now += wait_s
        self.under_test.look(self.now, AT)

    def asked(self) -> int:
        """How often the journal has been asked since; each time it answers that there is one call."""
        count = 0
        while question := self.journal.take():
            assert question.subject == "call.list"
            question.reply([OPEN])
            count += 1
        return count

    def compare(self) -> None:
        """Look until an answer has come."""
        before, until = self.under_test.compared, time.monotonic() + LIMIT_S
        while self.under_test.compared == before:
            self.look(0.1)
            self.asked()
            assert time.monotonic() < until


@pytest.fixture
def followed(context: BusContext) -> Iterator[Followed]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        made = Followed(context, Endpoint(f"ipc://{Path(directory)}/journal.0.ask", "journal.0"))
        yield made
        made.under_test.close()
        made.journal.close()


def event(number: int, kind: str = "invite", *details: Any, call_id: str = "") -> list[Any]:
    if kind == "invite":
        details = ("sip:lukas@x", "sip:lenka@x")
    return [number, kind, call_id or f"c{number}", "f", AT, *details]


def test_events_are_taken_once(followed: Followed) -> None:
    followed.under_test.take(0, "a", [event(4), event(5)])
    followed.under_test.take(0, "a", [event(5), event(6, "failed", 486, "callee", call_id="c5")])
    followed.under_test.take(0, "a", [event(5)])
    assert [leg.state for leg in followed.calls.legs("lukas")] == ["trying", "terminated"]


def test_what_is_no_event_is_counted(followed: Followed) -> None:
    followed.under_test.take(0, "a", [None, [], [7, "x"], event(8)])
    assert followed.under_test.stats()["bad_events"] == 3
    assert len(followed.calls) == 1


def test_whom_calls_lead_to(followed: Followed) -> None:
    followed.under_test.lead([["c1", ["peter"]], ["c2", [1]], None], AT)
    followed.under_test.take(0, "a", [event(1), event(2, "ringing", call_id="c1")])
    assert [leg.state for leg in followed.calls.legs("peter")] == ["early"]
    assert followed.under_test.stats()["bad_events"] == 2


def test_a_start_asks_the_journal(followed: Followed) -> None:
    followed.compare()
    assert [leg.state for leg in followed.calls.legs("lenka")] == ["confirmed"]
    followed.look()
    assert followed.asked() == 0
    followed.compare()  # once more: what was told at the end of a predecessor is in the journal by then


def test_a_gap_asks_the_journal_again(followed: Followed) -> None:
    followed.compare()
    followed.under_test.take(0, "a", [event(1)])
    followed.under_test.take(0, "a", [event(3)])
    followed.compare()
    followed.under_test.take(0, "b", [event(1)])  # another life begins anew
    followed.compare()


def test_from_time_to_time_it_asks_in_any_case(followed: Followed) -> None:
    followed.compare()
    followed.compare()
    for _ in range(int(COMPARE_EVERY_S) - 2):
        followed.look()
    assert followed.asked() == 0
    followed.compare()


def test_who_comes_back_asks_at_once(followed: Followed) -> None:
    followed.compare()
    followed.now += 10
    followed.compare()
