"""What a final response that was no success means for people, and what they can check.

`{caller}` and `{callee}` are the users' names, `{domain}` is what was dialled behind the @, `{answer}` the
status and phrase as the caller got them.
"""

from typing import NamedTuple


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
