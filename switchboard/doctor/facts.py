"""What the doctor looks at, and what he says of it: values only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from switchboard.auth.failures import Failing


@dataclass(frozen=True, slots=True)
class NetworkCard:
    """A network interface by its name, with one of its addresses."""

    name: str
    address: IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Taken:
    """The port is taken: by whom, as far as we may know."""

    pid: int | None
    command: str


@dataclass(frozen=True, slots=True)
class NetworkFacts:
    """The way from phones to the edge. `domains`: name -> the addresses that it resolves to."""

    host: str
    port: int
    cards: Sequence[NetworkCard]
    domains: Mapping[str, Sequence[str]]
    taken: Taken | None
    bind_failure: str
    container: str
    """Which kind of container we are in; "" for none."""
    firewall: str
    """Which firewall is active; "" for none that we know of."""
    ports: Sequence[str]
    """All that phones connect to, as `5060/udp`."""
    unnamed: Sequence[str] | None
    """Those of them that the firewall does not name; None: its rules cannot be read."""
    advertised: str = ""
    """The public address that is mapped to this machine's."""


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """The machine. `buffer_cut`: what the kernel withholds, in words; "" for nothing."""

    clock_synchronized: bool | None
    buffer_cut: str
    buffer_bytes: int
    open_files: int
    """The hard limit; `files_needed` may come to be open."""
    files_needed: int
    python: tuple[int, int, int]
    libzmq: tuple[int, int, int]
    core: str
    data_dir: Path
    data_dir_failure: str
    """Why the directory, or the one of the sockets, cannot be used; "" if it can."""
    open_to_others: Sequence[Path]
    """Directories and files of ours that other users may read."""
    disk_free_bytes: int
    leaving: Sequence[Path] = ()
    """Directories of routers that the settings do not have any more."""
    damaged: Sequence[str] = ()
    """What was found damaged of our files, and set aside."""
    lacks_users: bool = False
    """Whether passwords are required, and no user has one."""
    tls_problem: str = ""
    """Why the certificate for TLS cannot be used; "" if it can."""
    tls_doubts: Sequence[str] = ()
    """Why phones might refuse it."""
    tls_until: str = ""
    """The day on which it ends; "" if TLS is off."""
    clock_doubt: str = ""
    """What was wrong with the clock when the machine started, while that matters; "" for nothing."""


@dataclass(frozen=True, slots=True)
class RunningFacts:
    """The switchboard itself. `answer_s`: how long an OPTIONS took; None: no answer."""

    workers: int
    not_up: Sequence[str]
    address: str
    port: int
    answer_s: float | None
    failing: Sequence[tuple[Failing, Sequence[str]]] = ()
    """Users whose phones keep failing to prove a password, with the algorithms that they are offered."""
    why_not: Sequence[str] = ()
    """What their parents say of those that are not up."""
    cannot_write: Sequence[str] = ()
    """What workers say that cannot write what they keep."""
    to_ship: int | None = None
    """Records that wait for the journal's database; None: the journal did not say."""
    doubtful: Sequence[str] = ()
    """Bindings whose contact names another address than they registered from, some of them."""

    presence: Mapping[str, float] | None = None
    """What the presence worker counts; None: it does not say."""

    silent: Sequence[str] = ()
    """Phones that do not answer OPTIONS, some of them."""
    silent_in_all: int = 0

    @property
    def runs(self) -> bool:
        """Whether any of it is there."""
        return len(self.not_up) < self.workers


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: which check, what was found; unless all is well, what to do."""

    check: str
    level: Level
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """All is well."""
    return Finding(check, Level.OK, found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """It works, but not for everybody or not for ever."""
    return Finding(check, Level.WARNING, found, remedy)


def problem(check: str, found: str, remedy: str) -> Finding:
    """It does not work."""
    return Finding(check, Level.PROBLEM, found, remedy)
