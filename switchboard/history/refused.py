"""Why the switchboard itself ended a call: told by what happened, for several things have one status."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import Final
from urllib.parse import unquote

from switchboard.history.account import Advice, access_denied, is_edges
from switchboard.history.call_messages import ExplainedCall
from switchboard.history.lenient import LenientMessage, shown_status
from switchboard.history.place import Place
from switchboard.history.relayed import without_engine
from switchboard.history.seen import transport_of
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, TCP, TLS, UDP, WS, WSS
from switchboard.sip.uri import SipUri

_UNREACHED: Final = (404, 408, 480, 500)
_DIALLED: Final = (NAMES[TCP], NAMES[TLS])
_Cause = Callable[[ExplainedCall, Place], Advice | None]


def why_refused(call: ExplainedCall, place: Place) -> Advice | None:
    """What the messages tell beyond the status of the answer of ours; None if that says it all.

    The advice is text, no pattern.
    """
    found = (cause(call, place) for cause in _CAUSES)
    return next((each for each in found if each is not None), None)


def _status(call: ExplainedCall) -> int:
    return call.final.status if call.final is not None else 0


_OUR_WARNING: Final = re.compile(r'399 switchboard "(.*)"')
_RULED: Final = (403, 404, 480, 482, 603)
"""Statuses of what rules of users and groups refuse."""


def _by_rules(call: ExplainedCall, _: Place) -> Advice | None:
    """Rules led the call to nobody; the Warning says why."""
    match = _OUR_WARNING.match(call.final.first("warning")) if call.final is not None else None
    if not match or _status(call) not in _RULED or call.final_is_by_phone:
        return _led_to_nobody(call)
    why = unquote(match[1])
    if why == "Do Not Disturb":
        return Advice(
            f"{call.callee} does not want to be disturbed",
            (f"To let the phones ring again: switchboard dnd {call.callee} off",),
        )
    return Advice(
        f"The rules of {call.callee} led the call to nobody: {why}",
        (
            f"`switchboard forward {call.callee}` shows them, `switchboard dialplan try` what they do with a call.",
        ),
    )


def _led_to_nobody(call: ExplainedCall) -> Advice | None:
    """Rules led the call on (181), and no phone was there, either."""
    is_led = any(each.goes_out and each.status == 181 for each in call.parsed_messages)
    if not is_led or call.sent or _status(call) != 480:
        return None
    return Advice(
        f"The rules of {call.callee} led the call on, and nobody to whom they lead is registered",
        (
            f"`switchboard dialplan try {call.callee}` shows who is called, and where these are registered now.",
        ),
    )


def _not_in_time(call: ExplainedCall, _: Place) -> Advice | None:
    """The time of the last of a group, or of who calls were forwarded to, was over."""
    if _status(call) != 480 or call.final_is_by_phone or call.rang is None or not call.sent:
        return None
    return Advice(f"Nobody answered at {call.called} in time")


def _access(call: ExplainedCall, place: Place) -> Advice | None:
    if call.final is None or call.final.status != 403 or not is_edges(call.final):
        return None
    return access_denied(call.invite.seen.source.host, "INVITE", place)


def _secure(call: ExplainedCall, _: Place) -> Advice | None:
    if _status(call) not in (416, 480) or not call.invite.uri.lower().startswith("sips:"):
        return None
    dialled = f"{call.caller} dialled a sips: address, which demands encryption all the way, and"
    if _status(call) == 416:
        return Advice(
            f"{dialled} TLS is off at this switchboard",
            ("Dial sip: in place of sips:, or switch TLS on here (setting tls).",),
        )
    return Advice(
        f"{dialled} no phone of {call.callee} is registered over TLS",
        (f"Dial sip: in place of sips:, or let the phone of {call.callee} register over TLS.",),
    )


def _not_the_user(call: ExplainedCall, _: Place) -> Advice | None:
    """Whoever proved a password is let through to everybody, so that is all that is left."""
    if _status(call) != 403 or not call.invite.first("proxy-authorization"):
        return None
    return Advice(
        f"The phone called as {call.caller} (From), and gave the password of another user",
        (
            "Make user name and account name (authentication name) in the phone the same.",
            'To let users call under any name, set auth_from = false ("From" is then not checked).',
        ),
    )


def _foreign(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) not in (403, 408, 500):
        return None
    why = place.foreign(call.invite.uri)
    if not why or call.phone_finals or (call.sent and _status(call) != 403):
        return None
    if _lacks(call.invite.uri, place):
        return None
    if _status(call) == 403:
        return Advice(
            f"The switchboard did not pass the call on: {why}",
            (
                place.remedy(call.invite.uri),
                "Only registered users may call foreign domains: is the caller registered from its address?",
            ),
        )
    return Advice(
        f"The call was for another switchboard, which was not found: {why}", (place.remedy(call.invite.uri),)
    )


def _password(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) not in (401, 407):
        return None
    if place.is_user(call.caller) is False:
        return Advice(
            f"There is no user {call.caller}; the phone is not told so",
            (f"Correct the name in the phone, or make the user: switchboard user add {call.caller}",),
        )
    if not call.invite.first("proxy-authorization"):
        return None
    return Advice(
        f"The password in the phone of {call.caller} is wrong",
        ("Enter it again; the user name for it is the part of the address before the @.",),
    )


def _overloaded(call: ExplainedCall, _: Place) -> Advice | None:
    if _status(call) != 500:
        return None
    for each in call.phone_finals:
        if each.status == 503:
            return Advice(
                f"{_phone(call, each)} answered {shown_status(each)}: it has no room for a call now, or its own "
                "line is down; the caller hears 500 in its place, since a 503 would speak of the whole switchboard",
                (f"Look at the phone or gateway at {each.seen.source}; {_retry(each)}.",),
            )
    return None


def _retry(answer: LenientMessage) -> str:
    after = answer.first("retry-after").split(" ")[0].partition(";")[0]
    return f"it wants to be asked again in {after} s" if after.isdigit() else "its own log says more"


def _other_transport(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) != 500:
        return None
    for uri in chain([call.invite.uri], _redirected_to(call), place.contacts(call.callee) or ()):
        lacked = _lacks(uri, place)
        if lacked and (uri != call.invite.uri or place.foreign(uri)):
            return Advice(
                f"The call was to go to {uri}, which asks for {lacked}, and this switchboard does not speak that",
                (
                    f"Set another transport in the phone that is to be called ({_parameter(uri)} is in its address), "
                    "or switch it on here (setting transports).",
                ),
            )
    return None


def _no_connection(call: ExplainedCall, _: Place) -> Advice | None:
    """Nobody listens where an address asks for a connection, or the phone's own is gone."""
    if _status(call) not in (480, 500):
        return None
    for each in call.silent:
        transport = transport_of(each.seen.raw)
        if transport in _DIALLED:
            return Advice(
                f"The call was to go to {each.uri} over {transport}, and no connection could be made to "
                f"{each.seen.destination}",
                (
                    f"Does the phone of {call.callee} take connections there? If not, set another transport in it"
                    + (f": {asked} is in its address." if (asked := _parameter(each.uri)) else "."),
                    "Or it was switched off, has another address now, or a firewall is between.",
                ),
            )
    return None


