"""`switchboard start`: runs components under one parent, as the line of the Procfile does."""

import gc
import os
import signal
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from itertools import chain
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from switchboard.bus.context import BusContext, NotListeningError
from switchboard.bus.endpoints import SocketKind
from switchboard.bus.rpc import RpcServer
from switchboard.cli.output import MISUSED, fail, say
from switchboard.cli.start_failure import (
    HONCHO,
    StartFailure,
    already_running,
    not_listening,
    not_writable,
    placed_elsewhere,
    too_few_files,
    typed,
)
from switchboard.clock import Keeper
from switchboard.settings.hosts import OPTIONAL, Component, WorkerName
from switchboard.settings.model import Settings, SettingsError, read_settings
from switchboard.settings.origin import Origins
from switchboard.settings.run_dir import make_run_dir
from switchboard.settings.site import (
    clock_of,
    endpoints_of,
    hosts_of,
    is_here,
    open_context,
    router_dir,
    workers,
)
from switchboard.settings.site import components as components_of
from switchboard.settings.types import parse_listening, show_address
from switchboard.supervisor.child import SUPPORTED
from switchboard.supervisor.health import Watchdog, notify, signs_of_life
from switchboard.supervisor.open_files import allow_files, needed_to_serve
from switchboard.supervisor.resources import Held, hold, make_data_dir, stored_descriptors
from switchboard.supervisor.supervisor import Companion, Parent, Team
from switchboard.supervisor.worker import Worker

if TYPE_CHECKING:
    from switchboard.transports.keeping import ConnectionKeeper

STOP_SIGNALS = {signal.SIGTERM, signal.SIGINT}
SIBLING_SPEAKS_WITHIN_S = 3.0


def start(
    components: Annotated[
        list[Component] | None, typer.Argument(help="Which ones; none: all that this host has.")
    ] = None,
    only_check: Annotated[bool, typer.Option("--check", help="Only say whether they could start.")] = False,
) -> None:
    """Run components in the foreground until SIGTERM or Ctrl-C."""
    wanted = list(dict.fromkeys(components or ()))
    try:
        status = _check(wanted) if only_check else _run(wanted)
    except (SettingsError, StartFailure) as failure:
        _complain(wanted, failure)
    raise typer.Exit(status)


def _complain(components: Sequence[Component], failure: SettingsError | StartFailure) -> NoReturn:
    """Say why, and end with status 2.

    honcho starts all components at once, and ends all when the first one ends: there the edge says it in
    full, and the others wait for it.
    """
    if HONCHO not in os.environ or not components or Component.EDGE in components:
        retry = f" Correct it, then: {typed()}" if isinstance(failure, SettingsError) else ""
        fail(f"{failure}{retry}", MISUSED)
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    say(f"{', '.join(components)} cannot start: {failure.brief}.")
    signal.sigtimedwait(STOP_SIGNALS, SIBLING_SPEAKS_WITHIN_S)
    raise typer.Exit(MISUSED)


def _check(wanted: Sequence[Component]) -> int:
    """Take what is needed, and let it go again."""
    settings, origins = read_settings()
    if Component.EDGE in _take(wanted, settings, origins):
        from switchboard.cli.edge import bind_sockets, check_certificate

        check_certificate(settings)
        for sock in bind_sockets(settings, origins):
            sock.close()
    return 0


def _take(wanted: Sequence[Component], settings: Settings, origins: Origins) -> list[Component]:
    components = _choose(wanted, settings)
    if why_not := allow_files(needed_to_serve(settings)):
        raise too_few_files(why_not)
    _make_directories(settings, origins)
    for component in components:
        _hold(component, settings)
    return components


