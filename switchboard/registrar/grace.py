"""What becomes of bindings when the machine has started with a clock that cannot be believed (`switchboard.clock`).

Nobody knows how long the machine was off. Had it been ahead, all would have run out, so they are given GRACE_S in which
phones may register again, and no more. Had it been behind, none would, so each keeps what it had left, and GRACE_S at
least. Only bindings from before are changed: those of users whose last record has a number up to that of the start.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Final

from switchboard.clock import GRACE_S, Doubt
from switchboard.registrar.sqlite import SqliteStore

USERS_AT_ONCE: Final = 500


class Grace:
    """Changes the bindings of a store, some users at a time. `boot`: which this is; it is done once in each."""

    def __init__(self, store: SqliteStore, doubt: Doubt, boot: str) -> None:
        self._store = store
        self._doubt = doubt
        self._last = store.begin_grace(boot)
        self._users: Iterator[str] | None = iter(store.table.users()) if self._last else None
        self.until = doubt.since + GRACE_S
        self.bindings = 0
        """How many were changed by this process."""

    @property
    def is_over(self) -> bool:
        """Whether all have been changed."""
        return self._users is None

    def go_on(self) -> None:
        """Change the bindings of the next users. Within a batch of the store."""
        if self._users is None:
            return
        users = list(islice(self._users, USERS_AT_ONCE))
        for user in users:
            if self._store.table.row(user) <= self._last:
                self._change(user)
        if not users:
            self._users = None
            self._store.end_grace()

    def _change(self, user: str) -> None:
        bindings = self._store.bindings(user)
        changed = [each._replace(expires_at=self._end(each.expires_at)) for each in bindings]
        if changed != bindings:
            self._store.put(user, changed)
            self.bindings += len(bindings)

    def _end(self, expires_at: float) -> float:
        return self.until if self._doubt.by_s > 0 else max(self.until, expires_at)
