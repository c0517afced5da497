"""The engine decides, sends, tells and keeps what the reference would, whatever comes in whatever order.

Each board has a twin without an engine (`playbook.Twin`), which compares after every step.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbook import LENKA, LUKAS, Board, request, response
from stage import BOUNDS, TRANSPORTS, play

from switchboard.core.facts import MOST_KEYS
from switchboard.core.native import IS_COMPILED

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")

STEP = st.tuples(*(st.integers(0, most) for most in BOUNDS))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_both_decide_the_same(steps: list[tuple[int, int, int, int]]) -> None:
    play(Board(), steps)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_both_decide_the_same_over_all_transports(steps: list[tuple[int, int, int, int]]) -> None:
    play(Board(transports=TRANSPORTS), steps)


def test_a_plain_call_is_the_engines() -> None:
    board = Board(fragile=False)
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), LUKAS)
    invite = board.sent()[0].message
    board.receive(response(invite, 180), LENKA)
    board.receive(response(invite, 200, lines=("Contact: <sip:lenka@10.0.0.12:5060>",)), LENKA)
    route = board.answers()[-1].message.values("record-route")[0]
    for method, branch in (("ACK", "z9hG4bKack"), ("BYE", "z9hG4bKbye")):
        more = {
            "branch": branch,
            "to_tag": "to-1",
            "cseq": 1 + (method == "BYE"),
            "lines": (f"Route: {route}",),
        }
        board.receive(request(method, "sip:lenka@10.0.0.12:5060", **more), LUKAS)  # type: ignore[arg-type]
    board.receive(response(board.sent()[-1].message, 200), LENKA)
    stats = board.core.stats()
    is_native = board.native
    assert (stats.get("plain"), stats.get("odd")) == ((6, 0) if is_native else (None, None))
    assert board.kinds() == ["invite", "ringing", "answered", "bye"]


def answered(board: Board, contact: str, target: str = "sip:lenka@10.0.0.12:5060") -> str:
    """A call that was answered with this Contact; returns our Route."""
    board.bind("lenka", target)
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), LUKAS)
    invite = board.sent()[0].message
    board.receive(response(invite, 200, lines=(f"Contact: {contact}",)), LENKA)
    return board.answers()[-1].message.values("record-route")[0]


@pytest.mark.parametrize(
    ("target", "contact"),
    [
        ("sip:1234;phone-context=a.b@10.0.0.12:5060", "<sip:1234;phone-context=a.b@192.0.2.99:5070>"),
        ("sip:1234@10.0.0.12:5060", "<sip:10.0.0.12:5060;x@192.0.2.99:5070>"),
        ("sip:lenka@10.0.0.12:5060", "<sip:other@10.0.0.12:5060>x"),
        ("sip:lenka@10.0.0.12:5060", "<sip:other@10.0.0.12:5060;maddr=192.0.2.99>"),
        ("sip:lenka@10.0.0.12:5060", "<sip:other@10.0.0.12:5060>;expires=60"),
    ],
)
def test_where_a_contact_is(target: str, contact: str) -> None:
    """The twin compares what leaves: the same seal, or a new one."""
    board = Board()
    route = answered(board, contact, target)
    uri = contact.strip("<").partition(">")[0]
    for method, cseq in (("ACK", 1), ("BYE", 2)):
        raw = request(
            method, uri, branch=f"z9hG4bK{method}", to_tag="to-1", cseq=cseq, lines=(f"Route: {route}",)
        )
        board.receive(raw, LUKAS)


@pytest.mark.parametrize(
    "form", ["{0} {0}", "{0}{0}", "{0},", "{0}, {0}", "{0}" + ", {0}" * 61, "{1}", "{2}"], ids=range(7)
)
def test_routes_that_are_not_ours_as_we_write_them(form: str) -> None:
    board = Board()
    route = answered(board, "<sip:lenka@10.0.0.12:5060>")
    question, blank = route.replace(":5060;", ":?5060;"), route.replace(";lr;", ";lr ;")
    line = "Route: " + form.format(route, question, blank)
    raw = request(
        "BYE", "sip:lenka@10.0.0.12:5060", branch="z9hG4bKbye", to_tag="to-1", cseq=2, lines=(line,)
    )
    board.receive(raw, LUKAS)


def test_what_hangs_on_a_user_is_bounded() -> None:
    board = Board(fragile=False)
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    for number in range(MOST_KEYS + 20):
        uri = f"sip:lenka@10.0.0.1;x={number}"
        board.receive(request("OPTIONS", uri, branch=f"z9hG4bK{number}", call_id=f"call-{number}"), LUKAS)
    assert len(board.core._facts.changed("lenka")) <= MOST_KEYS
    assert len(board.sent()) == MOST_KEYS + 20


def test_names_of_methods_outlive_their_look_up() -> None:
    """A 503, which is odd, has the transaction handed over; the caller hears 500 (RFC 3261 §16.7 step 6)."""
    board = Board()
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), LUKAS)
    board.receive(response(board.sent()[0].message, 503), LENKA)
    assert board.statuses() == [100, 500]
