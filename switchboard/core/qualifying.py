"""Asks registered phones at intervals whether they are there: OPTIONS qualify (RFC 3261 §11).

Theory. A binding says where a phone was when it registered, not that it is there now. An OPTIONS to the contact tells
(`probing.py`). Each router asks the users of its share, all of them once in a period, and spreads them evenly over
the period, so that ten thousand bindings are a trickle. Nothing of it is written ahead: a successor asks anew.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from math import ceil
from typing import Final
from zlib import crc32

from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.forwarding import Plan, plan
from switchboard.core.preprocess import DEFAULT_MAX_FORWARDS, Routing
from switchboard.core.probing import Probe
from switchboard.core.target import Bound, target_of
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow

TICK_S: Final = 0.05
"""The shortest time between two batches."""
LOOK_AGAIN_S: Final = 5.0
"""Between two looks while nobody is registered."""
MOST_TOLD: Final = 100


class Reach:
    """What is known of one contact. Instants: epoch s, 0.0: never.

    `latency_s`: of the last answer; None: there was none. `silent`: requests without an answer since then.
    """

    __slots__ = ("answered_at", "asked_at", "latency_s", "silent")

    def __init__(self) -> None:
        self.latency_s: float | None = None
        self.answered_at = 0.0
        self.asked_at = 0.0
        self.silent = 0


class Qualifier:
    """Owns what is known of the contacts of one router's share. `share` returns its users now; `period_s` > 0.

    `reaches` has the contacts of each user that was asked.
    """

    def __init__(self, env: Environment, period_s: float, share: Callable[[], Sequence[str]]) -> None:
        self.reaches: dict[str, dict[str, Reach]] = {}
        self.asked = 0
        self.answers = 0
        self.due = 0.0
        self._env = env
        self._period_s = period_s
        self._share = share
        self._queue: deque[str] = deque()
        self._batch = 1
        self._pause_s = TICK_S

    @property
    def silent(self) -> list[tuple[str, str, Reach]]:
        """User and contact of those that do not answer."""
        return [
            (user, contact, reach)
            for user, contacts in self.reaches.items()
            for contact, reach in contacts.items()
            if reach.silent
        ]

    def handle_timer(self, effects: ProxyEffects) -> None:
        """Ask who is due."""
        if effects.now < self.due:
            return
        if not self._queue:
            self._begin_pass()
        for _ in range(min(self._batch, len(self._queue))):
            self._ask_user(self._queue.popleft(), effects)
        pause_s = self._pause_s if self.reaches or self._queue else min(LOOK_AGAIN_S, self._period_s)
        self.due = effects.now + pause_s

    def answered(self, probe: Probe, effects: ProxyEffects) -> None:
        """Somebody is there."""
        self.answers += 1
        reach = _reach_of(probe)
        reach.latency_s, reach.answered_at, reach.silent = effects.now - probe.began, effects.at, 0

    def gave_up(self, probe: Probe, effects: ProxyEffects) -> None:  # noqa: ARG002
        """Nobody answered."""
        _reach_of(probe).silent += 1

    def _begin_pass(self) -> None:
        users = self._share()
        self._queue.extend(users)
        known = set(users)
        for gone in [user for user in self.reaches if user not in known]:
            del self.reaches[gone]
        count = max(1, len(users))
        self._pause_s = max(TICK_S, self._period_s / count)
        self._batch = ceil(count * self._pause_s / self._period_s)

    def _ask_user(self, user: str, effects: ProxyEffects) -> None:
        before, now = self.reaches.get(user, {}), dict[str, Reach]()
        for bound in self._env.policy.locations.lookup(user, effects.at):
            now[bound.contact] = before.get(bound.contact) or Reach()
            self._ask(user, bound, now[bound.contact], effects)
        if now:
            self.reaches[user] = now
        else:
            self.reaches.pop(user, None)

    def _ask(self, user: str, bound: Bound, reach: Reach, effects: ProxyEffects) -> None:
        target = target_of(bound, user)
        if target is None:
            return
        try:
            routing = Routing(target.text, target.uri, [], DEFAULT_MAX_FORWARDS)
            found = plan(routing, target, self._env.policy.own)
        except ParseError:
            return
        self._env.with_flow(found, user, partial(self._send, found, reach), effects)

    def _send(self, found: Plan, reach: Reach, flow: Flow | None, effects: ProxyEffects) -> None:
        env = self._env
        if flow is None:
            reach.silent += 1
            return
        if env.policy.own.is_listening_at(flow.host, flow.port):
            return
        reach.asked_at = effects.at
        self.asked += 1
        Probe(self, reach, env, effects.now).send(found, flow, effects)


def _reach_of(probe: Probe) -> Reach:
    assert isinstance(probe.about, Reach)
    return probe.about


def share_of(users: Iterable[str], router: int, routers: int) -> list[str]:
    """Return the users whom this router asks: each is asked by one."""
    return [user for user in users if crc32(user.encode("utf-8", "surrogateescape")) % routers == router]


def told_reach(contacts: Mapping[str, Reach], at: float) -> list[list[object]]:
    """Return what is known of the contacts of a user: contact, latency_s, seen_s, silent. `at`: epoch s."""
    return [
        [contact, each.latency_s, at - each.answered_at if each.answered_at else None, each.silent]
        for contact, each in contacts.items()
    ]


def told_silent(silent: Iterable[tuple[str, str, Reach]], at: float) -> dict[str, list[list[object]]]:
    """The same of those that do not answer, by user; MOST_TOLD at most."""
    told: dict[str, list[list[object]]] = {}
    for user, contact, reach in islice(silent, MOST_TOLD):
        told.setdefault(user, []).extend(told_reach({contact: reach}, at))
    return told
