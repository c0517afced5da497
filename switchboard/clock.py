"""The steady clock, for lifetimes and durations: epoch seconds that no setting of the wall clock moves.

Theory. The wall clock can be set by an operator or a time server, and then a lifetime would end too early or too
late. The monotonic clock is not set, but has no meaning after a reboot. The steady clock combines both. Within a
boot it is CLOCK_BOOTTIME plus an offset. CLOCK_BOOTTIME counts time asleep, too: a phone's registration expires
while a laptop sleeps. All processes of a host read the offset from one file. When the wall clock is set, only the
*correction* changes, which converts the steady clock to the wall clock, for what people read.

A new boot starts from the newest pair of both clocks in the file, plus the time that has passed on the wall clock.
If that is impossible (the wall clock is behind the pair, or ahead of it by more than any lifetime), there is a
*doubt*: the steady clock goes on from the pair as if no time had passed, so that nothing has expired, and people are
told.
"""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from switchboard.storage.durable import replace_file

NAME: Final = "clock.json"
STEP_S: Final = 0.05
"""A smaller difference is none: time servers slew both clocks by it."""
KEEP_EVERY_S: Final = 60.0
GRACE_S: Final = 300.0
"""After a doubt: what may have expired while the machine was off is kept for this time."""
_READ_WITHIN_S = 0.001
_REMEMBERED = 8  # corrections
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class Doubt(NamedTuple):
    """The wall clock could not be believed when the machine started. `by_s`: it was ahead of the newest stamp, or
    (below 0) behind it, by this amount. `since`: when that was, by the steady clock. `correction`: as it was before."""

    by_s: float
    since: float
    correction: float


Earlier = tuple[tuple[float, float], ...]


class State(NamedTuple):
    """What the file holds. `offset`: steady clock less boot time. `correction`: wall clock less steady clock, as at
    `steady`, the newest instant that is known. `earlier`: corrections of before, and until when each was in force."""

    boot: str
    offset: float
    correction: float
    steady: float
    doubt: Doubt | None
    earlier: Earlier = ()


class Sources(NamedTuple):
    """The machine's clocks; tests have their own. `boot_time`: seconds; `wall`: epoch seconds."""

    boot_time: Callable[[], float]
    wall: Callable[[], float]
    boot: Callable[[], str]


def boot_id() -> str:
    """Tells one boot of the machine from another; monotonic instants hold within one."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return "unknown"


def boot_time() -> float:
    """Seconds since the machine started, asleep or not."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


MACHINE: Final = Sources(boot_time, time.time, boot_id)


