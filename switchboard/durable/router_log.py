"""A router's write-ahead log: its units of state, and the call events that the journal has not acknowledged.

What a drain decided is committed in one write before any of it leaves the process. A successor on the same
boot of the machine takes the units up again; after a reboot only the events are left, since no call is.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from switchboard.bus.unacknowledged import Unacknowledged
from switchboard.codec import pack, unpack
from switchboard.durable.keyed_log import KeyedLog
from switchboard.proxy.commands import ProxyTurn
from switchboard.proxy.environment import Environment
from switchboard.proxy.units import Unit, forget, is_stale, key_of, restore_all, save, units_of

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BOOT = pack(["boot"])
_SERIES = pack(["series"])


class RouterLog:
    """Keeps one router's state in `directory`. `series` names the numbering of its events."""

    def __init__(self, directory: Path) -> None:
        self._log = KeyedLog(directory)
        self._touched: dict[object, None] = {}
        self._owners: dict[bytes, Unit] = {}
        self.events = Unacknowledged()
        kept = {tuple(unpack(key)): value for key, value in self._log.items()}
        self._units = {pack(key): unpack(value) for key, value in kept.items() if key[0] == "unit"}
        if kept.get(("boot",)) != pack(_boot_id()):
            self._forget_units()
        self.series, last = unpack(kept.get(("series",), pack([secrets.token_hex(4), 0])))
        self.events.restore(last, [(key[1], unpack(v)) for key, v in kept.items() if key[0] == "event"])

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return self._log.size

    def __len__(self) -> int:
        return len(self._log)

    def restore(self, env: Environment, turn: ProxyTurn) -> int:
        """Take the predecessor's units up again, those that are not over; return how many there were."""
        units, self._units = self._units, {}
        for key, record in list(units.items()):
            if is_stale(record, turn.now, env.layer.values):
                self._log.erase(key)
                del units[key]
        restore_all(env, units.values(), turn)
        return len(units)

    def note(self, turn: ProxyTurn) -> None:
        """What `turn` touched and told is written with the next commit."""
        self._touched |= turn.touched
        for event in turn.events:
            self._put_event([*event[:4], *event.details])

    def acknowledge(self, series: str, number: int, now: float) -> None:
        """The journal has recorded the events of `series` up to `number`."""
        if series == self.series:
            for done in self.events.acknowledge(number, now):
                self._log.erase(pack(["event", done]))

    def commit(self, now: float) -> None:
        """Write what was noted: before anything of it leaves the process."""
        for unit in units_of(self._touched):
            key = pack(["unit", *key_of(unit)])
            record = save(unit, now)
            if record is not None:
                self._owners[key] = unit
                self._log.put(key, pack(record))
                continue
            if self._owners.pop(key, unit) is unit:
                self._log.erase(key)
            forget(unit)
        self._touched.clear()
        self._log.commit()

    def close(self) -> None:
        """Close the file."""
        self._log.close()

    def _put_event(self, item: Sequence[Any]) -> None:
        number = self.events.put(item)
        self._log.put(pack(["event", number]), pack(item))
        self._log.erase(pack(["event", number - self.events.keep]))  # what the queue has just dropped, if any
        self._log.put(_SERIES, pack([self.series, number]))

    def _forget_units(self) -> None:
        for key in self._units:
            self._log.erase(key)
        self._units.clear()
        self._log.put(_BOOT, pack(_boot_id()))


def _boot_id() -> str:
    """Tells one boot of the machine from another; monotonic instants hold within one."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"
