"""What the INVITEs of a call say of how it was forwarded: their History-Info (RFC 7044), and when they left."""

import re
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from switchboard.history.account import seconds
from switchboard.history.lenient import LenientMessage, short
from switchboard.sip.address import NameAddr, split_values
from switchboard.sip.errors import ParseError

_REASON: Final = re.compile(r"[?&]Reason=SIP%3Bcause%3D([0-9]{3})(?:%3Btext%3D%22(.*?)%22)?", re.IGNORECASE)
_SAID: Final = {
    "302": "{} forwards all calls",
    "486": "{} was busy",
    "480": "No phone of {} was there",
}
_DND, _GROUP = "Do%20Not%20Disturb", "Group"


class Entry(NamedTuple):
    """One hi-entry: whom it names, why the call went on from there (status, text; "": it did not), and its kind."""

    name: str
    cause: str
    text: str
    is_contact: bool


def entries_of(parsed: LenientMessage) -> list[Entry]:
    """The history of a request; what cannot be read is left out."""
    values = (value for line in parsed.all("history-info") for value in split_values(line))
    return [entry for value in values if (entry := _entry(value))]


def who_is_called(parsed: LenientMessage) -> str:
    """Whose phone gets a forwarded request; "" if it was not forwarded."""
    names = [entry.name for entry in entries_of(parsed) if not entry.is_contact]
    return names[-1] if names else ""


def forwards(sent: Sequence[LenientMessage]) -> Iterator[str]:
    """Yield a sentence for each forward, of the INVITEs `sent` to phones in their order."""
    told: set[tuple[str, str]] = set()
    began_ns, way = 0, None
    for each in sent:
        entries = [entry for entry in entries_of(each) if not entry.is_contact]
        steps = [step for step in zip(entries, entries[1:], strict=False) if step[0].cause]
        if way != len(steps):
            lasted_ns, began_ns, way = each.seen.at_ns - began_ns, each.seen.at_ns, len(steps)
        for by, to in steps:
            if (by.name, to.name) not in told:
                told.add((by.name, to.name))
                yield f"{_why(by, lasted_ns)}, so the call went to {to.name}."


def _why(by: Entry, lasted_ns: int) -> str:
    if by.text == _DND:
        return f"{by.name} did not want to be disturbed"
    if by.text == _GROUP:
        return f"Nobody of {by.name} took the call for {seconds(lasted_ns)}"
    if by.cause == "408":
        return f"{by.name} did not answer for {seconds(lasted_ns)}"
    return _SAID.get(by.cause, "{} did not take the call").format(by.name)


def _entry(value: str) -> Entry | None:
    try:
        address = NameAddr.parse(value)
    except ParseError:
        return None
    uri, reason = address.uri.partition("?")[0], _REASON.search(address.uri)
    cause, text = (reason[1], reason[2] or "") if reason else ("", "")
    return Entry(short(uri), cause, text, address.param("rc") is not None)