def _run(wanted: Sequence[Component]) -> int:
    settings, origins = read_settings()
    components = _take(wanted, settings, origins)
    log = _Log(settings)
    edge = _Held() if Component.EDGE not in components else _open_edge(settings, origins)
    console = _open_console(components, settings, log)
    held = {Component.EDGE: edge, Component.CONSOLE: console}
    made = {each: _make_workers(each, settings, held.get(each, _Held())) for each in components}
    _fork_first(chain.from_iterable(made.values()))
    context = open_context(settings)
    teams = [
        Team([worker for worker, _ in made[each]], _open_rpc(each, settings, context)) for each in components
    ]
    companions: list[Companion] = [
        *_announcers(edge, settings, context),
        *_certificate_keepers(settings, log if edge.sockets or console.sockets else None),
        Keeper(clock_of(settings)),
        *signs_of_life(),
        *_watchdogs(teams, settings, context, log),
    ]
    keeper = _keep(edge, settings)
    companions += [keeper] if keeper else []
    watched = keeper.watched if keeper else {}
    return Parent(teams, log, companions, lambda: notify("READY=1"), context.guard, watched).run()


def _choose(wanted: Sequence[Component], settings: Settings) -> list[Component]:
    all_of_it = components_of(settings)
    here = [each for each in all_of_it if not settings.hosts or settings.here in hosts_of(each, settings)]
    if elsewhere := [each for each in wanted if each in all_of_it and each not in here]:
        raise placed_elsewhere(elsewhere[0], hosts_of(elsewhere[0], settings), settings.here)
    return list(wanted) or here


def _hold(component: Component, settings: Settings) -> None:
    try:
        hold(settings.run_dir, component)
    except Held as held:
        raise already_running(component, held.pid, settings.data_dir) from held


@dataclass(frozen=True, slots=True)
class _Held:
    """What a parent holds for its workers. `address`: where people find them. `listeners`: what it holds for itself.

    `stored`: what a parent before has stored with systemd.
    """

    sockets: Sequence[socket.socket] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    address: str = ""
    listeners: Sequence[socket.socket] = ()
    stored: Mapping[str, int] = field(default_factory=dict)

    @property
    def pass_fds(self) -> list[int]:
        return [each.fileno() for each in self.sockets]


def _open_edge(settings: Settings, origins: Origins) -> _Held:
    from switchboard.cli.edge import check_certificate, open_sockets  # only the edge needs them
    from switchboard.cli.listening import of_type
    from switchboard.transports.udp_sockets import SOCKETS, pass_sockets

    check_certificate(settings)
    stored = stored_descriptors()
    opened = open_sockets(settings, origins)
    sockets = of_type(opened, socket.SOCK_DGRAM)
    listeners = of_type(opened, socket.SOCK_STREAM)
    return _Held(sockets, {SOCKETS: pass_sockets(sockets)}, listeners=listeners, stored=stored)


def _announcers(edge: _Held, settings: Settings, context: BusContext) -> Iterator[Companion]:
    if edge.sockets:
        from switchboard.cli.edge import make_announcer

        yield make_announcer(settings, edge.sockets, context)


def _certificate_keepers(settings: Settings, log: "_Log | None") -> Iterator[Companion]:
    """`log`: None, if nothing here uses the certificate."""
    if log and settings.wants_certificate and settings.tls_certificate is None:
        from switchboard.cli.edge import CertificateKeeper

        yield CertificateKeeper(settings, log)


def _keep(edge: _Held, settings: Settings) -> "ConnectionKeeper | None":
    """Lend the sockets, and keep the connections."""
    if not edge.sockets:
        return None
    from switchboard.cli.listening import make_keeper
    from switchboard.transports.lending import NAME, Lender

    keeper = make_keeper(settings, edge.listeners, edge.stored)
    keeper.watched.update(Lender(settings.run_dir / NAME, edge.sockets).watch())
    return keeper


