"""What went over the bridge of a LAN: tcpdump writes it down, tshark reads it, a trace answers questions."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from system.lan import Lan

SIP_PORT = "5060"
SEEN_S = 20.0
"""An awaited packet has gone by within this time, even on a busy machine."""
TOOL_S = 60.0
_SEPARATOR = "\x1e"
_MARK_PORT = "9"  # discard (RFC 863)
_TCPDUMP = ("tcpdump", "-i", "br0", "-n", "-U", "--immediate-mode", "-Z", "root")


@dataclass(frozen=True, slots=True)
class Packet:
    """One datagram, or the end of a SIP message over TCP, as tshark understands it; what does not apply is empty."""

    time: str
    """Seconds since the capture's first packet."""
    at: str
    """Seconds since 1970."""
    source: str
    source_port: str
    target: str
    target_port: str
    method: str
    uri: str
    status_line: str
    call_id: str
    cseq: str
    to_tag: str
    rtp: str
    """The synchronisation source of a media packet."""
    malformed: str
    payload: str
    """The whole datagram, or the segments of the message; hexadecimal."""

    @property
    def is_sip(self) -> bool:
        """Whether tshark took it for a SIP message."""
        return bool(self.method or self.status_line)

    @property
    def status(self) -> str:
        """Status code and reason phrase of a response: "486 Obsadené"."""
        return self.status_line.partition(" ")[2]

    @property
    def answers(self) -> str:
        """The method that a response belongs to."""
        return self.cseq.rpartition(" ")[2] if self.status_line else ""

    @property
    def body(self) -> bytes:
        """What follows the headers of a SIP message."""
        return bytes.fromhex(self.payload).partition(b"\r\n\r\n")[2]

    def __str__(self) -> str:
        ports = f"{self.source_port} -> {self.target_port}"
        what = self.status_line or f"{self.method} {self.uri}" if self.is_sip else ports
        return f"{float(self.time):8.3f} {self.source} -> {self.target}: {what} ({self.cseq})"


_FIELDS = (
    "frame.time_relative",
    "frame.time_epoch",
    "ip.src",
    "udp.srcport",
    "ip.dst",
    "udp.dstport",
    "sip.Method",
    "sip.r-uri",
    "sip.Status-Line",
    "sip.Call-ID",
    "sip.CSeq",
    "sip.to.tag",
    "rtp.ssrc",
    "_ws.malformed",
    "udp.payload",
)
"""What tshark calls the fields of `Packet`, in their order."""
_OVER_TCP = {"udp.srcport": "tcp.srcport", "udp.dstport": "tcp.dstport", "udp.payload": "tcp.payload"}
_TSHARK = (
    *("-Y", "udp || sip", "--enable-heuristic", "rtp_udp", "-T", "fields"),
    *("-E", f"separator={_SEPARATOR}", "-E", "occurrence=f"),
    *(word for field in (*_FIELDS, *_OVER_TCP.values()) for word in ("-e", field)),
)


class Trace:
    """The packets of a capture, oldest first. In its questions "" stands for any address or any call."""

    def __init__(self, packets: Sequence[Packet]) -> None:
        self.packets = packets

    def requests(self, method: str, *, source: str = "", target: str = "") -> list[Packet]:
        """The requests of one method, retransmissions too."""
        return [packet for packet in self._between(source, target) if packet.method == method]

    def responses(
        self, method: str, *, source: str = "", target: str = "", call_id: str = ""
    ) -> list[Packet]:
        """The responses to requests of one method, retransmissions too."""
        return [
            packet
            for packet in self._between(source, target)
            if packet.answers == method and call_id in ("", packet.call_id)
        ]

    def calls(self, caller: str) -> list[str]:
        """The Call-IDs of the calls that the phone at an address placed, oldest first."""
        invites = self.requests("INVITE", source=caller)
        return list(dict.fromkeys(invite.call_id for invite in invites if not invite.to_tag))

    def rtp(self, source: str, target: str) -> list[Packet]:
        """The media packets from one address to another."""
        return [packet for packet in self._between(source, target) if packet.rtp]

    def media_at(self, address: str) -> list[Packet]:
        """What an address sent or received apart from SIP."""
        return [
            packet
            for packet in self.packets
            if address in (packet.source, packet.target)
            and SIP_PORT not in (packet.source_port, packet.target_port)
        ]

    def sip_beside(self, address: str) -> list[Packet]:
        """The SIP messages that neither came from an address nor went to it."""
        return [
            packet
            for packet in self.packets
            if packet.is_sip and address not in (packet.source, packet.target)
        ]

    def malformed(self) -> list[Packet]:
        """The packets whose syntax tshark rejects."""
        return [packet for packet in self.packets if packet.malformed]

    def _between(self, source: str, target: str) -> list[Packet]:
        return [
            packet
            for packet in self.packets
            if source in ("", packet.source) and target in ("", packet.target)
        ]

    def __str__(self) -> str:
        return "\n".join(str(packet) for packet in self.packets if packet.is_sip)


