"""Tells in plain words what became of a call."""

from collections.abc import Iterator, Sequence
from functools import cached_property

from switchboard.history.account import (
    Account,
    HangUp,
    advice_on,
    at_fault,
    hang_ups,
    seconds,
    unreachable_addresses,
)
from switchboard.history.explain_registration import CHALLENGES
from switchboard.history.ladder import counterpart_of
from switchboard.history.lenient import LenientMessage, host_of, short

RINGING = (180, 183)
NO_CODEC = (415, 488, 606)


class ExplainedCall:
    """What the messages of one call show, oldest first; there is at least one initial INVITE."""

    def __init__(self, parsed_messages: Sequence[LenientMessage]) -> None:
        self.parsed_messages = parsed_messages
        initial = [each for each in parsed_messages if each.method == "INVITE" and each.is_initial]
        self.first = next((each for each in initial if each.comes_in), initial[0])
        arrived = [each for each in initial if each.comes_in]
        self.invite = arrived[-1] if arrived else initial[0]
        """The last one: after a challenge it bears the password."""
        self.caller, self.callee = short(self.invite.caller), short(self.invite.uri)

    @cached_property
    def sent(self) -> list[LenientMessage]:
        """The INVITEs to phones, each branch once."""
        found = {each.branch: each for each in reversed(self.parsed_messages) if self._goes_to_phone(each)}
        return list(reversed(found.values()))

    @cached_property
    def answers(self) -> list[LenientMessage]:
        """The responses to the INVITE that the caller got."""
        return [
            each
            for each in self.parsed_messages
            if each.goes_out and each.status and each.method == "INVITE" and each.cseq == self.invite.cseq
        ]

    @cached_property
    def rang(self) -> LenientMessage | None:
        return next((each for each in self.answers if each.status in RINGING), None)

    @cached_property
    def final(self) -> LenientMessage | None:
        return next((each for each in self.answers if each.status >= 200), None)

    @property
    def final_is_by_phone(self) -> bool:
        assert self.final is not None
        return counterpart_of(self.parsed_messages, self.parsed_messages.index(self.final)) is not None

    @cached_property
    def cancel(self) -> LenientMessage | None:
        return self._request("CANCEL")

    @cached_property
    def hang_ups(self) -> list[HangUp]:
        return list(hang_ups(self.parsed_messages))

    @property
    def end(self) -> HangUp | None:
        """The BYE that ended the call."""
        return next((each for each in self.hang_ups if each.ends), None)

    @cached_property
    def acks(self) -> list[LenientMessage]:
        """The ACKs for the 2xx as they came; others have the CSeq number of an INVITE that was refused."""
        number = _number(self.invite)
        return [
            each
            for each in self.parsed_messages
            if each.comes_in and _is(each, "ACK") and _number(each) == number
        ]

    @property
    def silent(self) -> list[LenientMessage]:
        """The INVITEs that left and to which no phone said anything."""
        heard = {each.branch for each in self.parsed_messages if each.comes_in and each.status}
        return [each for each in self.sent if each.branch not in heard]

    def tries(self, sent: LenientMessage) -> int:
        """How often an INVITE left."""
        return sum(each.goes_out and each.seen.raw == sent.seen.raw for each in self.parsed_messages)

    def is_of_caller(self, parsed: LenientMessage) -> bool:
        """Whether a message that came in is the caller's: its From has the INVITE's tag."""
        return parsed.from_tag == self.invite.from_tag

    def _request(self, method: str) -> LenientMessage | None:
        return next((each for each in self.parsed_messages if each.comes_in and _is(each, method)), None)

    def _goes_to_phone(self, parsed: LenientMessage) -> bool:
        return (
            parsed.goes_out
            and _is(parsed, "INVITE")
            and parsed.cseq == self.invite.cseq
            and parsed.is_initial
        )


