"""The supervisor of one component: holds what must outlive its workers, and keeps these running.

One thread and one poller over the control door, the workers' ready pipes and the signals. A worker that
ends is started again; the parent ends on SIGTERM or SIGINT, after its workers.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import zmq

from switchboard.bus.door import Door, Question
from switchboard.bus.wakeup import Wakeup
from switchboard.bus.worker import State, Worker

RESTART_DEADLINE_S = 15.0


class Companion(Protocol):
    """Something that shares the parent's loop and never blocks."""

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called (monotonic s); None: no more."""

    def handle_timer(self, now: float) -> None:
        """The deadline has come."""


@dataclass(frozen=True, slots=True)
class Restart:
    """An asked-for restart that waits for its new workers."""

    question: Question
    workers: Sequence[Worker]
    starts: Sequence[int]
    deadline: float

    def done(self) -> bool:
        """Whether each worker has been started anew and is up."""
        pairs = zip(self.workers, self.starts, strict=True)
        return all(worker.starts > starts and worker.state is State.UP for worker, starts in pairs)


class Parent:
    """Keeps the workers of one component running until SIGTERM.

    Control questions (docs/BUS.md): `status`, `restart`. `report` takes one line for the log, `on_up` is
    called once, when all workers are up for the first time.
    """

    def __init__(
        self,
        workers: Sequence[Worker],
        door: Door,
        report: Callable[[str], None],
        companions: Sequence[Companion] = (),
        on_up: Callable[[], None] | None = None,
    ) -> None:
        self.workers = workers
        self._door = door
        self._report = report
        self._companions = companions
        self._on_up = on_up
        self._restarts: list[Restart] = []

    def run(self) -> int:
        """Start the workers, serve until a signal says stop, end the workers. Returns the exit status."""
        with Wakeup() as wakeup:
            for worker in self.workers:
                worker.start()
            while not wakeup.stop:
                self._turn(wakeup)
            for worker in self.workers:
                worker.stop(time.monotonic())
            while any(worker.pid for worker in self.workers):
                self._turn(wakeup)
        return 0

    def status(self) -> list[dict[str, object]]:
        """How each worker is, as docs/BUS.md describes it."""
        now = time.monotonic()
        return [worker.status(now) for worker in self.workers]

    def _turn(self, wakeup: Wakeup) -> None:
        """Wait for the next event or deadline, and deal with all that is there."""
        readable = self._wait(wakeup)
        if wakeup.fd in readable:
            wakeup.drain()
        now = time.monotonic()
        for worker in self.workers:
            self._tend(worker, readable, now)
        while question := self._door.take():
            self._answer(question, now)
        self._settle_restarts(now)
        self._tell_up()
        self._fire_companions(now)

    def _wait(self, wakeup: Wakeup) -> set[object]:
        poller = zmq.Poller()
        poller.register(self._door.socket, zmq.POLLIN)
        poller.register(wakeup.fd, zmq.POLLIN)
        for worker in self.workers:
            if worker.ready_fd is not None:
                poller.register(worker.ready_fd, zmq.POLLIN)
        return {source for source, _ in poller.poll(self._timeout_ms())}

    def _timeout_ms(self) -> int | None:
        owners = (*self.workers, *self._companions)
        deadlines = [deadline for owner in owners if (deadline := owner.next_deadline()) is not None]
        deadlines += [restart.deadline for restart in self._restarts]
        if not deadlines:
            return None
        return max(0, round((min(deadlines) - time.monotonic()) * 1000) + 1)

    def _tend(self, worker: Worker, readable: set[object], now: float) -> None:
        if worker.ready_fd in readable:
            worker.handle_ready(now)
        if how := worker.reap(now):
            self._report_end(worker, how, now)
        worker.handle_timer(now)

    def _tell_up(self) -> None:
        if self._on_up is not None and all(worker.state is State.UP for worker in self.workers):
            self._on_up()
            self._on_up = None

    def _fire_companions(self, now: float) -> None:
        for companion in self._companions:
            deadline = companion.next_deadline()
            if deadline is not None and deadline <= now:
                companion.handle_timer(now)

    def _report_end(self, worker: Worker, how: str, now: float) -> None:
        start_at = worker.next_deadline()
        if start_at is None:
            self._report(how)
        elif start_at <= now:
            self._report(f"{how}; restarting")
        else:
            self._report(f"{how}; restarting in {start_at - now:.1f} s")

    def _answer(self, question: Question, now: float) -> None:
        if question.subject == "status":
            self._door.reply(question, self.status())
        elif question.subject == "restart":
            self._begin_restart(question, now)
        else:
            self._door.refuse(question, f"unknown question {question.subject!r}")

    def _begin_restart(self, question: Question, now: float) -> None:
        wanted = question.body
        workers = [each for each in self.workers if wanted in (None, each.name, str(each))]
        if not workers:
            self._door.refuse(question, f"there is no worker {wanted!r}")
            return
        starts = [worker.starts for worker in workers]
        self._restarts.append(Restart(question, workers, starts, now + RESTART_DEADLINE_S))
        for worker in workers:
            worker.restart(now)

    def _settle_restarts(self, now: float) -> None:
        for restart in list(self._restarts):
            if restart.done():
                self._door.reply(restart.question, [str(worker) for worker in restart.workers])
            elif now >= restart.deadline:
                late = ", ".join(str(worker) for worker in restart.workers if worker.state is not State.UP)
                self._door.refuse(restart.question, f"not ready after {RESTART_DEADLINE_S:g} s: {late}")
            else:
                continue
            self._restarts.remove(restart)
