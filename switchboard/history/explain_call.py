"""Tells in plain words what became of a call."""

from collections.abc import Iterator, Sequence

from switchboard.history.account import (
    Account,
    Advice,
    HangUp,
    advice_on,
    at_fault,
    seconds,
    unreachable_addresses,
)
from switchboard.history.call_messages import ExplainedCall, is_request
from switchboard.history.disagreement import disagreement
from switchboard.history.explain_registration import CHALLENGES
from switchboard.history.ladder import counterpart_of
from switchboard.history.lenient import LenientMessage, host_of, shown_status
from switchboard.history.place import NOWHERE, Place
from switchboard.history.refused import why_refused
from switchboard.history.relayed import is_relayed, relayed, silent_sides
from switchboard.history.seen import transport_of
from switchboard.journal.record import Outcome, Party, outcome_of
from switchboard.sip.flow import NAMES, UDP


def explain_call(parsed_messages: Sequence[LenientMessage], place: Place = NOWHERE) -> Account:
    """The account of a call at the switchboard `place`."""
    call = ExplainedCall(parsed_messages)
    sentences = [f"{call.caller} called {call.callee}.", *_asked_for_password(call), *_delivered(call)]
    if call.final is None:
        return _account(call, [*sentences, _going_on(call)], _silence(call), failed=False)
    if call.final.status < 300:
        return _account(call, [*sentences, *_answered(call)], _after_answer(call), failed=False)
    if call.is_ended_early:
        ended = f"The operator ended the call before anybody answered ({shown_status(call.final)})."
        return _account(call, [*sentences, *_rang(call, call.final), ended], _silence(call), failed=False)
    if call.final.status == 487 and call.cancel is not None:
        ended = f"{call.caller} hung up before anybody answered ({shown_status(call.final)})."
        return _account(call, [*sentences, *_rang(call, call.cancel), ended], _silence(call), failed=False)
    return _failed(call, sentences, place)


def _asked_for_password(call: ExplainedCall) -> Iterator[str]:
    if call.invite.cseq == call.first.cseq:
        return
    challenges = (each for each in call.parsed_messages if each.goes_out and each.status in CHALLENGES)
    if challenge := next(challenges, None):
        yield f"The switchboard asked for a password ({shown_status(challenge)}), and the phone gave one."


def _delivered(call: ExplainedCall) -> Iterator[str]:
    if call.forwards:
        yield from call.forwards
        return
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
    yield f"{call.called} answered{where}."
    if call.end is not None:
        lasted = seconds(call.end.request.seen.at_ns - call.final.seen.at_ns)
        yield f"They talked for {lasted}, then {_who(call, call.end)}."
        yield from relayed(call)
    elif call.hang_ups:
        yield _tried_to_hang_up(call, call.hang_ups[-1])
    else:
        yield "The call is up, or its end was not seen."
        yield from relayed(call)


def _who(call: ExplainedCall, hang_up: HangUp) -> str:
    if hang_up.is_operators:
        return "the operator ended the call"
    return f"{_side(call, hang_up)} hung up"


def _side(call: ExplainedCall, hang_up: HangUp) -> str:
    return call.caller if call.is_of_caller(hang_up.request) else call.called


def _tried_to_hang_up(call: ExplainedCall, hang_up: HangUp) -> str:
    answer = hang_up.answer
    became = "the switchboard dropped it" if answer is None else f"it was refused ({shown_status(answer)})"
    if hang_up.is_operators:
        return f"The operator wanted to end the call (BYE), but {became}: it may still be up at the phones."
    return (
        f"{_side(call, hang_up)}'s phone hung up (BYE), but {became}: the call may still be up at the phones."
    )


def _after_answer(call: ExplainedCall) -> list[str]:
    """What may be wrong with a call that was answered."""
    found, relays = [*silent_sides(call)], is_relayed(call)
    found += unreachable_addresses(call.invite, call.caller, relays)
    for each in call.parsed_messages:
        if each.comes_in and each.method == "INVITE" and 200 <= each.status < 300:
            found += [*unreachable_addresses(each, call.called, relays), *_no_record_route(call, each)]
            break
    return list(
        dict.fromkeys([*found, *_confirmed(call), *_unanswered_bye(call), *at_fault(call.parsed_messages)])
    )