def explain_call(parsed_messages: Sequence[LenientMessage], registered: Sequence[str] | None) -> Account:
    """The account of a call; `registered` as in `explain`."""
    call = ExplainedCall(parsed_messages)
    sentences = [f"{call.caller} called {call.callee}.", *_asked_for_password(call), *_delivered(call)]
    if call.final is None:
        return Account([*sentences, _going_on(call)], failed=False, advice=_silence(call))
    if call.final.status < 300:
        return Account([*sentences, *_answered(call)], failed=False, advice=_after_answer(call))
    if call.final.status == 487 and call.cancel is not None:
        ended = f"{call.caller} hung up before anybody answered ({_shown(call.final)})."
        return Account([*sentences, *_rang(call, call.cancel), ended], failed=False, advice=_silence(call))
    return _failed(call, sentences, registered)


def _is(parsed: LenientMessage, method: str) -> bool:
    return parsed.is_request and parsed.method == method


def _number(parsed: LenientMessage) -> str:
    return parsed.cseq.partition(" ")[0]


def _shown(response: LenientMessage) -> str:
    return f"{response.status} {response.phrase}"


def _asked_for_password(call: ExplainedCall) -> Iterator[str]:
    if call.invite.cseq == call.first.cseq:
        return
    challenges = (each for each in call.parsed_messages if each.goes_out and each.status in CHALLENGES)
    if challenge := next(challenges, None):
        yield f"The switchboard asked for a password ({_shown(challenge)}), and the phone gave one."


def _delivered(call: ExplainedCall) -> Iterator[str]:
    places = list(dict.fromkeys(str(each.seen.destination) for each in call.sent))
    if len(places) > 1:
        yield f"The call went to {len(places)} phones: {', '.join(places)}."


def _rang(call: ExplainedCall, until: LenientMessage) -> Iterator[str]:
    if call.rang is not None:
        yield f"The phone rang for {seconds(until.seen.at_ns - call.rang.seen.at_ns)}."


def _going_on(call: ExplainedCall) -> str:
    if call.rang is not None:
        return "The phone rings, and nobody has answered yet."
    return "No phone has said anything yet." if call.sent else "No answer has been seen yet."


def _answered(call: ExplainedCall) -> Iterator[str]:
    assert call.final is not None
    yield from _rang(call, call.final)
    places = len({each.seen.destination for each in call.sent})
    winner = counterpart_of(call.parsed_messages, call.parsed_messages.index(call.final))
    where = f" at {call.parsed_messages[winner].seen.source}" if winner is not None and places > 1 else ""
    yield f"{call.callee} answered{where}."
    if call.end is not None:
        lasted = seconds(call.end.request.seen.at_ns - call.final.seen.at_ns)
        yield f"They talked for {lasted}, then {_who(call, call.end)} hung up."
    elif call.hang_ups:
        yield _tried_to_hang_up(call, call.hang_ups[-1])
    else:
        yield "The call is up, or its end was not seen."


def _who(call: ExplainedCall, hang_up: HangUp) -> str:
    return call.caller if call.is_of_caller(hang_up.request) else call.callee


def _tried_to_hang_up(call: ExplainedCall, hang_up: HangUp) -> str:
    answer = hang_up.answer
    became = "the switchboard dropped it" if answer is None else f"it was refused ({_shown(answer)})"
    return (
        f"{_who(call, hang_up)}'s phone hung up (BYE), but {became}: the call may still be up at the phones."
    )


def _after_answer(call: ExplainedCall) -> list[str]:
    """What may be wrong with a call that was answered."""
    found = unreachable_addresses(call.invite, call.caller)
    for each in call.parsed_messages:
        if each.comes_in and each.method == "INVITE" and 200 <= each.status < 300:
            found += [*unreachable_addresses(each, call.callee), *_no_record_route(call, each)]
            break
    return list(
        dict.fromkeys([*found, *_confirmed(call), *_unanswered_bye(call), *at_fault(call.parsed_messages)])
    )


def _no_record_route(call: ExplainedCall, answer: LenientMessage) -> Iterator[str]:
    if any(each.first("record-route") for each in call.sent) and not answer.first("record-route"):
        yield (
            f"{call.callee}'s phone left Record-Route out of its answer: what the phones say from then on, "
            "and the end of the call, may go past the switchboard."
        )


