"""One line for each registration that had to go."""

from structlog.testing import capture_logs

from switchboard.registrar.binding import Binding
from switchboard.registrar.rules import Displaced
from switchboard.workers.log_lines import DISPLACED_A_SECOND, DISPLACED_AT_ONCE, BindingLog

PHONE = Binding("sip:lukas@10.0.0.9:1;x=y", 1.0, 0.0, user_agent="A phone")
DISPLACED = Displaced("lukas x=1", PHONE, ("203.0.113.9", 5060))


def test_what_a_line_says() -> None:
    with capture_logs() as lines:
        BindingLog(1000.0).tell([DISPLACED], 1000.0)
    assert lines == [
        {
            "event": "registration displaced",
            "log_level": "warning",
            "source": "203.0.113.9",
            "user": "lukas?x?1",
            "contact": "sip:lukas@10.0.0.9:1;x?y",
            "user_agent": "A?phone",
        }
    ]


def test_many_of_them_do_not_fill_the_disk() -> None:
    log = BindingLog(1000.0)
    with capture_logs() as lines:
        log.tell([DISPLACED] * 1000, 1000.0)
        assert len(lines) == DISPLACED_AT_ONCE
        log.tell([DISPLACED] * 1000, 1001.0)
    assert len(lines) == DISPLACED_AT_ONCE + DISPLACED_A_SECOND
    assert log.unlogged == 2000 - len(lines)
