"""What edge-rx hands on is stamped, and refused when its peers say that they are late."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from switchboard import codec
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.outbox import PackedOutbox
from switchboard.core.overload import Overload
from switchboard.edge.loads import FULL, KEPT, STAMP_EVERY_S, STAMP_ITEMS, Load


@pytest.fixture
def outbox(context: BusContext) -> Iterator[PackedOutbox]:
    """Nobody ever takes what is in it."""
    with TemporaryDirectory(prefix="sb") as directory:
        place = Endpoint(f"ipc://{Path(directory)}/router.0.in", "router.0")
        yield PackedOutbox(context, place, "sip.received", KEPT)


def test_a_stamp_comes_behind_what_waits_and_not_too_often(outbox: PackedOutbox) -> None:
    load = Load(outbox, Overload())
    load.stamp(100.0)
    assert not outbox.waiting, "there is nothing to stamp"
    for at in (101.0, 101.0 + STAMP_EVERY_S / 2, 102.0):
        outbox.put(codec.pack("item"))
        load.stamp(at)
    assert list(map(codec.unpack, outbox.take_back())) == ["item", 101.0, "item", "item", 102.0]


def test_a_burst_is_stamped_while_it_comes(outbox: PackedOutbox) -> None:
    load = Load(outbox, Overload())
    for number in range(3):
        outbox.put_all([codec.pack("item")] * (STAMP_ITEMS - 1))
        load.stamp(100.0 + number / 1000)
    stamps = [item for item in map(codec.unpack, outbox.take_back()) if isinstance(item, float)]
    assert stamps == [100.0, 100.001, 100.002]


def test_a_clock_that_was_set_back_does_not_keep_stamps_away(outbox: PackedOutbox) -> None:
    load = Load(outbox, Overload())
    for at in (1000.0, 10.0):
        outbox.put(codec.pack("item"))
        load.stamp(at)
    assert outbox.waiting == 4


def test_most_of_an_outbox_is_left_to_what_was_begun(outbox: PackedOutbox) -> None:
    overload = Overload()
    load = Load(outbox, overload)
    outbox.put_all([b""] * FULL)
    load.look(100.0)
    assert not overload.refuses(100.0, of_user=True)
    outbox.put(b"")
    load.look(100.0)
    assert overload.refuses(100.0, of_user=True)
    outbox.take_back()
    load.look(100.0)
    assert not overload.refuses(100.0, of_user=True)
