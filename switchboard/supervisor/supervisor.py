"""The supervisor of components: holds what must outlive their workers, and keeps these running.

One thread and one poller over the control sockets, the workers' ready pipes and the signals. A worker that
ends is started again; the parent ends on SIGTERM or SIGINT, after its workers. A restart loads new processes
first and ends the old ones when these serve.
"""

import math
import os
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import Protocol, Self

import zmq

from switchboard.bus.guard import Guard
from switchboard.bus.rpc import Question, RpcServer
from switchboard.supervisor.child import Child
from switchboard.supervisor.nursery import Nurseries
from switchboard.supervisor.worker import State, Worker

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Wakeup:
    """While entered, each signal makes `fd` readable, and SIGTERM or SIGINT sets `stop`. Main thread only."""

    def __init__(self) -> None:
        self.stop = False
        self.fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def __enter__(self) -> Self:
        self._before = {
            number: signal.signal(number, self._handle) for number in (*STOP_SIGNALS, signal.SIGCHLD)
        }
        self._wakeup_before = signal.set_wakeup_fd(self._write_fd, warn_on_full_buffer=False)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        signal.set_wakeup_fd(self._wakeup_before)
        for number, handler in self._before.items():
            signal.signal(number, handler)
        os.close(self.fd)
        os.close(self._write_fd)

    def drain(self) -> None:
        """Make `fd` wait for the next signal."""
        os.read(self.fd, 4096)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number in STOP_SIGNALS:
            self.stop = True


class Companion(Protocol):
    """Something that shares the parent's loop and never blocks."""

    def next_deadline(self) -> float | None:
        """When `handle_timer` wants to be called (monotonic s); None: no more."""

    def handle_timer(self, now: float) -> None:
        """The deadline has come."""


@dataclass(frozen=True, slots=True)
class Team:
    """The workers of one component on this host, and the server that tells of them."""

    workers: list[Worker]
    server: RpcServer

    def status(self, now: float) -> list[dict[str, object]]:
        """How each worker is, as docs/BUS.md describes it. `now`: monotonic s."""
        return [worker.status(now) for worker in self.workers]


