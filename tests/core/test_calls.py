"""Session-Expires in a 2xx (RFC 4028 §4)."""

import pytest
from playbook import request, response

from switchboard.core.calls import LONGEST, Unconfirmed, session_expires_s
from switchboard.core.commands import CallEvent
from switchboard.core.target import Target
from switchboard.sip.message import Message, parse_message
from switchboard.sip.uri import SipUri


@pytest.mark.parametrize(
    ("line", "session_s"),
    [
        ("Session-Expires: 1800;refresher=uac", 1800),
        ("x: 600", 600),
        ("SESSION-EXPIRES :\r\n 4000 ; refresher=uas", 4000),
        ("Session-Expires: 1", 90),
        ("Session-Expires: 0", 90),
        ("Session-Expires: 999999999", 999_999_999),
        ("Session-Expires: 9999999999", 0),
        ("Session-Expires: soon", 0),
        ("Session-Expires:", 0),
        ("X-Session-Expires: 1800", 0),
    ],
)
def test_seconds(line: str, session_s: int) -> None:
    answer = response(parse_message(request("INVITE", "sip:lenka@10.0.0.1")), 200, lines=(line,))
    assert session_expires_s(parse_message(answer)) == session_s


PATIENCE_S = 32.0
TARGET = Target("sip:lenka@10.0.0.12", SipUri.parse("sip:lenka@10.0.0.12"))
AT = 1_800_000_000.0


def message(call_id: str, method: str = "INVITE", cseq: int = 1) -> Message:
    return parse_message(request(method, "sip:lenka@10.0.0.1", call_id=call_id, cseq=cseq))


def test_each_is_told_once_when_its_time_is_over() -> None:
    calls = Unconfirmed(PATIENCE_S)
    calls.await_ack(message("1"), TARGET, 100.0)
    calls.await_ack(message("2"), TARGET, 101.0)
    calls.await_ack(message("1"), TARGET, 110.0)
    assert list(calls.take_overdue(131.0, AT)) == []
    assert list(calls.take_overdue(132.0, AT)) == [CallEvent("unconfirmed", "1", "from-1", AT)]
    assert list(calls.take_overdue(140.0, AT)) == [CallEvent("unconfirmed", "2", "from-1", AT)]
    assert not calls


def test_an_ack_confirms_the_invite_whose_number_it_bears() -> None:
    calls = Unconfirmed(PATIENCE_S)
    calls.await_ack(message("1"), TARGET, 100.0)
    calls.confirm(message("1", "ACK", cseq=2))
    calls.confirm(message("2", "ACK"))
    assert len(calls) == 1
    assert calls.confirm(message("1", "ACK")) is TARGET
    assert calls.confirm(message("1", "ACK")) is None
    assert list(calls.take_overdue(200.0, AT)) == []


def test_of_too_many_the_oldest_is_forgotten() -> None:
    calls = Unconfirmed(PATIENCE_S, most=2)
    for call_id in "123":
        calls.await_ack(message(call_id), TARGET, 100.0)
    assert [event.call_id for event in calls.take_overdue(200.0, AT)] == ["2", "3"]


def test_an_endless_call_id_is_not_kept() -> None:
    calls = Unconfirmed(PATIENCE_S)
    calls.await_ack(message("x" * LONGEST), TARGET, 100.0)
    assert not calls
