"""Which processor a worker runs on: any, unless the operator says otherwise."""

import os
from collections.abc import Sequence

from switchboard.settings.model import SettingsError


def processor_of(name: str, instance: int, pins: Sequence[str]) -> int | None:
    """Return what `pins` (`NAME=N`, or `NAME.INSTANCE=N` for one of many) say; None for any processor."""
    numbers = dict(pin.split("=") for pin in pins)
    number = numbers.get(f"{name}.{instance}", numbers.get(name))
    return None if number is None else int(number)


def pin(name: str, instance: int, pins: Sequence[str]) -> None:
    """Keep this process on its processor, with the threads that ZeroMQ has started. SettingsError."""
    number = processor_of(name, instance, pins)
    if number is None:
        return
    try:
        for thread in os.listdir("/proc/self/task"):
            os.sched_setaffinity(int(thread), {number})
    except (OSError, OverflowError) as error:
        raise SettingsError(
            f"Bad setting pins: {name}.{instance} cannot run on processor {number}, "
            f"which is not among those that it may use: {sorted(os.sched_getaffinity(0))}.",
            "bad setting pins",
        ) from error
