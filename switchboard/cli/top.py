"""`switchboard top`: a live view of the workers and the calls."""

import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of

if TYPE_CHECKING:
    from switchboard.survey.reading import Moment, Survey

FIRST_INTERVAL_S = 0.5
Once = Annotated[bool, typer.Option("--once", help="Print one picture and end.")]
Every = Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two pictures.")]


def top(once: Once = False, every: Every = 1.0, as_json: JsonOption = False) -> None:
    """Show how workers, calls and rates are, live; q or Ctrl-C ends it.

    With --once or --json one picture is printed; then the exit status is 0 if all workers are up, else 1.
    """
    settings = settings_or_exit()
    if not (once or as_json) and not (sys.stdout.isatty() and sys.stdin.isatty()):
        fail("A live view needs a terminal. Say --once for one picture, or --json.", MISUSED)
    with context_or_exit(settings) as context:
        views = _Views(settings, context)
        if once or as_json:
            _print_one(views, as_json)
        else:
            _show(views, every)


class _Views:
    """Makes one moment after the other out of surveys."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self._settings = settings
        self._context = context
        self.place = f"{settings.sip_host or 'all addresses'}, port {settings.sip_port}"
        self._last = self._survey()

    def next(self) -> "Moment":
        """What has happened since the last one."""
        from switchboard.survey.reading import moment

        before, self._last = self._last, self._survey()
        return moment(before, self._last, self._calls())

    def _survey(self) -> "Survey":
        from switchboard.survey.ask import take_survey  # with psutil: 40 ms

        return take_survey(self._settings, self._context)

    def _calls(self) -> list[Any]:
        try:
            found = call_rpc(endpoints_of(self._settings).ask("journal"), "call.list", context=self._context)
        except RpcError:  # the picture shows that it is down
            return []
        return list(found)


def _print_one(views: _Views, as_json: bool) -> None:
    time.sleep(FIRST_INTERVAL_S)
    seen = views.next()
    if as_json:
        print_json(seen.to_map())
    else:
        from rich.console import Console

        from switchboard.cli.top_picture import draw

        console = Console()
        console.print(draw(seen, views.place, time.time(), console.height))
    if seen.not_up:
        raise typer.Exit(FAILED)


def _show(views: _Views, every_s: float) -> None:
    from rich.console import Console
    from rich.live import Live

    from switchboard.cli.top_picture import draw

    console = Console()
    with _keys() as keys, Live(console=console, screen=True, auto_refresh=False) as live:
        wait_s = min(FIRST_INTERVAL_S, every_s)
        while not _is_end(keys, wait_s):
            live.update(draw(views.next(), views.place, time.time(), console.height), refresh=True)
            wait_s = every_s


@contextmanager
def _keys() -> Iterator[int]:
    """The descriptor of the terminal, which hands over each key at once meanwhile."""
    import termios
    import tty

    fd = sys.stdin.fileno()
    before = termios.tcgetattr(fd)
    try:
        tty.setcbreak(fd)
        yield fd
    except KeyboardInterrupt:
        return
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _is_end(keys: int, wait_s: float) -> bool:
    """Wait so long for a key; whether one came that ends the view (the end of input does, too)."""
    until = time.monotonic() + wait_s
    while (rest_s := until - time.monotonic()) > 0:
        if select.select([keys], [], [], rest_s)[0] and os.read(keys, 1) in (b"q", b"Q", b"\x1b", b""):
            return True
    return False