def _only_secure(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) != 480 or not (contacts := place.contacts(call.callee)) or _speaks(place, TLS):
        return None
    if not all(uri.lower().startswith("sips:") for uri in contacts):
        return None
    return Advice(
        f"{call.callee} is registered at {', '.join(contacts)}, which demands encryption, and this switchboard has "
        "none",
        (
            "Set UDP or TCP in place of TLS (or of sips:) in that phone, or switch TLS on here (SWITCHBOARD_TLS=on).",
        ),
    )


def _redirected(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) not in _UNREACHED or not call.redirections:
        return None
    redirection = call.redirections[-1]
    where = ", ".join(_contacts_of(redirection))
    silent = [str(each.seen.destination) for each in call.silent]
    became = f"nobody answered at {', '.join(silent)}" if silent else "the call could not be delivered there"
    foreign = [
        place.remedy(uri) for uri in _contacts_of(redirection) if place.foreign(uri) and not call.silent
    ]
    return Advice(
        f"{_phone(call, redirection)} forwarded the call to {where} ({shown_status(redirection)}), and {became}",
        (f"Correct or switch off call forwarding in the phone of {call.callee}.", *foreign),
    )


def _loop(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) != 482 or place.own is None:
        return None
    for uri in chain(_redirected_to(call), place.contacts(call.callee) or ()):
        if not place.foreign(uri):
            return Advice(
                f"The call went in a circle: {uri}, where {call.callee} is to be reached, is the switchboard itself",
                (
                    f"Look at call forwarding in the phone of {call.callee}, and at what it registers as its Contact.",
                    f"`switchboard bindings --user {call.callee}` lists it.",
                ),
            )
    return None


def _no_such_user(call: ExplainedCall, place: Place) -> Advice | None:
    if _status(call) != 404 or place.is_user(call.callee) is not False or place.contacts(call.callee):
        return None
    return Advice(
        f"There is no user {call.callee} here",
        ("Is the name spelled as in the callee's phone? `switchboard user list` has all names.",),
    )


_CAUSES: Final[Sequence[_Cause]] = (
    _access, _by_rules, _secure, _not_the_user, _password, _overloaded, _other_transport, _redirected, _no_connection,
    _only_secure, _foreign, _loop, _no_such_user, _not_in_time, without_engine,
)  # fmt: skip


def _phone(call: ExplainedCall, answer: LenientMessage) -> str:
    return f"The phone of {call.callee} at {answer.seen.source}"


def _redirected_to(call: ExplainedCall) -> Iterator[str]:
    for each in call.redirections:
        yield from _contacts_of(each)


def _contacts_of(answer: LenientMessage) -> list[str]:
    return [uri for uri in answer.contacts if uri]


def _lacks(uri: str, place: Place) -> str:
    """The transport that a URI asks for, if we do not speak it; "" otherwise.

    WebSockets are not meant: a phone there is called over the connection that it has opened.
    """
    transport = _parameter(uri).removeprefix(";transport=").upper()
    spoken = {name for each, name in NAMES.items() if each in (WS, WSS) or _speaks(place, each)}
    return "" if not transport or transport in spoken else transport


def _speaks(place: Place, transport: int) -> bool:
    return transport in (place.own.dialled if place.own else (UDP,))


def _parameter(uri: str) -> str:
    try:
        transport = SipUri.parse(uri).param("transport")
    except ParseError:
        return ""
    return f";transport={transport.lower()}" if transport else ""
