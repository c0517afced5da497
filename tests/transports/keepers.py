"""A keeper of connections in a thread, as the edge's parent has it in its loop; and phones that connect to it."""

import select
import socket
import threading
from pathlib import Path

from switchboard.sip.flow import TCP
from switchboard.transports.keeping import ConnectionKeeper, Store
from switchboard.transports.tcp_sockets import listen

TURN_S = 0.01


class KeeperThread:
    """Serves a keeper of `streams` edge-streams at `path` until it is closed."""

    def __init__(
        self, path: Path, streams: int = 1, transport: int = TCP, store: Store | None = None, **limits: int
    ) -> None:
        self.listeners = listen("127.0.0.1", 0)
        self.address = self.listeners[0].getsockname()[:2]
        most = {"most": 1000, "most_of_source": 1000, **limits}
        self.keeper = ConnectionKeeper(
            path,
            [(each, transport) for each in self.listeners],
            streams,
            most["most"],
            most["most_of_source"],
            lambda _: False,
            store,
        )
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def connect(self) -> socket.socket:
        """A phone."""
        phone = socket.create_connection(self.address, 5.0)
        phone.settimeout(20.0)
        return phone

    def close(self) -> None:
        """End it, with all connections."""
        if self._over.is_set():
            return
        self._over.set()
        self._thread.join()
        self.keeper.close()
        for each in self.listeners:
            each.close()

    def _serve(self) -> None:
        while not self._over.is_set():
            readable, _, _ = select.select(list(self.keeper.watched), [], [], TURN_S)
            for fd in readable:
                if handle := self.keeper.watched.get(fd):
                    handle()
