"""Where each process of one switchboard is reached (docs/BUS.md, Sockets)."""

from pathlib import Path
from typing import Self

from switchboard.bus.plan import Kind, Plan


class Endpoint(str):
    """An endpoint of ZeroMQ; `owner` (`router.0`) is whose socket it is: a TCP port does not tell."""

    __slots__ = ("owner",)
    owner: str

    def __new__(cls, text: str, owner: str) -> Self:
        endpoint = super().__new__(cls, text)
        endpoint.owner = owner
        return endpoint


class Endpoints:
    """Names the Unix sockets in `run_dir`, which separates one switchboard of a machine from another.

    With a `plan` of several hosts: the TCP sockets of what runs elsewhere.
    """

    def __init__(self, run_dir: Path, plan: Plan | None = None) -> None:
        self.run_dir = run_dir
        self.plan = plan

    def inbox(self, name: str, instance: int = 0) -> Endpoint:
        """The PULL socket at which a worker takes casts."""
        return self._reach(f"{name}.{instance}", Kind.INBOX)

    def publisher(self, name: str, instance: int = 0) -> Endpoint:
        """The PUB socket at which a worker tells everyone what has happened."""
        return self._reach(f"{name}.{instance}", Kind.PUBLISHER)

    def ask(self, name: str, instance: int = 0) -> Endpoint:
        """The ROUTER socket at which a worker answers questions."""
        return self._reach(f"{name}.{instance}", Kind.ASK)

    def control(self, component: str, host: str = "") -> Endpoint:
        """The ROUTER socket at which the parent of a component on `host` answers questions.

        Without `host`: on this one, if it runs the component, else on the first that does.
        """
        return self._reach(component, Kind.CONTROL, host)

    def listen(self, owner: str, kind: Kind) -> list[str]:
        """All endpoints of a socket of ours: of a worker (`router.0`) or of a component's parent."""
        local = self._local(owner, kind)
        return [local, self.plan.endpoint(owner, kind, self.plan.here)] if self.plan else [local]

    def _reach(self, owner: str, kind: Kind, host: str = "") -> Endpoint:
        if self.plan is None or host == self.plan.here or (not host and self.plan.is_here(owner)):
            return self._local(owner, kind)
        return Endpoint(self.plan.endpoint(owner, kind, host), owner)

    def _local(self, owner: str, kind: Kind) -> Endpoint:
        return Endpoint(f"ipc://{self.run_dir}/{owner}.{kind}", owner)
