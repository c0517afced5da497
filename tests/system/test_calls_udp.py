"""Calls over UDP between fake phones that check RFC 3261, and the records they leave."""

import re
import socket
from datetime import datetime

import pytest
from system.dialog import Call, Dialog, answer_call, hang_up, place_call
from system.harness import CallRecord, Switchboard, wait_until
from system.net import PATIENCE_S, Net
from system.sipmsg import address_of, parameter, uri_in, via_address
from system.user_agent import SDP, UserAgent, registered

from switchboard.sip.stun import answer_to

pytestmark = pytest.mark.system

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(Z|\+00:00)")


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


@pytest.fixture
def callee(net: Net) -> UserAgent:
    return registered(net, "lukas")


@pytest.mark.parametrize("by", ["caller", "callee"])
def test_call_ended_by_either_side(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent, by: str
) -> None:
    call = place_call(caller, callee)
    ends = (call.caller, call.callee)
    hang_up(*ends if by == "caller" else ends[::-1])
    record = switchboard.wait_record(call.call_id)
    assert (record["outcome"], record["status"], record["ended_by"]) == ("answered", 200, by)
    assert caller.aor in record["caller"]
    assert callee.aor in record["callee"]
    check_instants(record)


@pytest.mark.parametrize("octets", [17_000, 60_000])
def test_whatever_a_datagram_holds_passes(caller: UserAgent, callee: UserAgent, octets: int) -> None:
    """An offer, an answer, an ACK and a request of the call, each beyond the default of max_message_bytes."""
    body = SDP + b"a=x:y\r\n" * (octets // 7)
    invite = caller.invite(callee.aor, [("X-Field", str(number)) for number in range(250)], body)
    incoming = callee.expect("INVITE")
    sent = incoming.reply(200, body=body)
    ok = invite.expect(200)
    ends = Dialog.of_caller(caller, invite, ok), Dialog.of_callee(callee, incoming, sent)
    ends[0].acknowledge(body)
    info = ends[1].start("INFO", body=body)
    arrived = ends[0].expect("INFO")
    arrived.reply(200, body=body, routes=False)
    bodies = incoming.request, ok, ends[1].expect("ACK").request, arrived.request, info.expect(200)
    assert [message.body == body for message in bodies] == [True] * 5
    hang_up(*ends)


def test_switchboard_stays_in_the_way_of_both_sides(net: Net, caller: UserAgent, callee: UserAgent) -> None:
    call = place_call(caller, callee)
    for dialog in (call.caller, call.callee):
        assert {address_of(uri_in(route)) for route in dialog.routes} == {net.proxy}
    bye = hang_up(call.callee, call.caller)
    assert bye.source == net.proxy
    assert bye.get("max-forwards") == "69"


def test_request_as_it_arrives(net: Net, caller: UserAgent, callee: UserAgent) -> None:
    odd = [("X-Odd", ' a ,"b;c" <d>'.strip()), ("Subject", "Ahoj, ľudia"), ("x-odd", "second")]
    body = SDP + b"a=x:\x00\xff\r\n"
    caller.invite(callee.aor, odd, body)
    request = callee.expect("INVITE").request
    assert request.uri == callee.contact
    assert request.body == body
    assert [field for field in request.headers if field[0].lower() in ("x-odd", "subject")] == odd
    assert request.get("max-forwards") == "69"
    assert [via_address(via) for via in request.values("via")] == [net.proxy, caller.address]
    [route] = request.values("record-route")
    assert parameter(f"x;{uri_in(route).partition(';')[2]}", "lr") is not None


def test_response_as_it_arrives(caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    callee.expect("INVITE").reply(180, headers=[("X-Phone", "a  b"), ("Supported", "replaces, timer")])
    ringing = invite.expect(180)
    assert ringing.get("x-phone") == "a  b"
    assert ringing.get("supported") == "replaces, timer"
    assert via_address(ringing.get("via")) == caller.address
    assert parameter(ringing.get("via"), "rport") == str(caller.address[1])


def test_silent_callee_gives_the_caller_100(caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    callee.expect("INVITE")
    assert invite.expect(100).status == 100


def test_trying_of_the_callee_ends_here(net: Net, caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    callee.expect("INVITE").reply(100, "From The Phone")
    net.listen()
    assert "From The Phone" not in [response.reason for response in invite.responses]


def test_repeated_invite_is_absorbed(net: Net, caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    invite.resend()
    net.listen()
    assert (incoming.repetitions, callee.unread()) == (0, [])


def test_caller_gives_up(switchboard: Switchboard, caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    caller.cancel(invite).expect(200)
    cancel = callee.expect("CANCEL")
    assert cancel.request.branch == incoming.request.branch
    cancel.reply(200, routes=False)
    incoming.reply(487)
    incoming.expect_ack()
    invite.expect(487)
    record = switchboard.wait_record(invite.request.call_id)
    assert (record["outcome"], record["status"], record["ended_by"]) == ("cancelled", 487, "caller")


@pytest.mark.parametrize(
    ("status", "outcome"), [(486, "busy"), (603, "declined"), (480, "no_answer"), (500, "failed")]
)
def test_callee_refuses(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent, status: int, outcome: str
) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    incoming.reply(status)
    incoming.expect_ack()
    invite.expect(status)
    record = switchboard.wait_record(invite.request.call_id)
    assert (record["outcome"], record["status"], record["ended_by"]) == (outcome, status, "callee")
    assert record["answered_at"] is None


def test_call_to_nobody(switchboard: Switchboard, caller: UserAgent) -> None:
    invite = caller.invite(f"sip:nobody@{caller.domain}")
    invite.expect(404)
    record = switchboard.wait_record(invite.request.call_id)
    assert (record["outcome"], record["ended_by"]) == ("unreachable", "switchboard")


def test_hold_and_resume(caller: UserAgent, callee: UserAgent) -> None:
    call = place_call(caller, callee)
    for holder, held in ((call.caller, call.callee), (call.callee, call.caller)):
        again = holder.start("INVITE", body=SDP + b"a=sendonly\r\n")
        incoming = held.expect("INVITE")
        assert incoming.request.body.endswith(b"a=sendonly\r\n")
        incoming.reply(200, body=SDP)
        again.expect(200)
        holder.acknowledge()
        held.expect("ACK")
    hang_up(call.caller, call.callee)


@pytest.mark.parametrize("method", ["INFO", "UPDATE", "REFER", "NOTIFY", "MESSAGE", "OPTIONS", "JUMP"])
def test_any_method_passes_in_a_dialog(caller: UserAgent, callee: UserAgent, method: str) -> None:
    call = place_call(caller, callee)
    exchange(call, method)
    hang_up(call.caller, call.callee)


def exchange(call: Call, method: str) -> None:
    """Send `method` in both directions; each is answered with 202."""
    for sender, receiver in ((call.caller, call.callee), (call.callee, call.caller)):
        asked = sender.start(method, body=b"\x00body\xff")
        incoming = receiver.expect(method)
        assert incoming.request.body == b"\x00body\xff"
        incoming.reply(202, "Noted")
        assert asked.expect(202).reason in ("Noted", "Accepted")


@pytest.mark.parametrize("method", ["MESSAGE", "SUBSCRIBE", "OPTIONS", "REFER", "JUMP"])
def test_requests_outside_a_dialog_reach_the_phone(caller: UserAgent, callee: UserAgent, method: str) -> None:
    asked = caller.ask(method, callee.aor, body=b"hello")
    incoming = callee.expect(method)
    assert (incoming.request.uri, incoming.request.body) == (callee.contact, b"hello")
    incoming.reply(202)
    asked.expect(202)


def test_subscription_to_a_conference_reaches_the_phone(caller: UserAgent, callee: UserAgent) -> None:
    caller.ask("SUBSCRIBE", f"{callee.aor};conf-id=42", [("Event", "conference")])
    assert callee.expect("SUBSCRIBE").request.get("event") == "conference"


def test_strangers_requests_are_not_relayed_abroad(net: Net) -> None:
    stranger, victim = UserAgent(net, "stranger"), UserAgent(net, "victim")
    stranger.invite(victim.contact).expect(403)
    assert victim.unread() == []


def test_registered_user_calls_abroad(net: Net, caller: UserAgent) -> None:
    abroad = UserAgent(net, "abroad")
    call = place_call(caller, abroad, dialled=abroad.contact)
    hang_up(call.callee, call.caller)


def test_options_for_the_switchboard(net: Net) -> None:
    """Whoever asks gets no more octets than were sent, but for phones that are registered there."""
    phone = UserAgent(net, "lukas")
    phone.ask("OPTIONS", f"sip:{phone.domain}").expect(200)
    phone.register().expect(200)
    answer = phone.ask("OPTIONS", f"sip:{phone.domain}").expect(200)
    assert {"INVITE", "REGISTER", "BYE"} <= {method.strip() for method in answer.values("allow")}


def test_keep_alive_is_answered(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    phone.send(b"\r\n\r\n")
    assert net.wait_for(lambda: phone.keep_alives, "the answer to a keep-alive") == [b"\r\n"]


def test_a_phone_learns_where_it_is_seen(net: Net) -> None:
    """A STUN Binding request at the SIP port, as a keep-alive (RFC 5626 §4.4.2)."""
    request = bytes.fromhex("000100002112a442") + b"twelve bytes"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((net.host, 0))
        sock.settimeout(PATIENCE_S)
        sock.sendto(request, net.proxy)
        answer, source = sock.recvfrom(100)
        assert source == net.proxy
        assert answer == answer_to(request, *sock.getsockname())


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x00\x00\x00",
        b"\xff" * 60000,
        b"INVITE",
        b"INVITE sip:a@127.0.0.1 SIP/2.0\r\n\r\n",
        b"SIP/2.0 200 OK\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\r\n" * 3000,
        b"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP\r\nCSeq: x\r\n" + b"A: b\r\n" * 5000,
    ],
    ids=["zeros", "binary", "word", "bare", "response", "http", "blank", "headers"],
)
def test_garbage_stalls_nothing(net: Net, switchboard: Switchboard, garbage: bytes) -> None:
    phone = UserAgent(net, "lukas")
    before = {(one["name"], one["pid"]) for one in switchboard.components()}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as vandal:
        for _ in range(20):
            vandal.sendto(garbage, switchboard.address)
    phone.ask("OPTIONS", f"sip:{phone.domain}").expect(200)
    phone.register().expect(200)
    assert {(one["name"], one["pid"]) for one in switchboard.components()} == before


def test_ringing_and_answered_calls_are_shown(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent
) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    wait_until(lambda: invite.request.call_id in switchboard.cli("calls", "--json").stdout, "the call")
    call = answer_call(caller, invite, callee, incoming)
    assert call.call_id in switchboard.cli("calls", "--json").stdout
    hang_up(call.callee, call.caller)
    switchboard.wait_record(call.call_id)
    assert call.call_id not in switchboard.cli("calls", "--json").stdout


def check_instants(record: CallRecord) -> None:
    """The instants are RFC 3339 in UTC and in order; the duration runs from the answer to the end."""
    names = ("started_at", "ringing_at", "answered_at", "ended_at")
    assert all(INSTANT.fullmatch(record[name]) for name in names), record
    instants = [datetime.fromisoformat(record[name]) for name in names]
    assert instants == sorted(instants)
    assert record["duration_s"] == pytest.approx((instants[3] - instants[2]).total_seconds(), abs=0.002)
