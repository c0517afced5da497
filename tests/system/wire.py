"""All of the internet, for one switchboard in a network namespace: whatever it sends comes here.

Its default route is a TUN device whose other end is ours. So a test sends from any address and sees all
that is sent, to whatever address and port; nothing leaves the machine. Needs root.
"""

import fcntl
import os
import select
import socket
import struct
import time
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from types import TracebackType
from typing import Self

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
from system.lan import Lan
from system.sipmsg import Address

HOST = "10.0.0.1"
HOST_6 = "fd00:77::1"
NAME_SERVER = ("10.0.0.53", 53)
_DEVICE = "tun0"
_TUNSETIFF = 0x400454CA
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_LARGEST = 65_535
_UDP = 17


@dataclass(frozen=True, slots=True)
class Datagram:
    """What the switchboard sent."""

    source: Address
    destination: Address
    raw: bytes


class Wire:
    """Up inside the `with` block; the switchboard belongs into `namespace`. Every name is `named`'s.

    What goes to the `inner` address, one of the switchboard's machine itself, is seen too.
    """

    def __init__(self, named: str, inner: Address) -> None:
        self._named = named
        self._inner = inner
        self._lan = Lan(())
        self.namespace = self._lan.hub
        self._resolver = Path("/etc/netns", self.namespace)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        with self._stack:
            self._stack.enter_context(self._lan)
            self._stack.callback(self._forget_name_server)
            self._name_server()
            self._open()
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def send(self, raw: bytes, source: Address, destination: Address = (HOST, 5060)) -> None:
        """Let a datagram arrive from `source` (IPv4)."""
        os.write(self._tun, _packet(raw, source, destination))

    def receive(self, until: float) -> Datagram | None:
        """Return the next datagram that the switchboard sends; None if none comes until then (monotonic)."""
        while ready := self._wait(until):
            datagram = self._read() if self._tun in ready else self._read_inner()
            if datagram and datagram.destination != NAME_SERVER:
                return datagram
            if datagram:
                self.send(self._look_up(datagram.raw), NAME_SERVER, datagram.source)
        return None

    def _wait(self, until: float) -> list[int]:
        return select.select([self._tun, self._socket.fileno()], [], [], max(0.0, until - time.monotonic()))[
            0
        ]

    def _read(self) -> Datagram | None:
        return _unpack(os.read(self._tun, _LARGEST))

    def _read_inner(self) -> Datagram:
        raw, source = self._socket.recvfrom(_LARGEST)
        return Datagram(source, self._inner, raw)

    def _open(self) -> None:
        with self._lan.entered("hub"):
            self._tun = os.open("/dev/net/tun", os.O_RDWR)
            self._stack.callback(os.close, self._tun)
            self._socket = self._stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            self._socket.bind(self._inner)
            fcntl.ioctl(
                self._tun, _TUNSETIFF, struct.pack("16sH22x", _DEVICE.encode(), _IFF_TUN | _IFF_NO_PI)
            )
        for words in (
            f"address add {HOST}/24 dev {_DEVICE}",
            f"address add {HOST_6}/64 dev {_DEVICE} nodad",
            f"link set {_DEVICE} up mtu {_LARGEST}",
            f"route add default dev {_DEVICE}",
            f"-6 route add default dev {_DEVICE}",
        ):
            self._lan.configure("hub", words)

    def _name_server(self) -> None:
        self._resolver.mkdir(parents=True)
        (self._resolver / "resolv.conf").write_text(f"nameserver {NAME_SERVER[0]}\n")

    def _forget_name_server(self) -> None:
        (self._resolver / "resolv.conf").unlink(missing_ok=True)
        self._resolver.rmdir()

    def _look_up(self, raw: bytes) -> bytes:
        """The answer of a name server: no services, one address."""
        answer = dns.message.make_response(dns.message.from_wire(raw))
        question = answer.question[0]
        if question.rdtype == dns.rdatatype.A:
            answer.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", self._named))
        elif question.rdtype != dns.rdatatype.AAAA:
            answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer.to_wire()


def _packet(raw: bytes, source: Address, destination: Address) -> bytes:
    """An IPv4 packet; its UDP checksum is left out, as RFC 768 allows."""
    udp = struct.pack("!HHHH", source[1], destination[1], 8 + len(raw), 0) + raw
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 0, 0, 64, _UDP, 0)
    head += socket.inet_aton(source[0]) + socket.inet_aton(destination[0])
    return head[:10] + struct.pack("!H", _checksum(head)) + head[12:] + udp


def _checksum(head: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(head) // 2}H", head))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def _unpack(packet: bytes) -> Datagram | None:
    """The datagram in a packet of either version; None if it is something else."""
    if packet[0] >> 4 == 4:
        size, protocol, addresses = (packet[0] & 15) * 4, packet[9], (packet[12:16], packet[16:20])
    else:
        size, protocol, addresses = 40, packet[6], (packet[8:24], packet[24:40])
    if protocol != _UDP:
        return None
    ports = struct.unpack("!HH", packet[size : size + 4])
    source, destination = ((str(ip_address(host)), port) for host, port in zip(addresses, ports, strict=True))
    return Datagram(source, destination, packet[size + 8 :])
