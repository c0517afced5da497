"""Tells in plain words what happened to a call or a registration, and why it failed."""

from collections.abc import Iterable, Sequence

from switchboard.history.account import Account
from switchboard.history.explain_call import explain_call
from switchboard.history.explain_registration import explain_registration
from switchboard.history.glance import Glance, short
from switchboard.history.seen import Direction, Seen


def explain(messages: Iterable[Seen], registered: Sequence[str] | None = None) -> Account:
    """Return the account of the messages of one Call-ID.

    `registered`: the contacts that the callee has now; None if nobody asked.
    """
    glances = [Glance.of(seen) for seen in messages if seen.direction is not Direction.HOP]
    glances.sort(key=lambda glance: glance.seen.at_ns)
    if not glances:
        return Account(["Nothing is known of it."], failed=False, advice=[])
    if any(glance.is_initial and glance.method == "INVITE" for glance in glances):
        return explain_call(glances, registered)
    if glances[0].method == "REGISTER":
        return explain_registration(glances)
    return _explain_other(glances)


def _explain_other(glances: Sequence[Glance]) -> Account:
    first = glances[0]
    answers = [each for each in glances if each.goes_out and each.status >= 200]
    asked = f"{short(first.caller)} sent {first.method} to {short(first.callee)}."
    if not answers:
        return Account([asked, "No answer has been seen."], failed=False, advice=[])
    answer = answers[-1]
    text = f"The answer was {answer.status} {answer.phrase}."
    return Account([asked, text], failed=answer.status >= 300, advice=[])
