"""Kamailio as a subject: registrar and stateful proxy as usually configured, started again when it ends.

An init system would do that (Restart=on-failure, after 100 ms); here the event itself does.
"""

import os
import signal
import subprocess
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import IO, Self

import psutil
from system.access import Access, Transport, free_ports
from system.harness import free_port
from system.probe import answers_options
from system.sipmsg import Address

from bench.blow import SPREAD_S, STOPPED_S, Way
from bench.ledger import Ledger
from bench.phones import Lab
from bench.subject import WithoutRules

CONFIGURATION = Path(__file__).with_name("kamailio.cfg")
HOST = "127.0.0.1"
UP_WITHIN_S = 10.0
RESTART_PAUSE_S = 0.1
CHILD, WHOLE = "a child", "the process"


class Kamailio(WithoutRules):
    """A Kamailio on a free port, inside the `with` block; `options` of its command line come last.

    With a `certificate` and its `key`, both in PEM, it has all transports.
    """

    routers = 1
    ledger: Ledger | None = None
    targets = [CHILD, WHOLE]

    def __init__(self, *options: str, certificate: bytes = b"", key: bytes = b"") -> None:
        self.ports = free_ports()
        self._files = {"cert.pem": certificate, "key.pem": key} if certificate else {}
        self.address: Address = (HOST, free_port(HOST))
        self._options = options
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self._directory = Path(self._stack.enter_context(TemporaryDirectory(prefix="killmatrix-kamailio-")))
        for name, content in self._files.items():
            (self._directory / name).write_bytes(content)
        self._output: IO[bytes] = self._stack.enter_context((self._directory / "log").open("ab"))
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
        self._stack.close()

    def start(self) -> None:
        """Start it; returns when it answers. AssertionError if it does not."""
        host, port = self.address
        self._process = subprocess.Popen(
            ["kamailio", "-f", str(CONFIGURATION), "-l", f"udp:{host}:{port}", "-DD", "-E"]
            + ["-w", str(self._directory), "-Y", str(self._directory), "-m", "128", "-M", "16"]
            + [*self._options, *self._listening()],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            start_new_session=True,
        )
        assert answers_options(host, port, UP_WITHIN_S), self.log()

    def access(self, transport: Transport) -> Access:
        """How phones of this transport reach it."""
        return self.ports.access(transport, self.address[1], self._directory)

    def _listening(self) -> list[str]:
        """Options for all transports, where there is a certificate."""
        if not self._files:
            return []
        host, port = self.address
        listeners = [f"tcp:{host}:{port}", f"tls:{host}:{self.ports.tls}", f"tls:{host}:{self.ports.wss}"]
        words = [f'CERTIFICATE="{self._directory}/cert.pem"', f'KEY="{self._directory}/key.pem"', "STREAMS"]
        return [
            *(part for each in listeners for part in ("-l", each)),
            *(part for each in words for part in ("-A", each)),
        ]

    def end(self) -> None:
        """End it as init systems do."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(UP_WITHIN_S)
            self._end_children()

    def wait_end(self) -> bool:
        """Wait until it has ended by itself; False if it goes on."""
        assert self._process is not None
        try:
            self._process.wait(STOPPED_S)
        except subprocess.TimeoutExpired:
            return False
        self._end_children()
        return True

    def _end_children(self) -> None:
        """Those that outlived the main process would keep the port."""
        assert self._process is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    @property
    def main(self) -> psutil.Process:
        """The process that forked the others."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def ways_of(self, target: str) -> list[Way]:
        """Nobody restarts a single child."""
        return [Way.KILL] if target == CHILD else [Way.KILL, Way.RESTART]

    def spread_s(self, target: str, way: Way) -> float:  # noqa: ARG002
        """For how long the event has its effect."""
        return SPREAD_S[way]

    def log(self) -> str:
        """What it printed."""
        return (self._directory / "log").read_text(errors="replace")[-4000:]

    def blow(self, target: str, way: Way) -> "KamailioBlow":
        """Prepare an event."""
        return KamailioBlow(self, target, way)


class KamailioBlow:
    """One event; when it ends the whole Kamailio, that is started again."""

    def __init__(self, kamailio: Kamailio, target: str, way: Way) -> None:
        self.errors: list[str] = []
        self._kamailio = kamailio
        self._target = target
        self._way = way
        self._away: float | None = None
        self._thread = threading.Thread(target=self._happen, daemon=True)

    def strike(self, lab: Lab) -> None:  # noqa: ARG002
        """Let it happen now."""
        self._thread.start()

    @property
    def over(self) -> bool:
        """Whether it answers again."""
        return not self._thread.is_alive()

    def away_s(self) -> list[float]:
        """From the event until it answered."""
        return [] if self._away is None else [self._away]

    def _happen(self) -> None:
        since = time.monotonic()
        if self._way is Way.STOP:
            self._victim().suspend()
            time.sleep(STOPPED_S)
            self._victim().resume()
            return
        if self._way is Way.RESTART:
            self._kamailio.end()
        else:
            self._victim().send_signal(signal.SIGKILL if self._way is Way.KILL else signal.SIGTERM)
            if not self._kamailio.wait_end():
                return
            time.sleep(RESTART_PAUSE_S)
        self._kamailio.start()
        self._away = time.monotonic() - since

    def _victim(self) -> psutil.Process:
        """The process itself, or its first child: one of those that receive."""
        main = self._kamailio.main
        return main.children()[0] if self._target == CHILD else main
