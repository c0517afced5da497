"""Signals as something to poll for: a parent's SIGTERM, SIGINT and SIGCHLD."""

import os
import signal
from types import FrameType, TracebackType
from typing import Self

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Wakeup:
    """While entered, each signal makes `fd` readable, and SIGTERM or SIGINT sets `stop`. Main thread only."""

    def __init__(self) -> None:
        self.stop = False
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._handle) for number in (*STOP_SIGNALS, signal.SIGCHLD)
        }
        self._wakeup_before = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_fd)

    def drain(self) -> None:
        """Make `fd` wait for the next signal."""
        os.read(self.fd, 4096)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number in STOP_SIGNALS:
            self.stop = True
