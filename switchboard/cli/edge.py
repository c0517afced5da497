"""The additional tasks of the edge's parent: it holds the sockets, and announces the switchboard.

Once all is up, it prints how to use the switchboard.
"""

import os
import shlex
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from ipaddress import ip_address

import typer

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcGroup
from switchboard.cli.doctor import check_soundness, unknown_variables
from switchboard.cli.listening import of_type, open_listeners, port_of
from switchboard.cli.output import say
from switchboard.cli.start_failure import no_certificate, not_bound, port_taken
from switchboard.settings.hosts import Component
from switchboard.settings.local import own_addresses
from switchboard.settings.model import Settings
from switchboard.settings.origin import Origins
from switchboard.settings.site import host_of, parents
from switchboard.sip.flow import bracketed
from switchboard.supervisor.resources import activated_sockets
from switchboard.transports.lending import NAME
from switchboard.transports.udp import UDP
from switchboard.transports.udp_sockets import BindError, PortTaken, cut, enlarge_buffers
from switchboard.twins import described_core, interpreter

DEFAULT_PORT = 5060
LOOK_EVERY_S = 0.1
IMPATIENT_AFTER_S = 10.0
RENEW_EVERY_S = 10.0
LET_GO_S = 2.0
OURS = "switchboard.workers."
"""In the command line of whom the sockets may have been lent to."""
WHERE = ("SWITCHBOARD_CONFIG", "SWITCHBOARD_DATA_DIR", "SWITCHBOARD_HOST")
"""The variables by which another terminal's commands find this switchboard."""


class Announcer:
    """Watches the switchboard from the parent's loop; announces once that all are up, or who is late.

    `text` makes the announcement; `say` prints.
    """

    def __init__(self, group: RpcGroup, text: Callable[[], str], say: Callable[[str], None]) -> None:
        self._group = group
        self._text = text
        self._say = say
        self._next: float | None = time.monotonic()
        self._impatient_at: float | None = self._next + IMPATIENT_AFTER_S

    def next_deadline(self) -> float | None:
        """When to look again (monotonic s); None once all has been said."""
        return self._next

    def handle_timer(self, now: float) -> None:
        """Look at the answers to the last question, and ask again."""
        self._group.collect()
        late = self._group.not_up()
        if not late:
            self._say(self._text())
            self._group.close()
            self._next = None
            return
        if self._impatient_at is not None and now >= self._impatient_at:
            self._say(f"Not up after {IMPATIENT_AFTER_S:g} s: {', '.join(late)}. See the messages above.")
            self._impatient_at = None
        self._group.ask()
        self._next = now + LOOK_EVERY_S


def welcome(settings: Settings, addresses: Sequence[str], port: int, console: str = "") -> str:
    """How to use this switchboard, which is reached at `addresses` (without brackets) and `port`.

    `console`: the URL of its web console, if it has one.
    """
    lines = [
        ("Domain for the phones", _domains(settings, addresses, port)),
        (
            "Register a phone",
            [f"{_who(settings)}; domain: one of the above; transport: {_transports(settings)}"],
        ),
        ("Place a call", ["dial the user name of another phone"]),
        ("Call journal", [f"{_journal_place(settings)}   ({_command('cdr')})"]),
        *([("Console", [console])] if console else []),
        ("Logs", [_log_place()]),
        ("State", [_command("status")]),
        ("Runs on", [f"{described_core()}, {interpreter()}"]),
        ("Stop", ["Ctrl-C"]),
    ]
    body = [
        f"  {heading if not row else '':<23}{text}"
        for heading, texts in lines
        for row, text in enumerate(texts)
    ]
    return "\n".join(["", "Switchboard is up.", "", *body, ""])


def _transports(settings: Settings) -> str:
    """Those of phones, with their ports if that is another one."""
    ports = {name.upper(): port for name, port in settings.ports.items() if name in ("udp", "tcp", "tls")}
    *others, last = (
        name if port == settings.sip_port else f"{name} (port {port})" for name, port in ports.items()
    )
    return f"{', '.join(others)} or {last}" if others else last


def _who(settings: Settings) -> str:
    if settings.auth == "off":
        return "user: any name, no password"
    return f"user and password: as given by {_command('user add NAME')}"


def _domains(settings: Settings, addresses: Sequence[str], port: int) -> list[str]:
    suffix = "" if port == DEFAULT_PORT else f":{port}"
    ordered = sorted(addresses, key=lambda each: (ip_address(each).is_loopback, ip_address(each).version))
    named = [f"{domain}{suffix}" for domain in settings.domains]
    return named + [f"{bracketed(each)}{suffix}{_remark(each)}" for each in ordered]


def _remark(address: str) -> str:
    return "   (this machine only)" if ip_address(address).is_loopback else ""


