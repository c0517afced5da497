"""Follows a location that others change, too, in a thread of its own (see `remote.py`).

Theory. The registrar's loop never waits for news, nor for a server that is away: this thread does. It connects, reads
all users, then the changes, and puts what it has found into a queue, which the loop is woken for. When the queue is
full the thread waits. While the server is away it tries again every RETRY_S, and sees whether it can write, too.
"""

import os
import queue
import threading
from contextlib import suppress
from enum import Enum, auto
from typing import Final

from switchboard.registrar.remote import Kept, Remote, RemoteError

FOLLOW_EVERY_S: Final = 0.1
RETRY_S: Final = 0.05
"""Between two tries while the server is away: a Sentinel names the next one late enough."""
QUEUED: Final = 64
"""Pages and changes that wait for the loop."""
ALIKE_S: Final = 1.0
"""Clocks that differ by less count as one."""
_STOP_S: Final = 0.5


class Sign(Enum):
    """What comes between the users: all of them begin; they begin, and the server's clock was set; that was all."""

    BEGIN = auto()
    BEGIN_WITH_OTHER_CLOCK = auto()
    END = auto()


News = list[Kept] | Sign


class Link:
    """Owns the thread. `fd` is readable when there is something to take, or `is_up` has changed."""

    def __init__(self, remote: Remote) -> None:
        self.is_up = False
        self.error: RemoteError | None = None
        """Why it is not, if that is known."""
        self.ahead_s = 0.0
        """By how much the server's clock is ahead of ours; 0.0 if that is less than ALIKE_S."""
        self.loads = 0
        """How often all users were read."""
        self.fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._remote = remote
        self._news: queue.Queue[News] = queue.Queue(QUEUED)
        self._wanted = 1  # so many loads
        self._is_clock_set = False
        self._stopped, self._stirred, self._looked = threading.Event(), threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="location", daemon=True)

    def start(self, within_s: float) -> None:
        """Begin; wait until it is known whether it is up, or for this time."""
        self._thread.start()
        self._looked.wait(within_s)

    def reload(self, error: RemoteError | None = None) -> None:
        """Read all users again; `error`: what was seen of the server, which has to be looked at first."""
        if error is not None:
            self.error, self.is_up = error, False
        self._wanted += 1
        self._stirred.set()

    def take(self) -> News | None:
        """What has come first; None for nothing."""
        try:
            return self._news.get_nowait()
        except queue.Empty:
            return None

    @property
    def is_waiting(self) -> bool:
        """Whether there is something to take."""
        return not self._news.empty()

    @property
    def foreign(self) -> int:
        """Keys and values in our space that were none of ours."""
        return self._remote.foreign

    def heard(self) -> None:
        """The descriptor has been seen."""
        try:
            os.eventfd_read(self.fd)
        except BlockingIOError:
            return

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
            pause_s = RETRY_S
            try:
                pause_s = self.go_round()
            except RemoteError as error:
                if self.is_up:  # what was confirmed last may be lost, and was not followed yet
                    self._wanted += 1
                self.error, self.is_up = error, False
                self._looked.set()
                self.wake()
            if pause_s:
                self._stirred.wait(pause_s)
                self._stirred.clear()
        self._remote.close()

    def go_round(self) -> float:
        """Do what is next; how long to wait then. RemoteError."""
        if not self.is_up:
            self._remote.check()
        if self._wanted > self.loads or not self._remote.is_known():
            self._load()
        followed = self._remote.follow()
        self._look_at_clock()
        self._tell_up()
        if followed.is_lost:
            self._wanted += 1
        if followed.changes:
            self._put(list(followed.changes))
        return 0.0 if followed.changes or followed.is_lost else FOLLOW_EVERY_S

    def _load(self) -> None:
        """Changes go on meanwhile: what is read twice does no harm."""
        wanted = self._wanted
        self._remote.begin()
        self._look_at_clock()
        self._tell_up()
        self._put(Sign.BEGIN_WITH_OTHER_CLOCK if self._is_clock_set else Sign.BEGIN)
        for page in self._remote.load():
            self._put(page)
        self._put(Sign.END)
        self.loads, self._is_clock_set = wanted, False

    def _look_at_clock(self) -> None:
        ahead_s = self._remote.ahead_s
        if abs(ahead_s - self.ahead_s) < ALIKE_S:
            return
        self.ahead_s = ahead_s if abs(ahead_s) >= ALIKE_S else 0.0
        if self.loads:
            self._is_clock_set = True
            self._wanted += 1

    def _tell_up(self) -> None:
        if not self.is_up:
            self.is_up = True
            self._looked.set()
            self.wake()

    def _put(self, news: News) -> None:
        while not self._stopped.is_set():
            try:
                self._news.put(news, timeout=_STOP_S)
            except queue.Full:
                continue
            self.wake()
            return

    def wake(self) -> None:
        """Make `fd` readable; from any thread."""
        with suppress(OSError):  # it was closed meanwhile
            os.eventfd_write(self.fd, 1)
