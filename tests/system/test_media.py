"""Calls whose media Debian's rtpengine relays: voice in both directions, and what kills and failures do to it."""

from collections.abc import Iterator

import pytest
from system.dialog import Call, Dialog, hang_up
from system.harness import Switchboard, wait_until
from system.media_engine import Ear, RtpEngine, place_in, talk
from system.user_agent import UserAgent

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def engine() -> Iterator[RtpEngine]:
    with RtpEngine() as running:
        yield running


@pytest.fixture(scope="module")
def switchboard(engine: RtpEngine) -> Iterator[Switchboard]:
    settings = {"SWITCHBOARD_MEDIA": engine.url, "SWITCHBOARD_RELAY_MEDIA": "always"}
    with Switchboard(settings) as running:
        yield running


@pytest.fixture
def ears() -> Iterator[tuple[Ear, Ear]]:
    both = Ear(), Ear()
    yield both
    for each in both:
        each.close()


def called(caller: UserAgent, callee: UserAgent, ears: tuple[Ear, Ear]) -> tuple[Call, bytes, bytes]:
    """A call that is answered, and the SDP that each side got."""
    ours, theirs = ears
    invite = caller.invite(callee.aor, body=ours.sdp())
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    sent = incoming.reply(200, body=theirs.sdp())
    received = invite.expect(200)
    call = Call(
        Dialog.of_caller(caller, invite, received), Dialog.of_callee(callee, incoming, sent), received
    )
    call.caller.acknowledge()
    call.callee.expect("ACK")
    return call, incoming.request.body, received.body


def test_a_call_between_phones_on_udp(
    engine: RtpEngine, lukas: UserAgent, lenka: UserAgent, ears: tuple[Ear, Ear]
) -> None:
    call, offered, answered = called(lukas, lenka, ears)
    for body, ear in ((offered, ears[0]), (answered, ears[1])):
        assert place_in(body) != (ear.host, ear.port)
    talk(ears[0], answered, ears[1], offered)
    assert call.call_id in engine.calls()
    hang_up(call.callee, call.caller)
    wait_until(lambda: call.call_id not in engine.calls(), "the end of the call at the engine")
