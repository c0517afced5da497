"""Runs the Actor of a worker process: settings, processor, sockets, signals, and its end."""

import argparse
import gc
import os
import sys
from collections.abc import Callable, Sequence
from typing import NoReturn

import structlog

from switchboard import log
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext, NotListeningError
from switchboard.bus.loop import Loop
from switchboard.bus.peer import LINGER_MS
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.run_dir import make_run_dir
from switchboard.settings.site import endpoints_of, open_context
from switchboard.storage.unusable import UnusableFile
from switchboard.supervisor.handshake import (
    ParentGone,
    StopSignal,
    await_go,
    die_with_parent,
    leave,
    tell_ready,
    tell_why,
)
from switchboard.workers.log_lines import FrameLog


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


def run_actor(
    make: Callable[[Settings, BusContext, int], Actor],
    argv: Sequence[str] | None = None,
    is_fork: bool = False,
) -> NoReturn:
    """Run the worker that `make(settings, context, instance)` builds until SIGTERM; ends the process.

    It begins when its parent says go, with the settings of that moment. Bad ones show before it waits, too:
    while the worker that it is to follow still serves. `argv` (default: the process's) may name
    `--instance I`. `is_fork`: of a parent that has just read the settings. The exit status:
    0: asked to end, and drained, or never told to go. 1: an unforeseen exception, whose traceback is in the
    log, or no parent. 2: bad settings, found before anything is bound, or by `make`, which may raise
    SettingsError too; or an UnusableFile or NotListeningError, whose text is in the log.
    """
    die_with_parent()
    leave(_run(make, _parse_instance(argv), is_fork))


def _run(make: Callable[[Settings, BusContext, int], Actor], instance: int, is_fork: bool) -> int:
    try:
        if not is_fork:
            load_settings()
            gc.collect()  # now, while nobody waits for it
            gc.freeze()
        if not await_go():
            return 0
        stop = StopSignal()
        settings = load_settings()
        log.configure(settings.log_level, settings.log_format)
        _serve(make, settings, instance, stop)
    except SettingsError as error:
        print(error, file=sys.stderr)
        tell_why(str(error))
        return 2
    except (UnusableFile, NotListeningError) as error:
        tell_why(str(error))
        structlog.get_logger().error(f"cannot run: {error}", instance=instance)
        return 2
    except ParentGone:
        return 1
    except Exception as error:
        tell_why(f"{type(error).__name__}: {error}")
        structlog.get_logger().exception("worker crashed", instance=instance)
        return 1
    return 0


def _serve(
    make: Callable[[Settings, BusContext, int], Actor], settings: Settings, instance: int, stop: StopSignal
) -> None:
    make_run_dir(settings.data_dir)
    context = open_context(settings)
    try:
        actor = make(settings, context, instance)
        pin(actor.name, instance, settings.pins)
        structlog.contextvars.bind_contextvars(worker=f"{actor.name}.{instance}")
        loop = Loop(actor, context, endpoints_of(settings), instance, FrameLog().tell)
        _calm_collector()
        loop.run(stop, tell_ready)
        loop.drain()
        loop.close()
        actor.close()
    finally:
        context.destroy(linger=LINGER_MS)


def _calm_collector() -> None:
    """A collection over all that a busy worker holds would stop it for tenths of a second.

    What is there at the start stays; of the rest, only the young is looked at often, and while it is little:
    a look at 20,000 objects stops a router for milliseconds.
    """
    gc.freeze()
    gc.set_threshold(2_000, 500, 1_000)


def _parse_instance(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(description="A worker process of the switchboard; its parent starts it.")
    parser.add_argument("--instance", type=int, default=0, help="number of this worker among its equals")
    return int(parser.parse_args(argv).instance)
