"""A router's write-ahead log: its saved transactions, and the call events that the journal has not acknowledged.

Theory. Nothing leaves the process before its cause is in the log: all decisions of a drain are committed in one
write, and sent afterwards. So a successor on the same boot of the machine knows everything that others may have
seen, and continues the saved transactions. After a reboot only the events are used, since no call is left.

A router with a full disk goes on without the log. If it is killed then, its log is behind: its successor takes over
what was written last, but uses no number and accepts no nonce again that the journal or a phone may have seen.
"""

import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from switchboard.clock import boot_id
from switchboard.codec import pack, unpack
from switchboard.storage.writing import WatchedWriting
from switchboard.wal.event_ring import BOOT, EVENT, LIFE, NONCE, SERIES, EventRing, event_number
from switchboard.wal.keyed_log import KeyedLog

UNSYNCED = 1_000_000
"""More events than the system keeps in memory before it writes them to the disk."""


class RouterLog:
    """Keeps one router's state in `directory`. `series` names the numbering of its events.

    `keyed` holds the saved transactions, too, which the core writes (`core/transaction_log.py`).
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.keyed = KeyedLog(directory)
        self.events = EventRing(self.keyed)
        self.writing = WatchedWriting(
            self.keyed, str(directory), "calls go on; a kill would lose what is being set up"
        )
        kept = {key: self.keyed[key] for key in self.keyed if key[:1] in (BOOT, SERIES, EVENT, NONCE, LIFE)}
        rebooted = self.is_rebooted = kept.pop(BOOT, b"") != pack(boot_id())
        """Whether the saved transactions in `keyed` are of no use, since no call is left."""
        if rebooted:
            self.keyed.put(BOOT, pack(boot_id()))
        self.series, last = unpack(kept.pop(SERIES, pack([secrets.token_hex(4), 0])))
        is_doubtful = rebooted or self.keyed.is_behind
        life = self._take_life(kept)
        self.nonces = self._take_nonces(kept, is_doubtful)
        """How often nonces were used, by identity, as the predecessor kept it."""
        waiting = {event_number(key): value for key, value in kept.items()}
        last = max(waiting, default=last)
        if is_doubtful:
            last = self._number_anew(last, bool(waiting))
        self.issuer = f"{boot_id()} {self.series}{life}"
        """Names the store of nonces: another one, if uses of them may be missing."""
        self.events.restore(last, waiting.items())
        self._put_series(last)

    def _take_life(self, kept: dict[bytes, bytes]) -> str:
        """Tells the lives apart before and after a log that was behind."""
        life = kept.pop(LIFE, pack(""))
        if self.keyed.is_behind:
            life = pack(f" {secrets.token_hex(4)}")
            self.keyed.put(LIFE, life)
        return str(unpack(life))

    def _take_nonces(self, kept: dict[bytes, bytes], is_doubtful: bool) -> list[tuple[bytes, bytes]]:
        """Those of another boot are worth nothing: their latest uses may not have reached the disk."""
        nonces = [(key, kept.pop(key)) for key in list(kept) if key[:1] == NONCE]
        if is_doubtful:
            for key, _ in nonces:
                self.keyed.erase(key)
            return []
        return [(key[1:], state) for key, state in nonces]

    def keep_nonces(self, changes: Mapping[bytes, bytes | None]) -> None:
        """What is to be kept of nonces, by identity, is written with the next commit; None: nothing."""
        for identity, state in changes.items():
            if state is None:
                self.keyed.erase(NONCE + identity)
            else:
                self.keyed.put(NONCE + identity, state)

    def _number_anew(self, last: int, waiting: bool) -> int:
        """Events that had not reached the disk when machine or router went down may be known to the journal."""
        if waiting:
            return last + UNSYNCED + (secrets.randbelow(UNSYNCED) if self.keyed.is_behind else 0)
        self.series = secrets.token_hex(4)
        return 0

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self.keyed.size

    def __len__(self) -> int:
        return len(self.keyed)

    def note(self, events: Iterable[bytes]) -> None:
        """Call events that the journal is to have (packed) are written with the next commit."""
        for event in events:
            self.events.put(event)

    def acknowledge(self, series: str, number: int, now: float) -> None:
        """The journal has recorded the events of `series` up to `number`."""
        if series == self.series and self.events.acknowledge(number, now) and not self.events.waiting:
            self._put_series(self.events.last)

    def held(self, series: str, now: float) -> None:
        """The journal has what it was told of `series` in memory, and cannot write it yet."""
        if series == self.series:
            self.events.held(now)

    def commit(self) -> None:
        """Write what was noted: before anything of it leaves the process."""
        self.keyed.commit()

    def close(self) -> None:
        """Close the file."""
        self.keyed.close()

    def _put_series(self, last: int) -> None:
        """The events tell the last number themselves, as long as one is there."""
        self.keyed.put(SERIES, pack([self.series, last]))
