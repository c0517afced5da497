"""More than can be served: who is refused is told so early, and what was begun goes on."""

import os
import signal
import socket
import time
from collections.abc import Iterator

import pytest
from system.dialog import place_call
from system.harness import Switchboard, wait_until
from system.net import Net
from system.user_agent import UserAgent, registered

from bench.asked import stat

pytestmark = [pytest.mark.system, pytest.mark.alone]

OPTIONS = (
    "OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bKo{number};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:a@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: o{number}\r\n"
    "CSeq: 1 OPTIONS\r\nSubject: as long as a refusal, which is never longer than the request\r\n"
    "Content-Length: 0\r\n\r\n"
)
ROUND = 64
FLOOD = 1000
ENOUGH_S = 20.0


@pytest.fixture
def slow() -> Iterator[Switchboard]:
    """One router, which nobody kills when it hangs."""
    with Switchboard({"SWITCHBOARD_ROUTERS": "1", "SWITCHBOARD_HUNG_AFTER_S": "0"}) as running:
        yield running


def ask_until_refused(switchboard: Switchboard) -> bytes:
    """Ask ever new questions; return the first answer."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.bind(("127.0.0.1", 0))
        port, until, number = asking.getsockname()[1], time.monotonic() + ENOUGH_S, 0
        asking.settimeout(0.01)
        while time.monotonic() < until:
            for _ in range(ROUND):
                number += 1
                asking.sendto(OPTIONS.format(port=port, number=number).encode(), switchboard.address)
            try:
                return asking.recv(65_535)
            except TimeoutError:
                continue
    raise AssertionError(f"{number} requests, and none was refused")


def test_when_a_router_takes_nothing_new_requests_are_refused_and_calls_go_on(slow: Switchboard) -> None:
    with Net(slow.address) as net:
        caller, callee = registered(net, "caller"), registered(net, "callee")
        call = place_call(caller, callee)
        router = slow.hang("router")
        try:
            refusal = ask_until_refused(slow)
            bye = call.caller.start("BYE")
        finally:
            os.kill(router, signal.SIGCONT)
        assert refusal.startswith(b"SIP/2.0 503 ")
        assert b"\r\nRetry-After: " in refusal
        call.callee.expect("BYE", ENOUGH_S).reply(200, routes=False)
        bye.expect(200, ENOUGH_S)
        assert stat(slow, "edge-rx.0", "router.0.sip.received.dropped") == 0
        wait_until(lambda: stat(slow, "edge-rx.0", "router.0.sip.received.waiting") == 0, "all taken")
        caller.ask("OPTIONS", f"sip:{caller.domain}").expect(200, ENOUGH_S, resend=True)


def test_a_registered_phone_is_heard_beside_a_flooder_of_its_address() -> None:
    """The flooder never stops; a phone of that address that has not registered is ignored with it."""
    settings = {"SWITCHBOARD_RATE_EXEMPT": "192.0.2.1", "SWITCHBOARD_RATE_IGNORED_S": "3600"}
    with Switchboard(settings) as switchboard, Net(switchboard.address) as net:
        phone, stranger = registered(net, "phone"), UserAgent(net, "stranger")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooding:
            flooding.bind((net.host, 0))

            def is_ignored() -> bool:
                for _ in range(FLOOD):
                    flooding.sendto(b"\0", switchboard.address)
                return stat(switchboard, "edge-rx.0", "datagrams.ignored") > 0

            wait_until(is_ignored, "the flooder to be ignored", ENOUGH_S)
        unheard = stranger.ask("OPTIONS", f"sip:{stranger.domain}")
        phone.register().expect(200)
        phone.ask("OPTIONS", f"sip:{phone.domain}").expect(200)
        assert unheard.statuses() == []
