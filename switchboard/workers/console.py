"""The console: pages for a browser. No call needs it, and nobody asks it anything but how it is."""

import time
from functools import partial

from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.console.app import make_app
from switchboard.console.secured import Https, doubts_of
from switchboard.console.server import Server
from switchboard.console.sessions import load_key
from switchboard.settings.model import Settings
from switchboard.supervisor.resources import inherited_socket
from switchboard.workers.run import run_actor

LOOK_S = 1.0


class ConsoleHung(Exception):
    """The pages' thread has ended or hangs: another process is to take over."""


class ConsoleService(Actor):
    """Serves the pages from a thread; this one answers the parent.

    UnusableFile if its key cannot be read, ConsoleHung if the thread is lost.
    """

    name = "console"
    has_inbox = False

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        self._settings = settings
        app = make_app(settings, context, load_key(settings.console_key_path))
        is_behind = bool(settings.console_url)
        self._server = Server(app, inherited_socket(), is_behind, Https.of(settings))
        self._next_look = time.monotonic() + LOOK_S
        self._server.start()

    def next_deadline(self) -> float | None:
        """When to look after the thread again."""
        return self._next_look

    def handle_timer(self, now: float) -> None:
        """Look after the thread."""
        self._next_look = now + LOOK_S
        if not self._server.alive():
            raise ConsoleHung("the pages' thread does not answer")

    def notes(self) -> list[str]:
        """What is to be known of the certificate, if no edge-stream tells it."""
        return (
            [] if self._settings.has_tls or not self._settings.console_has_tls else doubts_of(self._settings)
        )

    def stats(self) -> dict[str, float]:
        """Its connections."""
        return self._server.connections.stats()

    def close(self) -> None:
        """End the thread."""
        self._server.stop()


run = partial(run_actor, ConsoleService)

if __name__ == "__main__":
    run()
