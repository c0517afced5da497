"""What is sent to who has proved nothing: no more than was received, and where that came from.

The address may be forged, and whoever owns it would get what we send.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeVar

from switchboard.auth.digest import brief
from switchboard.sip.message import Message
from switchboard.sip.respond import build_response

LONGER_A_SECOND: Final = 10
"""So many answers that are longer than their requests does one address get."""
SOURCES_A_SECOND: Final = 10_000
"""Of so many addresses they are counted; others of that second get none."""
_LENGTH = b"Content-Length: 0\r\n\r\n"
_COMPACT_LENGTH = b"l: 0\r\n\r\n"

Place = TypeVar("Place", bound=tuple[Any, ...])
"""Begins with a host."""
Headers = Sequence[tuple[str, str]]


class Answers:
    """Makes the answers of one worker; `withheld` counts those that were too long and too many."""

    def __init__(self) -> None:
        self.withheld = 0
        self._second = 0
        self._longer: dict[str, int] = {}

    def make(
        self,
        request: Message,
        host: str,
        status: int,
        reason: str,
        headers: Headers,
        *,
        to_tag: str,
        top_via: bytes,
        now_at: float,
    ) -> bytes:
        """The answer to `request` from `host`: the longest that is no longer, else the shortest.

        None, b"", if that is longer, too, and the host had several such within the second. `now_at`: epoch s.
        """
        room = len(request.raw)
        raw = build_response(request, status, reason, to_tag, headers, top_via)
        if len(raw) <= room:
            return raw
        for shorter in _shorter(headers):
            raw = _compact(build_response(request, status, reason, to_tag, shorter, top_via))
            if len(raw) <= room:
                return raw
        return raw if self._allows(host, int(now_at)) else b""

    def _allows(self, host: str, second: int) -> bool:
        if second != self._second:
            self._second, self._longer = second, {}
        sent = self._longer.get(host, 0)
        allowed = sent < LONGER_A_SECOND and (sent > 0 or len(self._longer) < SOURCES_A_SECOND)
        if allowed:
            self._longer[host] = sent + 1
        else:
            self.withheld += 1
        return allowed


def believed(target: Place, source: Place) -> Place:
    """Where it goes: to the `target` that Via tells if that is the sender's address, else back (no maddr)."""
    return target if target[0] == source[0] else source


def _shorter(headers: Headers) -> Iterator[Headers]:
    """Header fields in ever fewer octets; of several challenges, one remains at last."""
    every = [(name, brief(value)) for name, value in headers]
    yield every
    if len(every) > 1:
        yield [min(every, key=lambda each: len(each[1]))]


def _compact(raw: bytes) -> bytes:
    """Its last line in the compact form (RFC 3261 §7.3.3)."""
    return raw.removesuffix(_LENGTH) + _COMPACT_LENGTH
