"""What a router follows: the bindings of all registrars, the users and the rules of the first one.

A registrar on this host has a store that its router reads; one on another host is asked for pages, and the router keeps
a copy of what it got (docs/BUS.md, location.*, users.*, rules.*).
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import zmq

from switchboard.auth.authenticator import Authenticator
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.outbox import Outbox
from switchboard.clock import SteadyClock
from switchboard.core.turns import MOST, Turns, read_turn
from switchboard.registrar import rule_store
from switchboard.registrar.follower import Follower, PageFollower, StoreFollower
from switchboard.registrar.following import Following
from switchboard.registrar.replica import Replica
from switchboard.registrar.rule_replica import RuleReplica
from switchboard.registrar.rule_store import RuleStore
from switchboard.settings.model import Settings
from switchboard.settings.site import is_here, router_dir, store_of
from switchboard.storage.records import A_READING
from switchboard.storage.records import Follower as RecordFollower
from switchboard.storage.writing import Writing
from switchboard.wal.bindings_copy import BindingsCopy
from switchboard.workers.record_register import QUESTIONS_KEPT, follow_records
from switchboard.workers.registrar_hearing import Hearing, take_change
from switchboard.workers.user_register import follow_users

_OF_THE_FIRST = ("users.number", "rules.number", "turns.now")
TURNS_KEPT = 2 * MOST
"""While the registrar is away; the oldest are those of which newer ones wait."""


class RouterFollowing:
    """The replicas of router `instance`, and what keeps them as the registrars have them.

    `outboxes`: questions to registrars on other hosts. `writings`: of copies.
    """

    def __init__(
        self,
        settings: Settings,
        context: BusContext,
        endpoints: Endpoints,
        instance: int,
        clock: SteadyClock,
        authenticator: Authenticator | None,
    ) -> None:
        self.replica = Replica()
        self.rules = RuleReplica()
        self.turns = Turns()
        self._turn_box = Outbox(context, endpoints.inbox("registrar"), "turns.told", TURNS_KEPT)
        self._turn_life = ""
        """Of the registrar that knows what this router knows."""
        self.outboxes: list[Outbox] = [self._turn_box]
        self.writings: list[Writing] = []
        self._settings = settings
        self._instance = instance
        self._directory = router_dir(instance, settings)
        self._clock = clock
        self._order = self._registrars_to_follow()
        self._hearing = Hearing(self._order)
        self._users = self._follow_users(context, authenticator)
        self._rule_follower = self._follow_rules(context)
        self._bindings = self._follow_bindings(context, endpoints)

    def start(self, now: float) -> None:
        """Read what is there, and ask for the rest. `now`: monotonic s, as everywhere here."""
        self._bindings.start(now)
        if self._users:
            self._users.start()
        self._rule_follower.start()

    def publishers(self, endpoints: Endpoints) -> list[str]:
        """The registrars that it hears."""
        return self._hearing.publishers(endpoints)

    def subscribed(self, sockets: Sequence[zmq.Socket[bytes]]) -> None:
        """Hear changes of bindings; users and rules of the first registrar."""
        self._hearing.opened(sockets)
        first = sockets[self._order.index(0)]
        for subject in _OF_THE_FIRST:
            first.subscribe(frames.head(subject))

    def take_frame(self, frame: bytes, now: float) -> bool:
        """Take a packed change of bindings; False for anything else."""
        return take_change(self._bindings, frame, now) is not None

    def receive(self, subject: str, body: Any, now: float) -> bool:
        """Take what a registrar says; False for anything else."""
        match subject, body:
            case "location.number", [int(number)]:
                self._bindings.told(number, now)
            case "location.clock", [float(at)]:
                self._bindings.told_clock(at, now)
            case "location.page", list(pages):
                for page in pages:
                    self._bindings.take_page(page, now)
            case "users.number", [str(series), int(number)]:
                if self._users:
                    self._users.told(series, number)
            case "users.page", list(pages) if self._users:
                for page in pages:
                    self._users.take_page(page)
            case "turns.now", [str(life), list(items)]:
                self._hear_turns(life, items)
            case "rules.number", [str(series), int(number)]:
                self._rule_follower.told(series, number)
            case "rules.page", list(pages):
                for page in pages:
                    self._rule_follower.take_page(page)
            case _:
                return False
        return True

    def _hear_turns(self, life: str, items: list[Any]) -> None:
        for turn in filter(None, map(read_turn, items)):
            self.turns.learn(*turn)
        if life != self._turn_life:
            self._turn_life = life
            self._turn_box.put_all([*self.turns.all(), ("", 0.0)])

    def tell_turns(self) -> None:
        """Tell the registrar whose turn it is now, at the next flush."""
        if changes := self.turns.take_changes():
            self._turn_box.put_all((name, number) for name, number in changes.items() if number is not None)

    @property
    def is_current(self) -> bool:
        """Whether it hears a registrar: a phone that registers may be called at once."""
        return self._bindings.is_current

    def is_fresh(self, now: float) -> bool:
        """Whether it knows who is registered, as of now."""
        return self.replica.is_loaded and self._bindings.is_fresh(now)

    def next_deadline(self) -> float | None:
        """When to look whether a registrar is still heard."""
        return self._bindings.next_deadline()

    def handle_timer(self, now: float) -> None:
        """Ask again, or follow another registrar."""
        self._bindings.handle_timer(now)

    def notes(self) -> list[str]:
        """How well it knows bindings, users and rules."""
        followers = (each for each in (self._users, self._rule_follower) if each and each.failure)
        failures = [each.failure for each in followers]
        if count := self.rules.unreadable:
            failures.append(f"{count} rules of users or groups cannot be read, and count as none")
        return [*self._bindings.notes(time.monotonic()), *failures]

    def stats(self) -> dict[str, float]:
        """Snapshots; with several registrars, which one it follows."""
        found: dict[str, float] = {"snapshots": self._bindings.snapshots}
        if isinstance(self._bindings, Following):
            found["registrar_followed"] = self._bindings.registrar
            found["registrar_changes"] = self._bindings.changes
        return found

    def _registrars_to_follow(self) -> list[int]:
        """All of them: first those on this host, of which each router begins with another one."""
        count = self._settings.registrars
        everyone = [(self._instance + each) % count for each in range(count)]
        return sorted(everyone, key=lambda each: not is_here(f"registrar.{each}", self._settings))

    def _follow_bindings(self, context: BusContext, endpoints: Endpoints) -> Follower:
        asked = {
            each: Outbox(context, endpoints.inbox("registrar", each), "location.wanted", QUESTIONS_KEPT)
            for each in self._order
            if not is_here(f"registrar.{each}", self._settings)
        }
        self.outboxes += asked.values()
        make = partial(self._follow, asked, self._open_copy() if asked else None)
        if len(self._order) == 1:
            return make(0)
        return Following(self.replica, self._order, make, self._hearing.follow)

    def _open_copy(self) -> BindingsCopy:
        copy = BindingsCopy(self._directory / "bindings")
        self.writings.append(copy.writing)
        return copy

    def _follow(self, asked: Mapping[int, Outbox], copy: BindingsCopy | None, registrar: int) -> Follower:
        if copy is None or registrar not in asked:
            return StoreFollower(self.replica, store_of(registrar, self._settings))
        outbox = asked[registrar]
        return PageFollower(
            self.replica, copy, lambda after: outbox.put([self._instance, after]), self._clock.at
        )

    def _follow_users(
        self, context: BusContext, authenticator: Authenticator | None
    ) -> RecordFollower | None:
        if authenticator is None:
            return None
        users, copy = authenticator.verifier.users, self._directory / "users.db"
        follower, asked = follow_users(users, self._settings, context, self._instance, copy)
        self.outboxes += asked
        return follower

    def _follow_rules(self, context: BusContext) -> RecordFollower:
        read = partial(rule_store.read_page, self._settings.rules_path, at_most=A_READING)
        copy = partial(RuleStore, self._directory / "rules.db")
        follower, asked = follow_records(
            "rules", self.rules, self._settings, context, self._instance, read, copy
        )
        self.outboxes += asked
        return follower
