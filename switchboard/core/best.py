"""Choosing among the final responses of a fork (RFC 3261 §16.7 steps 6 and 7)."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import add_lines

_LARGEST = 65_000
_PREFERRED = (401, 407, 415, 420, 484)
_CHALLENGES = {401: Header.WWW_AUTHENTICATE, 407: Header.PROXY_AUTHENTICATE}


class Final(NamedTuple):
    """A branch's final response; `message` is None for one that we made up (timeout, unreachable)."""

    status: int
    message: Message | None = None


def best(finals: Sequence[Final]) -> Final:
    """Return the one to forward: a 6xx if there is any, else one of the lowest class (step 6)."""
    return min(finals, key=_rank)


def _rank(final: Final) -> tuple[int, int, bool]:
    kind = final.status // 100
    preferred = _PREFERRED.index(final.status) if final.status in _PREFERRED else len(_PREFERRED)
    return (0 if kind == 6 else kind, preferred, final.message is None)


def gathered_challenges(chosen: Final, finals: Iterable[Final]) -> list[bytes]:
    """Return the challenge lines of the other 401s and 407s, to be added to `chosen` (step 7)."""
    if chosen.status not in _CHALLENGES:
        return []
    return [
        line for final in finals if final is not chosen and final.message for line in _lines(final.message)
    ]


def with_challenges(response: Message, lines: Sequence[bytes]) -> Message:
    """Return `response` with the challenge `lines` added; without them if no datagram could hold it."""
    raw = add_lines(response, lines) if lines else b""
    return parse_message(raw) if 0 < len(raw) <= _LARGEST else response


def _lines(response: Message) -> list[bytes]:
    header = _CHALLENGES.get(response.status)
    spans = response.lines(header) if header else []
    return [response.raw[start : end - 2] for start, end in spans]