def _open_console(components: Sequence[Component], settings: Settings, log: "_Log") -> _Held:
    """Without a socket the console has no worker to start; the calls do not care."""
    listening = parse_listening(settings.console)
    if Component.CONSOLE not in components or listening is None:
        return _Held()
    from switchboard.supervisor.resources import VARIABLE, NoConsoleSocket, listen

    try:
        sock = listen(*listening, log)
    except NoConsoleSocket as error:
        log(str(error))
        return _Held()
    if settings.console_has_tls and Component.EDGE not in components:
        from switchboard.cli.edge import check_certificate

        check_certificate(settings)
    address = f"{settings.console_scheme}://{show_address(*sock.getsockname()[:2])}/"
    log.info(f"console at {address}")
    return _Held([sock], {VARIABLE: str(sock.fileno())}, address=address)


def _make_directories(settings: Settings, origins: Origins) -> None:
    try:
        make_data_dir(settings.data_dir)
        make_run_dir(settings.data_dir)
    except OSError as error:
        raise not_writable(settings.data_dir, error, origins) from error


def _make_workers(component: Component, settings: Settings, held: _Held) -> list[tuple[Worker, WorkerName]]:
    is_able = component is not Component.CONSOLE or held.sockets
    return [
        (_make_worker(each, component, settings, held), each)
        for each in workers(component, settings)
        if is_able
        and _is_there(each, settings)
        and component in components_of(settings)
        and is_here(each, settings)
    ]


def _make_worker(each: WorkerName, component: Component, settings: Settings, held: _Held) -> Worker:
    return Worker(
        each.name,
        each.instance,
        each.command,
        held.pass_fds,
        held.variables,
        standbys=settings.spares and component not in OPTIONAL,
        host=settings.here,
        address=held.address,
        leaves=component is Component.ROUTER and each.instance >= settings.routers,
    )


def _fork_first(workers: Iterable[tuple[Worker, WorkerName]]) -> None:
    """Load the code once for all workers, and fork those from here. Code that cannot be loaded its worker tells of.

    The console's, which no other has a use for, is loaded by its own fork meanwhile.
    """
    if not SUPPORTED:
        return
    workers = list(workers)
    for worker, name in workers:
        if name.name == Component.CONSOLE:
            worker.fork(partial(_load_and_run, name))
    gc.disable()
    loaded = [(worker, name, _load(name)) for worker, name in workers if name.name != Component.CONSOLE]
    gc.freeze()
    gc.enable()
    for worker, name, run in loaded:
        if run is not None:
            worker.fork(partial(run, name.arguments, is_fork=True))


def _load_and_run(name: WorkerName) -> None:
    import_module(name.module).run(name.arguments, is_fork=True)


def _load(name: WorkerName) -> Callable[..., object] | None:
    try:
        run: Callable[..., object] = import_module(name.module).run
    except Exception:
        return None
    return run


def _is_there(worker: WorkerName, settings: Settings) -> bool:
    """A router that is leaving has something left to finish."""
    is_router = worker.name == Component.ROUTER
    return (
        not is_router or worker.instance < settings.routers or router_dir(worker.instance, settings).exists()
    )


def _open_rpc(component: Component, settings: Settings, context: BusContext) -> RpcServer:
    endpoints = endpoints_of(settings).listen(component, SocketKind.CONTROL)
    try:
        return RpcServer(context, *endpoints)
    except NotListeningError as error:
        raise not_listening(error.endpoint, str(error)) from error


def _watchdogs(
    teams: Sequence[Team], settings: Settings, context: BusContext, log: "_Log"
) -> Iterator[Watchdog]:
    if settings.hung_after_s:
        workers = [worker for team in teams for worker in team.workers]
        yield Watchdog(context, workers, endpoints_of(settings).ask, settings.hung_after_s, log)


class _Log:
    """The log of a parent; set up with its first line, since most parents never write one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, line: str) -> None:
        self._logger().warning(line)

    def info(self, line: str) -> None:
        """What is as it should be."""
        self._logger().info(line)

    def _logger(self) -> Any:
        import structlog  # 130 ms

        from switchboard import log

        if not structlog.is_configured():
            log.configure(self._settings.log_level, self._settings.log_format)
        return structlog.get_logger()
