"""One line for each who was turned away."""

from structlog.testing import capture_logs

from switchboard.auth.failures import Failure, Reason
from switchboard.workers.log_lines import FAILURES_A_SECOND, FAILURES_AT_ONCE, FailureLog


def failure(user: str = "lukas") -> Failure:
    return Failure("203.0.113.9", user, "REGISTER", Reason.WRONG_PASSWORD)


def test_what_a_line_says() -> None:
    with capture_logs() as lines:
        FailureLog().tell([failure()], 1000.0)
    assert lines == [
        {
            "event": "auth failed",
            "log_level": "warning",
            "source": "203.0.113.9",
            "user": "lukas",
            "method": "REGISTER",
            "reason": "wrong password",
        }
    ]


def test_what_the_phone_is_and_showed() -> None:
    with capture_logs() as lines:
        FailureLog().tell([failure()._replace(user_agent='Phone/1 "source": x', algorithm="MD5")], 1000.0)
    assert (lines[0]["user_agent"], lines[0]["algorithm"]) == ("Phone?1??source???x", "MD5")


def test_a_domain_that_is_not_ours_and_what_to_set() -> None:
    elsewhere = failure()._replace(reason=Reason.FOREIGN_DOMAIN, domain='pbx.office.local:5070"\nx')
    with capture_logs() as lines:
        FailureLog().tell([elsewhere], 1000.0)
    assert lines[0]["domain"] == "pbx.office.local:5070??x"
    assert "SWITCHBOARD_DOMAINS" in lines[0]["todo"]
    assert lines[0]["event"] == "auth failed"


def test_a_user_of_ours_who_registers_elsewhere_is_no_attacker() -> None:
    with capture_logs() as lines:
        FailureLog().tell([failure()._replace(reason=Reason.ASKED_ELSEWHERE, domain="example.org")], 1000.0)
    assert lines[0]["event"] == "registration elsewhere"


def test_nobody_writes_lines_of_his_own() -> None:
    with capture_logs() as lines:
        FailureLog().tell([failure('x source=10.0.0.1\nauth failed "' + "y" * 100)], 1000.0)
    assert lines[0]["user"].startswith("x?source?10.0.0.1?auth?failed??yyy")
    assert len(lines[0]["user"]) == 64


def test_a_flood_of_them_does_not_fill_the_disk() -> None:
    log = FailureLog()
    with capture_logs() as lines:
        log.tell([failure()] * 1000, 1000.0)
        assert len(lines) == FAILURES_AT_ONCE
        log.tell([failure()] * 1000, 1001.0)
    assert len(lines) == FAILURES_AT_ONCE + FAILURES_A_SECOND
    assert log.unlogged == 2000 - len(lines)