class Parent:
    """Keeps the workers of `teams` running until SIGTERM.

    Control questions (docs/BUS.md): `status`, `restart`. `report` takes one line for the log, `on_up` is
    called once, when all workers are up for the first time. `guard` serves the servers' TCP sockets.
    """

    def __init__(
        self,
        teams: Sequence[Team],
        report: Callable[[str], None],
        companions: Sequence[Companion] = (),
        on_up: Callable[[], None] | None = None,
        guard: Guard | None = None,
        watched: Mapping[int, Callable[[], None]] | None = None,
    ) -> None:
        self._watched = watched or {}
        self.workers = [worker for team in teams for worker in team.workers]
        self._teams = teams
        self._guard = guard
        self._report = report
        self._companions = companions
        self._on_up = on_up
        self._restarts: list[Restart] = []
        self._nurseries = Nurseries()
        self._stopping = False

    def run(self) -> int:
        """Start the workers, serve until a signal says stop, end the workers. Returns the exit status."""
        with Wakeup() as wakeup:
            for worker in self.workers:
                worker.start(time.monotonic())
            while not wakeup.stop:
                self._turn(wakeup)
            self._stopping = True
            for worker in self.workers:
                worker.stop(time.monotonic())
            while not all(worker.gone for worker in self.workers):
                self._turn(wakeup)
        return 0

    def _turn(self, wakeup: Wakeup) -> None:
        """Wait for the next event or deadline, and deal with all that is there."""
        readable = self._wait(wakeup)
        if wakeup.fd in readable:
            wakeup.drain()
        now = time.monotonic()
        for worker in list(self.workers):
            for line in worker.tend(readable, now):
                self._report(line)
            if worker.has_left and worker.gone:
                self._forget(worker)
        if self._guard:
            self._guard.serve()
            for line in self._guard.look(now):
                self._report(line)
        for team in self._teams:
            while question := team.server.take():
                self._answer(team, question, now)
        self._settle_restarts(now)
        self._nurseries.tend(now)
        self._tell_up()
        self._fire_companions(now)

    def _forget(self, worker: Worker) -> None:
        for workers in (self.workers, *(team.workers for team in self._teams)):
            if worker in workers:
                workers.remove(worker)

    def _wait(self, wakeup: Wakeup) -> set[object]:
        """Wait for an event or a deadline, and return what is readable.

        What is watched is served here, as long as nothing else is due: connections come by the hundred. ZeroMQ is asked
        once before, and when the descriptor of one of its sockets is readable, as zmq_getsockopt(3) wants it.
        """
        watched = dict(self._watched)
        poller, deadline = self._make_poller(wakeup), self._next_deadline()
        if readable := {source for source, _ in poller.poll(0)}:
            return readable
        with self._make_epoll(wakeup) as epoll:
            while (left_s := deadline - time.monotonic()) > 0:
                ready = {fd for fd, _ in epoll.poll(_seconds(left_s))}
                for fd in ready & watched.keys():
                    if handle := self._watched.get(fd):  # another one may have closed it
                        handle()
                if not ready <= watched.keys():
                    return {source for source, _ in poller.poll(0)}
                if watched != self._watched:  # a number may be another descriptor's meanwhile
                    break
        return set()

    def _make_poller(self, wakeup: Wakeup) -> zmq.Poller:
        poller = zmq.Poller()
        for source in (*self._sockets(), *self._descriptors(wakeup)):
            poller.register(source, zmq.POLLIN)
        return poller

    def _make_epoll(self, wakeup: Wakeup) -> select.epoll:
        epoll = select.epoll()
        for fd in (*self._descriptors(wakeup), *self._watched, *(each.fileno() for each in self._sockets())):
            epoll.register(fd, select.EPOLLIN)
        return epoll

    def _descriptors(self, wakeup: Wakeup) -> list[int]:
        return [wakeup.fd, *(fd for worker in self.workers for fd in worker.ready_fds())]

    def _sockets(self) -> list[zmq.Socket[bytes]]:
        guarded = [self._guard.socket] if self._guard else []
        return [*guarded, *(each for team in self._teams for each in team.server.sockets)]

    def _next_deadline(self) -> float:
        deadlines = [worker.next_deadline() for worker in self.workers]
        deadlines += [companion.next_deadline() for companion in self._companions]
        deadlines += [restart.deadline for restart in self._restarts]
        deadlines.append(self._nurseries.next_deadline())
        return min((deadline for deadline in deadlines if deadline is not None), default=math.inf)

    def _tell_up(self) -> None:
        if self._on_up is not None and all(worker.state is State.UP for worker in self.workers):
            self._on_up()
            self._on_up = None

    def _fire_companions(self, now: float) -> None:
        for companion in self._companions:
            deadline = companion.next_deadline()
            if deadline is not None and deadline <= now:
                companion.handle_timer(now)

    def _answer(self, team: Team, question: Question, now: float) -> None:
        if question.subject == "status":
            question.reply(team.status(now))
        elif question.subject == "restart":
            self._begin_restart(team, question, now)
        elif question.subject == "load":
            self._load(question, now)
        else:
            question.refuse(f"unknown question {question.subject!r}")

    def _load(self, question: Question, now: float) -> None:
        """Have a nursery for the restarts that follow, until told otherwise."""
        self._nurseries.close()
        if question.body and len(self.workers) > 1 and not self._stopping:
            self._nurseries.open({fd for worker in self.workers for fd in worker.pass_fds}, now)
        question.reply(None)

    def _begin_restart(self, team: Team, question: Question, now: float) -> None:
        wanted = question.body
        workers = [each for each in team.workers if wanted in (None, each.name, str(each))]
        if not workers:
            question.refuse(f"there is no worker {wanted!r}")
        elif self._stopping:
            question.refuse("the component is being stopped")
        else:
            self._restart(workers, question, now)

    def _restart(self, workers: Sequence[Worker], question: Question, now: float) -> None:
        try:
            followers = [(worker, worker.restart(now, self._nurseries.current)) for worker in workers]
        except OSError as error:
            question.refuse(f"no process can be launched: {error.strerror}")
        else:
            self._restarts.append(Restart(question, followers, now + DEADLINE_S))

    def _settle_restarts(self, now: float) -> None:
        for restart in [each for each in self._restarts if each.settled(now)]:
            self._restarts.remove(restart)
            if failures := restart.failures():
                restart.question.refuse(failures)
                restart.give_up()
            else:
                restart.question.reply(restart.restarted())


def _seconds(left_s: float) -> float:
    """As epoll_wait(2) wants them."""
    return -1 if left_s == math.inf else left_s


DEADLINE_S = 15.0


@dataclass(frozen=True, slots=True)
class Restart:
    """The question, and for each worker that it means the process that is to follow."""

    question: Question
    followers: Sequence[tuple[Worker, Child]]
    deadline: float

    def settled(self, now: float) -> bool:
        """Whether each new process serves or has ended, or the deadline (monotonic s) has passed."""
        return now >= self.deadline or all(child.ready or child.ended for _, child in self.followers)

    def give_up(self) -> None:
        """End the new processes that hang while they load: their workers go on as they are."""
        for _, child in self.followers:
            if not child.loaded and not child.told_to_go:
                child.dismiss()

    def restarted(self) -> list[str]:
        """The workers."""
        return [str(worker) for worker, _ in self.followers]

    def failures(self) -> str:
        """Which workers have not been restarted, and why, for people; "" for a success."""
        failed = [(worker, child) for worker, child in self.followers if not child.ready]
        return "; ".join(_explain(worker, child) for worker, child in failed)


def _explain(worker: Worker, child: Child) -> str:
    if not child.ended:
        return f"{worker}: the new process (pid {child.pid}) is not ready after {DEADLINE_S:g} s"
    text = f"{worker}: the new process {child.describe_end()} before it was ready"
    return f"{text}, the old one goes on" if worker.state is State.UP and not child.told_to_go else text
