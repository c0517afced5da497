"""The engine decides, sends, tells and keeps what the reference would, whatever comes in whatever order.

Each board has a twin without an engine (`playbook.Twin`), which compares after every step.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbook import LENKA, LUKAS, Board, request, response
from stage import BOUNDS, play

from switchboard.core.native import IS_COMPILED

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")

STEP = st.tuples(*(st.integers(0, most) for most in BOUNDS))


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_both_decide_the_same(steps: list[tuple[int, int, int, int]]) -> None:
    play(Board(), steps)


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
