"""What happened to a call or a registration, told from its messages."""

from collections.abc import Iterable, Iterator, Sequence

from switchboard.history.account import Account, Advice, access_denied, at_fault, is_edges, seconds
from switchboard.history.explain_call import explain_call
from switchboard.history.explain_registration import explain_registration
from switchboard.history.lenient import LenientMessage, short, shown_status
from switchboard.history.place import NOWHERE, Place
from switchboard.history.seen import Direction, Seen


def calls_of(parsed_messages: Sequence[LenientMessage]) -> list[list[LenientMessage]]:
    """The messages of each call, oldest first, in the order in which the calls began.

    Calls differ in their caller's tag; one that is over when the next INVITE comes, in no more than time.
    """
    tags = list(dict.fromkeys(each.from_tag for each in parsed_messages if _begins(each)))
    if len(tags) == 1:
        calls = list(_in_time(parsed_messages))
    else:
        calls = [
            call for tag in tags for call in _in_time([each for each in parsed_messages if _bears(each, tag)])
        ]
    return sorted(calls, key=lambda call: call[0].seen.at_ns)


def _begins(parsed: LenientMessage) -> bool:
    return parsed.method == "INVITE" and parsed.is_initial


def _bears(parsed: LenientMessage, tag: str) -> bool:
    return parsed.from_tag == tag or (bool(tag) and parsed.to_tag == tag)


def _in_time(parsed_messages: Sequence[LenientMessage]) -> Iterator[list[LenientMessage]]:
    """Split the messages before each INVITE that comes after one was accepted."""
    call: list[LenientMessage] = []
    has_begun, accepted = False, ""
    for parsed in parsed_messages:
        if accepted and parsed.comes_in and _begins(parsed) and parsed.branch != accepted:
            yield call
            call, has_begun, accepted = [], False, ""
        call.append(parsed)
        has_begun = has_begun or _begins(parsed)
        if has_begun and parsed.goes_out and parsed.method == "INVITE" and 200 <= parsed.status < 300:
            accepted = accepted or parsed.branch
    yield call


MOST_TOLD = 5
"""Calls of one Call-ID that are told, the last ones."""


def explain(messages: Iterable[Seen], place: Place = NOWHERE) -> Account:
    """Return the account of the messages of one Call-ID at the switchboard `place`."""
    parsed_messages = [LenientMessage.of(seen) for seen in messages if seen.direction is not Direction.HOP]
    parsed_messages.sort(key=lambda parsed: parsed.seen.at_ns)
    if not parsed_messages:
        return Account(["Nothing is known of it."], failed=False, advice=[])
    if is_edges(parsed_messages[0]) and not any(parsed.is_request for parsed in parsed_messages):
        return _turned_away(parsed_messages[0], place)
    if any(parsed.is_initial and parsed.method == "INVITE" for parsed in parsed_messages):
        return _explain_calls([explain_call(each, place) for each in calls_of(parsed_messages)])
    if parsed_messages[0].method == "REGISTER":
        return explain_registration(parsed_messages, place)
    return _explain_other(parsed_messages)


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


_BY_EDGE = {
    503: Advice(
        "The switchboard had more to do than it could, and asked to try again later",
        ("See `switchboard top`.",),
    ),
    513: Advice(
        "The message is larger than one may be from where no phone is registered",
        ("Register the phone first, or set max_message_bytes (SWITCHBOARD_MAX_MESSAGE_BYTES) higher.",),
    ),
}


def _turned_away(answer: LenientMessage, place: Place) -> Account:
    """The edge answered a request by itself: then nobody sees more of it than that answer."""
    phone = answer.seen.destination
    asked = {
        "INVITE": f"{short(answer.caller)} at {phone} called {short(answer.callee)}.",
        "REGISTER": f"The phone of {short(answer.callee)} at {phone} wanted to register.",
    }.get(answer.method, f"{short(answer.caller)} at {phone} sent {answer.method} to {short(answer.callee)}.")
    if answer.status == 403:
        why = access_denied(phone.host, answer.method, place)
    else:
        why = _BY_EDGE.get(answer.status, Advice("The switchboard turned it away"))
    return Account([asked, f"{why.sentence} ({shown_status(answer)})."], failed=True, advice=list(why.checks))


def _explain_kept(parsed_messages: Sequence[LenientMessage]) -> list[str]:
    """What became of a text that was kept, since no phone took it; nothing if it was not (docs/MESSAGES.md)."""
    accepted = [at for at, each in enumerate(parsed_messages) if each.goes_out and each.status == 202]
    if not accepted or any(
        each.comes_in and 200 <= each.status < 300 for each in parsed_messages[: accepted[0]]
    ):
        return []
    answer, later = parsed_messages[accepted[0]], parsed_messages[accepted[0] :]
    tried = len({each.branch for each in later if each.goes_out and each.is_request})
    taken = next((each for each in later if each.comes_in and 200 <= each.status < 300), None)
    kept = "No phone took it: the switchboard keeps it, and has told so (202)."
    if taken is not None:
        waited = seconds(taken.seen.at_ns - answer.seen.at_ns)
        return [kept, f"{short(answer.callee)} got it {waited} later, at {taken.seen.source}."]
    return [kept, f"It was tried {tried} times since." if tried else "It was not tried again yet."]


def _explain_other(parsed_messages: Sequence[LenientMessage]) -> Account:
    first = parsed_messages[0]
    answers = [each for each in parsed_messages if each.goes_out and each.status >= 200]
    asked = f"{short(first.caller)} sent {first.method} to {short(first.callee)}."
    if not answers:
        return Account([asked, "No answer has been seen."], failed=False, advice=[])
    if first.method == "MESSAGE" and (sentences := _explain_kept(parsed_messages)):
        return Account([asked, *sentences], failed=False, advice=[])
    answer = answers[-1]
    text = f"The answer was {answer.status} {answer.phrase}."
    return Account([asked, text], failed=answer.status >= 300, advice=list(at_fault(parsed_messages)))
