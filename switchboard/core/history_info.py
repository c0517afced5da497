"""What a forwarded INVITE says of how it came here: History-Info (RFC 7044), and Diversion for old trunks (RFC 5806).

The entries of each forward follow those that came with the request:

    <sip:lenka@pbx.example?Reason=SIP%3Bcause%3D486>;index=1
    <sip:lukas@pbx.example>;index=1.1;mp=1                      another user, by a rule of the one before
    <sip:lukas@10.0.0.11:5060>;index=1.1.1;rc=1.1               a contact of that user

The first one names who forwarded, also where another number of that user was dialled, or a provider called us by the
URI of its account, which is nobody else's business. Who wants privacy of the history (RFC 7044 §10.1) gets anonymous
entries where the call leaves us.
"""

import re
from collections.abc import Iterable
from typing import Final, NamedTuple
from urllib.parse import quote

from switchboard.core.call_plan import Forward, Stage, Why
from switchboard.core.call_rules import GROUP
from switchboard.core.target import Target
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.uri import is_sip

Lines = list[tuple[int, int]]

_NAME: Final = b"history-info"
_ANONYMOUS: Final = "sip:anonymous@anonymous.invalid"
_INDEX: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,4}){0,20}")
_PRIVATE: Final = frozenset(("history", "session", "header", "user", "full"))
_CAUSES: Final = {
    Why.ALWAYS: 302, Why.BUSY: 486, Why.NO_ANSWER: 408, Why.UNREGISTERED: 480, Why.DND: 480, Why.GROUP: 408,
}  # fmt: skip
_TEXTS: Final = {Why.DND: "%3Btext%3D%22Do%20Not%20Disturb%22", Why.GROUP: "%3Btext%3D%22Group%22"}
"""What the cause does not tell, escaped (RFC 3326)."""
_DIVERSIONS: Final = {
    Why.ALWAYS: "unconditional", Why.BUSY: "user-busy", Why.NO_ANSWER: "no-answer",
    Why.UNREGISTERED: "unavailable", Why.DND: "do-not-disturb", Why.GROUP: "no-answer",
}  # fmt: skip


class _Entry(NamedTuple):
    """One hi-entry. `tag`: how its target was found ("np", "mp", "rc"), from the entry before it; "": unknown."""

    uri: str
    tag: str
    why: str = ""


def history_lines(request: Message, stage: Stage, user: str, target: Target) -> list[bytes]:
    """The History-Info lines of the copy for `target`, of a user of ours or ("") outside; those that came first."""
    came = request.values("history-info")
    last = _last_index(came)
    entries = _entries(request.uri, stage.forwards, user, target, "np" if last else "")
    if not user and _PRIVATE & wanted_privacy(request):
        entries = [entry._replace(uri=_ANONYMOUS) for entry in entries[:-1]] + entries[-1:]
    values = [*came, *_values(entries, last)]
    return [f"History-Info: {value}".encode("utf-8", "surrogateescape") for value in values]


def lines_that_came(request: Message) -> Lines:
    """Start and end of the History-Info lines of a request, which `history_lines` has in their place."""
    others = request.lines(Header.OTHER)
    return [
        line for line in others if request.raw[line[0] : line[1]].partition(b":")[0].strip().lower() == _NAME
    ]


def diversion_lines(request: Message, host: str, forwards: Iterable[Forward]) -> list[bytes]:
    """The Diversion lines of the copy for an old trunk, the last forward first. `host`: of ours, as in URIs."""
    privacy = ";privacy=full" if _PRIVATE & wanted_privacy(request) else ""
    return [
        f"Diversion: <{_uri(forward.by, host)}>;reason={_DIVERSIONS[Why(forward.why)]};counter=1{privacy}".encode()
        for forward in reversed(list(forwards))
    ]


def wanted_privacy(request: Message) -> set[str]:
    """What the caller wants to be kept private (RFC 3323 §4.2), lower case."""
    return {each.strip().lower() for value in request.all("privacy") for each in value.split(";")}


def _entries(
    dialled: str, forwards: tuple[Forward, ...], user: str, target: Target, first_tag: str
) -> list[_Entry]:
    """Who was called, one after the other, up to `target`."""
    host = _host_of(dialled)
    whys = [forward.why for forward in forwards]
    names = [_uri(forward.to, host) for forward in forwards]
    entries = [_Entry(_uri(forwards[0].by, host), first_tag, whys[0])]
    entries += [_Entry(name, "mp", why) for name, why in zip(names, [*whys[1:], ""], strict=True)]
    if not user:
        return [*entries[:-1], _Entry(target.text, "mp")]
    if (its_uri := _uri(user, host)) != names[-1]:
        entries.append(_Entry(its_uri, "mp"))
    return [*entries, _Entry(target.text, "rc")]


def _values(entries: Iterable[_Entry], last: str) -> list[str]:
    values = []
    for entry in entries:
        reason = _reason(Why(entry.why)) if entry.why else ""
        index = f"{last}.1" if last else "1"
        values.append(f"<{entry.uri}{reason}>;index={index}" + (f";{entry.tag}={last}" if entry.tag else ""))
        last = index
    return values


def _reason(why: Why) -> str:
    return f"?Reason=SIP%3Bcause%3D{_CAUSES[why]}{_TEXTS.get(why, '')}"


def _last_index(values: list[str]) -> str:
    """The index of the last entry that came; "" if none can be read."""
    try:
        index = NameAddr.parse(values[-1]).param("index") if values else None
    except ParseError:
        return ""
    return index if index and _INDEX.fullmatch(index) else ""


def _uri(destination: str, host: str) -> str:
    if is_sip(destination):
        return destination
    return f"sip:{quote(destination.removeprefix(GROUP), safe='+*')}@{host}"


def _host_of(uri: str) -> str:
    """Host and port as they stand in a URI (already parsed once)."""
    return re.split("[;?]", uri.rpartition("@")[2], maxsplit=1)[0]
