"""Which messages of a Call-ID belong to which call: the tags tell (RFC 3261 §12)."""

from collections.abc import Iterator, Sequence

from switchboard.history.glance import Glance


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
