"""What happened to a call or a registration, told from its messages."""

from collections.abc import Iterable, Iterator, Sequence

from switchboard.history.account import Account, at_fault
from switchboard.history.explain_call import explain_call
from switchboard.history.explain_registration import explain_registration
from switchboard.history.glance import Glance, short
from switchboard.history.seen import Direction, Seen


def calls_of(glances: Sequence[Glance]) -> list[list[Glance]]:
    """The messages of each call, oldest first, in the order in which the calls began.

    Calls differ in their caller's tag; one that is over when the next INVITE comes, in no more than time.
    """
    tags = list(dict.fromkeys(each.from_tag for each in glances if _begins(each)))
    if len(tags) == 1:
        calls = list(_in_time(glances))
    else:
        calls = [call for tag in tags for call in _in_time([each for each in glances if _bears(each, tag)])]
    return sorted(calls, key=lambda call: call[0].seen.at_ns)


def _begins(glance: Glance) -> bool:
    return glance.method == "INVITE" and glance.is_initial


def _bears(glance: Glance, tag: str) -> bool:
    return glance.from_tag == tag or (bool(tag) and glance.to_tag == tag)


def _in_time(glances: Sequence[Glance]) -> Iterator[list[Glance]]:
    """Split the messages before each INVITE that comes after one was accepted."""
    call: list[Glance] = []
    has_begun, accepted = False, ""
    for glance in glances:
        if accepted and glance.comes_in and _begins(glance) and glance.branch != accepted:
            yield call
            call, has_begun, accepted = [], False, ""
        call.append(glance)
        has_begun = has_begun or _begins(glance)
        if has_begun and glance.goes_out and glance.method == "INVITE" and 200 <= glance.status < 300:
            accepted = accepted or glance.branch
    yield call


MOST_TOLD = 5
"""Calls of one Call-ID that are told, the last ones."""


def explain(messages: Iterable[Seen], registered: Sequence[str] | None = None) -> Account:
    """Return the account of the messages of one Call-ID.

    `registered`: the contacts that the callee has now; None if nobody asked.
    """
    glances = [Glance.of(seen) for seen in messages if seen.direction is not Direction.HOP]
    glances.sort(key=lambda glance: glance.seen.at_ns)
    if not glances:
        return Account(["Nothing is known of it."], failed=False, advice=[])
    if any(glance.is_initial and glance.method == "INVITE" for glance in glances):
        return _explain_calls([explain_call(each, registered) for each in calls_of(glances)])
    if glances[0].method == "REGISTER":
        return explain_registration(glances)
    return _explain_other(glances)


def _explain_calls(accounts: Sequence[Account]) -> Account:
    """Several calls have one Call-ID where a stack repeats it, or has it on both sides of itself."""
    if len(accounts) == 1:
        return accounts[0]
    first = max(0, len(accounts) - MOST_TOLD)
    told = list(enumerate(accounts[first:], first + 1))
    which = f", of which the last {MOST_TOLD} are told here" if first else ""
    sentences = [f"{len(accounts)} calls share this Call-ID{which}."]
    for number, account in told:
        sentences += [f"Call {number}: {account.sentences[0]}", *account.sentences[1:]]
    advice = [f"Call {number}: {line}" for number, account in told for line in account.advice]
    return Account(sentences, any(account.failed for _, account in told), advice)


def _explain_other(glances: Sequence[Glance]) -> Account:
    first = glances[0]
    answers = [each for each in glances if each.goes_out and each.status >= 200]
    asked = f"{short(first.caller)} sent {first.method} to {short(first.callee)}."
    if not answers:
        return Account([asked, "No answer has been seen."], failed=False, advice=[])
    answer = answers[-1]
    text = f"The answer was {answer.status} {answer.phrase}."
    return Account([asked, text], failed=answer.status >= 300, advice=list(at_fault(glances)))
