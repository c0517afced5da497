"""A demonstration call between two fake phones: who sends what when (RFC 3261 §24.2, with a proxy)."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from switchboard.lab.phone import Declined, Line, NoAnswer, Phone, contacts, is_request, is_response
from switchboard.lab.requests import EXPIRES_S


class OtherPhones(Exception):
    """The callee has other phones too, which would ring; `count` of them."""

    def __init__(self, user: str, count: int) -> None:
        super().__init__(f"{user} has {count} other phones")
        self.user = user
        self.count = count


def place_call(line: Line, caller: Phone, callee: Phone, ring_s: float, talk_s: float) -> str:
    """Register both, call, talk, hang up, and take the registrations back. Returns the Call-ID.

    Declined, NoAnswer, OtherPhones.
    """
    with _registered(line, caller), _registered(line, callee, alone=True):
        invite = line.exchange(
            caller, caller.identity.invite(callee.identity.aor), callee, is_request("INVITE")
        )
        line.exchange(callee, callee.identity.respond(invite, 180), caller, is_response(180, "INVITE"))
        line.wait(ring_s)
        ok = callee.identity.respond(invite, 200)
        answer = line.exchange(callee, ok, caller, is_response(200, "INVITE"))
        line.exchange(caller, caller.identity.ack(answer), callee, is_request("ACK"))
        line.wait(talk_s)
        bye = line.exchange(caller, caller.identity.bye(answer), callee, is_request("BYE"))
        line.exchange(callee, callee.identity.respond(bye, 200), caller, is_response(200, "BYE"))
        return invite.call_id


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
