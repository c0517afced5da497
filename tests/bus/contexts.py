"""A ZeroMQ context for tests: it closes what a test has opened, so that no test has to."""

from typing import Any

import zmq

from switchboard.bus.context import BusContext


class OwningContext(BusContext):
    """Holds its sockets, so that none is collected (with a warning) before `destroy`."""

    _owned: tuple[zmq.Socket[bytes], ...] = ()

    def socket(self, *args: Any, **kwargs: Any) -> Any:
        socket = super().socket(*args, **kwargs)
        self._owned += (socket,)
        return socket

    def destroy(self, linger: int | None = None) -> None:
        super().destroy(linger)
        self._owned = ()
