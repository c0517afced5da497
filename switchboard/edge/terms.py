"""Whose turn it is: the terms of routers, by which the edge tells a router that acts from one that was declared dead.

Theory. A router that is silent may be dead, or stopped, or behind a cut link, and nobody can tell. Before another one
takes over its calls, it must be certain that nothing it sends reaches a phone any more. All that routers on other hosts
send passes the edge's write side. So a router labels what it sends with its *term*, a number that the edge has told it,
and the edge raises the term when it declares the router dead: what bears an older one is not sent from then on (it is
*fenced*), whenever it was decided. The table of terms is in a file, which edge-rx writes before it tells the others; so
a worker of the edge that is started again knows it, too.

A label is part of the subject: `sip.send ROUTER TERM`. The items behind it are those of `sip.send`.
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

from switchboard.bus import frames
from switchboard.storage.room import write_all

FILE: Final = "terms.json"
SUBJECT: Final = "sip.send"
HEAD: Final = frames.head(SUBJECT)
_LABELLED = SUBJECT.encode() + b" "
_TEXT_AT = 3  # in a head: behind list, version and the octet with the length of the text
_SIZE_MASK, _SHORT = 0x1F, 0xA0


class Term(NamedTuple):
    """`holder`: who has the calls of the router, itself or another one that has taken them over."""

    term: int
    holder: int


Terms = dict[int, Term]
"""By the number of the router."""


def first_terms(routers: Iterable[int]) -> Terms:
    """Of routers that were never declared dead."""
    return {number: Term(0, number) for number in routers}


def label(router: int, term: int) -> bytes:
    """Return the head of a frame of `sip.send` that this router sends in this term."""
    return frames.head(f"{SUBJECT} {router} {term}")


def pack_terms(terms: Terms) -> list[list[int]]:
    """As the bus and the file have them."""
    return [[number, *each] for number, each in terms.items()]


def read_terms(value: Any) -> Terms | None:
    """What `pack_terms` made; None if it is no such thing."""
    if not isinstance(value, list):
        return None
    if not all(isinstance(each, list) and tuple(map(type, each)) == (int, int, int) for each in value):
        return None
    return {number: Term(term, holder) for number, term, holder in value}


def load_terms(path: Path, routers: Iterable[int]) -> Terms:
    """Those of these routers, as they were saved last."""
    found: Terms = {}
    with suppress(OSError, ValueError):
        found = read_terms(json.loads(path.read_bytes())) or {}
    return {number: found.get(number, first) for number, first in first_terms(routers).items()}


def save_terms(path: Path, terms: Terms) -> None:
    """Write them so that a reader finds these or the ones before. OSError."""
    beside = path.with_suffix(".new")
    with beside.open("wb", buffering=0) as file:
        write_all(file.fileno(), json.dumps(pack_terms(terms)).encode())
    beside.replace(path)


class Fence:
    """Lets pass what routers send in their terms. `fenced`: items that were not sent."""

    def __init__(self, terms: Mapping[int, Term]) -> None:
        self.fenced = 0
        self.take(terms)

    def take(self, terms: Mapping[int, Term]) -> None:
        """From now on these are the terms."""
        self._open = {label(number, each.term) for number, each in terms.items()}

    def pass_on(self, frame: bytes) -> bytes | None:
        """Return a labelled frame without its label, b"" if it is fenced; None: it bears no label."""
        if not frame.startswith(_LABELLED, _TEXT_AT) or frame[2] & ~_SIZE_MASK != _SHORT:
            return None
        head = frame[: _TEXT_AT + (frame[2] & _SIZE_MASK)]
        if head in self._open:
            return HEAD + frame[len(head) :]
        body = frames.unpack(frame)[1]
        self.fenced += len(body) if isinstance(body, list) else 1
        return b""
