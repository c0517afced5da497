"""The demonstration call of the lab, and its ladder as text."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from switchboard.lab.phone import Declined, Line, NoAnswer, Phone, Seen, contacts, is_request, is_response
from switchboard.lab.requests import EXPIRES_S
from switchboard.sip.message import Message, parse_message

WIDTH = 30
"""Columns between two of the three lifelines; the whole fits in 80."""
_TIME = 9


def heading(caller: str, callee: str) -> str:
    """Who stands where."""
    return f"{'':{_TIME}}{caller:<{WIDTH - 6}}{'switchboard':^13}{callee:>{WIDTH - 6}}"


def rung(seen: Seen, caller: str, since: float) -> str:
    """One message as an arrow. `since`: monotonic s at which the ladder begins."""
    message = seen.message
    what = message.method if message.is_request else f"{message.status} {message.reason}"
    at_caller = seen.user == caller
    arrow = _arrow(what, to_right=seen.sent is at_caller)
    empty = " " * (WIDTH - 1)
    left, right = (arrow, empty) if at_caller else (empty, arrow)
    return f"{seen.at - since:7.3f}  │{left}│{right}│"


def _arrow(what: str, to_right: bool) -> str:
    room = WIDTH - 1
    label = f" {what[: room - 6]} "
    line = f"{label:─^{room - 1}}"
    return f"{line}▶" if to_right else f"◀{line}"


class OtherPhones(Exception):
    """The callee has other phones too, which would ring; `count` of them."""

    def __init__(self, user: str, count: int) -> None:
        super().__init__(f"{user} has {count} other phones")
        self.user = user
        self.count = count


def place_call(line: Line, caller: Phone, callee: Phone, ring_s: float, talk_s: float) -> str:
    """Register both, call, talk, hang up, and take the registrations back. Returns the Call-ID.

    Whatever ends it before, Ctrl-C for one, it is hung up, too. Declined, NoAnswer, OtherPhones.
    """
    with _registered(line, caller), _registered(line, callee, alone=True):
        call = _Call(line, caller, callee)
        try:
            return call.pass_by(ring_s, talk_s)
        except BaseException:
            with suppress(Declined, NoAnswer):  # the first failure is the one to tell
                call.give_up()
            raise


class _Call:
    """A call between two phones, as far as it has come."""

    def __init__(self, line: Line, caller: Phone, callee: Phone) -> None:
        self._line = line
        self._caller = caller
        self._callee = callee
        self._invite: Message | None = None
        self._answer: Message | None = None

    def pass_by(self, ring_s: float, talk_s: float) -> str:
        """From INVITE to BYE; returns the Call-ID."""
        line, caller, callee = self._line, self._caller, self._callee
        raw = caller.identity.invite(callee.identity.aor)
        invite = self._invite = line.exchange(caller, raw, callee, is_request("INVITE"))
        line.exchange(callee, callee.identity.respond(invite, 180), caller, is_response(180, "INVITE"))
        line.wait(ring_s)
        ok = callee.identity.respond(invite, 200)
        answer = self._answer = line.exchange(callee, ok, caller, is_response(200, "INVITE"))
        line.exchange(caller, caller.identity.ack(answer), callee, is_request("ACK"))
        line.wait(talk_s)
        self._hang_up(answer)
        return invite.call_id

    def give_up(self) -> None:
        """End what has begun; what is ended already is left alone."""
        if self._answer:
            self._hang_up(self._answer)
        elif self._invite:
            self._cancel(self._invite)

    def _hang_up(self, answer: Message) -> None:
        caller, callee = self._caller, self._callee
        bye = self._line.exchange(caller, caller.identity.bye(answer), callee, is_request("BYE"))
        self._answer = self._invite = None
        ok = callee.identity.respond(bye, 200)
        self._line.exchange(callee, ok, caller, is_response(200, "BYE"))

    def _cancel(self, invite: Message) -> None:
        """RFC 3261 §9: the callee answers both CANCEL and INVITE."""
        line, caller, callee = self._line, self._caller, self._callee
        sent = parse_message(caller.sent)
        cancel = line.exchange(caller, caller.identity.cancel(sent), callee, is_request("CANCEL"))
        line.tell(callee, callee.identity.respond(cancel, 200))
        terminated = callee.identity.respond(invite, 487)
        refusal = line.exchange(callee, terminated, caller, is_response(487, "INVITE"))
        line.tell(caller, caller.identity.ack_refusal(sent, refusal))


@contextmanager
def _registered(line: Line, phone: Phone, alone: bool = False) -> Iterator[None]:
    """The phone is registered meanwhile; with `alone` OtherPhones if its user has others."""
    registered = _register(line, phone, EXPIRES_S)
    try:
        others = [each for each in registered if phone.identity.contact not in each]
        if alone and others:
            raise OtherPhones(phone.identity.user, len(others))
        yield
    except BaseException:
        with suppress(Declined, NoAnswer):  # the first failure is the one to tell
            _register(line, phone, 0)
        raise
    _register(line, phone, 0)


def _register(line: Line, phone: Phone, expires_s: int) -> list[str]:
    request = phone.identity.register(expires_s)
    return contacts(line.exchange(phone, request, phone, is_response(200, "REGISTER")))
