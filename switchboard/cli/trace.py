"""`switchboard trace`: the messages that pass now, as the edge sees them on the wire."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from switchboard.bus.tap import Listener, topic_of
from switchboard.cli.output import FAILED, fail, say
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.history.export import Packets, head
from switchboard.history.ladder import label_of
from switchboard.history.lenient import LenientMessage
from switchboard.history.masking import mask
from switchboard.history.seen import Seen, transport_of
from switchboard.history.tapped import CallFilter, TapReader
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, lasting_workers, router_numbers

FIRST_CONTACT_S = 3.0
LOOK_S = 0.05
SETTLED_NS = 150_000_000
"""Whatever is seen earlier has been told by now."""
UserOption = Annotated[str, typer.Option("--user", help="Only calls and registrations of this user.")]
CallIdOption = Annotated[str, typer.Option("--call-id", help="Only this Call-ID.")]
OutputOption = Annotated[
    Path | None, typer.Option("-o", "--output", metavar="FILE.pcapng", help="Write a capture for Wireshark.")
]


def trace(user: UserOption = "", call_id: CallIdOption = "", output: OutputOption = None) -> None:
    """Print a line for each message that passes, or write them to a capture, until Ctrl-C.

    Exit status: 0 when ended by Ctrl-C or SIGTERM, 1 if no switchboard answers or the file cannot be written.
    """
    settings = settings_or_exit()
    try:
        if output is None:
            _follow(settings, CallFilter(user, call_id), _print)
        else:
            with output.open("wb") as file:
                file.write(head())
                file.flush()
                _follow(settings, CallFilter(user, call_id), partial(_write, file, Packets()))
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}.", FAILED)


def _follow(settings: Settings, wanted: CallFilter, take: Callable[[Seen], None]) -> None:
    """Give every wanted message to `take` until a signal says stop."""
    stopped = _stop_signals()
    reader = TapReader(settings.sip_host, settings.sip_port)
    count = 0
    with context_or_exit(settings) as context:
        endpoints = endpoints_of(settings)
        edge = [(each.name, each.instance) for each in lasting_workers(Component.EDGE, settings)]
        routers = [(str(Component.ROUTER), number) for number in router_numbers(settings)]
        taps = [endpoints.publisher(*worker) for worker in (*edge, *routers)]
        with closing(Listener(context, taps, topic_of(0))) as listener:
            if not listener.connected(FIRST_CONTACT_S):
                fail(f"No switchboard with the data directory {settings.data_dir} answers.", FAILED)
            say("Listening; Ctrl-C ends it.")
            for seen in _messages(listener, reader, stopped):
                if wanted.wants(seen):
                    take(seen._replace(raw=mask(seen.raw)))
                    count += 1
    missed = f", {reader.missed} frames of several were missed" if reader.missed else ""
    say(f"{count} messages{missed}.")


def _messages(listener: Listener, reader: TapReader, stopped: list[bool]) -> Iterator[Seen]:
    """Yield in order of time: what two publishers tell comes in any."""
    waiting: list[Seen] = []
    while not stopped:
        for _, body in listener.frames(LOOK_S):
            waiting += reader.read(body)
        waiting.sort(key=_instant)
        settled_ns = time.time_ns() - SETTLED_NS
        ready = [seen for seen in waiting if seen.at_ns < settled_ns]
        waiting = waiting[len(ready) :]
        yield from ready
    yield from waiting


def _instant(seen: Seen) -> int:
    return seen.at_ns


def _stop_signals() -> list[bool]:
    """A list that is empty until SIGINT or SIGTERM."""
    stopped: list[bool] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.append(True))
    return stopped


def _print(seen: Seen) -> None:
    parsed = LenientMessage.of(seen)
    moment = datetime.fromtimestamp(seen.at).astimezone().strftime("%H:%M:%S.%f")
    ends = f"{seen.source} → {seen.destination}"
    typer.echo(f"{moment} {transport_of(seen.raw)} {ends}  {label_of(parsed)}  {parsed.first('call-id')}")


def _write(file: BinaryIO, packets: Packets, seen: Seen) -> None:
    file.write(packets.block(seen))
    file.flush()
