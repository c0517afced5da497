import pytest

from switchboard.journal.outcome import outcome_of
from switchboard.journal.record import Party


@pytest.mark.parametrize(
    ("statuses", "by", "rang", "outcome"),
    [
        ((487, 408), "caller", True, "cancelled"),
        ((487, 408), "caller", False, "cancelled"),
        ((486, 600), "callee", True, "busy"),
        ((486, 600), "callee", False, "busy"),
        ((486,), "caller", True, "busy"),
        ((603, 607, 608), "callee", True, "declined"),
        ((603, 607, 608), "callee", False, "declined"),
        ((408, 480), "callee", True, "no_answer"),
        ((408, 480), "switchboard", True, "no_answer"),
        ((408, 480, 404, 410, 502, 503, 504, 604), "switchboard", False, "unreachable"),
        ((404, 410, 502, 503, 504, 604), "callee", True, "unreachable"),
        ((487,), "callee", True, "failed"),
        ((487,), "switchboard", False, "failed"),
        ((500,), "switchboard", False, "unreachable"),
        ((300, 302, 400, 401, 403, 420, 482, 483, 488, 500, 501, 513, 606, 699), "callee", True, "failed"),
    ],
)
def test_outcomes(statuses: tuple[int, ...], by: str, rang: bool, outcome: str) -> None:
    assert {outcome_of(status, Party(by), rang).value for status in statuses} == {outcome}
