"""A worker for the tests of `run_actor`: hands every cast on to `collector`, and misbehaves when told to."""

import os
import signal
from typing import Any

from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import Outbox
from switchboard.settings.model import Settings, SettingsError
from switchboard.workers.run import run_actor


class Forwarder(Actor):
    """Casts `crash` and `stop` do what they say; the others go on."""

    name = "forwarder"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:
        if settings.language == "xx":
            raise SettingsError("There is no language xx", "bad setting language")
        collector = Endpoints(settings.run_dir).inbox("collector", instance)
        self.outboxes = [Outbox(context, collector, "forwarded")]

    def receive(self, subject: str, body: Any, now: float) -> None:
        if subject == "crash":
            raise RuntimeError("told to crash")
        if subject == "stop":
            os.kill(os.getpid(), signal.SIGTERM)
        self.outboxes[0].put([subject, body, now])

    def close(self) -> None:
        print("closed", flush=True)


if __name__ == "__main__":
    run_actor(Forwarder)
