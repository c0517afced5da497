"""Puts phrases into packed items: from `sip.translate` to `sip.send`, the rest untouched."""

import msgpack  # type: ignore[import-untyped]

from switchboard.bus.frames import SENT, TRANSLATED, flow_of, pack_sent
from switchboard.phrases.phrases import Phrases

CLASSES = 7
"""Of responses, by the first digit of their code; 0 is none."""


class PhrasingInPython:
    """The reference of `Phrasing`. It knows `phrases` as they are now: whoever changes them makes another one."""

    def __init__(self, phrases: Phrases) -> None:
        self._phrases = phrases

    def rewrite(self, octets: bytes, start: int, count: int, by_class: list[int]) -> bytes | None:
        """Return as packed items of `sip.send` the `count` items that stand at `start` and end with the octets.

        Responses are counted `by_class`. None, and nothing is counted, if there is anything else.
        """
        unpacker = msgpack.Unpacker(unicode_errors="surrogateescape", max_buffer_size=len(octets) + 1)
        unpacker.feed(octets[start:])
        try:
            items = [unpacker.unpack() for _ in range(count)]
        except (ValueError, TypeError, OverflowError, msgpack.UnpackException):
            return None
        if start + unpacker.tell() != len(octets) or not all(map(_is_item, items)):
            return None
        return b"".join([self._rewrite(*item, by_class=by_class) for item in items])

    def _rewrite(self, flow: bytes, raw: bytes, *reader: str, by_class: list[int]) -> bytes:
        if not reader:
            return pack_sent(flow, raw)
        digit = raw[8:9]
        by_class[int(digit) if b"1" <= digit <= b"6" else 0] += 1
        return pack_sent(flow, self._phrases.translate(raw, *reader))


def _is_item(item: object) -> bool:
    return flow_of(item, SENT) is not None or flow_of(item, TRANSLATED) is not None


try:
    from switchboard._native.wire import Phrasing as Phrasing
except ImportError:
    Phrasing = PhrasingInPython  # type: ignore[assignment, misc]
