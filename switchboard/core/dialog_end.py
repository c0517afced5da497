"""Ends a dialog that nobody would end, since a side waits no more, or would not hear the other (RFC 3261 §15).

Theory. The switchboard writes what a user agent would write, and `hanging_up.py` leads it through our Record-Route. A
side that is to hear a BYE and has accepted with a 2xx gets an ACK before (§13.2.2.4), so that it does not repeat that.

* A 2xx that crosses the CANCEL of a stage whose time was over, the last one, meets a caller who has heard a failure.
  The callee would hear nothing for 64 · T1, until its own phone gives up: it gets ACK and BYE.
* If media cannot be relayed any more, one side hears it from the final response to its request: 481 to one in a dialog,
  which ends that (§12.2.1.2), or a refusal of its call. The other side gets the BYE of this side.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.hanging_up import acknowledge, hang_up
from switchboard.sip.address import uri_in
from switchboard.sip.dispatch import BRANCH_COOKIE
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message

_NOBODY_WAITS: Final = b'Reason: SIP;cause=487;text="Nobody waits for the answer any more"'
_NO_MEDIA: Final = b'Reason: SIP;cause=488;text="The media cannot be relayed"'


def end_late(env: Environment, accepted: Message, is_first: bool, effects: ProxyEffects) -> None:
    """End the dialog of a 2xx as its caller would get it; `is_first`: it has not come before."""
    try:
        side = _Side(accepted, accepted.cseq[0], *_led_by(accepted))
        acknowledge(env, side.request("ACK"), effects)
        if is_first:
            hang_up(env, side.request("BYE", _NOBODY_WAITS), effects)
    except ParseError:
        return  # what no side can write leads nowhere


def end_unheard(env: Environment, request: Message, response: Message | None, effects: ProxyEffects) -> None:
    """End the dialog of a `request` at the side that it is for; `response`: the 2xx by which that has accepted it."""
    try:
        uri, routes = request.uri, request.values(Header.ROUTE)
        if response is not None and not request.to_tag:
            uri, routes = _led_by(response)
        side = _Side(response or request, request.cseq[0], uri, routes)
        if response is not None and response.method == "INVITE":
            acknowledge(env, side.request("ACK"), effects)
        hang_up(env, side.request("BYE", _NO_MEDIA), effects)
    except ParseError:
        return


def _led_by(accepted: Message) -> tuple[str, list[str]]:
    """The Request-URI and the route set of a caller in the dialog that the 2xx makes (§12.1.2). ParseError."""
    return uri_in(accepted.get(Header.CONTACT) or ""), accepted.values(Header.RECORD_ROUTE)[::-1]


class _Side(NamedTuple):
    """Writes what one side of a dialog would (§12.2.1.1): with From, To and Call-ID as they are `told`."""

    told: Message
    number: int
    uri: str
    routes: Sequence[str]

    def request(self, method: str, *lines: bytes) -> Message:
        """Return its ACK for the request of this `number`, or the request that follows it. ParseError."""
        number = self.number + (method != "ACK")
        head = [
            f"{method} {self.uri} SIP/2.0".encode("utf-8", "surrogateescape"),
            f"Via: SIP/2.0/UDP switchboard.invalid;branch={BRANCH_COOKIE}{number}".encode(),
            *(b"Route: " + route.encode("utf-8", "surrogateescape") for route in self.routes),
            b"From: " + (self.told.value(Header.FROM) or b""),
            b"To: " + (self.told.value(Header.TO) or b""),
            b"Call-ID: " + (self.told.value(Header.CALL_ID) or b""),
            f"CSeq: {number} {method}".encode(),
            b"Max-Forwards: 70",
            *lines,
            b"Content-Length: 0",
        ]
        return parse_message(b"\r\n".join(head) + b"\r\n\r\n")
