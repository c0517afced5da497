"""A ZeroMQ context for tests: it closes what a test has opened, so that no test has to."""

from typing import Any, ClassVar

import zmq


class OwningContext(zmq.Context[zmq.Socket[bytes]]):
    """Holds its sockets, so that none is collected (with a warning) before `destroy`."""

    _owned: ClassVar[list[zmq.Socket[bytes]]] = []

    def socket(self, *args: Any, **kwargs: Any) -> Any:
        socket = super().socket(*args, **kwargs)
        self._owned.append(socket)
        return socket

    def destroy(self, linger: int | None = None) -> None:
        super().destroy(linger)
        self._owned.clear()
