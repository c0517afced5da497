"""Items of frames that carry messages."""

from typing import Any

import pytest
from flows import packed, udp

from switchboard import codec
from switchboard.bus.items import (
    RECEIVED,
    REGISTERED,
    SENT,
    Shape,
    flow_of,
    has_shape,
    message_in,
    pack_received,
    pack_sent,
)

FLOW = udp("192.0.2.9", 5060, "192.0.2.1")
PACKED = FLOW.pack()


@pytest.mark.parametrize(
    ("item", "has"),
    [
        ([PACKED, b"index", b"raw"], True),
        ([PACKED, b"index"], False),
        ([PACKED, "index", b"raw"], False),
        ([PACKED, b"index", b"raw", b""], False),
        ((PACKED, b"index", b"raw"), False),
        (1.5, False),
        (None, False),
    ],
)
def test_shape_of_an_item(item: object, has: bool) -> None:
    assert has_shape(item, RECEIVED) is has


@pytest.mark.parametrize(
    ("subject", "item"),
    [
        ("sip.received", codec.unpack(pack_received(PACKED, b"index", b"raw"))),
        ("sip.send", codec.unpack(pack_sent(PACKED, b"raw"))),
        ("sip.translate", [PACKED, b"raw", "lukas", "sk"]),
        ("sip.translate", [PACKED, b"raw"]),
    ],
)
def test_the_message_of_an_item(subject: str, item: Any) -> None:
    assert message_in(subject, item) == (FLOW, b"raw")


@pytest.mark.parametrize(
    ("subject", "item"),
    [
        ("sip.received", 12.5),
        ("sip.received", [PACKED, b"raw"]),
        ("sip.send", [PACKED, b"raw", "lukas", "sk"]),
        ("sip.send", [b"no flow", b"raw"]),
        ("source.registered", [PACKED]),
    ],
)
def test_other_items_hold_none(subject: str, item: Any) -> None:
    assert message_in(subject, item) is None


@pytest.mark.parametrize(("item", "shape"), [([PACKED], REGISTERED), ([PACKED, b"raw"], SENT)])
def test_the_flow_of_an_item(item: list[object], shape: Shape) -> None:
    assert flow_of(item, shape) == FLOW
    assert flow_of([*item, None], shape) is None
    assert flow_of([packed("", 0)[:3], *item[1:]], shape) is None
