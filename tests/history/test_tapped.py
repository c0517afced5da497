"""Frames of the taps, read."""

from typing import Any

import pytest
from flows import packed

from switchboard.bus import frames
from switchboard.history.seen import Address, Direction, Seen
from switchboard.history.tapped import TapReader

AT_NS = 5


def passed(owner: str, number: int, peer: str, subject: str, items: Any) -> list[Any]:
    return [owner, number, [[AT_NS, peer, frames.pack(subject, items)]]]


RECEIVED = [packed("10.0.0.2", 5062, "10.0.0.1"), b"", b"in"]


def test_what_came_in() -> None:
    reader = TapReader("", 5060)
    body = passed("edge-rx.0", 1, "router.0", "sip.received", [RECEIVED, 12.5])
    came = Seen(AT_NS, Address("10.0.0.2", 5062), Address("10.0.0.1", 5060), b"in", Direction.IN, "router.0")
    assert list(reader.read(body)) == [came]


@pytest.mark.parametrize(
    ("sip_host", "local", "learnt", "source"),
    [
        ("", "10.0.0.9", True, "10.0.0.9"),
        ("", "", True, "10.0.0.1"),
        ("", "", False, "0.0.0.0"),
        ("10.0.0.7", "", True, "10.0.0.7"),
    ],
)
def test_what_went_out(sip_host: str, local: str, learnt: bool, source: str) -> None:
    """It left from where the frame says, from our only address, or from where that phone saw us before."""
    reader = TapReader(sip_host, 5060)
    if learnt:
        list(reader.read(passed("edge-rx.0", 1, "router.0", "sip.received", [RECEIVED])))
    body = passed("edge-tx.0", 1, "", "sip.send", [[packed("10.0.0.2", 5062, local), b"out"]])
    went = Seen(AT_NS, Address(source, 5060), Address("10.0.0.2", 5062), b"out", Direction.OUT)
    assert list(reader.read(body)) == [went]


def test_what_passed_between_workers() -> None:
    item = [packed("10.0.0.2", 5062), b"x", "lukas", "sk"]
    body = passed("router.1", 1, "translator.0", "sip.translate", [item])
    (seen,) = TapReader("", 5060).read(body)
    assert (seen.source.host, seen.destination.host, seen.direction) == (
        "router.1",
        "translator.0",
        Direction.HOP,
    )


def test_pongs_are_no_messages() -> None:
    body = passed("edge-tx.0", 1, "", "sip.send", [[packed("10.0.0.2", 5062), b"\r\n"]])
    assert list(TapReader("", 5060).read(body)) == []


def test_gaps_are_counted() -> None:
    reader = TapReader("", 5060)
    for owner, number in (("edge-rx.0", 7), ("edge-tx.0", 1), ("edge-rx.0", 10), ("edge-tx.0", 2)):
        list(reader.read(passed(owner, number, "", "sip.send", [])))
    assert reader.missed == 2
    reader.skip(passed("edge-rx.0", 11, "", "sip.send", []))
    list(reader.read(passed("edge-rx.0", 1, "", "sip.send", [])))
    assert reader.missed == 2, "a number that falls is a new process"


def test_another_share_has_numbers_of_its_own() -> None:
    reader = TapReader("", 5060)
    list(reader.read(passed("edge-rx.0", 7, "", "sip.send", [])))
    reader.begin_anew()
    list(reader.read(passed("edge-rx.0", 100, "", "sip.send", [])))
    assert reader.missed == 0


@pytest.mark.parametrize("body", [[], None, ["a", 1, [[2, "", b"\xc1"]]], ["a", 1, [7]], ["a", 1, [[2, ""]]]])
def test_what_is_no_frame_of_a_tap_is_counted(body: Any) -> None:
    reader = TapReader("", 5060)
    assert list(reader.read(body)) == []
    assert reader.bad == 1