def _command(name: str) -> str:
    """The command line as it can be typed in another terminal, in this directory."""
    program = os.path.relpath(sys.argv[0])
    variables = [f"{each}={shlex.quote(os.environ[each])}" for each in WHERE if each in os.environ]
    return " ".join([*variables, "switchboard" if program.startswith("..") else program, name])


def _journal_place(settings: Settings) -> str:
    host = host_of("journal.0", settings)
    return f"{settings.cdr_path}{'' if host in ('', settings.here) else f' of {host}'}"


def _log_place() -> str:
    if sys.stdout.isatty() or "HONCHO_PROCESS_NAME" in os.environ:
        return "this terminal"
    return "the standard error of each component"


def open_sockets(settings: Settings, origins: Origins) -> list[socket.socket]:
    """The sockets of `bind_sockets`, those of UDP with large buffers. Raises SettingsError, StartFailure."""
    sockets = bind_sockets(settings, origins)
    if warning := unknown_variables(origins):
        say(warning)
    datagrams = of_type(sockets, socket.SOCK_DGRAM)
    for sock in datagrams:
        enlarge_buffers(sock, settings.receive_buffer_bytes)
    if datagrams and (warning := cut(datagrams[0], settings.receive_buffer_bytes)):
        say(warning)
    return sockets


def bind_sockets(settings: Settings, origins: Origins) -> list[socket.socket]:
    """Those of UDP and TCP, systemd's or bound here. Raises SettingsError, StartFailure."""
    check_soundness(settings, origins)
    sockets = activated_sockets()
    try:
        if not of_type(sockets, socket.SOCK_DGRAM):
            sockets += _bind(settings)
        sockets += open_listeners(settings, of_type(sockets, socket.SOCK_STREAM))
        return sockets
    except BindError as error:
        for each in sockets:
            each.close()
        if isinstance(error, PortTaken):
            raise port_taken(error, _variable_of(error.port, settings)) from error
        raise not_bound(str(error)) from error


def _variable_of(port: int, settings: Settings) -> str:
    """The one that names the port."""
    transport = next(name for name, each in settings.ports.items() if each == port)
    return f"SWITCHBOARD_{'SIP' if port == settings.sip_port else transport.upper()}_PORT"


def check_certificate(settings: Settings) -> None:
    """See that there is a certificate if a transport or the console needs one. Raises StartFailure."""
    if not settings.wants_certificate:
        return
    from switchboard.transports.tls_contexts import TlsContexts
    from switchboard.transports.tls_files import TlsFileError, ensure

    try:
        ensure(settings, datetime.now(UTC))
    except TlsFileError as error:
        raise no_certificate(str(error)) from error
    with closing(TlsContexts(settings)) as contexts:
        problem, notes = contexts.problem, contexts.notes()
    if problem:
        raise no_certificate(problem)
    for note in notes:
        say(f"{note[:1].upper()}{note[1:]}.")


class CertificateKeeper:
    """Renews the certificate of our own making while a parent runs. `log` gets lines."""

    def __init__(self, settings: Settings, log: Callable[[str], None]) -> None:
        self._settings, self._log = settings, log
        self._next = time.monotonic() + RENEW_EVERY_S
        self._told = ""

    def next_deadline(self) -> float | None:
        """When to look again (monotonic s)."""
        return self._next

    def handle_timer(self, now: float) -> None:
        """Renew it if our addresses have changed, or if it ends soon."""
        from switchboard.transports.tls_files import TlsFileError, ensure

        self._next = now + RENEW_EVERY_S
        problem = ""
        try:
            if ensure(self._settings, datetime.now(UTC)):
                self._log("the certificate for TLS was renewed")
        except TlsFileError as error:
            problem = str(error)
        if problem not in ("", self._told):
            self._log(problem)
        self._told = problem


def make_announcer(settings: Settings, sockets: Sequence[socket.socket], context: BusContext) -> Announcer:
    """Prints the welcome once that all components are up."""
    group = RpcGroup(context, {name: server for name, (_, _, server) in parents(settings).items()})
    port = port_of(sockets)

    def text() -> str:
        return welcome(settings, own_addresses(settings), port, _console(group))

    return Announcer(group, text, typer.echo)


def _console(group: RpcGroup) -> str:
    workers = group.answers.get(Component.CONSOLE, [])
    return next((str(worker["address"]) for worker in workers if "address" in worker), "")


def _bind(settings: Settings) -> list[socket.socket]:
    """Bind them. Whom a predecessor has lent its own to needs a moment to see that it has gone."""
    patient_until = time.monotonic() + (LET_GO_S if (settings.run_dir / NAME).exists() else 0.0)
    while True:
        try:
            return UDP.bind_sockets(settings.sip_host, settings.sip_port)
        except PortTaken as taken:
            if time.monotonic() >= patient_until or OURS not in taken.command:
                raise
            time.sleep(LOOK_EVERY_S)
