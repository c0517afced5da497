"""Who was turned away is noted, and not without end."""

from switchboard.auth.failures import MOST, Failure, Failures, Reason


def test_they_are_taken_once_and_their_number_is_bounded() -> None:
    failures = Failures()
    for _ in range(MOST + 5):
        failures.note(Failure("10.0.0.9", "lukas", "REGISTER", Reason.WRONG_PASSWORD))
    assert len(failures.take()) == MOST
    assert failures.take() == []
    assert failures.count == MOST + 5
