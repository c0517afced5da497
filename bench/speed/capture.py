"""Lets tcpdump write INVITEs and 180s down for a while; only these, since each costs its sender."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from system.harness import wait_until

from bench.speed.delays import Packet, parse_pcap
from bench.speed.programs import require

INVITE = "udp[8:4] = 0x494e5649"
RINGING = "(udp[8:4] = 0x5349502f and udp[16:4] = 0x31383020)"
BUFFER_KB = "16384"
END_S = 10.0


@dataclass
class Capture:
    """Filled when the block that captures is left. `lost`: packets that tcpdump was too slow for."""

    packets: list[Packet] = field(default_factory=list)
    lost: int = 0


@contextmanager
def capture() -> Iterator[Capture]:
    """Inside the block INVITEs and 180s on the loopback are captured; Unavailable without tcpdump."""
    require("tcpdump")
    caught = Capture()
    with TemporaryDirectory(prefix="bench-capture-") as name:
        file, log = Path(name) / "pcap", Path(name) / "log"
        with log.open("wb") as output, _tcpdump(file, output.fileno()) as process:
            wait_until(lambda: "listening" in log.read_text(), "tcpdump listening")
            try:
                yield caught
            finally:
                process.terminate()
                process.wait(END_S)
        caught.packets = list(parse_pcap(file.read_bytes()))
        caught.lost = dropped(log.read_text())


def dropped(log: str) -> int:
    """How many packets the kernel dropped, from what tcpdump says at its end."""
    return sum(int(line.split()[0]) for line in log.splitlines() if "dropped by kernel" in line)


def _tcpdump(file: Path, output: int) -> "subprocess.Popen[bytes]":
    command = ["tcpdump", "-i", "lo", "-n", "-s", "2048", "-B", BUFFER_KB, "-Z", "root"]
    command += ["-j", "host", "--time-stamp-precision=nano", "-w", str(file), f"{INVITE} or {RINGING}"]
    return subprocess.Popen(command, stderr=output)
