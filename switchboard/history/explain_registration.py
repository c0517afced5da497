"""Tells in plain words what became of a phone's registration."""

import re
from collections.abc import Sequence

from switchboard.history.account import Account, Advice, at_fault, unreachable_addresses
from switchboard.history.lenient import LenientMessage, host_of, short

CHALLENGES = (401, 407)
_EXPIRES = re.compile(r";\s*expires\s*=\s*([0-9]+)", re.IGNORECASE)
_REFUSALS = {
    400: Advice(
        "The switchboard could not make sense of it", ("The phrase names the field that is broken.",)
    ),
    403: Advice(
        "It was refused",
        (
            "Do user name and account name in the phone agree? A user may register for itself only.",
            "If the phrase says so, it named more contacts than one user may have (setting max_contacts).",
        ),
    ),
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


def explain_registration(parsed_messages: Sequence[LenientMessage]) -> Account:
    """The account of REGISTERs with one Call-ID, oldest first: how the last one ended."""
    request = [each for each in parsed_messages if each.comes_in and each.is_request][-1:]
    if not request:
        return Account(["Only answers to a registration were seen, not the request."], False, [])
    last = request[0]
    answer = next((each for each in parsed_messages if each.goes_out and _answers(each, last)), None)
    user, source = short(last.callee), last.seen.source
    agent = f" ({last.first('user-agent')})" if last.first("user-agent") else ""
    asked = f"The phone of {user} at {source}{agent} "
    if answer is None:
        return _unanswered(f"{asked}wanted to register, and got no answer.")
    if answer.status >= 300:
        return _refused(f"{asked}wanted to register.", last, answer)
    return _done(asked, last, answer)


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


def _refused(asked: str, request: LenientMessage, answer: LenientMessage) -> Account:
    shown = f"{answer.status} {answer.phrase}"
    if answer.status in CHALLENGES:
        return _unauthorized(asked, request, answer, shown)
    advice = _REFUSALS.get(answer.status, Advice("It was refused"))
    checks = list(at_fault([request, answer])) or [*advice.checks]
    if answer.status in (403, 404):
        checks.append(f"The domain in the phone is {host_of(request.callee)}.")
    return Account([asked, f"{advice.sentence} ({shown})."], failed=True, advice=checks)


def _unauthorized(asked: str, request: LenientMessage, answer: LenientMessage, shown: str) -> Account:
    if "stale=true" in answer.first("www-authenticate"):
        checks = ["A phone answers the new question at once: look whether it registered after this."]
        sentence = f"Its password is right, and proved for an old question; it was asked anew ({shown})."
        return Account([asked, sentence], failed=True, advice=checks)
    if request.first("authorization") or request.first("proxy-authorization"):
        checks = ["Enter the password again; the user name for it is the part of the address before the @."]
        return Account([asked, f"Its password is wrong ({shown})."], failed=True, advice=checks)
    checks = [
        "Enter the password in the phone's account.",
        "A phone that has one answers the question at once: if it has, it may not know what to make of "
        "the algorithms that are asked for (WWW-Authenticate): `switchboard doctor` says what to set.",
    ]
    return Account(
        [asked, f"The switchboard asked for a password ({shown}), and the phone gave none."], True, checks
    )
