"""The sentences of an explanation: what happened, what a final response means for people, and what they can check.

`{caller}` and `{callee}` are the users' names, `{domain}` is what was dialled behind the @, `{answer}` the
status and phrase as the caller got them.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import NamedTuple

from switchboard.core.hanging_up import TEXT
from switchboard.core.refusal import TAG
from switchboard.history.lenient import LenientMessage
from switchboard.history.place import Place
from switchboard.journal.record import ends_call
from switchboard.sip.translation import is_nowhere


class Advice(NamedTuple):
    """A sentence of the account, and what to check."""

    sentence: str
    checks: tuple[str, ...] = ()


BY_PHONE = {
    486: Advice("{callee} was busy ({answer})."),
    600: Advice("{callee} was busy everywhere ({answer})."),
    603: Advice("{callee} declined ({answer})."),
    607: Advice("{callee} does not want calls of {caller} ({answer})."),
    480: Advice(
        "The phone of {callee} did not take the call ({answer}).",
        ("Look whether do-not-disturb is switched on there.",),
    ),
    408: Advice("Nobody answered at {callee}'s phone ({answer})."),
    403: Advice(
        "The phone of {callee} refused the call ({answer}).",
        ("Some phones take calls only from their own account or contacts: look at its settings.",),
    ),
    404: Advice(
        "The phone that is registered for {callee} does not know that user ({answer}).",
        ("The account in that phone may have been renamed: register it again.",),
    ),
    488: Advice("The two phones could not agree on a way to talk ({answer})."),
    606: Advice("The two phones could not agree on a way to talk ({answer})."),
    415: Advice("The phone of {callee} does not understand the kind of offer that it got ({answer})."),
    420: Advice(
        "The phone of {callee} lacks an extension that the caller's phone requires ({answer}).",
        ("Require in the INVITE names it: switch it off in the caller's phone.",),
    ),
    481: Advice("The phone of {callee} knows nothing of this call ({answer})."),
    491: Advice("Both sides tried to change the call at once ({answer})."),
}
BY_SWITCHBOARD = {
    404: Advice(
        "{callee} has never registered here, so there is no phone to call ({answer}).",
        (
            "Is the name spelled as in the callee's phone? `switchboard bindings` lists who is registered.",
            "Is the callee's phone set to this switchboard's domain?",
        ),
    ),
    480: Advice(
        "{callee} is known here, but no phone is registered now: its registration ran out or was withdrawn "
        "({answer}).",
        (
            "Is the callee's phone switched on and in the network? It must register again in time.",
            "`switchboard bindings` lists who is registered, and for how long.",
        ),
    ),
    403: Advice(
        "The switchboard refused to pass the call on to {domain} ({answer}).",
        (
            "{domain} is none of its own domains. If it should be, add it to the setting domains "
            "(SWITCHBOARD_DOMAINS).",
            "Only registered users may call foreign domains: is the caller registered from its address?",
        ),
    ),
    401: Advice("The password of {caller} was not accepted ({answer}).", ("Enter the password again.",)),
    407: Advice(
        "The switchboard wanted a password from {caller}, and got none that is right ({answer}).",
        ("Enter user name and password in the caller's phone; the user name is the part before the @.",),
    ),
    408: Advice("No phone of {callee} answered in time ({answer})."),
    416: Advice(
        "What was dialled is no SIP address ({answer}).",
        ("Only sip: addresses are served here, not tel: numbers.",),
    ),
    420: Advice(
        "The caller's phone requires an extension that the switchboard does not have ({answer}).",
        ("Proxy-Require in the INVITE names it: switch it off in the phone.",),
    ),
    482: Advice(
        "The call came back to the switchboard: it went in a circle ({answer}).",
        ("A phone or another proxy redirects it here: look at call forwarding.",),
    ),
    483: Advice(
        "The call passed too many proxies ({answer}).",
        ("Two proxies may send it to each other: look at call forwarding.",),
    ),
    484: Advice("The number is not complete ({answer})."),
    400: Advice(
        "The switchboard could not make sense of the INVITE ({answer}).",
        ("The phrase names the field that is broken; the phone that sent it is to blame.",),
    ),
    500: Advice(
        "The call could not be delivered to {callee} ({answer}).",
        ("The phone's address, or its domain's, cannot be reached: look at `switchboard bindings`.",),
    ),
    503: Advice(
        "The switchboard does not know yet who is registered ({answer}).",
        ("It has just been started, or the registrar's host is away: see `switchboard status`.",),
    ),
}
_OTHERS = {
    3: Advice("{callee}'s phone says to try elsewhere ({answer})."),
    4: Advice("The call was refused ({answer})."),
    5: Advice("A server could not do what was asked ({answer})."),
    6: Advice("The call was refused everywhere ({answer})."),
}


def advice_on(status: int, *, by_phone: bool) -> Advice:
    """What is known of a final status from 300 on, sent by a phone or by the switchboard itself."""
    table = BY_PHONE if by_phone else BY_SWITCHBOARD
    return table.get(status, _OTHERS.get(status // 100, _OTHERS[4]))


@dataclass(frozen=True, slots=True)
class Account:
    """`sentences` tell what happened, in order; `advice` what to check, the likeliest first.

    `outcome`, `ended_by`: of a call, in the journal's words (`Outcome`, `Party`), or `up`; "" while it goes on.
    """

    sentences: list[str]
    failed: bool
    advice: list[str]
    outcome: str = ""
    ended_by: str = ""

    @property
    def text(self) -> str:
        """All of it as lines for a terminal."""
        return "\n".join((" ".join(self.sentences), *(f"- {line}" for line in self.advice)))


def is_edges(answer: LenientMessage) -> bool:
    """Whether the edge gave this answer of ours, before anybody looked further: its To tag tells."""
    return answer.to_tag.startswith(TAG)


def access_denied(host: str, method: str, place: Place) -> Advice:
    """The edge refused a request from `host` by the access lists."""
    rule = place.denied_by(host, method)
    return Advice(
        f"The access list keeps {host} out: {rule}" if rule else f"An access list keeps {host} out",
        ("Change the setting access, if this phone is to be let in (docs/SECURITY.md).",),
    )


def unreachable_addresses(parsed: LenientMessage, who: str, is_relayed: bool = False) -> list[str]:
    """What is wrong with the addresses that a phone announced in a message that came from it.

    `is_relayed`: a media engine finds out where the phone hears.
    """
    source = parsed.seen.source.host
    found = []
    if is_nowhere(parsed.contact_host) and parsed.contact_host != source:
        found.append(
            f"The phone of {who} says that it is reached at {parsed.contact_host} (Contact), where nobody else can "
            f"reach it, and its messages come from {source}: calls go to where it sent from. Set its own address, or "
            "none, in the phone."
        )
    elif _leads_nowhere(parsed.contact_host, source):
        found.append(
            f"The phone of {who} says that it is reached at {parsed.contact_host}, but its messages come "
            f"from {source}: behind address translation (NAT). Switch on STUN or ICE in the phone, or "
            "keep-alives (RFC 5626), so that the path stays open."
        )
    if not is_relayed and _leads_nowhere(parsed.media_host, source):
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
    """`request` as it came, `passed` as it left, `answer` as its sender got it; None: that was not seen.

    Of the operator's BYE `request` is what left, and `answer` what came.
    """

    request: LenientMessage
    passed: LenientMessage | None
    answer: LenientMessage | None
    by_phone: bool
    """Whether the answer is that of the other phone."""

    @property
    def is_operators(self) -> bool:
        """Whether no phone hung up, but the operator."""
        return self.request.goes_out

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
        if not request.is_request or request.branch in known:
            continue
        if request.comes_in:
            known.add(request.branch)
            yield _hang_up(request, byes)
        elif is_operators(request):
            known.add(request.branch)
            yield HangUp(request, request, _final_of(request, byes), True)


def is_operators(parsed: LenientMessage) -> bool:
    """Whether the switchboard sent a request because the operator ended the call."""
    return parsed.goes_out and parsed.is_request and TEXT in parsed.first("reason")


def _final_of(request: LenientMessage, byes: Sequence[LenientMessage]) -> LenientMessage | None:
    finals = (each for each in byes if each.comes_in and each.status >= 200 and each.branch == request.branch)
    return next(finals, None)


def _hang_up(request: LenientMessage, byes: Sequence[LenientMessage]) -> HangUp:
    below = [each for each in byes if each.branches[1:2] == [request.branch]]
    passed = next((each for each in below if each.goes_out and each.is_request), None)
    finals = [each for each in byes if each.goes_out and each.status >= 200 and each.branch == request.branch]
    answer = finals[0] if finals else None
    by_phone = answer is not None and any(each.comes_in and each.status == answer.status for each in below)
    return HangUp(request, passed, answer, by_phone)
