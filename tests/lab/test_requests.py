"""Each message is read by the switchboard's own parser, and by the other phone."""

import pytest
from lab.identities import identity

from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message


def test_register_and_unregister() -> None:
    anna = identity("anna")
    first, last = (parse_message(anna.register(expires)) for expires in (120, 0))
    assert (first.method, first.uri, first.body) == ("REGISTER", "sip:pbx.test", b"")
    assert first.get(Header.CONTACT) == "<sip:anna@10.0.0.2:6060>"
    assert [each.get(Header.EXPIRES) for each in (first, last)] == ["120", "0"]
    assert first.call_id == last.call_id
    assert [each.cseq for each in (first, last)] == [(1, "REGISTER"), (2, "REGISTER")]
    assert first.via.branch != last.via.branch


def test_a_call_from_invite_to_bye() -> None:
    anna, boris = identity("anna"), identity("boris", 6070)
    invite = parse_message(anna.invite(boris.aor))
    assert (invite.uri, invite.method) == ("sip:boris@pbx.test", "INVITE")
    assert b"c=IN IP4 10.0.0.2\r\n" in invite.body
    assert invite.get(Header.CONTENT_LENGTH) == str(len(invite.body))
    ringing, answer = (parse_message(boris.respond(invite, status)) for status in (180, 200))
    assert (ringing.status, ringing.reason, ringing.body) == (180, "Ringing", b"")
    assert (answer.reason, answer.get(Header.CONTACT)) == ("OK", "<sip:boris@10.0.0.2:6070>")
    assert answer.to_tag == ringing.to_tag == boris.tag
    ack, bye = parse_message(anna.ack(answer)), parse_message(anna.bye(answer))
    assert (ack.method, ack.cseq[0], bye.cseq) == ("ACK", 1, (2, "BYE"))
    for request in (ack, bye):
        assert request.uri == "sip:boris@10.0.0.2:6070"
        assert (request.from_tag, request.to_tag) == (anna.tag, boris.tag)
        assert request.call_id == invite.call_id
    done = parse_message(boris.respond(bye, 200))
    assert (done.status, done.body, done.get(Header.CONTACT)) == (200, b"", None)


def test_requests_of_the_dialog_take_the_recorded_way() -> None:
    anna, boris = identity("anna"), identity("boris")
    invite = parse_message(
        anna.invite(boris.aor).replace(
            b"Max-Forwards", b"Record-Route: <sip:a;lr>\r\nRecord-Route: <sip:b;lr>\r\nMax-Forwards"
        )
    )
    answer = parse_message(boris.respond(invite, 200))
    assert answer.values(Header.RECORD_ROUTE) == ["<sip:a;lr>", "<sip:b;lr>"]
    assert parse_message(anna.bye(answer)).values(Header.ROUTE) == ["<sip:b;lr>", "<sip:a;lr>"]


@pytest.mark.parametrize(
    ("host", "shown", "family"), [("10.0.0.2", "10.0.0.2", b"IP4"), ("::1", "[::1]", b"IP6")]
)
def test_both_address_families(host: str, shown: str, family: bytes) -> None:
    invite: Message = parse_message(identity("anna", host=host).invite("sip:boris@pbx.test"))
    assert invite.get(Header.CONTACT) == f"<sip:anna@{shown}:6060>"
    assert b"o=- 1 1 IN " + family + b" " + host.encode() in invite.body
