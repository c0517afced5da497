"""Where a request within a dialog goes when a phone's connection has ended (RFC 5626 §5.3, §11.5).

In this order: the connection of the dialog, the present one of the same phone, a new one to its Contact; else 430.
"""

import json
from functools import partial
from secrets import token_hex

import pytest
from system.dialog import Call, place_call
from system.harness import Switchboard, wait_until
from system.net import Net
from system.stream_agent import AcceptedEndpoint, Listener, StreamAgent, StreamEndpoint, registered_on_stream
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

ELSEWHERE = "127.0.0.2"


class Browser(StreamAgent):
    """A phone at whose Contact nobody can be."""

    @property
    def contact(self) -> str:
        """As web pages have it."""
        return f"sip:{self.user}@k3x9.invalid;transport=tcp"


def reset(switchboard: Switchboard, phone: StreamAgent) -> None:
    """End its connection; return when the switchboard has seen it."""
    port = phone.address[1]
    phone.connection.reset()

    def is_gone() -> bool:
        listed = json.loads(switchboard.cli("connections", "--json").stdout)["connections"]
        return port not in [each["port"] for each in listed]

    wait_until(is_gone, "the end of the connection")


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


@pytest.fixture
def callee(net: Net) -> StreamAgent:
    return registered_on_stream(net, "lukas")


def test_430_until_the_phone_is_back(
    switchboard: Switchboard, caller: UserAgent, callee: StreamAgent
) -> None:
    call = place_call(caller, callee)
    reset(switchboard, callee)
    call.caller.start("INFO").expect(430)
    callee.come_back()
    bye = call.caller.start("BYE")
    callee.expect("BYE").reply(200, routes=False)
    bye.expect(200)
    assert switchboard.wait_record(call.call_id)["ended_by"] == "caller"


def test_a_phone_that_is_back_is_told_from_another_one_of_its_user(
    switchboard: Switchboard, net: Net, caller: UserAgent, callee: StreamAgent
) -> None:
    call = place_call(caller, callee)
    tablet = UserAgent(net, "lukas")
    tablet.register().expect(200)
    reset(switchboard, callee)
    callee.come_back()
    bye = call.caller.start("BYE")
    callee.expect("BYE").reply(200, routes=False)
    bye.expect(200)
    assert not tablet.unread()


def test_the_contact_of_a_phone_that_listens(switchboard: Switchboard, net: Net, caller: UserAgent) -> None:
    """A new connection is made to it: not to one on the switchboard's own machine."""
    phone = StreamAgent(net, "lukas", ELSEWHERE)
    phone.register().expect(200)
    call = place_call(caller, phone)
    reset(switchboard, phone)
    arrived: list[bytes] = []
    hear = partial(AcceptedEndpoint, net, phone.user, receive=lambda raw, _source: arrived.append(raw))
    Listener(net, phone.user, phone.address, hear)
    call.caller.start("BYE")
    net.wait_for(lambda: arrived, "a new connection")
    assert arrived[0].startswith(f"BYE {phone.contact} ".encode())


def test_nobody_looks_for_a_browser(switchboard: Switchboard, net: Net, caller: UserAgent) -> None:
    phone = Browser(net, "lukas")
    phone.register().expect(200)
    call = place_call(caller, phone)
    reset(switchboard, phone)
    call.caller.start("BYE").expect(430)
    record = switchboard.wait_record(call.call_id)
    assert (record["outcome"], record["ended_by"]) == ("answered", "caller")


def test_the_caller_that_is_gone(switchboard: Switchboard, net: Net) -> None:
    """The other direction."""
    caller, callee = registered_on_stream(net, "kristian"), registered(net, "lukas")
    call: Call = place_call(caller, callee)
    reset(switchboard, caller)
    call.callee.start("INFO").expect(430)
    caller.come_back()
    bye = call.callee.start("BYE")
    caller.expect("BYE").reply(200, routes=False)
    bye.expect(200)


def test_a_stranger_gets_nothing_by_an_alias(switchboard: Switchboard, net: Net, caller: UserAgent) -> None:
    """RFC 5923: who writes another's address and `alias` into Via does not get what is sent to that address."""
    phone = StreamAgent(net, "lukas", ELSEWHERE)
    phone.register().expect(200)
    call = place_call(caller, phone)
    reset(switchboard, phone)
    stranger = StreamEndpoint(net, "stranger", "127.0.0.1", switchboard.address, lambda _raw, _source: None)
    host, port = phone.address
    stranger.send(
        (
            f"OPTIONS sip:{switchboard.host} SIP/2.0\r\n"
            f"Via: SIP/2.0/TCP {host}:{port};alias;branch=z9hG4bK{token_hex(8)}\r\n"
            f"From: <sip:{phone.user}@{switchboard.host}>;tag=1\r\nTo: <sip:{switchboard.host}>\r\n"
            f"Contact: <{phone.contact}>\r\nCall-ID: {token_hex(8)}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode(),
        switchboard.address,
    )
    heard: list[bytes] = []
    stranger._receive = lambda raw, _source: heard.append(raw)
    net.wait_for(lambda: heard, "an answer to OPTIONS")
    call.caller.start("BYE").expect(430)
    assert [each[:11] for each in heard] == [b"SIP/2.0 200"]
