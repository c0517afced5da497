"""Why a component cannot start, in words that say what to do."""

import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from switchboard.settings.origin import Origins
from switchboard.transports.udp_sockets import PortTaken

MAX_COMMAND = 60
HONCHO = "HONCHO_PROCESS_NAME"
TYPED = "SWITCHBOARD_TYPED"


def typed() -> str:
    """The command that people typed to start this process."""
    if command := os.environ.get(TYPED):
        return command
    if HONCHO in os.environ:
        return "honcho start"
    return " ".join(["switchboard", *sys.argv[1:]])


class StartFailure(Exception):
    """The component cannot start. The text is for people; `brief` is a few words for a sibling's line."""

    def __init__(self, message: str, brief: str) -> None:
        super().__init__(message)
        self.brief = brief


def port_taken(taken: PortTaken, variable: str) -> StartFailure:
    """Another process has the port that `variable` names."""
    shown = textwrap.shorten(taken.command, MAX_COMMAND, placeholder=" …")
    holder = f"{shown or 'a process'} (pid {taken.pid})" if taken.pid else "another process"
    port = f"{taken.port}/{taken.protocol}"
    other = taken.port + 10 if taken.port < 65000 else 5070
    return StartFailure(
        f"Port {port} is already used by {holder}. "
        f"Choose another: {variable}={other} {typed()}, or stop that process.",
        f"port {port} taken",
    )


def not_bound(reason: str) -> StartFailure:
    """A port cannot be bound for another reason."""
    return StartFailure(
        f"{reason[:1].upper()}{reason[1:]}. "
        f"Choose another address or port: SWITCHBOARD_SIP_HOST=… SWITCHBOARD_SIP_PORT=… {typed()}.",
        "port not bound",
    )


def no_certificate(reason: str) -> StartFailure:
    """TLS is on, and there is no certificate that can be used."""
    return StartFailure(
        f"{reason} Correct that (docs/SECURITY.md#tls), or leave TLS off: SWITCHBOARD_TLS=off {typed()}.",
        "no certificate for TLS",
    )


def not_writable(path: Path, error: OSError, origins: Origins) -> StartFailure:
    """The data directory, or the one below it for sockets, cannot be used."""
    return StartFailure(
        f"The data directory {path} cannot be used: {error.strerror} (data_dir: {origins.of('data_dir')}). "
        f"Make it writable, or choose another: SWITCHBOARD_DATA_DIR=… {typed()}.",
        f"data directory {path} not writable",
    )


def already_running(component: str, pid: int, data_dir: Path) -> StartFailure:
    """Another parent holds the component in this data directory."""
    holder = f"process {pid}" if pid else "another process"
    return StartFailure(
        f"The {component} of the data directory {data_dir} already runs: {holder} holds it. "
        f"Stop it, or start another one beside it: SWITCHBOARD_DATA_DIR=… SWITCHBOARD_SIP_PORT=… {typed()}.",
        f"already run by {holder}",
    )


def placed_elsewhere(component: str, hosts: Sequence[str], here: str) -> StartFailure:
    """The settings give the component to other hosts."""
    return StartFailure(
        f"{component} does not run on this host, {here}, but on {', '.join(hosts)}. "
        f"Start it there, or name it in hosts.{here}.components; SWITCHBOARD_HOST says which host this is.",
        f"placed on {', '.join(hosts)}",
    )


def not_listening(endpoint: str, reason: str) -> StartFailure:
    """The socket for other hosts cannot be opened."""
    return StartFailure(f"{reason}.", f"{endpoint} not bound")


def too_few_files(reason: str) -> StartFailure:
    """The machine does not let a process open as many files as are needed."""
    return StartFailure(f"{reason}.", "too few files may be open")
