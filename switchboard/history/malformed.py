"""Requests that the switchboard could make no sense of: which field is at fault, and which phone wrote it."""

import re
from collections.abc import Iterator, Sequence

from switchboard.history.glance import Glance

_OUR_WARNING = re.compile(r'399 switchboard "(.*)"')


def at_fault(glances: Sequence[Glance]) -> Iterator[str]:
    """Yield a sentence for each request that was answered 400 with a Warning of ours."""
    for answer in glances:
        match = _OUR_WARNING.match(answer.first("warning"))
        if match and answer.goes_out and answer.status == 400:
            yield from _sentence(answer, match[1], glances)


def _sentence(answer: Glance, why: str, glances: Sequence[Glance]) -> Iterator[str]:
    for request in glances:
        if request.comes_in and (request.branch, request.cseq) == (answer.branch, answer.cseq):
            agent = request.first("user-agent")
            phone = f"{agent} at {request.seen.source}" if agent else f"The phone at {request.seen.source}"
            yield f"{phone} sent a malformed {request.method}: {why}. That phone is to blame."
            return
