"""Where each process of one switchboard is reached (docs/BUS.md, Sockets)."""

from pathlib import Path


class Endpoints:
    """Names the Unix sockets in `run_dir`, which separates one switchboard of a machine from another."""

    def __init__(self, run_dir: Path) -> None:
        self.run_dir = run_dir

    def inbox(self, name: str, instance: int = 0) -> str:
        """The PULL socket at which a worker takes casts."""
        return self._endpoint(f"{name}.{instance}.in")

    def publisher(self, name: str, instance: int = 0) -> str:
        """The PUB socket at which a worker tells everyone what has happened."""
        return self._endpoint(f"{name}.{instance}.pub")

    def ask(self, name: str, instance: int = 0) -> str:
        """The ROUTER socket at which a worker answers questions."""
        return self._endpoint(f"{name}.{instance}.ask")

    def control(self, component: str) -> str:
        """The ROUTER socket at which the parent of a component answers questions."""
        return self._endpoint(f"{component}.control")

    def _endpoint(self, file: str) -> str:
        return f"ipc://{self.run_dir}/{file}"
