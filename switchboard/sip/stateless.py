"""Answers without a transaction (RFC 3261 §8.2.7, §16.3): one for each request, without memory of it.

Theory. The source address of a datagram can be forged, and the owner of the address then gets our answer. To be
useless for such an attack, an answer must not be larger than the request. So every such answer goes back to the
source of the request, whatever its Via says, and has no more octets than the request. If it would be longer,
optional fields are left out, and then the whole answer. There are two exceptions: addresses that have proved that
they receive our answers, and a small number of additional octets a second for every other address.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from zlib import crc32

from switchboard.sip.address import split_values
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import COMPACT
from switchboard.sip.message import Message
from switchboard.sip.respond import (
    Hop,
    build_response,
    complete_value,
    received_via,
    reply_to,
    response_address,
    warning_of,
)
from switchboard.sip.via import Via

MORE_A_SECOND: Final = 4096
"""Octets that an address without proof gets beyond those that it sent, a second."""
SOURCES_A_SECOND: Final = 10_000
"""Addresses that are counted; others get none in that second."""
PROVED: Final = 20_000
"""Addresses with proof that are remembered; the oldest proof is forgotten first."""
PROVED_S: Final = 3600.0

Headers = Sequence[tuple[str, str]]
Answer = tuple[bytes, Hop]
"""A response, and where it goes."""

_NEVER_ANSWERED = (b"ACK ", b"SIP/")
_LENGTH = b"Content-Length: 0\r\n\r\n"
_COMPACT_LENGTH = b"l: 0\r\n\r\n"
_READABLE = re.compile(r"^(via|v|from|f|to|t|call-id|i|cseq)[ \t]*:([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_FOLD = re.compile(r"\r\n[ \t]+")
_TAG = re.compile(r";\s*tag\s*=", re.IGNORECASE)


def nobody() -> bool:
    """Nobody is known there."""
    return False


class StatelessAnswers:
    """Makes those of one worker; `withheld` counts the ones that were too long. `at`: epoch s."""

    def __init__(self, more_a_second: int = MORE_A_SECOND) -> None:
        self.withheld = 0
        self._more_a_second = more_a_second
        self._second = 0
        self._spent: dict[str, int] = {}
        self._proved: OrderedDict[Hop, float] = OrderedDict()

    def make(
        self,
        request: Message,
        source: Hop,
        status: int,
        reason: str = "",
        headers: Headers = (),
        optional: Headers = (),
        *,
        to_tag: str,
        at: float,
        is_known: Callable[[], bool] = nobody,
    ) -> Answer | None:
        """The answer to `request`; None if it would be too long. `optional` fields go first, the last before.

        `is_known`: whether a user is registered where it goes; asked only if it is longer than the request.
        """
        hop, via = return_path(request, source)
        forms = _forms(request, status, reason, headers, optional, to_tag, via)
        return self._choose(forms, len(request.raw), hop, at, is_known)

    def reject(self, raw: bytes, error: ParseError, source: Hop, at: float) -> Answer | None:
        """The answer to a request (untrusted) that cannot be read; None if it gets none.

        What stands in the readable Via, From, To, Call-ID and CSeq fields is copied (§8.2.6.2, §16.3 step 1).
        Retransmissions get the same To tag.
        """
        rejection = _rejection(raw, error, source)
        if rejection is None:
            return None
        whole, least, hop = rejection
        return self._choose(iter((whole, least, _compact(least))), len(raw), hop, at, nobody)

    def prove(self, hop: Hop, at: float) -> None:
        """Somebody at `hop` has got what was sent there."""
        self._proved[hop] = at
        self._proved.move_to_end(hop)
        if len(self._proved) > PROVED:
            self._proved.popitem(last=False)

    def _choose(
        self, forms: Iterator[bytes], room: int, hop: Hop, at: float, is_known: Callable[[], bool]
    ) -> Answer | None:
        """The longest of `forms`, ever shorter ones, that may be sent."""
        form = next(forms)
        if len(form) <= room or self._has_proved(hop, at) or is_known():
            return form, hop
        for form in forms:
            if len(form) <= room:
                return form, hop
        return (form, hop) if self._allows(hop[0], len(form) - room, int(at)) else None

    def _has_proved(self, hop: Hop, at: float) -> bool:
        return abs(at - self._proved.get(hop, -PROVED_S)) < PROVED_S

    def _allows(self, host: str, more: int, second: int) -> bool:
        if second != self._second:
            self._second, self._spent = second, {}
        spent = self._spent.get(host, 0)
        allowed = spent + more <= self._more_a_second and (spent > 0 or len(self._spent) < SOURCES_A_SECOND)
        if allowed:
            self._spent[host] = spent + more
        else:
            self.withheld += 1
        return allowed


def answer_no_longer(
    request: Message,
    source: Hop,
    status: int,
    reason: str = "",
    headers: Headers = (),
    optional: Headers = (),
    *,
    to_tag: str,
) -> Answer | None:
    """The answer to `request`, never longer than that; None where even the least is."""
    hop, via = return_path(request, source)
    for form in _forms(request, status, reason, headers, optional, to_tag, via):
        if len(form) <= len(request.raw):
            return form, hop
    return None


def return_path(request: Message, source: Hop) -> tuple[Hop, bytes | None]:
    """Where an answer goes, and the top Via, completed.

    If that is malformed: to the address and port that the request came from, and None.
    """
    try:
        return response_address(request, source), received_via(request, source)
    except ParseError:
        return source, None


def _forms(
    request: Message,
    status: int,
    reason: str,
    headers: Headers,
    optional: Headers,
    to_tag: str,
    via: bytes | None,
) -> Iterator[bytes]:
    """The answer in ever fewer octets."""
    form = b""
    for kept in range(len(optional), -1, -1):
        form = build_response(request, status, reason, to_tag, [*headers, *optional[:kept]], via)
        yield form
    yield _compact(form)


def _compact(form: bytes) -> bytes:
    """Its last line in the compact form (RFC 3261 §7.3.3)."""
    return form.removesuffix(_LENGTH) + _COMPACT_LENGTH


def _rejection(raw: bytes, error: ParseError, source: Hop) -> tuple[bytes, bytes, Hop] | None:
    """The whole response, the same without a Warning, and where it goes."""
    fields = {} if raw.startswith(_NEVER_ANSWERED) else _readable_fields(raw)
    if not fields.get("via", [""])[0]:
        return None
    vias, hop = _answered_vias(fields["via"], source)
    head = [_bytes(f"SIP/2.0 {error.status} {error.reason}"), *(b"Via: " + via for via in vias)]
    head += _copied(fields, f"{crc32(raw):08x}")
    forms = [
        b"\r\n".join([*head, *warning, _LENGTH])
        for warning in ([b"Warning: " + _bytes(warning_of(error))], [])
    ]
    return forms[0], forms[1], hop


def _answered_vias(lines: Sequence[str], source: Hop) -> tuple[list[bytes], Hop]:
    """The Via values, the first completed, and where the answer goes; as they stand if it is malformed."""
    try:
        values = [value for line in lines for value in split_values(line)]
        top = Via.parse(values[0])
        hop = reply_to(top, source)
    except ParseError:
        return [_bytes(line) for line in lines], source
    first, *others = map(_bytes, values)
    return [complete_value(first, top, source), *others], hop


def _readable_fields(raw: bytes) -> dict[str, list[str]]:
    """The values of the fields that a response copies, by long name in lower case, as far as they show."""
    head = raw.partition(b"\r\n\r\n")[0].decode("utf-8", "surrogateescape")
    fields: dict[str, list[str]] = {}
    for name, value in _READABLE.findall(_FOLD.sub(" ", head)):
        name = name.lower()
        fields.setdefault(COMPACT.get(name, name), []).append(value.strip())
    return fields


def _copied(fields: dict[str, list[str]], to_tag: str) -> Iterator[bytes]:
    for name in ("From", "To", "Call-ID", "CSeq"):
        for value in fields.get(name.lower(), [])[:1]:
            tag = f";tag={to_tag}" if name == "To" and not _TAG.search(value) else ""
            yield _bytes(f"{name}: {value}{tag}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
