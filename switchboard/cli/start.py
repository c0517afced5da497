"""`switchboard start`: runs one component under its parent; what a line of the Procfile starts."""

import os
import signal
from collections.abc import Mapping, Sequence
from typing import Annotated, NoReturn

import typer
import zmq

from switchboard.bus.door import Door
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.notify import notify, signs_of_life
from switchboard.bus.parent import Companion, Parent
from switchboard.bus.run_dir import Held, hold, make_data_dir, make_run_dir
from switchboard.bus.watchdog import Watchdog
from switchboard.bus.worker import Worker
from switchboard.cli.output import MISUSED, fail, say
from switchboard.cli.start_failure import StartFailure, already_running, not_writable
from switchboard.components import Component, workers_of
from switchboard.settings import Settings, SettingsError, read_settings
from switchboard.settings_origin import Origins

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
SIBLING_SPEAKS_WITHIN_S = 3.0
HONCHO = "HONCHO_PROCESS_NAME"

BusContext = zmq.Context[zmq.Socket[bytes]]


def start(component: Annotated[Component, typer.Argument(help="Which component.")]) -> None:
    """Run one component in the foreground until SIGTERM or Ctrl-C."""
    try:
        status = _run(component)
    except (SettingsError, StartFailure) as failure:
        _complain(component, failure)
    raise typer.Exit(status)


def _complain(component: Component, failure: SettingsError | StartFailure) -> NoReturn:
    """Say why, and end with status 2.

    honcho starts all components at once, and ends all when the first one ends: there the edge says it in
    full, and the others wait for it.
    """
    if component is Component.EDGE or HONCHO not in os.environ:
        fail(str(failure), MISUSED)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    say(f"{component} cannot start: {failure.brief}.")
    signal.sigtimedwait(STOP_SIGNALS, SIBLING_SPEAKS_WITHIN_S)
    raise typer.Exit(MISUSED)


def _run(component: Component) -> int:
    settings, origins = read_settings()
    _make_directories(settings, origins)
    try:
        hold(settings.run_dir, component)
    except Held as held:
        raise already_running(component, held.pid, settings.data_dir) from held
    context: BusContext = zmq.Context()
    if component is Component.EDGE:
        return _run_edge(settings, origins, context)
    return _make_parent(component, settings, context).run()


def _run_edge(settings: Settings, origins: Origins, context: BusContext) -> int:
    from switchboard.bus.udp import SOCKETS, pass_sockets  # with psutil: only the edge needs it
    from switchboard.cli.edge import make_announcer, open_sockets

    sockets = open_sockets(settings, origins)
    fds = [each.fileno() for each in sockets]
    companions = [make_announcer(settings, sockets, context)]
    return _make_parent(
        Component.EDGE, settings, context, fds, {SOCKETS: pass_sockets(sockets)}, companions
    ).run()


def _make_directories(settings: Settings, origins: Origins) -> None:
    try:
        make_data_dir(settings.data_dir)
        make_run_dir(settings.run_dir)
    except OSError as error:
        raise not_writable(settings.data_dir, error, origins) from error


def _make_parent(
    component: Component,
    settings: Settings,
    context: BusContext,
    pass_fds: Sequence[int] = (),
    variables: Mapping[str, str] | None = None,
    companions: Sequence[Companion] = (),
) -> Parent:
    workers = [
        Worker(each.name, each.instance, each.command, pass_fds, variables, spares=settings.spares)
        for each in workers_of(component, settings.routers)
    ]
    endpoints = Endpoints(settings.run_dir)
    log = _Log(settings.log_level)
    watchers: list[Companion] = [*companions, *signs_of_life()]
    if settings.hung_after_s:
        watchers.append(Watchdog(context, workers, endpoints.ask, settings.hung_after_s, log))
    door = Door(context, endpoints.control(component))
    return Parent(workers, door, log, watchers, on_up=lambda: notify("READY=1"))


class _Log:
    """The log of a parent; set up with its first line, since most parents never write one."""

    def __init__(self, level: str) -> None:
        self._level = level

    def __call__(self, line: str) -> None:
        import structlog  # 130 ms

        from switchboard import log

        if not structlog.is_configured():
            log.configure(self._level)
        structlog.get_logger().warning(line)
