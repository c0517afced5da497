"""What goes over the bridge of a LAN as SIP, read while it goes: of any spelling, judged by nobody."""

import re
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType

from system.harness import POLL_S
from system.lan import Lan
from system.sipmsg import Address

_ALL_FRAMES = 0x0003
_SOL_PACKET, _ADD_MEMBERSHIP, _PROMISCUOUS = 263, 1, 1
_IPV4, _UDP = 0x0800, 17
_ETHERNET_BYTES, _UDP_HEAD_BYTES = 14, 8
_MORE_FRAGMENTS, _OFFSET = 0x2000, 0x1FFF
_FIELD = re.compile(r"\r?\n([^\s:]+)[ \t]*:[ \t]*((?:[^\r\n]|\r?\n[ \t])*)")
_COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact"}


@dataclass(frozen=True, slots=True)
class Seen:
    """One message on the wire."""

    source: Address
    target: Address
    start_line: str
    fields: tuple[tuple[str, str], ...] = ()
    """Names in lower case and their long form, as they came."""
    text: str = ""
    """Start line and header."""

    def __str__(self) -> str:
        ends = " -> ".join(f"{host}:{port}" for host, port in (self.source, self.target))
        return f"{ends}\n{self.text}\n"

    @property
    def status(self) -> int:
        """Of a response; 0 of a request."""
        words = self.start_line.split(" ")
        return int(words[1]) if words[0] == "SIP/2.0" and words[1].isdigit() else 0

    @property
    def method(self) -> str:
        """The request's, or that of the request which is answered."""
        if not self.status:
            return self.start_line.split(" ")[0]
        return (self.values("cseq") or [""])[0].split(" ")[-1]

    def values(self, name: str) -> list[str]:
        """What stands in all fields of this name."""
        return [value for known, value in self.fields if known == name]


class Tap:
    """Reads inside the `with` block what passes the hub's bridge."""

    def __init__(self, lan: Lan) -> None:
        with lan.entered("hub"):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_FRAMES))
            self._socket.bind(("br0", _ALL_FRAMES))
            index = socket.if_nametoindex("br0")
        membership = struct.pack("IHH8s", index, _PROMISCUOUS, 0, b"")
        self._socket.setsockopt(_SOL_PACKET, _ADD_MEMBERSHIP, membership)
        self._socket.settimeout(0.2)
        self._datagrams = Datagrams()
        self._seen: list[Seen] = []
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> "Tap":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._thread.join()
        self._socket.close()

    @property
    def mark(self) -> int:
        """How many messages there are: what comes later is looked for from here on."""
        return len(self._seen)

    def since(self, mark: int, wanted: Callable[[Seen], bool] = lambda _: True) -> list[Seen]:
        """The messages that are as `wanted`, oldest first."""
        return [seen for seen in self._seen[mark:] if wanted(seen)]

    def wait(self, mark: int, wanted: Callable[[Seen], bool], what: str, seconds: float) -> Seen:
        """Return the first message as `wanted`; AssertionError if none comes in time."""
        deadline = time.monotonic() + seconds
        while not (found := self.since(mark, wanted)):
            assert time.monotonic() < deadline, f"no {what}"
            time.sleep(POLL_S)
        return found[0]

    def _read(self) -> None:
        while not self._ending.is_set():
            try:
                frame = self._socket.recv(65535)
            except TimeoutError:
                continue
            if struct.unpack_from("!H", frame, 12)[0] != _IPV4:
                continue
            if datagram := self._datagrams.take(frame[_ETHERNET_BYTES:]):
                self._take(*datagram)

    def _take(self, source: Address, target: Address, payload: bytes) -> None:
        head = payload.split(b"\r\n\r\n")[0].decode(errors="replace")
        start_line = head.split("\r\n")[0]
        if "SIP/2.0" in start_line:
            fields = tuple((_long(name), value) for name, value in _FIELD.findall(head))
            self._seen.append(Seen(source, target, start_line, fields, head))


class Datagrams:
    """UDP out of IPv4 packets; those that came in pieces are joined (RFC 791 §3.2)."""

    def __init__(self) -> None:
        self._pieces: dict[bytes, dict[int, bytes]] = {}

    def take(self, packet: bytes) -> tuple[Address, Address, bytes] | None:
        """Return source, target and payload of a whole datagram; None of anything else."""
        if packet[9] != _UDP:
            return None
        length, _, place = struct.unpack_from("!HHH", packet, 2)
        datagram = packet[(packet[0] & 15) * 4 : length]
        if place & (_MORE_FRAGMENTS | _OFFSET):
            datagram = self._joined(packet[4:6] + packet[12:20], place, datagram)
        if len(datagram) <= _UDP_HEAD_BYTES:
            return None
        ports = struct.unpack_from("!HH", datagram)
        hosts = socket.inet_ntoa(packet[12:16]), socket.inet_ntoa(packet[16:20])
        return (hosts[0], ports[0]), (hosts[1], ports[1]), datagram[_UDP_HEAD_BYTES:]

    def _joined(self, key: bytes, place: int, piece: bytes) -> bytes:
        """The whole, if the last piece has come; nothing before. Pieces come in order on a bridge."""
        pieces = self._pieces.setdefault(key, {})
        pieces[place & _OFFSET] = piece
        if place & _MORE_FRAGMENTS:
            return b""
        return b"".join(piece for _, piece in sorted(self._pieces.pop(key).items()))


def _long(name: str) -> str:
    return _COMPACT.get(name.lower(), name.lower())
