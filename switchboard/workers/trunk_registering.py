"""One trunk as its worker has it: its registration, what of it is on the disk, its password, and its keep-alives."""

import random
import secrets
from collections import deque
from typing import Final

import structlog

from switchboard.core.own_requests import Answer
from switchboard.core.trunks import Trunk, token_of
from switchboard.settings.model import Settings
from switchboard.settings.trunks import PasswordError, TrunkSettings, password_path, read_password
from switchboard.sip.flow import Flow
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import RETRY_S, Writing, error_number
from switchboard.trunks.keep_alive import KeepAlive
from switchboard.trunks.registration import ENDED, SILENT, Account, Registration
from switchboard.trunks.state_file import StateFile

CLOSED_KEPT: Final = 1000


class Registering:
    """One trunk. `at`: now (epoch s)."""

    def __init__(self, trunk: Trunk, settings: Settings, key: bytes, writing: Writing, at: float) -> None:
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
        self._alive = KeepAlive(account, chosen.keep_alive_s if self.registers else 0.0)
        self._is_over_stream = self.registers and chosen.transport != "udp"
        self._writing = writing
        self._meanwhile: deque[Flow] = deque(maxlen=CLOSED_KEPT)
        """Connections that have ended while a REGISTER was under way."""
        self._is_doubtful = False
        self.losses = 0
        if self._file.was_damaged:
            structlog.get_logger().warning(
                "the trunk's file was damaged, it registers anew", trunk=trunk.name
            )
        self.doubt(at)  # a predecessor may have died with the word of it
        self._alive.begin(at)

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

    def take(self, answer: Answer, at: float) -> bool:
        """Take its answer; True: the next one is to leave at once."""
        was, refusal = self.is_registered(at), self._registration.saved.refusal
        goes_on = self._registration.take(answer.status, answer.raw, at, bool(self._password()), answer.flow)
        self._keep(at, was, refusal)
        self._alive.begin(at)
        self._look_back(at)
        return goes_on

    def alive_at(self, at: float) -> float | None:
        """When its next keep-alive is due (epoch s); None if there is none."""
        wanted = self._registration.saved.flow and self.is_registered(at) and not self.is_waiting
        return self._alive.next_at() if wanted else None

    def keep_alive(self, at: float) -> tuple[bytes, bytes, bytes]:
        """The next keep-alive: its token, the request, and the packed flow along which it is to go."""
        raw = self._alive.request(at, secrets.token_hex(16))
        return self._alive.token, raw, bytes.fromhex(self._registration.saved.flow)

    def take_keep_alive(self, token: bytes, was_answered: bool, at: float) -> bytes:
        """Take what became of one; return the packed flow over which nobody answers, if that is over a connection."""
        flow = self._registration.saved.flow
        if not self._alive.take(token, was_answered):
            return b""
        self._lose(at, SILENT)
        return bytes.fromhex(flow) if self._is_over_stream else b""

    def close(self, closed: Flow, at: float) -> None:
        """A connection has ended, which may be that of this registration."""
        flow = self._registration.saved.flow
        if not self._is_over_stream:
            return
        if self.is_waiting:
            self._meanwhile.append(closed)
        elif flow and Flow.unpack(bytes.fromhex(flow)).is_same_way(closed):
            self._lose(at, ENDED)

    def doubt(self, at: float) -> None:
        """Its connection may have ended while nobody looked."""
        if self._is_over_stream:
            self._is_doubtful = self.is_waiting
            self._registration.doubt(at)

    def _look_back(self, at: float) -> None:
        """The word of the end of a connection may be faster than the answer that has come over it."""
        closed, self._meanwhile = self._meanwhile, deque(maxlen=CLOSED_KEPT)
        for each in closed:
            self.close(each, at)
        if self._is_doubtful:
            self.doubt(at)

    def _lose(self, at: float, words: str) -> None:
        was, refusal = self.is_registered(at), self._registration.saved.refusal
        if self._registration.lose(at, words):
            self.losses += 1
            self._keep(at, was, refusal)

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
        trouble = "is not reached now" if saved.refusal in (ENDED, SILENT) else "the last try failed"
        state = f"is registered, but {trouble}" if self.is_registered(at) else "is not registered"
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
            is_lost = saved.refusal in (ENDED, SILENT)
            self.refusals += not is_lost
            said = "trunk: the provider has gone" if is_lost else "trunk: the provider refuses"
            log.warning(said, trunk=self.name, why=saved.refusal)
        elif self.is_registered(at) and (not was_registered or (refusal and not saved.refusal)):
            log.info("trunk registered", trunk=self.name, seconds=round(saved.until_at - at))
