"""The requests by which an operator ends a call, written from the messages of the call (RFC 3261 §9.1, §12.2.1.1).

Theory. A dialog is known to whoever has seen its messages: the tags and the route set are in the first 2xx, the remote
targets in the latest Contact of each side, and the CSeq numbers in every request. So the BYE of either side can be
written from the history, without any state in the routers, also after all of them were restarted. A call that nobody
has answered is ended by the CANCEL that its caller could send.

The CSeq number is `CSEQ_MARGIN` above the highest that was seen, since the history may lack a request, and the
recipient of a BYE with a number that is too low refuses it (§12.2.2; gaps are allowed there).
"""

from collections.abc import Iterator, Sequence
from secrets import token_hex
from typing import Final, NamedTuple

from switchboard.core.hanging_up import BYE_REASON
from switchboard.history.masking import MASKED
from switchboard.history.seen import Direction, Seen
from switchboard.history.summary import user_of
from switchboard.journal.record import ends_call
from switchboard.sip.address import uri_in
from switchboard.sip.errors import ParseError
from switchboard.sip.fields import text_of
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import make_cancel

CSEQ_MARGIN: Final = 100
_LARGEST_CSEQ: Final = 2**31 - 1
_REFRESHING: Final = ("INVITE", "UPDATE")


class CannotEnd(Exception):
    """There is nothing to end, or its messages do not suffice; the text says why, for people."""


class NoSuchCall(CannotEnd):
    """Nothing is known of the call."""


class Ending(NamedTuple):
    """One request that ends a call, or a part of it. `side`: who gets it, for people."""

    side: str
    raw: bytes


class _Passed(NamedTuple):
    """A message, and whether it came from the wire."""

    message: Message
    comes_in: bool


def endings_of(messages: Sequence[Seen]) -> list[Ending]:
    """Return what ends the call with these `messages`, oldest first. CannotEnd."""
    passed = list(_parsed(messages))
    invites = [
        each.message
        for each in passed
        if each.comes_in and each.message.method == "INVITE" and _is_initial(each.message)
    ]
    if not invites:
        raise CannotEnd("The history does not have the INVITE of this call (any more).")
    found = [*_byes(passed), *_cancels(passed, invites)]
    if not found:
        raise CannotEnd("The call has ended already.")
    return found


def _parsed(messages: Sequence[Seen]) -> Iterator[_Passed]:
    for seen in messages:
        if seen.direction is not Direction.HOP:
            try:
                yield _Passed(parse_message(seen.raw), seen.direction is Direction.IN)
            except ParseError:
                continue  # nobody has understood it


def _is_initial(message: Message) -> bool:
    return not message.status and not message.to_tag


def _byes(passed: Sequence[_Passed]) -> Iterator[Ending]:
    """Two for each dialog that was made and not ended."""
    answers: dict[tuple[str, str], Message] = {}
    for message, comes_in in passed:
        if not comes_in and message.method == "INVITE" and 200 <= message.status < 300:
            answers.setdefault((message.from_tag, message.to_tag), message)
    for answer in answers.values():
        dialog = [each for each in passed if _is_in(each.message, answer)]
        if not any(_has_ended(each.message) for each in dialog):
            yield from _byes_of(answer, dialog)


def _is_in(message: Message, answer: Message) -> bool:
    """Whether a message belongs to the dialog of this 2xx; the INVITE that began it does, too."""
    tags = {message.from_tag, message.to_tag}
    return tags == {answer.from_tag, answer.to_tag} or tags == {answer.from_tag, ""}


def _has_ended(message: Message) -> bool:
    return message.method == "BYE" and message.status >= 200 and ends_call(message.status)


def _byes_of(answer: Message, dialog: Sequence[_Passed]) -> Iterator[Ending]:
    caller, callee = (text_of(answer.value(each) or b"") for each in (Header.FROM, Header.TO))
    recorded = answer.values(Header.RECORD_ROUTE)
    for own_tag, own, other_tag, other, uri, routes in (
        (answer.from_tag, caller, answer.to_tag, callee, answer.to_uri, recorded[::-1]),
        (answer.to_tag, callee, answer.from_tag, caller, answer.from_uri, recorded),
    ):
        target, number = _target(other_tag, dialog), _next_number(own_tag, dialog)
        bye = _bye(target, routes, own, other, answer.call_id, number)
        yield Ending(user_of(uri) or uri, bye)


def _target(tag: str, dialog: Sequence[_Passed]) -> str:
    """The remote target: the latest Contact of the side with this tag (§12.2.1.2). CannotEnd."""
    accepted = {
        (each.message.from_tag, each.message.cseq)
        for each in dialog
        if 200 <= each.message.status < 300 and each.message.method in _REFRESHING
    }
    target = ""
    for message, comes_in in dialog:
        contact = message.get(Header.CONTACT)
        if comes_in and contact and message.method in _REFRESHING and _tag_of_sender(message) == tag:
            is_accepted = message.status < 300 and (message.from_tag, message.cseq) in accepted
            target = contact if is_accepted else target
    try:
        uri = uri_in(target)
    except ParseError as error:
        raise CannotEnd("A phone of this call has not said where it is reached (Contact).") from error
    if MASKED.decode() in uri:
        raise CannotEnd("The Contact of a phone has a password, which the history does not keep.")
    return uri


def _tag_of_sender(message: Message) -> str:
    return message.to_tag if message.status else message.from_tag


def _next_number(tag: str, dialog: Sequence[_Passed]) -> int:
    sent = (each.message.cseq[0] for each in dialog if each.message.from_tag == tag)
    return min(max(sent, default=0) + CSEQ_MARGIN, _LARGEST_CSEQ)


def _bye(target: str, routes: Sequence[str], own: str, other: str, call_id: str, number: int) -> bytes:
    lines = [
        f"BYE {target} SIP/2.0",
        f"Via: SIP/2.0/UDP operator.invalid;branch=z9hG4bK-{token_hex(8)}",
        *(f"Route: {each}" for each in routes),
        f"From: {own}",
        f"To: {other}",
        f"Call-ID: {call_id}",
        f"CSeq: {number} BYE",
        "Max-Forwards: 70",
        f"Reason: {BYE_REASON}",
        "Content-Length: 0",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def _cancels(passed: Sequence[_Passed], invites: Sequence[Message]) -> Iterator[Ending]:
    """One for each INVITE of a caller that has no final response yet."""
    answered = {
        (each.message.from_tag, each.message.cseq)
        for each in passed
        if not each.comes_in and each.message.method == "INVITE" and each.message.status >= 200
    }
    waiting = {(each.from_tag, each.cseq): each for each in invites}
    for key, invite in waiting.items():
        if key not in answered:
            yield Ending(user_of(invite.to_uri) or invite.to_uri, make_cancel(invite))
