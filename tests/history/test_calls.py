"""Which messages belong to which call of a Call-ID."""

from history.wire import LENKA, LUKAS, Wire, call, request, response
from hypothesis import given
from hypothesis import strategies as st

from switchboard.history.explain import calls_of
from switchboard.history.lenient import LenientMessage
from switchboard.history.seen import Seen


def parsed_messages(seen: list[Seen]) -> list[LenientMessage]:
    return [LenientMessage.of(each) for each in seen]


def with_tag(seen: list[Seen], tag: str, later_ns: int = 1) -> list[Seen]:
    """The same messages of another caller with that tag."""
    new = f";tag={tag}\r\n".encode()
    return [
        each._replace(raw=each.raw.replace(b";tag=1\r\n", new), at_ns=each.at_ns + later_ns) for each in seen
    ]


def test_one_call() -> None:
    found = parsed_messages(call())
    assert calls_of(found) == [found]


@given(st.permutations(range(26)))
def test_calls_of_two_callers_however_they_mix(order: list[int]) -> None:
    both = parsed_messages([*call(), *with_tag(call(), "77")])
    mixed = sorted((both[place] for place in order), key=lambda parsed: parsed.seen.at_ns)
    first, second = calls_of(mixed)
    assert (first, second) == (both[:13], both[13:])


def test_a_caller_without_a_tag() -> None:
    both = parsed_messages([*call(), *with_tag(call(), "")])
    assert [len(each) for each in calls_of(both)] == [13, 11]  # nothing tells whose the callee's BYE is


def test_the_next_call_begins_with_an_invite_after_an_answer() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE", branches=("i1",)))
    wire.leaves(LUKAS, response(407, "Password", ("i1",)))
    wire.comes(LUKAS, request("INVITE", branches=("i2",), cseq=2))
    wire.leaves(LUKAS, response(200, "OK", ("i2",), cseq=2))
    wire.comes(LUKAS, request("INVITE", branches=("i2",), cseq=2))
    wire.comes(LUKAS, request("INVITE", branches=("i3",), cseq=3, to_tag="2"))
    wire.comes(LENKA, request("BYE", branches=("bye",), cseq=1, to_tag="1"))
    wire.comes(LUKAS, request("INVITE", branches=("i4",), cseq=2))
    assert [len(each) for each in calls_of(parsed_messages(wire.seen))] == [7, 1]
