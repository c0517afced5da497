"""Requests that no single datagram may hold on their way: by TCP, where the phone has it (RFC 3261 §18.1.1)."""

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, wait_until
from system.net import Net
from system.sip_transactions import ServerTransaction
from system.stream_agent import ListeningAgent
from system.user_agent import SDP, UserAgent, registered

pytestmark = pytest.mark.system

ELSEWHERE = "127.0.0.2"
"""Not the switchboard's own machine, as far as that is named by an address."""
LARGE = SDP + b"a=rtpmap:96 opus/48000/2\r\n" * 50


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


@pytest.fixture
def callee(net: Net) -> ListeningAgent:
    phone = ListeningAgent(net, "lukas", ELSEWHERE)
    phone.register().expect(200)
    return phone


def transport_of(incoming: ServerTransaction) -> str:
    return incoming.request.values("via")[0].split(" ")[0].rpartition("/")[2]


def message(caller: UserAgent, callee: UserAgent, body: bytes = LARGE) -> str:
    """Send a MESSAGE, which is answered; return over which transport it came."""
    asked = caller.ask("MESSAGE", callee.aor, body=body)
    incoming = callee.expect("MESSAGE")
    incoming.reply(200)
    asked.expect(200)
    return transport_of(incoming)


def learn(caller: UserAgent, callee: ListeningAgent) -> None:
    """A first large request; the phone is asked whether it has TCP."""
    assert message(caller, callee) == "UDP"
    question = callee.expect("OPTIONS")
    assert transport_of(question) == "TCP"
    question.reply(200)
    wait_until(lambda: message(caller, callee) == "TCP", "a request over TCP")


def test_a_call(switchboard: Switchboard, caller: UserAgent, callee: ListeningAgent) -> None:
    learn(caller, callee)
    invite = caller.invite(callee.aor, body=LARGE)
    incoming = callee.expect("INVITE")
    assert transport_of(incoming) == "TCP"
    assert incoming.request.body == LARGE
    incoming.reply(180)
    invite.expect(180)
    call = answer_call(caller, invite, callee, incoming)
    hang_up(call.callee, call.caller)
    assert switchboard.wait_record(call.call_id)["outcome"] == "answered"
    assert message(caller, callee) == "TCP"
    assert message(caller, callee, b"small") == "UDP"
    assert len(callee.connections) == 1


def test_a_call_that_is_given_up(caller: UserAgent, callee: ListeningAgent) -> None:
    learn(caller, callee)
    invite = caller.invite(callee.aor, body=LARGE)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    cancel = caller.cancel(invite)
    cancelled = callee.expect("CANCEL")
    assert transport_of(cancelled) == "TCP"
    cancelled.reply(200)
    incoming.reply(487)
    cancel.expect(200)
    invite.expect(487)
    incoming.expect_ack()


def test_a_phone_that_listens_no_more_gets_it_over_udp(caller: UserAgent, callee: ListeningAgent) -> None:
    learn(caller, callee)
    callee.stop_listening()
    assert [message(caller, callee) for _ in range(2)] == ["UDP", "UDP"]


def test_a_phone_without_tcp_hears_nothing_of_it(net: Net, caller: UserAgent) -> None:
    phone = UserAgent(net, "lukas", ELSEWHERE)
    phone.register().expect(200)
    assert [message(caller, phone) for _ in range(3)] == ["UDP"] * 3
    assert not phone.unread()
