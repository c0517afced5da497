"""Hosts and servers that die whole, and are back some seconds later: each case has a switchboard of its own."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Final, NamedTuple, Self

import psutil
from postgres_server import PostgresServer, postgres_server
from redis_server import RedisServer, redis_server
from system.hosts import ALPHA, BETA, GAMMA, PHONES, Hosts
from system.lan import Lan
from system.sipmsg import Address

from bench.blow import Way
from bench.ledger import Ledger
from bench.phones import Lab
from bench.subject import Blow, WithoutRules

DELTA: Final = "delta"
COMPONENTS: Final = {
    ALPHA: ("edge", "translator"),
    BETA: ("registrar", "journal"),
    GAMMA: ("router.0",),
    DELTA: ("router.1",),
}
TWO_REGISTRARS: Final = {
    ALPHA: ("edge", "translator"),
    BETA: ("registrar", "journal"),
    GAMMA: ("registrar",),
    DELTA: ("router",),
}
STANDBY: Final = {"SWITCHBOARD_ROUTER_STANDBY": "true"}
AWAY_S: Final = 5.0
"""How long a host is away; then it begins to start."""
SPREAD_S: Final = 8.0
LOAD_S: Final = {Way.KILL: 12}
LOOK_EVERY_S: Final = 0.05
Server = RedisServer | PostgresServer


class Case(NamedTuple):
    """`host`: who dies; "": the server on which the registrations are, which is made at an address of the host beta."""

    host: str
    settings: Mapping[str, str]
    server: Callable[[str], AbstractContextManager[tuple[Server, str]]] | None = None
    components: Mapping[str, Sequence[str]] = COMPONENTS


@contextmanager
def _redis(address: str) -> Iterator[tuple[Server, str]]:
    options = ("--appendonly", "yes", "--bind", "127.0.0.1", address, "--protected-mode", "no")
    with (
        TemporaryDirectory(prefix="bench-redis-") as name,
        redis_server(Path(name) / "redis", *options) as server,
    ):
        yield server, f"redis://{address}:{server.port}"


@contextmanager
def _postgres(address: str) -> Iterator[tuple[Server, str]]:  # noqa: ARG001
    """Only for beta itself."""
    with postgres_server() as server:
        yield server, server.url(server.database())


CASES: Final = {
    "host of the edge": Case(ALPHA, {}),
    "host of router.0": Case(GAMMA, {}),
    "host of router.0, with a standby router": Case(GAMMA, STANDBY),
    "host of registrar and journal": Case(BETA, {}),
    "host of one of two registrars": Case(GAMMA, {}, _redis, TWO_REGISTRARS),
    "Redis": Case("", {}, _redis),
    "PostgreSQL": Case("", {}, _postgres),
}


class WholeHosts(WithoutRules):
    """Four hosts in network namespaces of its own; this thread is on the phones' host inside the `with` block."""

    routers = 2

    def __init__(self, name: str) -> None:
        self.targets = [name]
        self._case = CASES[name]
        self._stack = ExitStack()
        self._lan = Lan([*COMPONENTS, PHONES], servers=list(COMPONENTS))
        self._server: Server | None = None

    def __enter__(self) -> Self:
        with self._stack:
            enter = self._stack.enter_context
            enter(self._lan)
            settings = dict(self._case.settings)
            if self._case.server:
                with self._lan.entered(BETA):
                    server = self._case.server(self._lan.backbone[BETA])
                    self._server, settings["SWITCHBOARD_LOCATION"] = enter(server)
            self.hosts = enter(Hosts(self._lan, self.routers, self._case.components, settings))
            self.ledger: Ledger | None = Ledger(self.hosts.boards[BETA].data_dir / "cdr.jsonl")
            enter(self._lan.entered(PHONES))
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    @property
    def address(self) -> Address:
        """Where phones send to."""
        return self.hosts.address

    def ways_of(self, target: str) -> list[Way]:  # noqa: ARG002
        """All its processes are killed."""
        return [Way.KILL]

    def spread_s(self, target: str, way: Way) -> float:  # noqa: ARG002
        """From its end until it is back."""
        return SPREAD_S

    def blow(self, target: str, way: Way) -> Blow:  # noqa: ARG002
        """Prepare the event."""
        if self._server and not self._case.host:
            return ServerBlow(self._lan, self._server)
        return HostBlow(self.hosts, self._case.host)

    def log(self) -> str:
        """What was printed."""
        return self.hosts.log()


class Death:
    """SIGKILL, AWAY_S of nothing, and a start that is over when it is up."""

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._at, self._back_at = 0.0, 0.0
        self._struck = threading.Event()
        threading.Thread(target=self._revive, daemon=True).start()

    def strike(self, lab: Lab) -> None:  # noqa: ARG002
        """Let it happen now."""
        self._at = time.monotonic()
        self._kill()
        self._struck.set()

    @property
    def over(self) -> bool:
        """Whether it is back."""
        return bool(self._back_at)

    def away_s(self) -> list[float]:
        """From its end until it was back."""
        return [self._back_at - self._at] if self._back_at else []

    def _kill(self) -> None:
        raise NotImplementedError

    def _start(self) -> None:
        raise NotImplementedError

    def _revive(self) -> None:
        """For ever: PostgreSQL ends with the thread that started it."""
        self._struck.wait()
        time.sleep(AWAY_S)
        self._start()
        self._back_at = time.monotonic()
        threading.Event().wait()


class HostBlow(Death):
    """A host of the switchboard dies."""

    def __init__(self, hosts: Hosts, host: str) -> None:
        self._hosts, self._host = hosts, host
        self._victims = hosts.boards[host].processes()
        super().__init__()

    def _kill(self) -> None:
        for each in self._victims:
            with suppress(psutil.NoSuchProcess):
                each.kill()

    def _start(self) -> None:
        psutil.wait_procs(self._victims)
        self._hosts.boards[self._host].lose_power()
        self._hosts.boards[self._host].start()
        while any(one["state"] != "up" for one in self._hosts.status(ALPHA).values()):
            time.sleep(LOOK_EVERY_S)


class ServerBlow(Death):
    """The server dies on which the registrations are."""

    def __init__(self, lan: Lan, server: Server) -> None:
        self._lan, self._server = lan, server
        super().__init__()

    def _kill(self) -> None:
        self._server.kill()

    def _start(self) -> None:
        with self._lan.entered(BETA):
            self._server.start()
