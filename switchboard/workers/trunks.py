"""The trunks' worker: registers the switchboard with its providers, as their user agent (RFC 3261 §10)."""

import random
import secrets
import time
from functools import partial
from typing import Any

import structlog

from switchboard.auth.keys import load_or_make_key
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.core.trunks import Trunk, token_of
from switchboard.settings.model import Settings
from switchboard.settings.site import clock_of, endpoints_of
from switchboard.settings.trunks import PasswordError, TrunkSettings, password_path, read_password
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import RETRY_S, Writing, error_number
from switchboard.trunks.registration import Account, Registration
from switchboard.trunks.state_file import StateFile
from switchboard.workers.own_requests import Requester
from switchboard.workers.run import run_actor

LOOK_S = 1.0
"""Between two looks at the clock, which others may set."""


class TrunksService(Actor):
    """Owns the registrations with providers; each is on the disk before it is acted upon.

    Casts: request.wanted to routers -> request.answered. Questions: trunks.list; trunks.try: register one of them now.
    """

    name = "trunks"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        self._clock = clock_of(settings)
        self._requester = Requester(
            context, endpoints_of(settings), self.name, settings.routers, 64 * settings.t1_s
        )
        self.outboxes = self._requester.outboxes
        key = load_or_make_key(settings.auth_key_path)
        writing = Writing("trunks", "no REGISTER leaves, since its number has to be on the disk first")
        self.writings = [writing]
        self._trunks = {
            name: _Registering(trunk, settings, key, writing)
            for name, trunk in settings.make_trunks().items()
        }
        self._bad_casts = 0
        self._next_look = 0.0

    def receive(self, subject: str, body: Any, now: float) -> None:
        """Take what became of REGISTERs."""
        match subject, body:
            case "router.restarted", [int(router)]:
                for trunk in self._asked(self._requester.take_lost(router)):
                    self._register(trunk, now)
                return
            case "request.answered", _:
                pass
            case _:
                self._bad_casts += 1
                return
        for answer in self._requester.take(body):
            for trunk in self._asked([answer.token]):
                if trunk.take(answer.status, answer.raw, self._clock.at()):
                    self._register(trunk, now)

    def answer(self, question: str, body: Any) -> Any:
        """trunks.list: how each is registered; trunks.try: let it try now, False if there is none of this name."""
        if question == "trunks.list":
            return [each.told(self._clock.at()) for each in self._trunks.values()]
        if question == "trunks.try":
            trunk = self._trunks.get(str(body))
            if trunk is not None and not trunk.is_waiting:
                self._register(trunk, time.monotonic())
            return trunk is not None
        raise LookupError(question)

    def _asked(self, tokens: list[bytes]) -> "list[_Registering]":
        """The trunks whose last REGISTER has one of these tokens: an earlier one's answer says nothing of it."""
        return [each for each in self._trunks.values() if each.token in tokens]

    def next_deadline(self) -> float:
        """The next REGISTER, or answer that is missed."""
        due = self._requester.next_deadline()
        return self._next_look if due is None else min(self._next_look, due)

    def handle_timer(self, now: float) -> None:
        """Register those whose time has come."""
        self._clock.look()
        at = self._clock.at()
        for trunk in self._asked(self._requester.take_unheard(now)):
            trunk.miss(at)
        for trunk in self._trunks.values():
            if trunk.is_due(at):
                self._register(trunk, now)
        waits = [each.next_at - at for each in self._trunks.values() if each.next_at is not None]
        self._next_look = now + max(0.0, min([LOOK_S, *waits]))

    def notes(self) -> list[str]:
        """Those that are not registered, and why."""
        at = self._clock.at()
        return [note for each in self._trunks.values() if (note := each.note(at))]

    def stats(self) -> dict[str, float]:
        """Trunks, those that are registered, and what was sent."""
        at, trunks = self._clock.at(), self._trunks.values()
        return {
            "trunks": sum(each.registers for each in trunks),
            "trunks_registered": sum(each.is_registered(at) for each in trunks),
            "trunk_registers": sum(each.sent for each in trunks),
            "trunk_refusals": sum(each.refusals for each in trunks),
            "bad_items": self._bad_casts,
            **self._requester.stats(),
        }

    def _register(self, trunk: "_Registering", now: float) -> None:
        raw = trunk.request(self._clock.at())
        if raw:
            self._requester.ask(trunk.token, raw, now)
        self._next_look = now


