"""A middlebox between the switchboard and a provider: it ends TLS, and drops connections, or goes silent, when told."""

import selectors
import socket
import ssl
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from system.harness import free_port
from system.sipmsg import Address

LOOK_S = 0.05
CHUNK = 1 << 16


class Middlebox:
    """Hands on connections to `target`, inside the `with` block; in TLS with a `certificate` (file, key)."""

    def __init__(self, target: Address, certificate: tuple[Path, Path] | None = None) -> None:
        self.host, self.port = target[0], free_port(target[0])
        self.accepted = 0
        self.is_silent = False
        """Whether all is lost that comes over the connections that there are."""
        self._target = target
        self._context = _context_of(certificate) if certificate else None
        self._others: dict[socket.socket, socket.socket] = {}
        self._wants_drop = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._listener = socket.create_server((self.host, self.port))
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(5.0)
        self._drop_all()
        self._listener.close()

    def drop(self) -> None:
        """End all connections."""
        self._wants_drop.set()

    def _run(self) -> None:
        with selectors.DefaultSelector() as self._selector:
            self._selector.register(self._listener, selectors.EVENT_READ)
            while not self._stop.is_set():
                for key, _ in self._selector.select(LOOK_S):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._pass_on(key.fileobj)
                if self._wants_drop.is_set():
                    self._wants_drop.clear()
                    self._drop_all()

    def _accept(self) -> None:
        near, _ = self._listener.accept()
        far = None
        try:
            near = self._context.wrap_socket(near, server_side=True) if self._context else near
            far = socket.create_connection(self._target)
        except OSError:
            near.close()
            return
        self.accepted += 1
        self.is_silent = False
        for one, other in ((near, far), (far, near)):
            self._others[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        other = self._others.get(one)
        if other is None:
            return
        try:
            came = one.recv(CHUNK)
            while isinstance(one, ssl.SSLSocket) and one.pending():
                came += one.recv(CHUNK)
            other.sendall(b"" if self.is_silent else came)
        except OSError:
            came = b""
        if not came:
            self._close(one)
            self._close(other)

    def _drop_all(self) -> None:
        for each in list(self._others):
            self._close(each)

    def _close(self, one: socket.socket) -> None:
        if self._others.pop(one, None) is not None and not self._stop.is_set():
            self._selector.unregister(one)
        one.close()


def _context_of(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context
