"""Tells in plain words what became of a phone's registration."""

import re
from collections.abc import Sequence

from switchboard.auth.failures import Failing, advise
from switchboard.history.account import (
    Account,
    Advice,
    access_denied,
    at_fault,
    is_edges,
    unreachable_addresses,
)
from switchboard.history.lenient import LenientMessage, short
from switchboard.history.place import NOWHERE, Place

CHALLENGES = (401, 407)
_EXPIRES = re.compile(r";\s*expires\s*=\s*([0-9]+)", re.IGNORECASE)
_REFUSALS = {
    400: Advice(
        "The switchboard could not make sense of it", ("The phrase names the field that is broken.",)
    ),
    403: Advice("It was refused"),
    404: Advice(
        "The domain is none of this switchboard's",
        ("Enter one that it printed at its start, or add this one to the setting domains.",),
    ),
    420: Advice("The phone requires an extension that the switchboard does not have"),
    423: Advice(
        "The phone wanted to register for too short a time",
        ("It should try again with the time in Min-Expires; else set a longer one in the phone.",),
    ),
    513: Advice(
        "No datagram holds the answer, or the message is larger than a phone may send that is not registered",
        ("Register fewer or shorter contacts, or set max_message_bytes higher.",),
    ),
    500: Advice("An older message came after a newer one", ("The phone will try again by itself.",)),
    503: Advice("The registrar could not answer", ("See `switchboard status`.",)),
}


def explain_registration(parsed_messages: Sequence[LenientMessage], place: Place = NOWHERE) -> Account:
    """The account of REGISTERs with one Call-ID, oldest first: how the last one ended."""
    request = [each for each in parsed_messages if each.comes_in and each.is_request][-1:]
    if not request:
        return Account(["Only answers to a registration were seen, not the request."], False, [])
    last = request[0]
    answer = next((each for each in parsed_messages if each.goes_out and _answers(each, last)), None)
    asked = f"The phone of {short(last.callee)} at {last.seen.source}{_agent(last)} "
    if answer is not None and answer.status < 300:
        return _done(asked, last, answer)
    wanted = f"{asked}wanted to register{'' if answer else ', and got no answer'}."
    for uri in (last.uri, last.callee):
        if why := place.foreign(uri):
            return Account([wanted, _foreign(why, answer)], True, [place.remedy(uri)])
    if answer is None:
        return _unanswered(wanted)
    return _refused(wanted, last, answer, place)


def _agent(request: LenientMessage) -> str:
    return f" ({request.first('user-agent')})" if request.first("user-agent") else ""


def _foreign(why: str, answer: LenientMessage | None) -> str:
    """What became of a REGISTER for another domain: refused here, or passed on to nowhere."""
    shown = f" ({_shown(answer)})" if answer else ""
    return f"It asked for another switchboard: {why}{shown}."


def _shown(answer: LenientMessage) -> str:
    return f"{answer.status} {answer.phrase}"


def _answers(answer: LenientMessage, request: LenientMessage) -> bool:
    return answer.status >= 200 and (answer.branch, answer.cseq) == (request.branch, request.cseq)


def _unanswered(sentence: str) -> Account:
    checks = [
        "See `switchboard status`: the registrar must be up.",
        "It may just have been asked: look again.",
    ]
    return Account([sentence], failed=True, advice=checks)


def _done(asked: str, request: LenientMessage, answer: LenientMessage) -> Account:
    if not answer.all("contact") or _lasts_s(request) == "0":
        return Account([f"{asked}withdrew its registration."], failed=False, advice=[])
    lasts_s = _lasts_s(answer) or _lasts_s(request)
    sentence = f"{asked}registered for {lasts_s} s." if lasts_s else f"{asked}registered."
    return Account([sentence], False, unreachable_addresses(request, short(request.callee)))


def _lasts_s(parsed: LenientMessage) -> str:
    """Seconds as they stand in Contact or Expires; "" if in neither."""
    match = _EXPIRES.search(parsed.first("contact"))
    return match[1] if match else parsed.first("expires")


def _refused(asked: str, request: LenientMessage, answer: LenientMessage, place: Place) -> Account:
    if answer.status in CHALLENGES:
        advice = _unauthorized(request, answer, place)
    elif answer.status == 403:
        advice = _forbidden(request, answer, place)
    else:
        advice = _REFUSALS.get(answer.status, Advice("It was refused"))
    checks = list(at_fault([request, answer])) or [*advice.checks]
    return Account([asked, f"{advice.sentence} ({_shown(answer)})."], failed=True, advice=checks)


def _forbidden(request: LenientMessage, answer: LenientMessage, place: Place) -> Advice:
    """Which of its rules the switchboard applied: not every language's phrase tells."""
    if is_edges(answer):
        return access_denied(request.seen.source.host, "REGISTER", place)
    if _shows_credentials(request):
        return Advice(
            f"It has the password of another user than {short(request.callee)}, whose address it wanted to "
            "register; a user may register for itself only",
            ("Make user name and account name (authentication name) in the phone the same.",),
        )
    if 0 < place.max_contacts < len(request.contacts):
        return Advice(
            f"It named {len(request.contacts)} contacts, and one user may have {place.max_contacts}",
            ("Set max_contacts (SWITCHBOARD_MAX_CONTACTS) higher, or register fewer.",),
        )
    return _REFUSALS[403]


def _shows_credentials(request: LenientMessage) -> bool:
    return bool(request.first("authorization") or request.first("proxy-authorization"))


def _unauthorized(request: LenientMessage, answer: LenientMessage, place: Place) -> Advice:
    if "stale=true" in answer.first("www-authenticate"):
        return Advice(
            "Its password is right, and proved for an old question; it was asked anew",
            ("A phone answers the new question at once: look whether it registered after this.",),
        )
    user = short(request.callee)
    if place.is_user(user) is False:
        return Advice(
            f"There is no user {user}; the phone is not told so",
            (f"Correct the name in the phone, or make the user: switchboard user add {user}",),
        )
    if _shows_credentials(request):
        name = "; the user name for it is the part of the address before the @"
        return Advice("Its password is wrong", (f"Enter the password again{name}.",))
    return Advice(
        "The switchboard asked for a password, and the phone gave none", _without(request, user, place)
    )


def _without(request: LenientMessage, user: str, place: Place) -> tuple[str, ...]:
    """What to check of a phone that shows no password: some have one, and cannot read the question."""
    offered = place.algorithms(user)
    if offered:
        agent = request.first("user-agent")
        told = advise(Failing(user, 1, request.seen.source.host, agent, "", 0.0), offered)
        return (f"{told[0].upper()}{told[1:]}.",)
    return (
        "Enter the password in the phone's account.",
        "A phone that has one answers the question at once: if it has, it may not know what to make of "
        "the algorithms that are asked for (WWW-Authenticate): `switchboard doctor` says what to set.",
    )
