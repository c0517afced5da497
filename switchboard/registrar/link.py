"""Follows a location that others change, too, in a thread of its own (see `remote.py`).

Theory. See `FollowingThread`. It reads all users, then the changes. While the server is away it tries again every
RETRY_S, and sees whether it can write, too.
"""

from enum import Enum, auto
from typing import Final

from switchboard.registrar.remote import Kept, Remote, RemoteError
from switchboard.storage.following_thread import FollowingThread

FOLLOW_EVERY_S: Final = 0.1
RETRY_S: Final = 0.05
"""Between two tries while the server is away: a Sentinel names the next one late enough."""
QUEUED: Final = 64
"""Pages and changes that wait for the loop."""
ALIKE_S: Final = 1.0
"""Clocks that differ by less count as one."""


class Sign(Enum):
    """What comes between the users: all of them begin; they begin, and the server's clock was set; that was all."""

    BEGIN = auto()
    BEGIN_WITH_OTHER_CLOCK = auto()
    END = auto()


News = list[Kept] | Sign


class Link(FollowingThread[News]):
    """Follows the location that `remote` is a connection to."""

    def __init__(self, remote: Remote) -> None:
        super().__init__("location", QUEUED, RETRY_S)
        self.ahead_s = 0.0
        """By how much the server's clock is ahead of ours; 0.0 if that is less than ALIKE_S."""
        self.loads = 0
        """How often all users were read."""
        self._remote = remote
        self._wanted = 1  # so many loads
        self._is_clock_set = False

    def reload(self, error: RemoteError | None = None) -> None:
        """Read all users again; `error`: what was seen of the server, which has to be looked at first."""
        self._wanted += 1
        if error is not None:
            self.failed(error)
        self._stirred.set()

    @property
    def foreign(self) -> int:
        """Keys and values in our space that were none of ours."""
        return self._remote.foreign

    def go_round(self) -> float:
        """As in `FollowingThread`."""
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

    def _note_away(self, error: RemoteError) -> None:
        if self.is_up:  # what was confirmed last may be lost, and was not followed yet
            self._wanted += 1
        super()._note_away(error)

    def _let_go(self) -> None:
        self._remote.close()