class SteadyClock:
    """A process's. `directory` has the file; `longest_s`: the longest lifetime that anything has.

    Where the file cannot be written, the process goes by what it found there.
    """

    def __init__(self, directory: Path, longest_s: float, sources: Sources = MACHINE) -> None:
        self._directory = directory
        self._sources = sources
        self._boot_time = sources.boot_time
        known = read_state(directory)
        if known is None or known.boot != sources.boot():
            known = self._begin_boot(longest_s)
        self._boot = known.boot
        self.offset = known.offset
        """Add it to the boot time."""
        self.correction_s = known.correction
        """Add it to an instant of this clock to have what the wall clock shows; as of the last `look`."""
        self.doubt = known.doubt
        self._earlier = known.earlier
        self.look()

    def at(self) -> float:
        """This moment."""
        return self._boot_time() + self.offset

    def look(self) -> float:
        """See whether the wall clock was set; return by how many seconds, 0.0: it was not."""
        before, wall, after = self._boot_time(), self._sources.wall(), self._boot_time()
        correction = wall - (before + after) / 2 - self.offset
        step = correction - self.correction_s
        if abs(step) < STEP_S or after - before > _READ_WITHIN_S:
            return 0.0
        self.correction_s = self._agree_on(correction)
        return step

    def least_wall(self, within_s: float) -> float:
        """The least that the wall clock would show now, as it was set at any time in the last `within_s` seconds.

        A wall-clock time is older than its lifetime if it is so even by this clock.
        """
        now = self.at()
        return now + min(
            [self.correction_s, *(each for until, each in self._earlier if until > now - within_s)]
        )

    def keep(self) -> bool:
        """Write down how the clocks stand, unless another process has just done so; whether this one did.

        OSError.
        """
        with _locked(self._directory):
            known = read_state(self._directory)
            if known and known.boot == self._boot and self.at() - known.steady < KEEP_EVERY_S / 2:
                return False
            self._write(self._state(self.correction_s))
            return True

    @property
    def is_behind(self) -> bool:
        """Whether the wall clock still shows an earlier time than it did before the machine started."""
        return bool(self.doubt and self.doubt.by_s < 0 and self.correction_s < self.doubt.correction - STEP_S)

    def _begin_boot(self, longest_s: float) -> State:
        """The first process of this boot decides for all."""
        try:
            with _locked(self._directory):
                known = read_state(self._directory)
                if known is None or known.boot != self._sources.boot():
                    known = self._decide(known, longest_s)
                    self._write(known)
        except OSError:
            known = self._decide(read_state(self._directory), longest_s)
        return known

    def _decide(self, before: State | None, longest_s: float) -> State:
        boot, now, wall = self._sources.boot(), self._boot_time(), self._sources.wall()
        if before is None:
            return State(boot, wall - now, 0.0, wall, None)
        passed = wall - before.correction - before.steady
        if 0 <= passed <= longest_s:
            steady = before.steady + passed
            return State(boot, steady - now, before.correction, steady, None, before.earlier)
        doubt = Doubt(passed, before.steady, before.correction)
        earlier = _with(before.earlier, before.steady, before.correction)
        return State(boot, before.steady - now, wall - before.steady, before.steady, doubt, earlier)

    def _agree_on(self, correction: float) -> float:
        """All processes have the same one: that of the process that saw the step first."""
        with suppress(OSError), _locked(self._directory):
            known = read_state(self._directory)
            if known and known.boot == self._boot and abs(known.correction - correction) < STEP_S:
                self._earlier = known.earlier
                return known.correction
            self._earlier = _with(self._earlier, self.at(), self.correction_s)
            self._write(self._state(correction))
        return correction

    def _state(self, correction: float) -> State:
        return State(self._boot, self.offset, correction, self.at(), self.doubt, self._earlier)

    def _write(self, state: State) -> None:
        """Whole or not at all. `wall` is for people who look into it."""
        octets = json.dumps({**state._asdict(), "wall": self._sources.wall()}).encode()
        replace_file(self._directory / NAME, octets)


class Keeper:
    """A companion of a parent: has the file tell how the clocks stand, for the next boot."""

    def __init__(self, clock: SteadyClock) -> None:
        self._clock = clock
        self._next = 0.0

    def next_deadline(self) -> float:
        """The next look."""
        return self._next

    def handle_timer(self, now: float) -> None:
        """Write it down. A disk that is full keeps the last pair, which does."""
        self._next = now + KEEP_EVERY_S
        self._clock.look()
        with suppress(OSError):
            self._clock.keep()


def read_state(directory: Path) -> State | None:
    """What the file there holds; None if there is none that can be read."""
    try:
        known: dict[str, Any] = json.loads((directory / NAME).read_bytes())
        doubt = known["doubt"] and Doubt(*map(float, known["doubt"]))
        offset, correction, steady = (float(known[name]) for name in ("offset", "correction", "steady"))
        earlier = tuple((float(until), float(each)) for until, each in known.get("earlier", ()))
        return State(str(known["boot"]), offset, correction, steady, doubt, earlier)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _with(earlier: Earlier, until: float, correction: float) -> Earlier:
    return (*earlier, (until, correction))[-_REMEMBERED:]


def current_doubt(directory: Path, sources: Sources = MACHINE) -> str:
    """What was wrong with the clock when the machine started, for people; "" for nothing, or if it is over."""
    known = read_state(directory)
    if known is None or known.doubt is None or known.boot != sources.boot():
        return ""
    now = sources.boot_time() + known.offset
    is_behind = known.doubt.by_s < 0 and sources.wall() - now < known.doubt.correction - STEP_S
    return describe(known.doubt) if is_behind or now < known.doubt.since + GRACE_S else ""


def describe(doubt: Doubt) -> str:
    """For people: what was wrong with the clock when the machine started."""
    if doubt.by_s < 0:
        return f"{_span(-doubt.by_s)} behind what it showed before the machine was started"
    return f"{_span(doubt.by_s)} ahead of what it showed last: the machine was off as long, or the clock is wrong"


def _span(seconds: float) -> str:
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    fd = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
