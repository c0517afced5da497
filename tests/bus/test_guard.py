"""Who is let in, and what is said of those who are not."""

from collections.abc import Iterator

import pytest
import zmq
from zmq.utils import z85

from switchboard.bus.context import BusContext
from switchboard.bus.guard import ENDPOINT, STRANGERS_KEPT, TOLD, TRIES_WITHIN_S, Guard, fingerprint

KNOWN, UNKNOWN = bytes(range(32)), bytes(32)


@pytest.mark.parametrize(
    ("mechanism", "credentials", "status", "refused"),
    [
        (b"CURVE", [KNOWN], b"200", 0),
        (b"CURVE", [UNKNOWN], b"400", 1),
        (b"CURVE", [], b"400", 1),
        (b"NULL", [], b"400", 1),
        (b"PLAIN", [b"admin", b"admin"], b"400", 1),
    ],
)
def test_answers(
    context: BusContext, mechanism: bytes, credentials: list[bytes], status: bytes, refused: int
) -> None:
    guard = Guard(context, lambda: {"10.0.0.1": z85.encode(KNOWN)})
    asker = context.socket(zmq.REQ)
    asker.connect(ENDPOINT)
    asker.send_multipart([b"1.0", b"7", b"switchboard", b"10.0.0.9", b"", mechanism, *credentials])
    guard.serve()
    version, request, answered, *_ = asker.recv_multipart()
    assert (version, request, answered) == (b"1.0", b"7", status)
    assert (guard.refused, len(guard.look(0.0)), len(guard.notes(1.0))) == (refused, refused, refused)
    guard.close()


class Door:
    """A guard, and who knocks."""

    def __init__(self, context: BusContext) -> None:
        self.publics = {"10.0.0.1": z85.encode(KNOWN)}
        self.guard = Guard(context, lambda: self.publics)
        self._asker = context.socket(zmq.REQ)
        self._asker.connect(ENDPOINT)

    def knock(self, address: str, key: bytes) -> bytes:
        """Return what the answer is."""
        self._asker.send_multipart([b"1.0", b"7", b"", address.encode(), b"", b"CURVE", key])
        self.guard.serve()
        return self._asker.recv_multipart()[2]


@pytest.fixture
def door(context: BusContext) -> Iterator[Door]:
    door = Door(context)
    yield door
    door.guard.close()


def test_a_stranger_is_named_once_and_noted_as_long_as_it_tries(door: Door) -> None:
    for second in range(0, 30, 3):
        door.knock("10.0.0.9", UNKNOWN)
        lines = door.guard.look(float(second))
        assert len(lines) == (second == 0)
        assert len(door.guard.notes(second + 1.0)) == 1
    assert door.guard.notes(27 + TRIES_WITHIN_S + 1) == []
    assert door.guard.refused == 10


def test_what_to_do_is_said_of_a_host_of_ours(door: Door) -> None:
    door.knock("10.0.0.1", UNKNOWN)
    door.knock("10.0.0.9", UNKNOWN)
    ours, other = door.guard.look(0.0)
    assert ours == (
        f"10.0.0.1 is refused, its key {fingerprint(UNKNOWN)} is unknown here: that host had {fingerprint(KNOWN)}. "
        "If it has new keys, copy its *.key to keys_dir here"
    )
    assert other == (
        f"10.0.0.9 is refused, its key {fingerprint(UNKNOWN)} is unknown here, and so is that address: "
        "none of the switchboard's hosts has it"
    )


def test_a_key_that_is_copied_here_is_known_soon(door: Door) -> None:
    assert door.knock("10.0.0.1", UNKNOWN) == b"400"
    door.publics = {"10.0.0.1": z85.encode(UNKNOWN)}
    door.guard.look(0.0)
    assert door.guard.notes(0.0) == []
    assert door.knock("10.0.0.1", UNKNOWN) == b"200"
    assert door.knock("10.0.0.1", KNOWN) == b"400"


def test_many_strangers_take_a_bounded_memory(door: Door) -> None:
    for number in range(3 * STRANGERS_KEPT):
        door.knock(f"10.{number >> 8}.{number & 255}.9", UNKNOWN)
        if number % 7 == 0:
            door.guard.look(0.0)
    assert 0 < len(door.guard.look(0.0)) <= TOLD
    *notes, last = door.guard.notes(0.0)
    assert len(notes) == TOLD
    assert TOLD < int(last.removesuffix(" more are refused")) < 2 * STRANGERS_KEPT


def test_a_fingerprint_is_of_the_key_however_it_is_written() -> None:
    assert fingerprint(KNOWN) == fingerprint(z85.encode(KNOWN)) == "630d-cd29-66c4-3366"