class Capture:
    """Records a LAN's UDP, and its TCP at the port of SIP, from the start of the `with` block to its end."""

    def __init__(self, lan: Lan, path: Path) -> None:
        self._path = path
        self._command = lan.command("hub", *_TCPDUMP, "-w", str(path), f"udp or tcp port {SIP_PORT}")
        somewhere = next(iter(lan.addresses.values()))
        self._send_mark = lan.command("hub", "bash", "-c", f"echo > /dev/udp/{somewhere}/{_MARK_PORT}")
        self._marks = 0
        self._tcpdump: subprocess.Popen[str] | None = None

    def __enter__(self) -> "Capture":
        self._tcpdump = subprocess.Popen(self._command, stderr=subprocess.PIPE, text=True)
        assert self._tcpdump.stderr is not None
        first = self._tcpdump.stderr.readline()
        assert "listening" in first, f"tcpdump: {first}{self._tcpdump.stderr.read()}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._tcpdump is not None, "not started"
        self._tcpdump.terminate()
        self._tcpdump.communicate(timeout=TOOL_S)

    def read(self) -> Trace:
        """What went by until now; complete, whatever tcpdump has still to write."""
        marks = self._mark()
        deadline = time.monotonic() + SEEN_S
        while len(packets := self._dissect()) - len(traffic := _unmarked(packets)) < marks:
            assert time.monotonic() < deadline, "tcpdump is far behind"
        return Trace(traffic)

    def _mark(self) -> int:
        """Send a datagram that marks the present, while the recording goes on; returns how many were sent."""
        if self._tcpdump is not None and self._tcpdump.poll() is None:
            subprocess.run(self._send_mark, timeout=TOOL_S, check=True)
            self._marks += 1
        return self._marks

    def _dissect(self) -> list[Packet]:
        done = subprocess.run(
            ["tshark", "-n", "-r", str(self._path), *_TSHARK],
            capture_output=True,
            timeout=TOOL_S,
            check=False,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
        )
        assert done.returncode == 0 or b"cut short" in done.stderr, f"tshark: {done.stderr.decode()}"
        lines = done.stdout.decode(errors="replace").split("\n")[:-1]
        return [_packet(line.split(_SEPARATOR)) for line in lines]

    def wait_for(self, wanted: Callable[[Trace], object], what: str) -> Trace:
        """Return what went by as soon as it is as `wanted`; AssertionError after `SEEN_S`."""
        deadline = time.monotonic() + SEEN_S
        while not wanted(trace := self.read()):
            assert time.monotonic() < deadline, f"not seen in {SEEN_S:g} s: {what}\n{trace}"
        return trace


def _packet(values: list[str]) -> Packet:
    told = dict(zip((*_FIELDS, *_OVER_TCP.values()), values, strict=True))
    return Packet(*(told[field] or told.get(_OVER_TCP.get(field, ""), "") for field in _FIELDS))


def _unmarked(packets: Sequence[Packet]) -> list[Packet]:
    return [packet for packet in packets if packet.target_port != _MARK_PORT]
