"""The compiled byte surgery against its reference, on torture messages, mutations and drawn messages."""

from collections.abc import Callable, Sequence
from contextlib import suppress

import pytest
from compiled import needs_compiled_core
from hypothesis import given, settings
from hypothesis import strategies as st
from sip.messages import TORTURE, anything, mutations

from switchboard.sip import respond, splice
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message
from switchboard.sip.scan import scan
from switchboard.sip.splice import Forwarding

pytestmark = needs_compiled_core

ROUTES: list[Sequence[bytes] | None] = [None, [], [b"<sip:r;lr>"], [b"<sip:r;lr>", b"<sip:s>"]]
VIAS = [
    b"SIP/2.0/UDP h;rport", b"SIP/2.0/UDP h;rport;branch=1", b"SIP/2.0/UDP h;branch=1;RPORT",
    b"SIP/2.0/UDP h",
    b"SIP/2.0/UDP h; rport", b"SIP/2.0/UDP h;rport=", b"SIP/2.0/UDP h;rport=9;rport", b"SIP/2.0/UDP rport",
    b"SIP/2.0/UDP h;rport ;a", b"SIP/2.0/UDP h;received=1.2.3.4;rport", b"SIP/2.0/UDP h;Received=x", b"",
    b"SIP/2.0/UDP h;xrport", b"SIP/2.0/UDP h;branch=rport;rport", b";rport", b"rport", b"SIP/2.0/UDP h;rpor",
]  # fmt: skip


def outcome(work: Callable[[], object]) -> object:
    """What comes of it, or all that its error says."""
    try:
        return work()
    except (ParseError, ValueError, KeyError) as error:
        return type(error), str(error)


def assert_alike(message: Message, routes: Sequence[bytes] | None = None) -> None:
    change = Forwarding(b"sip:x@y", b"SIP/2.0/UDP o;branch=1", b"SIP/2.0/UDP t", 69, [b"<sip:o;lr>"], routes)
    pairs: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (
            lambda: splice.forward_request(message, change),
            lambda: splice.forward_request_in_python(message, change),
        ),
        (lambda: splice.top_via_cut(message), lambda: splice.top_via_cut_in_python(message)),
        (lambda: splice.strip_top_via(message), lambda: splice.strip_top_via_in_python(message)),
    ]
    for arguments in ((100,), (200, "", "tag"), (404, "Nobody", "tag", [("Warning", "x")]), (299, "", "")):
        for top_via in (None, b"SIP/2.0/UDP t;received=1"):
            given = (*arguments, *("", "", ())[len(arguments) - 1 :], top_via)
            pairs.append(
                (
                    lambda given=given: respond.build_response(message, *given),  # type: ignore[misc]
                    lambda given=given: respond.build_response_in_python(message, *given),  # type: ignore[misc]
                )
            )
    for compiled, reference in pairs:
        assert outcome(compiled) == outcome(reference)


@pytest.mark.parametrize("routes", ROUTES, ids=str)
def test_torture_messages_and_what_is_spoilt(routes: Sequence[bytes] | None) -> None:
    for number, seed in enumerate(TORTURE):
        for raw in (seed, *mutations(seed, 20, seed=number)):
            with suppress(ParseError):
                assert_alike(parse_message(raw), routes)


@given(anything(), st.sampled_from(ROUTES))
@settings(max_examples=200, deadline=None)
def test_drawn_messages(raw: bytes, routes: Sequence[bytes] | None) -> None:
    with suppress(ParseError):
        assert_alike(parse_message(raw), routes)


@pytest.mark.parametrize("add_received", [True, False])
@pytest.mark.parametrize("via", VIAS)
def test_completed_vias(via: bytes, add_received: bool) -> None:
    given = (via, b"10.0.0.9", 5071, add_received)
    assert splice.complete_via(*given) == splice.complete_via_in_python(*given)


def test_an_index_of_another_message_is_read_within_bounds() -> None:
    """It never comes so; the compiled core must not trust that it does not."""
    raw = TORTURE[0]
    index = scan(raw)
    for size in range(0, len(raw), 7):
        cut = Message(raw[:size], index)
        with suppress(ParseError, ValueError):
            assert len(splice.forward_request(cut, Forwarding(b"u", b"v", b"t", 1))) < size + 100
        with suppress(ParseError, ValueError):
            assert len(splice.strip_top_via(cut)) <= size
        with suppress(ParseError, ValueError):
            assert len(respond.build_response(cut, 200)) < size + 200
