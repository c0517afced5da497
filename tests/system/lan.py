"""A LAN of network namespaces: a hub with a bridge, and one namespace a host. Needs root and iproute2.

Everything lives in namespaces of our own (the bridge and the near ends of the veth pairs too), so two LANs
with the same addresses run side by side, and to delete the namespaces is to delete all. A namespace bears its
owner's process id in its name: the next test run removes what a killed one left behind.
"""

import ctypes
import itertools
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import IO

NETWORK, BACKBONE = "10.77.0", "10.78.0"
HUB = f"{NETWORK}.1"
PREFIX = "swb"
_CLONE_NEWNET = 0x40000000
_NAMESPACES = Path("/run/netns")
_FILES = Path("/etc/netns")
"""What `ip netns exec` puts in the place of files of /etc."""
_numbers = itertools.count(1)


class Lan:
    """A bridge at `HUB`, the default route of hosts at 10.77.0.11, .12, …; up inside the `with` block.

    Those of `servers`, some of the hosts, have a second network among themselves, at 10.78.0.11, …
    """

    def __init__(self, hosts: Sequence[str], servers: Sequence[str] = (), prefix: str = PREFIX) -> None:
        self._prefix = prefix
        self._name = f"{prefix}-{os.getpid()}-{next(_numbers)}"
        self.addresses = {host: f"{NETWORK}.{last}" for last, host in enumerate(hosts, 11)}
        self.backbone = {host: f"{BACKBONE}.{last}" for last, host in enumerate(servers, 11)}
        self.hub = self.namespace("hub")

    def namespace(self, host: str) -> str:
        """The network namespace of `host`."""
        return f"{self._name}-{host}"

    def command(self, host: str, *words: str) -> list[str]:
        """The command line that runs `words` on `host` ("hub": where the bridge is)."""
        return ["ip", "netns", "exec", self.namespace(host), *words]

    def __enter__(self) -> "Lan":
        remove_leftovers(self._prefix)
        try:
            self._build_hub()
            for host, address in self.addresses.items():
                self._plug(host, "eth0", "br0", address)
                _ip(f"-n {self.namespace(host)} route add default via {HUB}")
            for host, address in self.backbone.items():
                self._plug(host, "eth1", "br1", address)
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._remove()

    def _build_hub(self) -> None:
        _ip(f"netns add {self.hub}")
        _ip(f"-n {self.hub} link set lo up")
        for bridge in ("br0", "br1"):
            _ip(f"-n {self.hub} link add {bridge} type bridge")
            _ip(f"-n {self.hub} link set {bridge} up")
        _ip(f"-n {self.hub} address add {HUB}/24 dev br0")
        for host in self.addresses:
            _ip(f"netns add {self.namespace(host)}")
            _ip(f"-n {self.namespace(host)} link set lo up")

    def _plug(self, host: str, device: str, bridge: str, address: str) -> None:
        """Give a host an address at a bridge."""
        namespace, port = self.namespace(host), _port(bridge, address)
        _ip(f"-n {self.hub} link add {port} type veth peer name {device} netns {namespace}")
        _ip(f"-n {self.hub} link set {port} master {bridge} up")
        _ip(f"-n {namespace} address add {address}/24 dev {device}")
        _ip(f"-n {namespace} link set {device} up")

    def connections_made(self, host: str) -> int:
        """How many TCP connections the host has begun so far."""
        command = self.command(host, "cat", "/proc/net/snmp")
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        names, values = (line.split() for line in said.splitlines() if line.startswith("Tcp:"))
        return int(values[names.index("ActiveOpens")])

    def configure(self, host: str, words: str) -> None:
        """Let `ip` do something on `host`."""
        _ip(f"-n {self.namespace(host)} {words}")

    def cut(self, server: str) -> None:
        """Let nothing pass between this server and the others."""
        _ip(f"-n {self.hub} link set {_port('br1', self.backbone[server])} down")

    def mend(self, server: str) -> None:
        """Undo `cut`."""
        _ip(f"-n {self.hub} link set {_port('br1', self.backbone[server])} up")

    def name(self, host: str, names: Mapping[str, str]) -> None:
        """Let programs that are started on `host` from now on know these names: name -> address.

        A file that they have already, written again, tells them of changes.
        """
        folder = _FILES / self.namespace(host)
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{address} {each}" for each, address in ({"localhost": "127.0.0.1"} | dict(names)).items()]
        (folder / "hosts").write_text("\n".join([*lines, ""]))

    @contextmanager
    def entered(self, host: str) -> Iterator[None]:
        """Inside the block, sockets that this thread opens and programs that it starts are on `host`."""
        with open("/proc/thread-self/ns/net") as here, open(_NAMESPACES / self.namespace(host)) as there:
            _enter(there)
            try:
                yield
            finally:
                _enter(here)

    def _remove(self) -> None:
        for path in _NAMESPACES.glob(f"{self._name}-*"):
            _remove_namespace(path.name)


def _port(bridge: str, address: str) -> str:
    """The bridge's end of a cable."""
    return f"{bridge}-{address.rpartition('.')[2]}"


def _enter(namespace: IO[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), f"cannot enter {namespace.name}")


def remove_leftovers(prefix: str = PREFIX) -> None:
    """Remove the namespaces whose owner no longer runs, with the processes in them."""
    for path in _NAMESPACES.glob(f"{prefix}-*-*-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            _remove_namespace(path.name)


def _remove_namespace(name: str) -> None:
    """Kill what runs in the namespace and delete it; not an error if another run was faster."""
    for pid in _ip(f"netns pids {name}", check=False).split():
        _kill(int(pid))
    _ip(f"netns delete {name}", check=False)
    shutil.rmtree(_FILES / name, ignore_errors=True)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _ip(arguments: str, check: bool = True) -> str:
    done = subprocess.run(["ip", *arguments.split()], capture_output=True, text=True, timeout=20, check=False)
    if check and done.returncode != 0:
        raise RuntimeError(f"ip {arguments}: {done.stderr.strip()}")
    return done.stdout
