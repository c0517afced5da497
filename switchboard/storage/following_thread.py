"""A thread that follows what others change on a server, for a loop that never waits for that server.

Theory. The thread connects, asks for what has changed, and puts it into a queue, which the loop is woken for. When the
queue is full the thread waits. While the server is away it tries again after a pause.
"""

import os
import queue
import threading
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Final, Generic, TypeVar

from switchboard.storage.unusable import RemoteError

_STOP_S: Final = 0.5
N = TypeVar("N")


class FollowingThread(ABC, Generic[N]):
    """Owns the thread. `fd` is readable when there is something to take, or `is_up` has changed.

    `name`: the thread's; `queued`: how much news waits for the loop; `retry_s`: between two tries while it is away.
    """

    def __init__(self, name: str, queued: int, retry_s: float) -> None:
        self.is_up = False
        self.error: RemoteError | None = None
        """Why it is not, if that is known."""
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._retry_s = retry_s
        self._news: queue.Queue[N] = queue.Queue(queued)
        self._stopped = threading.Event()
        self._stirred = threading.Event()
        self._looked = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def go_round(self) -> float:
        """Do what is next, in the thread; how long to wait then. RemoteError."""

    @abstractmethod
    def _let_go(self) -> None:
        """The last thing that the thread does."""

    def start(self, within_s: float) -> None:
        """Begin; wait until it is known whether it is up, or for this time."""
        self._thread.start()
        self._looked.wait(within_s)

    def failed(self, error: RemoteError) -> None:
        """The server was seen to fail: it is looked at anew."""
        self.error, self.is_up = error, False
        self._stirred.set()

    def take(self) -> N | None:
        """What has come first; None for nothing."""
        try:
            return self._news.get_nowait()
        except queue.Empty:
            return None

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return not self._news.empty()

    def heard(self) -> None:
        """The descriptor has been seen."""
        with suppress(BlockingIOError):
            os.eventfd_read(self.fd)

    def wake(self) -> None:
        """Make `fd` readable; from any thread."""
        with suppress(OSError):  # it was closed meanwhile
            os.eventfd_write(self.fd, 1)

    def close(self) -> None:
        """End the thread; one that waits for the server ends by itself."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._stirred.set()
        self._thread.join(_STOP_S)
        if not self._thread.is_alive():
            os.close(self.fd)

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                pause_s = self.go_round()
            except RemoteError as error:
                self._note_away(error)
                pause_s = self._retry_s
            if pause_s:
                self._stirred.wait(pause_s)
                self._stirred.clear()
        self._let_go()

    def _note_away(self, error: RemoteError) -> None:
        self.error, self.is_up = error, False
        self._looked.set()
        self.wake()

    def _tell_up(self) -> None:
        if not self.is_up:
            self.is_up = True
            self._looked.set()
            self.wake()

    def _put(self, news: N) -> None:
        while not self._stopped.is_set():
            try:
                self._news.put(news, timeout=_STOP_S)
            except queue.Full:
                continue
            self.wake()
            return