def _no_record_route(call: ExplainedCall, answer: LenientMessage) -> Iterator[str]:
    if any(each.first("record-route") for each in call.sent) and not answer.first("record-route"):
        yield (
            f"{call.called}'s phone left Record-Route out of its answer: what the phones say from then on, "
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
        if each.goes_out and is_request(each, "ACK")
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
    left = [each for each in call.parsed_messages if each.goes_out and is_request(each, "BYE")]
    heard = {each.branch for each in call.parsed_messages if each.comes_in and each.status}
    if left and all(each.branch not in heard for each in left):
        yield f"The phone at {left[0].seen.destination} did not answer when the other side hung up (BYE)."


def _failed(call: ExplainedCall, sentences: list[str], place: Place) -> Account:
    assert call.final is not None
    found = None if call.final_is_by_phone else why_refused(call, place)
    sentence, checks = _why(call, found)
    blamed = list(at_fault(call.parsed_messages))
    advice = [*(blamed or checks), *disagreement(call), *_silence(call)]
    if found is None and not call.sent:
        advice += _registered_now(call, place)
    advice += unreachable_addresses(call.invite, call.caller)
    return _account(call, [*sentences, *_rang(call, call.final), sentence], advice, failed=True)


def _why(call: ExplainedCall, found: Advice | None) -> tuple[str, list[str]]:
    """The last sentence and what to check: what was found in the messages, else what the status says."""
    assert call.final is not None
    answer = shown_status(call.final)
    if found is not None:
        return f"{found.sentence} ({answer}).", list(found.checks)
    advice = advice_on(call.final.status, by_phone=call.final_is_by_phone)
    checks = (
        () if _is_undelivered(call) and call.silent else advice.checks
    )  # what the network says is more exact
    values = {
        "caller": call.caller,
        "callee": call.called if call.final_is_by_phone else call.callee,
        "domain": host_of(call.invite.uri),
        "answer": answer,
    }
    sentence = _sentence(call, advice.sentence, call.final_is_by_phone)
    return sentence.format_map(values), [check.format_map(values) for check in checks]


def _sentence(call: ExplainedCall, usual: str, by_phone: bool) -> str:
    """A time-out says different things, by whether it rang."""
    assert call.final is not None
    if by_phone or call.final.status != 408:
        return usual
    return "Nobody answered ({answer})." if call.rang is not None else usual


def _silence(call: ExplainedCall) -> list[str]:
    """Phones that said nothing at all; one try proves nothing, unless the network has told that it failed."""
    if _is_undelivered(call):
        return [
            f"Nobody is at {each.seen.destination}, as the network says (ICMP): the port is closed. The phone was "
            f"switched off, or has another address now and has not registered it; `switchboard bindings --user "
            f"{call.callee}` shows what it has registered."
            for each in call.silent
            if transport_of(each.seen.raw) == NAMES[UDP]
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


def _registered_now(call: ExplainedCall, place: Place) -> Iterator[str]:
    """Whether a callee who had no phone has one by now."""
    assert call.final is not None
    if call.final.status not in (404, 480):
        return
    registered = place.contacts(call.callee)
    if registered:
        yield f"By now {call.callee} is registered: {', '.join(registered)}. Call again."
    elif registered is not None:
        yield f"{call.callee} is not registered now, either."


def _account(call: ExplainedCall, sentences: list[str], advice: list[str], *, failed: bool) -> Account:
    """With outcome and end in the journal's words."""
    outcome, ended_by = _journalled(call)
    return Account(sentences, failed, advice, outcome, ended_by)


def _journalled(call: ExplainedCall) -> tuple[str, str]:
    """What the journal's record of the call says, by the same rules; ("", "") while it goes on."""
    if call.final is None:
        return "", ""
    if call.final.status < 300:
        if call.end is None:
            return "up", ""
        by = Party.CALLER if call.is_of_caller(call.end.request) else Party.CALLEE
        by = Party.OPERATOR if call.end.is_operators else by
        return Outcome.ANSWERED.value, by.value
    by = Party.CALLEE if call.final_is_by_phone else Party.SWITCHBOARD
    if call.cancel is not None and (by is Party.SWITCHBOARD or call.final.status == 487):
        by = Party.CALLER
    if call.is_ended_early:
        by = Party.OPERATOR
    return outcome_of(call.final.status, by, call.rang is not None).value, by.value