def _confirmed(call: ExplainedCall) -> Iterator[str]:
    """What is wrong with the ACK."""
    if not call.acks:
        yield (
            f"{call.caller}'s phone never confirmed the answer (ACK): the answer may not reach it, "
            "and the callee's phone will give up after 32 s. Or that phone ignores Record-Route and speaks "
            "past the switchboard; then the end of the call is not seen here, either."
        )
        return
    left = {
        branch
        for each in call.parsed_messages
        if each.goes_out and _is(each, "ACK")
        for branch in each.branches
    }
    if not any(each.branch in left for each in call.acks):
        yield (
            f"{call.caller}'s phone confirmed the answer (ACK), but the switchboard did not pass that on. "
            "The call may still be up at the phones, until the callee's phone gives up after 32 s."
        )


def _unanswered_bye(call: ExplainedCall) -> Iterator[str]:
    if not call.hang_ups:
        return
    left = [each for each in call.parsed_messages if each.goes_out and _is(each, "BYE")]
    heard = {each.branch for each in call.parsed_messages if each.comes_in and each.status}
    if left and all(each.branch not in heard for each in left):
        yield f"The phone at {left[0].seen.destination} did not answer when the other side hung up (BYE)."


def _failed(call: ExplainedCall, sentences: list[str], registered: Sequence[str] | None) -> Account:
    assert call.final is not None
    by_phone = call.final_is_by_phone
    advice = advice_on(call.final.status, by_phone=by_phone)
    values = {
        "caller": call.caller,
        "callee": call.callee,
        "domain": host_of(call.invite.uri),
        "answer": _shown(call.final),
    }
    checks = list(at_fault(call.parsed_messages)) or [check.format_map(values) for check in advice.checks]
    checks += [*_codecs(call), *_silence(call), *_registered_now(call, by_phone, registered)]
    told = [
        *sentences,
        *_rang(call, call.final),
        _sentence(call, advice.sentence, by_phone).format_map(values),
    ]
    return Account(told, failed=True, advice=checks + unreachable_addresses(call.invite, call.caller))


def _sentence(call: ExplainedCall, usual: str, by_phone: bool) -> str:
    """A time-out says different things, by whether it rang."""
    assert call.final is not None
    if by_phone or call.final.status != 408:
        return usual
    return "Nobody answered ({answer})." if call.rang is not None else usual


def _codecs(call: ExplainedCall) -> Iterator[str]:
    assert call.final is not None
    if call.final.status not in NO_CODEC:
        return
    offered = ", ".join(call.invite.codecs) or "none that is named"
    warning = call.final.first("warning")
    yield f"They have no codec in common: {call.caller}'s phone offered {offered}. Switch one on in both."
    if warning:
        yield f"The phone says why: {warning}"


def _silence(call: ExplainedCall) -> list[str]:
    """Phones that said nothing at all; one try proves nothing, unless the network has told that it failed."""
    if _is_undelivered(call):
        return [
            f"Nobody is at {each.seen.destination}, as the network says (ICMP): the phone was switched off, "
            "or has another address now, and has not told."
            for each in call.silent
        ]
    return [
        f"The phone at {each.seen.destination} said nothing, though asked {call.tries(each)} times: it "
        "was switched off or left the network without telling, or a firewall is between."
        for each in call.silent
        if call.tries(each) > 1
    ]


def _is_undelivered(call: ExplainedCall) -> bool:
    """Whether the call ended in our own 500: had any phone been waited for in vain, it would be a 408."""
    return call.final is not None and call.final.status == 500 and not call.final_is_by_phone


def _registered_now(call: ExplainedCall, by_phone: bool, registered: Sequence[str] | None) -> Iterator[str]:
    assert call.final is not None
    if registered is None or by_phone or call.final.status not in (404, 480):
        return
    if registered:
        yield f"By now {call.callee} is registered: {', '.join(registered)}. Call again."
    else:
        yield f"{call.callee} is not registered now, either."
