"""A LAN of network namespaces: a hub with a bridge, and one namespace a host. Needs root and iproute2.

Everything lives in namespaces of our own (the bridge and the near ends of the veth pairs too), so two LANs
with the same addresses run side by side, and to delete the namespaces is to delete all. A namespace bears its
owner's process id in its name: the next test run removes what a killed one left behind.
"""

import itertools
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

NETWORK = "10.77.0"
HUB = f"{NETWORK}.1"
PREFIX = "swb"
_NAMESPACES = Path("/run/netns")
_numbers = itertools.count(1)


class Lan:
    """A bridge at `HUB`, the default route of hosts at 10.77.0.11, .12, …; up inside the `with` block."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._name = f"{PREFIX}-{os.getpid()}-{next(_numbers)}"
        self.addresses = {host: f"{NETWORK}.{last}" for last, host in enumerate(hosts, 11)}
        self.hub = self.namespace("hub")

    def namespace(self, host: str) -> str:
        """The network namespace of `host`."""
        return f"{self._name}-{host}"

    def command(self, host: str, *words: str) -> list[str]:
        """The command line that runs `words` on `host` ("hub": where the bridge is)."""
        return ["ip", "netns", "exec", self.namespace(host), *words]

    def __enter__(self) -> "Lan":
        remove_leftovers()
        try:
            self._build_hub()
            for host, address in self.addresses.items():
                self._add_host(host, address)
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
        _ip(f"-n {self.hub} link add br0 type bridge")
        _ip(f"-n {self.hub} address add {HUB}/24 dev br0")
        _ip(f"-n {self.hub} link set br0 up")

    def _add_host(self, host: str, address: str) -> None:
        namespace = self.namespace(host)
        port = f"port{address.rpartition('.')[2]}"
        _ip(f"netns add {namespace}")
        _ip(f"-n {self.hub} link add {port} type veth peer name eth0 netns {namespace}")
        _ip(f"-n {self.hub} link set {port} master br0 up")
        _ip(f"-n {namespace} link set lo up")
        _ip(f"-n {namespace} address add {address}/24 dev eth0")
        _ip(f"-n {namespace} link set eth0 up")
        _ip(f"-n {namespace} route add default via {HUB}")

    def _remove(self) -> None:
        for path in _NAMESPACES.glob(f"{self._name}-*"):
            _remove_namespace(path.name)


def remove_leftovers() -> None:
    """Remove the namespaces whose owner no longer runs, with the processes in them."""
    for path in _NAMESPACES.glob(f"{PREFIX}-*-*-*"):
        if not Path("/proc", path.name.split("-")[1]).exists():
            _remove_namespace(path.name)


def _remove_namespace(name: str) -> None:
    """Kill what runs in the namespace and delete it; not an error if another run was faster."""
    for pid in _ip(f"netns pids {name}", check=False).split():
        _kill(int(pid))
    _ip(f"netns delete {name}", check=False)


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
