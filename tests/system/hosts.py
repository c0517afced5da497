"""A switchboard on several hosts, in network namespaces: alpha has the edge and the translator, beta the rest.

In a switchboard with two edges gamma has the other one, and a router.
"""

import json
import os
import shutil
import signal
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

import psutil
from system.harness import START_S, STOP_S, Switchboard, wait_until
from system.lan import Lan
from system.sipmsg import Address

ALPHA, BETA, GAMMA, PHONES = "alpha", "beta", "gamma", "phones"
COMPONENTS = {ALPHA: ("edge", "translator"), BETA: ("registrar", "router", "journal", "history")}
TWO_EDGES = {
    ALPHA: ("edge", "translator"),
    BETA: ("registrar", "router.0", "journal", "history"),
    GAMMA: ("edge", "router.1"),
}
PORT = 5060


class Hosts:
    """Runs inside the `with` block. Phones see alpha in the LAN; between the hosts is the backbone.

    `components`: by host. `settings`: in the environment of both; `of_host`: in that of one of them. `named`: the
    hosts know one another by names, not by addresses. `shared`: an address that the edges have one after the other.
    """

    def __init__(
        self,
        lan: Lan,
        routers: int = 2,
        components: Mapping[str, Sequence[str]] = COMPONENTS,
        settings: Mapping[str, str] | None = None,
        of_host: Mapping[str, Mapping[str, str]] | None = None,
        named: bool = False,
        shared: str = "",
    ) -> None:
        self.lan = lan
        self._named, self._shared = named, shared
        self._components = components
        self._more = settings or {}
        self._of_host = of_host or {}
        self._stack = ExitStack()
        self._home = Path(self._stack.enter_context(TemporaryDirectory(prefix="switchboard-hosts-")))
        self._settings = self._home / "switchboard.toml"
        self._settings.write_text(self._toml(routers))
        self.boards = {name: self._make_board(name) for name in components}

    @property
    def address(self) -> Address:
        """Where phones send to."""
        return self.lan.addresses[ALPHA], PORT

    def __enter__(self) -> Self:
        with self._stack:
            self.boards[ALPHA].cli("keys")
            for other in self.boards.keys() - {ALPHA}:
                shutil.copytree(self._data_dir(ALPHA) / "keys", self._data_dir(other) / "keys")
            for board in self.boards.values():
                self._stack.enter_context(board)
            wait_until(lambda: self._all_up(), "all hosts up", START_S)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def spread(self, routers: int, components: Mapping[str, Sequence[str]]) -> None:
        """New settings and keys for all hosts, of which some may be new; nothing is started."""
        self._components = components
        self._settings.write_text(self._toml(routers))
        for name in components.keys() - self.boards.keys():
            self.boards[name] = self._make_board(name)
        self.boards[ALPHA].cli("keys")
        for other in self.boards.keys() - {ALPHA}:
            shutil.copytree(
                self._data_dir(ALPHA) / "keys", self._data_dir(other) / "keys", dirs_exist_ok=True
            )

    def start(self, host: str) -> None:
        """Begin a host that is new."""
        self._stack.enter_context(self.boards[host])

    def kill(self, host: str, name: str) -> None:
        """SIGKILL instance 0 of a worker."""
        pid = self.status(host)[f"{name}.0"]["pid"]
        os.kill(pid, signal.SIGKILL)

    def freeze(self, host: str) -> list[psutil.Process]:
        """SIGSTOP all that runs on that host; return what that is, to be resumed."""
        processes = self.boards[host].processes()
        for process in processes:
            process.suspend()
        return processes

    def wait_replaced(self, old: Mapping[str, dict[str, Any]], workers: Iterable[str]) -> None:
        """Return when each of the workers is up with another pid than in the status `old`."""

        def replaced() -> bool:
            now = self.status(ALPHA)
            new = [now[name]["state"] == "up" and now[name]["pid"] != old[name]["pid"] for name in workers]
            return all(new)

        wait_until(replaced, "all of them replaced")

    def status(self, asked: str) -> dict[str, dict[str, Any]]:
        """What `switchboard status` says on the host `asked`, by NAME.INSTANCE."""
        said = json.loads(self.boards[asked].cli("status", "--json", check=False).stdout)
        return {f"{one['name']}.{one['instance']}": one for one in said["components"]}

    def wait_missed(self, asked: str, routers: Iterable[str], *workers: str) -> None:
        """Return when each of these routers, asked about on a host, tells that it cannot reach those workers."""

        def missed() -> bool:
            status = self.status(asked)
            told = [" ".join(status[router].get("notes", ())) for router in routers]
            return all(f"{worker} at " in notes for notes in told for worker in workers)

        wait_until(missed, f"routers that miss {', '.join(workers)}", START_S)

    def log(self) -> str:
        """All that was printed."""
        return "\n".join(f"--- {name}\n{board.log()}" for name, board in self.boards.items())

    def _all_up(self) -> bool:
        return all(one["state"] == "up" for one in self.status(ALPHA).values())

    def _data_dir(self, name: str) -> Path:
        return self._home / name

    def _make_board(self, name: str) -> "HostBoard":
        return HostBoard(
            {
                "SWITCHBOARD_CONFIG": str(self._settings),
                "SWITCHBOARD_HOST": name,
                "SWITCHBOARD_SIP_HOST": "",
                **self._more,
                **self._of_host.get(name, {}),
            },
            host=self.lan.addresses[name],
            port=PORT,
            data_dir=self._data_dir(name),
            namespace=self.lan.namespace(name),
            runner=("switchboard", "start"),
        )

    def _address_of(self, name: str) -> str:
        return f"{name}.lan" if self._named else self.lan.backbone[name]

    def _sip_addresses(self, name: str) -> list[str]:
        has_shared = self._shared and "edge" in self._components[name]
        addresses = [self.lan.addresses[name], *([self._shared] if has_shared else [])]
        return [f"{each}/24" for each in addresses]

    def _toml(self, routers: int) -> str:
        tables = [
            f'[hosts.{name}]\naddress = "{self._address_of(name)}"\ncomponents = {json.dumps(components)}\n'
            f"sip_addresses = {json.dumps(self._sip_addresses(name))}\n"
            for name, components in self._components.items()
        ]
        return "\n".join([f"routers = {routers}\n", *tables])


class HostBoard(Switchboard):
    """One host: nobody can wait for the whole board here."""

    def wait_up(self, timeout_s: float = START_S) -> None:  # noqa: ARG002
        """The other host may not have been started."""

    def lose_power(self) -> None:
        """SIGKILL all of it; `start` begins anew with the same disk."""
        killed = self.processes()
        for process in killed:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(killed, STOP_S)
        assert self._honcho is not None
        self._honcho.wait(STOP_S)
