"""Runs SIPp with a scenario of `sipp/` and reads the statistics it leaves."""

import csv
import signal
import subprocess
from pathlib import Path
from types import TracebackType

from system.harness import free_port, wait_until
from system.sipmsg import Address, host_port

SCENARIOS = Path(__file__).parent / "sipp"
STOP_S = 10.0
BUFFER_BYTES = str(4 << 20)
"""Of SIPp's socket: its own choice of 64 KB overflows as soon as SIPp waits for a processor."""


class Sipp:
    """One SIPp process, inside the `with` block; its statistics and errors are written to `directory`.

    It uses `port`, or a free one.
    """

    def __init__(
        self,
        scenario: str,
        directory: Path,
        remote: Address,
        *options: str,
        scenarios: Path = SCENARIOS,
        port: int = 0,
        own_host: str = "127.0.0.1",
    ) -> None:
        self.address: Address = (own_host, port or free_port(own_host))
        self._directory = directory / scenario
        self._directory.mkdir()
        host, own_port = self.address
        self._process = subprocess.Popen(
            ["sipp", host_port(remote), "-sf", str(scenarios / f"{scenario}.xml")]
            + ["-i", host, "-p", str(own_port), "-nostdin", "-fd", "1", "-buff_size", BUFFER_BYTES]
            + ["-trace_stat", "-stf", "statistics.csv", "-trace_err", "-error_file", "errors.log", *options],
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> "Sipp":
        wait_until(lambda: self.running, "SIPp's first statistics", STOP_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.wait(STOP_S)

    @property
    def running(self) -> bool:
        """True once the socket is open and statistics are being written."""
        return (self._directory / "statistics.csv").exists()

    def wait(self, timeout_s: float) -> int:
        """Wait until it ended; return the exit status, 0 if every call went as the scenario says."""
        return self._process.wait(timeout_s)

    def finish(self, timeout_s: float) -> None:
        """Begin no more calls, and wait until the last one has ended."""
        self._process.send_signal(signal.SIGUSR1)
        self._process.wait(timeout_s)

    def statistics(self) -> dict[str, str]:
        """The last line of the statistics; names that end in (C) are counted since the start."""
        return self._rows()[-1]

    def count(self, name: str) -> int:
        """A cumulative counter: "SuccessfulCall", "FailedCall", "Retransmissions", …"""
        return int(self.statistics()[f"{name}(C)"])

    def placing_s(self) -> float:
        """How long it took to begin the calls that were begun, to the second."""
        rows = self._rows()
        begun = rows[-1]["OutgoingCall(C)"]
        elapsed = next(row["ElapsedTime(C)"] for row in rows if row["OutgoingCall(C)"] == begun)
        hours, minutes, seconds = elapsed.split(":")[:3]
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)

    def _rows(self) -> list[dict[str, str]]:
        with (self._directory / "statistics.csv").open(newline="") as file:
            return list(csv.DictReader(file, delimiter=";"))

    def errors(self) -> str:
        """What SIPp found wrong."""
        path = self._directory / "errors.log"
        return path.read_text(errors="replace") if path.exists() else ""
