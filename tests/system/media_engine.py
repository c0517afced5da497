"""Debian's rtpengine as users run it, without its kernel module; and the voice of fake phones."""

import random
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Self

from system.harness import free_port, wait_until
from system.tools import require_tools

from switchboard.media.bencode import decode, encode

HOST = "127.0.0.1"
END_S = 10.0
PACKETS = 25
RANGE = (10_000, 19_900)
"""Below the ports of the kernel's own choice, and below those at which tests listen."""
SURELY_FREE = 40
_PORT = re.compile(rb"m=audio ([0-9]+) ")
_HOST = re.compile(rb"c=IN IP[46] ([0-9a-fA-F:.]+)")


class RtpEngine:
    """An engine with ports of its own; it runs inside the `with` block. `ports`: how many for media, at its `hosts`.

    `options`: of its command line.
    """

    def __init__(
        self, ports: int = 200, hosts: Sequence[str] = (HOST, "::1"), options: Sequence[str] = ()
    ) -> None:
        require_tools("rtpengine")
        self.port = free_port(HOST)
        self._home = TemporaryDirectory(prefix="rtpengine-test-")
        self._log = Path(self._home.name) / "log"
        self._first, self._ports = _free_range(ports), ports
        self._command = [
            shutil.which("rtpengine") or "",
            *("--config-file=none", "--table=-1", "--foreground", "--log-stderr", "--log-level=5"),
            *(f"--interface={each}" for each in hosts),
            *(f"--listen-ng={HOST}:{self.port}", f"--pidfile={self._home.name}/pid", *options),
        ]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"rtpengine://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self._home.cleanup()

    def start(self, ports: int = 0) -> None:
        """Start it, with fewer `ports` if that is said, and wait until it answers."""
        last = self._first + (ports or self._ports) - 1
        command = [*self._command, f"--port-min={self._first}", f"--port-max={last}"]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: self.ask({"command": "ping"}, 0.2), "an answer of rtpengine")
        except AssertionError as error:
            error.add_note(self.log())
            self.kill()
            self._home.cleanup()
            raise

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(END_S)
            self._process = None

    def ask(self, command: dict[str, str], timeout_s: float = END_S) -> dict[bytes, object] | None:
        """Ask it something; None if it does not answer."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(timeout_s)
            asking.connect((HOST, self.port))
            try:
                asking.send(f"{asking.getsockname()[1]}t{id(command)} ".encode() + encode(dict(command)))
                reply = decode(asking.recv(65_535).partition(b" ")[2])
            except OSError:
                return None
        assert isinstance(reply, dict)
        return dict(reply)

    def calls(self) -> list[str]:
        """The Call-IDs that it knows."""
        found = (self.ask({"command": "list"}) or {}).get(b"calls", [])
        assert isinstance(found, list)
        return [call.decode() for call in found]

    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


class Ear:
    """Where a fake phone hears and speaks: RTP at a port of its own."""

    def __init__(self, host: str = HOST) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.heard: set[bytes] = set()
        self._spoken = 0
        self._kind = "IP6" if ":" in host else "IP4"
        self._socket = socket.socket(family, socket.SOCK_DGRAM)
        self._socket.bind((host, 0))
        self._socket.setblocking(False)
        self.host, self.port = self._socket.getsockname()[:2]

    def sdp(self, version: int = 1, host: str = "") -> bytes:
        """What it offers or answers; `host`: the address that it names, in place of its own."""
        address = f"IN {self._kind} {host or self.host}"
        lines = ["v=0", f"o=- 1 {version} {address}", "s=-", f"c={address}", "t=0 0"]
        lines += [f"m=audio {self.port} RTP/AVP 0", "a=rtpmap:0 PCMU/8000", "a=sendrecv"]
        return "".join(f"{line}\r\n" for line in lines).encode()

    def speak(self, sdp: bytes, word: bytes) -> None:
        """Send some packets to where `sdp` awaits them."""
        to = place_in(sdp)
        for _ in range(PACKETS):
            self._spoken += 1
            count = self._spoken
            head = (
                b"\x80\x00" + (count % 2**16).to_bytes(2, "big") + (count * 160).to_bytes(4, "big") + b"voic"
            )
            self._socket.sendto(head + word.ljust(160, b"."), to)

    def hears(self, word: bytes) -> bool:
        """Whether this has come."""
        try:
            while True:
                self.heard.add(self._socket.recv(2048)[12:].rstrip(b"."))
        except BlockingIOError:
            return word in self.heard

    def wait_voice(self, to: bytes) -> None:
        """Speak to where `to` awaits it, until somebody is heard who was not before."""
        self.hears(b"")
        self.heard.clear()

        def is_heard() -> bool:
            self.speak(to, b"hello")
            self.hears(b"")
            return bool(self.heard)

        wait_until(is_heard, "voice")

    def close(self) -> None:
        self._socket.close()


def place_in(sdp: bytes) -> tuple[str, int]:
    """Where the audio of `sdp` is awaited."""
    host, port = _HOST.search(sdp), _PORT.search(sdp)
    assert host is not None, sdp
    assert port is not None, sdp
    return host[1].decode(), int(port[1])


def talk(one: Ear, to: bytes, other: Ear, back: bytes, word: str = "hello") -> None:
    """Both speak to where the SDP that they got awaits it, until each has heard the other."""

    def is_heard() -> bool:
        one.speak(to, f"{word} from one".encode())
        other.speak(back, f"{word} from other".encode())
        return other.hears(f"{word} from one".encode()) and one.hears(f"{word} from other".encode())

    wait_until(is_heard, "voice both ways")


def _free_range(ports: int) -> int:
    """The first of so many ports, of which at least the first ones are free; an engine passes over others."""
    while True:
        first = random.randrange(RANGE[0], RANGE[1] - ports, 2)
        try:
            for port in range(first, first + min(ports, SURELY_FREE)):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
                    probe.bind((HOST, port))
        except OSError:
            continue
        return first
