"""What is known of one Call-ID at a message: who, when, and how it ended."""

import re
from dataclasses import dataclass
from enum import StrEnum

from switchboard.core.hanging_up import TEXT
from switchboard.history.seen import Direction, Seen, method_of, status_of
from switchboard.journal.record import Party, ends_call, outcome_of
from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message
from switchboard.sip.uri import SipUri

CHALLENGES = (401, 407)
_NOT_DELIVERED = 500
"""Nearly always the switchboard's own word for a BYE that could not be sent: then the call is over."""
_BY_OPERATOR = TEXT.encode()
_TAGGED_TO = re.compile(rb"\n(?:to|t)[ \t]*:[^\r\n]*;[ \t]*tag[ \t]*=[^\r\n]", re.IGNORECASE)


class SummaryKind(StrEnum):
    """What the messages of a Call-ID are about."""

    CALL = "call"
    REGISTRATION = "registration"
    OTHER = "other"


_KINDS = {"INVITE": SummaryKind.CALL, "REGISTER": SummaryKind.REGISTRATION}


@dataclass(slots=True)
class Summary:
    """One Call-ID. Instants are epoch ns, 0: it did not happen (yet)."""

    call_id: str
    kind: SummaryKind = SummaryKind.OTHER
    caller: str = ""
    """The URI in From; of a registration the address-of-record, as in `callee`."""
    callee: str = ""
    """The URI in To."""
    started_ns: int = 0
    last_ns: int = 0
    ringing_ns: int = 0
    answered_ns: int = 0
    ended_ns: int = 0
    cancelled: bool = False
    status: int = 0
    """The final status that the caller got; of a registration the last one."""
    phrase: str = ""
    messages: int = 0
    bytes: int = 0

    @property
    def outcome(self) -> str:
        """`calling`, `ringing`, `up`, or a journal's `Outcome`; of others `open`, `done`, `refused`."""
        if self.kind is SummaryKind.CALL:
            return self._outcome_of_call()
        if not self.status:
            return "open"
        return "done" if self.status < 300 else "refused"

    def _outcome_of_call(self) -> str:
        if self.answered_ns:
            return "answered" if self.ended_ns else "up"
        if not self.status:
            return "ringing" if self.ringing_ns else "calling"
        by = Party.CALLER if self.cancelled else Party.CALLEE
        return outcome_of(self.status, by, bool(self.ringing_ns)).value

    def note(self, seen: Seen) -> None:
        """Take the next message of this Call-ID into account."""
        self.last_ns = max(self.last_ns, seen.at_ns)
        self.messages += 1
        self.bytes += len(seen.raw)
        if not self.started_ns:
            self._begin(seen)
        if seen.direction is Direction.OUT and seen.raw.startswith(b"SIP/"):
            self._note_response(seen)
        elif self.kind is SummaryKind.CALL and (seen.direction is Direction.IN or _is_operators(seen)):
            self._note_request(seen)

    def _begin(self, seen: Seen) -> None:
        self.started_ns = seen.at_ns
        self.kind = _KINDS.get(method_of(seen.raw), SummaryKind.OTHER)
        self._name_parties(seen)

    def _name_parties(self, seen: Seen) -> None:
        try:
            message = parse_message(seen.raw)
            self.caller, self.callee = message.from_address.uri, message.to_address.uri
        except ParseError:
            return  # it is kept all the same: what cannot be parsed is what people want to see

    def _note_request(self, seen: Seen) -> None:
        if seen.raw.startswith(b"CANCEL "):
            self.cancelled = True
        elif seen.raw.startswith(b"BYE "):
            self.ended_ns = self.ended_ns or seen.at_ns
        elif self.answered_ns and self.ended_ns and _begins(seen.raw):
            self._begin_next(seen)

    def _begin_next(self, seen: Seen) -> None:
        """Another call under the same Call-ID: what is told is of the last one, but for its beginning."""
        self.ringing_ns = self.answered_ns = self.ended_ns = 0
        self.status, self.phrase, self.cancelled = 0, "", False
        self._name_parties(seen)

    def _note_response(self, seen: Seen) -> None:
        status, phrase = status_of(seen.raw)
        method = method_of(seen.raw)
        if method == "BYE" and status >= 300 and status != _NOT_DELIVERED and not ends_call(status):
            self.ended_ns = 0
        if self.answered_ns or (self.kind is SummaryKind.CALL and method != "INVITE"):
            return
        if status < 200:
            if status in (180, 183):
                self.ringing_ns = self.ringing_ns or seen.at_ns
            return
        self.status, self.phrase = status, phrase
        if self.kind is SummaryKind.CALL:
            self._end_call(status, seen.at_ns)

    def _end_call(self, status: int, at_ns: int) -> None:
        if status < 300:
            self.answered_ns = at_ns
        elif status not in CHALLENGES:
            self.ended_ns = at_ns


def _is_operators(seen: Seen) -> bool:
    """Whether a request left because the operator ended the call."""
    is_sent = seen.direction is Direction.OUT and seen.raw.startswith((b"BYE ", b"CANCEL "))
    return is_sent and _BY_OPERATOR in seen.raw


def _begins(raw: bytes) -> bool:
    return raw.startswith(b"INVITE ") and not _TAGGED_TO.search(raw.partition(b"\r\n\r\n")[0])


def user_of(uri: str) -> str:
    """The user part of a SIP URI, unescaped; "" if there is none."""
    try:
        return SipUri.parse(uri).username
    except ParseError:
        return ""
