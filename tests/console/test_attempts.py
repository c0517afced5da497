"""How often a password may be tried; time is advanced by hand."""

from switchboard.console.attempts import MAX_SOURCES, PERIOD_S, TRIES_OF_ALL, TRIES_OF_ONE, Attempts


def test_one_source_waits_after_its_failures() -> None:
    attempts = Attempts()
    for now in range(TRIES_OF_ONE):
        assert attempts.wait_s("10.0.0.1", now) == 0.0
        attempts.failed("10.0.0.1", now)
    assert attempts.wait_s("10.0.0.1", 10.0) == PERIOD_S - 10.0
    assert attempts.wait_s("10.0.0.2", 10.0) == 0.0
    assert attempts.wait_s("10.0.0.1", PERIOD_S) == 0.0


def test_the_right_password_forgives() -> None:
    attempts = Attempts()
    for _ in range(TRIES_OF_ONE):
        attempts.failed("10.0.0.1", 0.0)
    attempts.succeeded("10.0.0.1")
    assert attempts.wait_s("10.0.0.1", 0.0) == 0.0


def test_many_sources_together_wait_too() -> None:
    attempts = Attempts()
    for number in range(TRIES_OF_ALL):
        attempts.failed(f"10.0.0.{number}", 0.0)
    assert attempts.wait_s("192.0.2.1", 1.0) == PERIOD_S - 1.0


def test_memory_is_bounded() -> None:
    attempts = Attempts()
    for number in range(2 * MAX_SOURCES):
        attempts.failed(str(number), 0.0)
    assert len(attempts._of_one) == MAX_SOURCES
