"""Tells in plain words what happened to a call or a registration, and why it failed."""

from collections.abc import Iterable, Sequence

from switchboard.history.account import Account
from switchboard.history.calls import calls_of
from switchboard.history.explain_call import explain_call
from switchboard.history.explain_registration import explain_registration
from switchboard.history.glance import Glance, short
from switchboard.history.malformed import at_fault
from switchboard.history.seen import Direction, Seen

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
