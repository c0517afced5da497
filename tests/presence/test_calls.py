"""Who is in which call, by the events that routers tell."""

import pytest

from switchboard.journal.events import Answered, Bye, CallEvent, Failed, Invite, Ringing
from switchboard.journal.record import Party
from switchboard.presence.calls import NEWS_S, OVER_S, Calls

LUKAS, LENKA, FAR = "sip:lukas@x", "sip:lenka@x", "sip:far@elsewhere"
INVITE = Invite("c", "f", 100.0, LUKAS, LENKA)
RINGING = Ringing("c", "f", 101.0)
ANSWERED = Answered("c", "f", 102.0, "t", 200)


class Seen:
    """Calls, and who was said to have changed."""

    def __init__(self) -> None:
        self.changed: list[str] = []
        self.calls = Calls(lambda uri: uri[4:-2] if uri.endswith("@x") else "", self.changed.append)

    def after(self, *events: CallEvent) -> "Seen":
        for event in events:
            self.calls.take(event)
        return self

    @property
    def states(self) -> list[list[tuple[str, str, str]]]:
        return [
            [(leg.direction, leg.state, leg.event) for leg in self.calls.legs(user)]
            for user in ("lukas", "lenka")
        ]


@pytest.mark.parametrize(("events", "lukas", "lenka"), [
    ([INVITE], [("initiator", "trying", "")], []),
    ([INVITE, RINGING], [("initiator", "early", "")], [("recipient", "early", "")]),
    ([INVITE, ANSWERED], [("initiator", "confirmed", "")], [("recipient", "confirmed", "")]),
    ([INVITE, RINGING, Failed("c", "f", 103.0, 487, Party.CALLER)],
     [("initiator", "terminated", "cancelled")], [("recipient", "terminated", "cancelled")]),
    ([INVITE, RINGING, Failed("c", "f", 103.0, 486, Party.CALLEE)],
     [("initiator", "terminated", "rejected")], [("recipient", "terminated", "rejected")]),
    ([INVITE, Failed("c", "f", 103.0, 404, Party.SWITCHBOARD)], [("initiator", "terminated", "rejected")], []),
    ([INVITE, Failed("c", "f", 103.0, 407, Party.CALLEE), INVITE, RINGING],
     [("initiator", "early", "")], [("recipient", "early", "")]),
    ([INVITE, RINGING, ANSWERED, RINGING, Failed("c", "f", 103.0, 500, Party.CALLEE)],
     [("initiator", "confirmed", "")], [("recipient", "confirmed", "")]),
    ([INVITE, ANSWERED, Bye("c", "f", 104.0, "t")],
     [("initiator", "terminated", "local-bye")], [("recipient", "terminated", "remote-bye")]),
    ([INVITE, ANSWERED, Bye("c", "t", 104.0, "f")],
     [("initiator", "terminated", "remote-bye")], [("recipient", "terminated", "local-bye")]),
    ([INVITE, ANSWERED, Bye("c", "f", 104.0, "t", 401)],
     [("initiator", "confirmed", "")], [("recipient", "confirmed", "")]),
    ([INVITE, ANSWERED, ANSWERED._replace(to_tag="u"), Bye("c", "f", 104.0, "t")],
     [("initiator", "confirmed", "")], [("recipient", "confirmed", "")]),
    ([RINGING, ANSWERED, Bye("c", "f", 104.0, "t")], [], []),
])  # fmt: skip
def test_states(
    events: list[CallEvent], lukas: list[tuple[str, str, str]], lenka: list[tuple[str, str, str]]
) -> None:
    assert Seen().after(*events).states == [lukas, lenka]


def test_strangers_have_no_lamps() -> None:
    seen = Seen().after(INVITE._replace(callee=FAR), RINGING)
    assert seen.states == [[("initiator", "early", "")], []]
    assert set(seen.changed) == {"lukas"}


def test_what_is_over_is_forgotten() -> None:
    seen = Seen().after(INVITE, ANSWERED, Bye("c", "f", 104.0, "t"))
    before = list(seen.changed)
    seen.calls.purge(104.0 + OVER_S)
    assert (seen.states, seen.changed, len(seen.calls)) == ([[], []], before, 0)


def test_the_journal_knows_better() -> None:
    old = Invite("old", "f", 100.0, LUKAS, LENKA)
    new = Invite("new", "f", 100.0 + NEWS_S, LUKAS, LENKA)
    seen = Seen().after(old, new)
    open_ = {"call_id": "c", "caller": LUKAS, "callee": LENKA, "state": "up"}
    seen.calls.replace([open_], 101.0 + NEWS_S)
    assert [(state, event) for _, state, event in seen.states[0]] == [
        ("terminated", ""), ("trying", ""), ("confirmed", ""),
    ]  # fmt: skip
    seen.after(Bye("c", "f", 120.0, "t"))
    assert seen.states[1] == [("recipient", "terminated", "remote-bye")]


def test_a_call_that_is_led_to_others() -> None:
    """To two users at once, of whom one answers; that they are called is told before the call has begun."""
    seen = Seen()
    seen.calls.lead("c", ["lenka", "peter"], 100.0)
    seen.after(INVITE._replace(callee="sip:office@x"), RINGING)
    assert seen.states[1] == [("recipient", "early", "")]
    assert [leg.state for leg in seen.calls.legs("peter")] == ["early"]
    assert seen.calls.legs("office") == ()
    seen.calls.lead("c", ["peter"], 101.5)
    seen.after(ANSWERED)
    assert seen.states[1] == [("recipient", "terminated", "cancelled")]
    assert [leg.state for leg in seen.calls.legs("peter")] == ["confirmed"]


def test_a_call_that_is_forwarded_rings_there() -> None:
    seen = Seen().after(INVITE, RINGING)
    seen.calls.lead("c", ["peter"], 110.0)
    assert seen.states[1] == [("recipient", "terminated", "cancelled")]
    assert [leg.state for leg in seen.calls.legs("peter")] == ["early"]


def test_the_journal_knows_who_has_taken_a_call() -> None:
    def described(call_id: str, *forwarded: tuple[str, str, str]) -> dict[str, object]:
        ways = [dict(zip(("by", "to", "why"), each, strict=True)) for each in forwarded]
        return {"call_id": call_id, "caller": FAR, "callee": "sip:eva@x", "state": "up", "forwarded": ways}

    seen = Seen()
    taken = ("group:office", "lukas", "taken")
    seen.calls.replace([described("a", ("eva", "group:office", "busy"), taken)], 100.0)
    assert [bool(seen.calls.legs(each)) for each in ("eva", "lukas", "group:office")] == [False, True, True]
    seen.calls.replace([described("b", ("eva", "lenka", "busy"))], 100.0)
    assert [bool(seen.calls.legs(each)) for each in ("eva", "lenka")] == [False, True]


def test_what_is_led_and_never_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.presence.calls.MOST_LED", 2)
    seen = Seen()
    for number in range(5):
        seen.calls.lead(str(number), ["lenka"], 1.0)
    assert len(seen.calls._led) == 2


def test_so_many_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.presence.calls.MOST", 2)
    seen = Seen().after(*(INVITE._replace(call_id=str(number)) for number in range(4)))
    assert len(seen.calls) == 2
