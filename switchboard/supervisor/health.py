"""Finds workers that run but do nothing, and reports the state of the service to systemd (sd_notify).

Theory. A parent asks its worker for its counters several times in `hung_after_s`. It counts unanswered questions
instead of time: if the whole machine stood still, the parent stood still, too, and no question was asked. So no
worker is killed for a pause of the machine.
"""

import os
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.rpc import connect
from switchboard.supervisor.child import LOOKS
from switchboard.supervisor.worker import State, Worker

NOTIFY_SOCKET = "NOTIFY_SOCKET"
WATCHDOG_USEC = "WATCHDOG_USEC"
WATCHDOG_PID = "WATCHDOG_PID"


def address_of_systemd() -> str:
    """Where it listens; "" without it."""
    address = os.environ.get(NOTIFY_SOCKET, "")
    return "\0" + address[1:] if address.startswith("@") else address


def notify(message: str) -> None:
    """Send e.g. `READY=1` to systemd; without it nothing."""
    address = address_of_systemd()
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        sender.sendto(message.encode(), address)


class SignsOfLife:
    """A companion of a parent: tells systemd, which restarts who falls silent, that we run (WatchdogSec).

    `every_s`: half of what systemd asks for.
    """

    def __init__(self, every_s: float) -> None:
        self._every_s = every_s
        self._next = 0.0

    def next_deadline(self) -> float:
        """The next sign."""
        return self._next

    def handle_timer(self, now: float) -> None:
        """Give it."""
        self._next = now + self._every_s
        notify("WATCHDOG=1")


def signs_of_life() -> list[SignsOfLife]:
    """What systemd wants to be told, if it watches this process (sd_watchdog_enabled)."""
    wanted_us = os.environ.get(WATCHDOG_USEC, "")
    is_for_us = os.environ.get(WATCHDOG_PID, "") in ("", str(os.getpid()))
    return [SignsOfLife(int(wanted_us) / 2e6)] if wanted_us and is_for_us else []


RpcEndpoint = Callable[[str, int], str]


class Watchdog:
    """A companion of a parent: asks its workers for their `stats`, and kills one that has not answered.

    Those that start, or wait behind one that is up, give other signs of life (`Worker.look`). It counts questions,
    not seconds: when the whole machine, or this parent, stood still, nobody is hung.
    `hung_after_s` above 0. `server`: name and instance of a worker -> its `ask` endpoint.
    """

    def __init__(
        self,
        context: BusContext,
        workers: Sequence[Worker],
        server: RpcEndpoint,
        hung_after_s: float,
        report: Callable[[str], None],
    ) -> None:
        self._pulses = [
            (each, _Pulse(connect(context, server(each.name, each.instance)).socket)) for each in workers
        ]
        self._hung_after_s = hung_after_s
        self._report = report
        self._next = 0.0

    def next_deadline(self) -> float:
        """The next question to all of them."""
        return self._next

    def handle_timer(self, now: float) -> None:
        """Read the answers, and ask again."""
        self._next = now + self._hung_after_s / LOOKS
        for worker, pulse in self._pulses:
            for line in worker.look():
                self._report(line)
            pulse.take(worker.pid if worker.state is State.UP else None)
            if pulse.missed >= LOOKS:
                pulse.missed = 0  # it may take a while to end
                self._report(f"{worker} (pid {worker.pid}) has not answered for {self._hung_after_s:g} s")
                worker.kill()


class _Pulse:
    """The questions to one worker. `missed`: how many of the last ones had no answer."""

    def __init__(self, socket: zmq.Socket[bytes]) -> None:
        self.missed = 0
        self._socket = socket
        self._pid: int | None = None
        self._asked = False

    def take(self, pid: int | None) -> None:
        """Take the answer to the last question, ask the next one. `pid`: of the worker that should answer."""
        if self._has_answered() or pid != self._pid:
            self.missed = 0
        elif self._asked:
            self.missed += 1
        self._pid = pid
        self._asked = pid is not None
        if self._asked:
            self._ask()

    def _has_answered(self) -> bool:
        answers = 0
        while self._socket.poll(0):
            self._socket.recv()
            answers += 1
        return answers > 0

    def _ask(self) -> None:
        with suppress(zmq.Again):  # a worker that cannot be asked does not answer
            self._socket.send(frames.pack("stats", None), zmq.NOBLOCK)
