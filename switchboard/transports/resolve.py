"""Look-ups of names in the background: their order, the cache, and the thread that asks (I/O rim).

Each asker has a share (`turns.py`): one user with a thousand names that no server knows, or whose server is silent,
delays no other user. A name that is being asked for is not asked for again. An answer is kept for its lifetime, also
a negative one.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from switchboard.bounded import Generations
from switchboard.core.commands import Lookup, NextHop, Question
from switchboard.core.domains import site_of
from switchboard.sip.grammar import read_host_port
from switchboard.transports.desk import Desk, Found, Service
from switchboard.transports.services import in_turn
from switchboard.transports.turns import Turns, Waiting

PATIENCE_S = 4.0
"""A look-up that waits longer than this fails, because a caller is waiting."""
SLOW_S = 1.0
LASTS_S = 60.0
"""So long one answer counts for all that go there, at most: our own addresses may change."""
CHOSEN_S = 1.0
"""The same where weights decide who comes first (RFC 2782)."""
KEPT = 5_000
"""Answers; twice that are remembered at most."""
NOTED, NOTED_S = 1_000, 60.0


def serve_names(desk: Desk, may_be_private: bool = True) -> None:
    """Ask the name servers, in a thread of its own; `may_be_private` as in `Names`."""
    from switchboard.transports.names import Names, serve

    serve(desk, Names(may_be_private=may_be_private))


@dataclass(slots=True)
class _Pending:
    """Who waits for a name, each since when; whose turn it was, and since when the servers are asked."""

    askers: dict[str, float] = field(default_factory=dict)
    asker: str = ""
    started_at: float | None = None


class Resolver:
    """Answers questions about names; `fd` is readable while `answers` has something.

    `reaches`: whether anything can be sent to an IP address. `serve`: what the thread does that asks. `random`: evenly
    from [0, 1). Counters:
    `waiting` names now; `asked` of the servers, `remembered` answers, `refused` since there were too many; `slow`: it
    took SLOW_S; `unanswered`: no server had an answer in time, or nobody was asked in time.
    """

    def __init__(
        self,
        reaches: Callable[[str], object],
        serve: Callable[[Desk], None] = serve_names,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random.random,
    ) -> None:
        self.asked = self.remembered = self.refused = self.slow = self.unanswered = 0
        self._reaches = reaches
        self._clock = clock
        self._random = random
        self._desk = Desk(serve)
        self._turns = Turns()
        self._pending: dict[Lookup, _Pending] = {}
        self._known: Generations[Lookup, tuple[tuple[Service, ...], float]] = Generations(KEPT)
        self._answers: list[tuple[Lookup, tuple[NextHop, ...]]] = []
        self._unanswered_at: deque[float] = deque(maxlen=NOTED)

    @property
    def fd(self) -> int:
        """To be watched by the worker."""
        return self._desk.fd

    @property
    def waiting(self) -> int:
        """Names whose answer has not come yet."""
        return len(self._pending)

    def ask(self, question: Question) -> None:
        """Have the answer to `question` come through `answers`."""
        now = self._clock()
        known = self._known.get(question.lookup)
        if known is not None and known[1] > now:
            self.remembered += 1
            self._answer(question.lookup, known[0])
        elif not read_host_port(
            question.lookup.host
        ).is_host:  # the system's resolver takes 10.1 for an address
            self._answer(question.lookup, ())
        else:
            self._line_up(question, now)
            self._begin(now)
        if self._answers:
            self._desk.ring()

    def answers(self) -> list[tuple[Lookup, tuple[NextHop, ...]]]:
        """Return the answers that have come, the best hop first; no hop means that the name leads nowhere."""
        now = self._clock()
        for lookup, found in self._desk.take():
            self._take(lookup, found, now)
        self._begin(now)
        answers, self._answers = self._answers, []
        return answers

    def lasts_s(self, lookup: Lookup) -> float:
        """How long what was answered last may be taken for the answer (s); not for long where chance decides."""
        services, until = self._known.get(lookup) or ((), 0.0)
        is_chosen = len({each.rank for each in services}) < len(services)
        return max(0.0, min(until - self._clock(), CHOSEN_S if is_chosen else LASTS_S))

    def notes(self) -> list[str]:
        """What people are to know."""
        since = self._clock() - NOTED_S
        count = sum(at >= since for at in self._unanswered_at)
        if not count:
            return []
        return [
            f"{count} names were looked up in the last minute to which no name server had an answer in time"
        ]

    def stats(self) -> dict[str, float]:
        """The counters."""
        return {
            "lookups": self.asked,
            "lookups_waiting": self.waiting,
            "lookups_remembered": self.remembered,
            "lookups_refused": self.refused,
            "lookups_slow": self.slow,
            "lookups_unanswered": self.unanswered,
        }

    def close(self) -> None:
        """Stop; answers that are still to come are lost."""
        self._desk.ask(None)

    def _line_up(self, question: Question, now: float) -> None:
        pending = self._pending.setdefault(question.lookup, _Pending())
        asker = site_of(question.asker)
        if pending.started_at is not None or asker in pending.askers:
            return
        pending.askers[asker] = now
        refused = self._turns.add(Waiting(question._replace(asker=asker), now))
        if refused is not None:
            self.refused += 1
            self._give_up(refused)

    def _begin(self, now: float) -> None:
        """Have the servers asked what is next; another asker's turn may have come before, for the same name."""
        while (waiting := self._turns.take()) is not None:
            lookup, asker = waiting.question
            pending = self._waits(waiting)
            if pending is not None and now - waiting.since <= PATIENCE_S:
                pending.asker, pending.started_at = asker, now
                self.asked += 1
                self._desk.ask(lookup)
                continue
            self._turns.end(asker)
            if pending is not None:
                self._note_unanswered(now)
                self._give_up(waiting)

    def _take(self, lookup: Lookup, found: Found, now: float) -> None:
        pending = self._pending.pop(lookup)
        assert pending.started_at is not None
        self._turns.end(pending.asker)
        self.slow += now - pending.started_at > SLOW_S
        if not found.is_answered:
            self._note_unanswered(now)
        if found.lasts_s > 0:
            self._known.put(lookup, (found.services, now + found.lasts_s))
        self._answer(lookup, found.services)

    def _waits(self, waiting: Waiting) -> _Pending | None:
        """What is pending, if nobody is asked for it yet and it is the one that this question waits for."""
        pending = self._pending.get(waiting.question.lookup)
        if pending is None or pending.started_at is not None:
            return None
        return pending if pending.askers.get(waiting.question.asker) == waiting.since else None

    def _give_up(self, waiting: Waiting) -> None:
        """There is nothing to wait for, unless others wait for that name as well."""
        pending, question = self._waits(waiting), waiting.question
        if pending is None:
            return
        del pending.askers[question.asker]
        if not pending.askers:
            del self._pending[question.lookup]
            self._answer(question.lookup, ())

    def _answer(self, lookup: Lookup, services: Iterable[Service]) -> None:
        """The weights decide anew for each answer (RFC 2782)."""
        hops = [hop for service in in_turn(services, self._random) for hop in service.hops]
        reached = tuple(hop for hop in hops if self._reaches(hop.host))
        self._answers.append((lookup, reached or tuple(hops[:1])))

    def _note_unanswered(self, now: float) -> None:
        self.unanswered += 1
        self._unanswered_at.append(now)
