"""Frames of the taps, read."""

from typing import Any

import pytest
from flows import packed
from history.wire import CALL_ID, call

from switchboard.bus import frames
from switchboard.bus.tap import SMALLEST
from switchboard.history.seen import Address, Direction, Seen, transport_of
from switchboard.history.tapped import CallFilter, Sample, TapReader
from switchboard.sip.flow import TCP, Flow

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
    assert list(TapReader("", 5060).read(body)) == []
    (seen,) = TapReader("", 5060, hops=True).read(body)
    assert (seen.source.host, seen.destination.host, seen.direction) == (
        "router.1",
        "translator.0",
        Direction.HOP,
    )


def test_what_leaves_over_a_connection_is_seen_once() -> None:
    """The edge-stream tells it, though the router has told it, too."""
    flow = Flow(TCP, "10.0.0.1", "10.0.0.2", 5062, bytes(9)).pack()
    datagram = [packed("10.0.0.2", 5062), b"datagram"]
    reader = TapReader("", 5060)
    of_router = passed("router.0", 1, "", "sip.send", [[flow, b"stream"], datagram])
    of_stream = passed("edge-stream.0", 1, "", "sip.send", [[flow, b"stream"]])
    assert [seen.raw for body in (of_router, of_stream) for seen in reader.read(body)] == [
        b"datagram",
        b"stream",
    ]


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


def after(sample: Sample, messages: int, now: float) -> bool:
    """Whether the sample is another one when so many have come by then."""
    sample.count(messages)
    return sample.look(now)


def test_all_are_kept_while_there_are_few() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert not after(sample, 100, 11.0)
    assert (sample.halvings, sample.skipped) == (0, 0)


def test_under_load_the_share_shrinks_to_what_is_let_pass() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert after(sample, 400, 11.0)
    assert sample.halvings == 2
    assert not after(sample, 100, 12.0), "it is a quarter of 400"
    assert sample.skipped == 300


def test_a_burst_is_met_before_the_window_ends() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert not after(sample, 101, 10.1)
    assert after(sample, 100, 10.25)
    assert sample.halvings == 4, "201 in a quarter of a second"


def test_when_the_load_is_over_all_are_kept_again() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert after(sample, 1000, 11.0)
    assert after(sample, 0, 12.0)
    assert sample.halvings == 0


def test_about_the_limit_it_does_not_change_its_mind_each_second() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert after(sample, 110, 11.0)
    assert not after(sample, 45, 12.0), "90 of all"
    assert after(sample, 30, 13.0), "60 of all"
    assert sample.halvings == 0


def test_there_is_a_smallest_share() -> None:
    sample = Sample(1)
    sample.look(10.0)
    assert after(sample, 50_000, 11.0)
    assert sample.halvings == SMALLEST


def test_everything() -> None:
    assert all(map(CallFilter().wants, call()))


def test_a_call() -> None:
    assert all(map(CallFilter(call_id=CALL_ID).wants, call()))
    assert not any(map(CallFilter(call_id="another").wants, call()))


def test_a_user_on_either_side() -> None:
    assert all(map(CallFilter("lukas").wants, call()))
    assert all(map(CallFilter("lenka").wants, call()))
    assert not any(map(CallFilter("nobody").wants, call()))


def test_a_call_stays_wanted_whatever_its_messages_say() -> None:
    wanted = CallFilter("lukas")
    assert wanted.wants(call()[0])
    assert wanted.wants(call()[0]._replace(raw=f"BYE x SIP/2.0\r\nCall-ID: {CALL_ID}\r\n\r\n".encode()))


@pytest.mark.parametrize(
    ("via", "transport"),
    [(b"Via: SIP/2.0/TCP h;branch=1", "TCP"), (b"v : sip / 2.0 / ws h", "WS"), (b"To: <sip:a>", "UDP")],
)
def test_the_transport_stands_in_via(via: bytes, transport: str) -> None:
    assert transport_of(b"OPTIONS sip:a SIP/2.0\r\n" + via + b"\r\nVia: SIP/2.0/UDP g\r\n\r\n") == transport
