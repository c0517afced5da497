"""Microseconds an operation, on the compiled core and in pure Python: `make micro`."""

import argparse
import os
import socket
import subprocess
import sys
import time
import timeit
from collections.abc import Callable, Iterable
from typing import Any

from bench.messages import INVITE, RESPONSE
from switchboard import codec
from switchboard.bus import frames
from switchboard.edge.filter import EdgeFilter
from switchboard.edge.ingress import DATAGRAMS_A_ROUND, Ingress
from switchboard.edge.rate_limit import FilterPolicy
from switchboard.settings.types import SCANNERS
from switchboard.sip.dispatch import Dispatcher
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.scan import scan
from switchboard.sip.splice import Forwarding, complete_via, forward_request, replace_reason, strip_top_via
from switchboard.transports.udp_datagrams import Sender
from switchboard.transports.udp_sockets import bind_sockets
from switchboard.twins import PURE, core

ROUNDS = 7
ROUND_S = 0.1
REGISTER = INVITE.replace(b"INVITE sip:lenka@10.0.0.1 ", b"REGISTER sip:10.0.0.1 ", 1)
CHANGE = Forwarding(
    uri=b"sip:lenka@10.0.0.12:5060",
    via=b"SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKsb0.a1b2c3.17.5f3e2d1c",
    top_via=b"SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK-524287-1---abcdef;rport=5060;received=10.0.0.11",
    max_forwards=69,
    record_routes=(b"<sip:10.0.0.1;lr>",),
)


class Box:
    """An outbox that forgets."""

    def put(self, item: bytes) -> None:
        pass

    def put_all(self, items: Iterable[bytes]) -> None:
        pass


def microseconds(operation: Callable[[], object], each: int = 1) -> float:
    """The fastest of ROUNDS; `each`: how often one call does what is measured."""
    timer = timeit.Timer(operation)
    number = max(1, int(ROUND_S / (timer.timeit(10) / 10)))
    return min(timer.repeat(ROUNDS, number)) / number / each * 1e6


def make_ingress() -> Ingress:
    outboxes: list[Any] = [Box() for _ in range(4)]
    edge_filter = EdgeFilter(FilterPolicy(rate=1e9, burst=1e9, ignored_s=1.0, scanners=SCANNERS))
    return Ingress(Dispatcher(range(2), lambda _: True), edge_filter, outboxes)


def edge() -> dict[str, float]:
    """The edge's share of a datagram, the kernel's on the loopback interface included."""
    (edge,) = bind_sockets("127.0.0.1", 0)
    with edge, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        frame = frames.pack("sip.send", [[Flow(UDP, "", *phone.getsockname()).pack(), RESPONSE]] * 32)
        sender = Sender([edge])
        return {
            "drain 64 datagrams, each": draining(edge, phone),
            "send a frame of 32 datagrams, each": microseconds(lambda: send_frame(sender, frame), 32),
        }


def draining(edge: socket.socket, phone: socket.socket) -> float:
    """Microseconds a datagram that has arrived takes to its outbox; the fastest round."""
    ingress = make_ingress()
    fastest = float("inf")
    for _ in range(20 * ROUNDS):
        for _ in range(DATAGRAMS_A_ROUND):
            phone.sendto(INVITE, edge.getsockname())
        begin = time.perf_counter()
        assert ingress.drain(edge, time.monotonic()) == DATAGRAMS_A_ROUND
        fastest = min(fastest, time.perf_counter() - begin)
    return fastest / DATAGRAMS_A_ROUND * 1e6


def send_frame(sender: Sender, frame: bytes) -> None:
    """As edge-tx does it."""
    if sender.send_items(frame, len(frames.head("sip.send"))) is None:
        for flow, raw in frames.unpack(frame)[1]:
            sender.send(raw, Flow.unpack(flow))


def core_operations() -> dict[str, float]:
    ingress = make_ingress()
    index, response_index = scan(INVITE), scan(RESPONSE)
    request, response = Message(INVITE, index), Message(RESPONSE, response_index)
    via = request.value(Header.VIA) or b""

    flow = Flow(UDP, "10.0.0.1", "10.0.0.11", 5060)

    def take(raw: bytes) -> Callable[[], object]:
        return lambda: ingress.take(raw, flow, 0.0)

    frame = codec.pack([[flow.pack(), index, INVITE]])
    operations: dict[str, Callable[[], object]] = {
        "scan an INVITE": lambda: scan(INVITE),
        "scan a 180": lambda: scan(RESPONSE),
        "sort and pack an INVITE": take(INVITE),
        "sort and pack a 180": take(RESPONSE),
        "sort and pack a REGISTER": take(REGISTER),
        "unpack an item": lambda: codec.unpack(frame),
        "Message": lambda: Message(INVITE, index),
        "Message and its Call-ID": lambda: Message(INVITE, index).call_id,
        "Message and its top Via": lambda: Message(INVITE, index).top_via,
        "forward_request": lambda: forward_request(request, CHANGE),
        "complete_via": lambda: complete_via(via, b"10.0.0.11", 5060, add_received=False),
        "strip_top_via": lambda: strip_top_via(response),
        "replace_reason": lambda: replace_reason(RESPONSE, b"Zvoni"),
    }
    return {name: microseconds(operation) for name, operation in operations.items()}


def print_own() -> None:
    print(core())
    for name, value in (core_operations() | edge()).items():
        print(f"{value:8.2f}  {name}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--own", action="store_true", help="only on the core that this process has")
    if parser.parse_args().own:
        print_own()
        return
    for pure in ("", "1"):
        command = [sys.executable, "-m", "bench.micro", "--own"]
        subprocess.run(command, env={**os.environ, PURE: pure}, check=True)


if __name__ == "__main__":
    main()
