"""A router's own copy of the bindings, for a start while the registrar's host cannot be reached."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from switchboard.codec import pack, unpack
from switchboard.registrar.binding import Binding
from switchboard.registrar.store import Snapshot
from switchboard.storage.writing import WatchedWriting
from switchboard.wal.keyed_log import KeyedLog

_NUMBER = pack(["number"])


class BindingsCopy:
    """Keeps what it is given in `directory`; each call ends when it is written (no fsync)."""

    def __init__(self, directory: Path) -> None:
        self._log = KeyedLog(directory)
        self.writing = WatchedWriting(self._log, str(directory), "bindings are followed in memory")

    def load(self) -> Snapshot | None:
        """What was kept; None if nothing was."""
        kept = dict(self._log.items())
        number = kept.pop(_NUMBER, None)
        if number is None:
            return None
        return unpack(number), {unpack(key)[1]: _bindings(value) for key, value in kept.items()}

    def add(self, users: Mapping[str, Sequence[Binding]]) -> None:
        """Keep the bindings of these users, of a snapshot that is not whole yet."""
        self._keep(users)
        self._log.commit()

    def settle(self, number: int, has: Callable[[str], bool]) -> None:
        """The snapshot is whole: it is as of change `number`, and `has` these users and no others."""
        for key in [key for key in self._log if key != _NUMBER and not has(unpack(key)[1])]:
            self._log.erase(key)
        self.put(number, {})

    def put(self, number: int, users: Mapping[str, Sequence[Binding]]) -> None:
        """Keep the bindings of these users as of change `number`."""
        self._keep(users)
        self._log.put(_NUMBER, pack(number))
        self._log.commit()

    def _keep(self, users: Mapping[str, Sequence[Binding]]) -> None:
        for user, bindings in users.items():
            if bindings:
                self._log.put(_key(user), pack([binding.to_wire() for binding in bindings]))
            else:
                self._log.erase(_key(user))

    def close(self) -> None:
        """Close the file."""
        self._log.close()


def _key(user: str) -> bytes:
    return pack(["user", user])


def _bindings(value: bytes) -> list[Binding]:
    return [Binding.from_wire(record) for record in unpack(value)]
