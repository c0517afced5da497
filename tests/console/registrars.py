"""A registrar's service with its socket, in a thread."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import RpcServer
from switchboard.registrar.binding import Binding
from switchboard.settings.model import Settings
from switchboard.workers.registrar import RegistrarService


@contextmanager
def a_registrar(settings: Settings, **bound: list[str]) -> Iterator[None]:
    """The registrar's service with its socket; these users are bound to these contacts."""
    ready, stop = threading.Event(), threading.Event()

    def serve() -> None:
        with BusContext() as context:
            service = RegistrarService(settings, context, 0)
            server = RpcServer(context, Endpoints(settings.run_dir).ask("registrar"))
            with service._store.batch():
                for user, contacts in bound.items():
                    service._store.put(
                        user,
                        [Binding(each, 1.0, time.time() + 600, user_agent="Yealink") for each in contacts],
                    )
            ready.set()
            while not stop.is_set():
                if server.sockets[0].poll(10) and (got := server.take()):
                    got.reply(service.answer(got.subject, got.body))
            server.close()
            service.close()

    thread = threading.Thread(target=serve)
    thread.start()
    assert ready.wait(5.0)
    try:
        yield
    finally:
        stop.set()
        thread.join()
