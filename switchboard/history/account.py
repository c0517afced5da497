"""The sentences of an explanation, and those that several kinds of calls share."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from switchboard.history.lenient import LenientMessage
from switchboard.journal.record import ends_call


@dataclass(frozen=True, slots=True)
class Account:
    """`sentences` tell what happened, in order; `advice` what to check, the likeliest first."""

    sentences: list[str]
    failed: bool
    advice: list[str]

    @property
    def text(self) -> str:
        """All of it as lines for a terminal."""
        return "\n".join((" ".join(self.sentences), *(f"- {line}" for line in self.advice)))


def unreachable_addresses(parsed: LenientMessage, who: str) -> list[str]:
    """What is wrong with the addresses that a phone announced in a message that came from it."""
    source = parsed.seen.source.host
    found = []
    if _leads_nowhere(parsed.contact_host, source):
        found.append(
            f"The phone of {who} says that it is reached at {parsed.contact_host}, but its messages come "
            f"from {source}: behind address translation (NAT). Switch on STUN or ICE in the phone, or "
            "keep-alives (RFC 5626), so that the path stays open."
        )
    if _leads_nowhere(parsed.media_host, source):
        found.append(
            f"The phone of {who} wants to hear at {parsed.media_host}, but its messages come from {source}: "
            "where that address cannot be reached, there is no sound in its direction. Switch on STUN or ICE "
            "in the phone."
        )
    return found


def seconds(duration_ns: int) -> str:
    """A duration as people say it: `0.4 s`, `11 s`, `2 min 05 s`."""
    value = duration_ns / 1e9
    if value < 9.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _leads_nowhere(announced: str, source: str) -> bool:
    """Whether a private address was announced by who is seen at another one."""
    try:
        address = ip_address(announced)
    except ValueError:
        return False  # a name, or nothing
    return announced != source and address.is_private and not address.is_unspecified


_OUR_WARNING = re.compile(r'399 switchboard "(.*)"')


def at_fault(parsed_messages: Sequence[LenientMessage]) -> Iterator[str]:
    """Yield a sentence for each request that was answered 400 with a Warning of ours."""
    for answer in parsed_messages:
        match = _OUR_WARNING.match(answer.first("warning"))
        if match and answer.goes_out and answer.status == 400:
            yield from _sentence(answer, match[1], parsed_messages)


def _sentence(answer: LenientMessage, why: str, parsed_messages: Sequence[LenientMessage]) -> Iterator[str]:
    for request in parsed_messages:
        if request.comes_in and (request.branch, request.cseq) == (answer.branch, answer.cseq):
            agent = request.first("user-agent")
            phone = f"{agent} at {request.seen.source}" if agent else f"The phone at {request.seen.source}"
            yield f"{phone} sent a malformed {request.method}: {why}. That phone is to blame."
            return


_NOT_DELIVERED = 500
"""What the switchboard says where it could not send a request on (RFC 3261 §16.7 step 6)."""


@dataclass(frozen=True, slots=True)
class HangUp:
    """`request` as it came, `passed` as it left, `answer` as its sender got it; None: that was not seen."""

    request: LenientMessage
    passed: LenientMessage | None
    answer: LenientMessage | None
    by_phone: bool
    """Whether the answer is that of the other phone."""

    @property
    def ends(self) -> bool:
        """Whether the call is over by it. A BYE that was passed on and not answered ends a call, too."""
        if self.answer is None:
            return self.passed is not None
        undelivered = self.answer.status == _NOT_DELIVERED and not self.by_phone
        return undelivered or ends_call(self.answer.status)


def hang_ups(parsed_messages: Sequence[LenientMessage]) -> Iterator[HangUp]:
    """Yield each BYE among the messages of a call, retransmissions once."""
    known: set[str] = set()
    byes = [each for each in parsed_messages if each.method == "BYE"]
    for request in byes:
        if request.is_request and request.comes_in and request.branch not in known:
            known.add(request.branch)
            yield _hang_up(request, byes)


def _hang_up(request: LenientMessage, byes: Sequence[LenientMessage]) -> HangUp:
    below = [each for each in byes if each.branches[1:2] == [request.branch]]
    passed = next((each for each in below if each.goes_out and each.is_request), None)
    finals = [each for each in byes if each.goes_out and each.status >= 200 and each.branch == request.branch]
    answer = finals[0] if finals else None
    by_phone = answer is not None and any(each.comes_in and each.status == answer.status for each in below)
    return HangUp(request, passed, answer, by_phone)
