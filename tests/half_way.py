"""A way to a server on 127.0.0.1 that breaks off in the middle of an answer."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

NEVER = 1 << 60


class HalfWay:
    """Passes connections at `port` on. `left`: so many octets of answers pass; `ends`: then the connection does."""

    def __init__(self, server_port: int) -> None:
        self._server_port = server_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.left = NEVER
        self.ends = True
        self._open = [self._listener]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        for each in self._open:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client = self._listener.accept()[0]
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._open += [client, server]
                threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
                threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, is_counted: bool) -> None:
        with suppress(OSError):
            while octets := source.recv(1 << 16):
                passing = octets[: self.left] if is_counted else octets
                if is_counted:
                    self.left -= len(passing)
                target.sendall(passing)
                if len(passing) < len(octets) and self.ends:
                    break
            target.shutdown(socket.SHUT_RDWR)


@contextmanager
def half_way(server_port: int) -> Iterator[HalfWay]:
    """One that is gone afterwards."""
    way = HalfWay(server_port)
    try:
        yield way
    finally:
        way.close()