class _Registering:
    """One trunk: its registration, its file, and its password."""

    def __init__(self, trunk: Trunk, settings: Settings, key: bytes, writing: Writing) -> None:
        chosen: TrunkSettings = settings.trunks[trunk.name]
        self.name = trunk.name
        self.registers = chosen.register_
        self.sent = self.refusals = 0
        self._trunk = trunk
        self._file = StateFile(settings.trunks_path / f"{trunk.name}.json")
        self._password_path = password_path(settings.trunks_path, trunk.name, chosen)
        token = token_of(key, trunk.name)
        account = Account(
            trunk.name, trunk.uri, trunk.domain, trunk.user, trunk.auth_user, token, chosen.expires_s
        )
        self._registration = Registration(account, self._file.read(), random.random)
        self._writing = writing
        if self._file.was_damaged:
            structlog.get_logger().warning(
                "the trunk's file was damaged, it registers anew", trunk=trunk.name
            )

    @property
    def token(self) -> bytes:
        """By which the answer to its last REGISTER is known."""
        return f"{self.name} {self._registration.saved.cseq}".encode()

    @property
    def is_waiting(self) -> bool:
        """Whether a REGISTER is under way."""
        return self._registration.saved.is_waiting

    @property
    def next_at(self) -> float | None:
        """When the next REGISTER is due (epoch s); None while one is under way, or if there are none."""
        return None if self.is_waiting or not self.registers else self._registration.saved.next_at

    def is_due(self, at: float) -> bool:
        """Whether it is."""
        return self.next_at is not None and self.next_at <= at

    def is_registered(self, at: float) -> bool:
        """Whether the provider leads calls here."""
        return self._registration.is_registered(at)

    def request(self, at: float) -> bytes:
        """The next REGISTER; b"" if it may not leave."""
        saved = self._registration.saved
        raw = self._registration.request(at, self._password(), secrets.token_hex(8))
        try:
            self._file.write(saved)
        except NotWritten as error:
            self._writing.failed(error_number(error.__cause__ or error), str(error))
            saved.is_waiting = False
            saved.next_at = at + RETRY_S
            return b""
        self._writing.worked()
        self.sent += 1
        return raw

    def take(self, status: int, raw: bytes, at: float) -> bool:
        """Take its answer; True: the next one is to leave at once."""
        was, refusal = self.is_registered(at), self._registration.saved.refusal
        goes_on = self._registration.take(status, raw, at, bool(self._password()))
        self._keep(at, was, refusal)
        return goes_on

    def miss(self, at: float) -> None:
        """Nobody told of its answer."""
        was, refusal = self.is_registered(at), self._registration.saved.refusal
        self._registration.miss(at)
        self._keep(at, was, refusal)

    def note(self, at: float) -> str:
        """Why it is not registered; "" if it is."""
        saved = self._registration.saved
        if not self.registers or (self.is_registered(at) and not saved.refusal):
            return ""
        state = "is registered, but the last try failed" if self.is_registered(at) else "is not registered"
        return f"trunk {self.name} {state}: {saved.refusal or 'no answer yet'}; {self._next(at)}"

    def told(self, at: float) -> dict[str, object]:
        """What people are to know of it; without its password."""
        saved = self._registration.saved
        return {
            "name": self.name,
            "registrar": self._trunk.uri,
            "user": self._trunk.user,
            "registers": self.registers,
            "registered_s": max(0.0, saved.until_at - at),
            "next_s": None if self.next_at is None else max(0.0, self.next_at - at),
            "is_waiting": self.is_waiting,
            "refusal": saved.refusal,
            "refused_s": at - saved.refused_at if saved.refused_at else None,
            "has_password": bool(self._password()),
            "numbers": dict(self._trunk.numbers),
        }

    def _next(self, at: float) -> str:
        return (
            "it is tried now" if self.next_at is None else f"next try in {max(0.0, self.next_at - at):.0f} s"
        )

    def _password(self) -> str:
        try:
            return read_password(self._password_path, self.name)
        except PasswordError as error:
            self._registration.saved.refusal = str(error)
            return ""

    def _keep(self, at: float, was_registered: bool, refusal: str) -> None:
        """What is lost here is found out again by the next REGISTER: so a full disk ends nothing."""
        saved = self._registration.saved
        try:
            self._file.write(saved)
            self._writing.worked()
        except NotWritten as error:
            self._writing.failed(error_number(error.__cause__ or error), str(error))
        log = structlog.get_logger()
        if saved.refusal and saved.refusal != refusal:
            self.refusals += 1
            log.warning("trunk: the provider refuses", trunk=self.name, why=saved.refusal)
        elif not was_registered and self.is_registered(at):
            log.info("trunk registered", trunk=self.name, seconds=round(saved.until_at - at))


run = partial(run_actor, TrunksService)

if __name__ == "__main__":
    run()
