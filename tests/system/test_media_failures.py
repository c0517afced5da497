"""What becomes of calls when media engines fail, and when a router is killed while one is asked."""

import time
from collections.abc import Iterator

import pytest
from fake_engine import Command, FakeEngine, Reply, answered, refused, silent
from system.dialog import Call, Dialog, hang_up
from system.harness import Switchboard, wait_until
from system.net import Net
from system.user_agent import SDP, UserAgent

from switchboard.media.client import ANSWER_S

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def both() -> Iterator[tuple[FakeEngine, FakeEngine]]:
    with FakeEngine() as one, FakeEngine() as other:
        yield one, other


@pytest.fixture
def engines(both: tuple[FakeEngine, FakeEngine]) -> Iterator[tuple[FakeEngine, FakeEngine]]:
    """Both answer, until a test wants something else."""
    yield both
    for each in both:
        each.reply = answered


@pytest.fixture(scope="module")
def switchboard(both: tuple[FakeEngine, FakeEngine]) -> Iterator[Switchboard]:
    settings = {
        "SWITCHBOARD_MEDIA": ",".join(each.url for each in both),
        "SWITCHBOARD_RELAY_MEDIA": "always",
        "SWITCHBOARD_ROUTERS": "1",
    }
    with Switchboard(settings) as running:
        yield running


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    with Net(switchboard.address, retransmits=True) as phones:
        yield phones


def placed(caller: UserAgent, callee: UserAgent) -> Call:
    """A call that is up; each side has got the SDP of an engine."""
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    assert b"m=audio 9000 " in incoming.request.body
    sent = incoming.reply(200, body=SDP)
    received = invite.expect(200)
    assert b"m=audio 7000 " in received.body
    call = Call(
        Dialog.of_caller(caller, invite, received), Dialog.of_callee(callee, incoming, sent), received
    )
    call.caller.acknowledge()
    call.callee.expect("ACK")
    return call


Engines = tuple[FakeEngine, FakeEngine]


@pytest.mark.parametrize("gone", [0, 1])
@pytest.mark.parametrize("how", [silent, refused("Ran out of ports")])
def test_another_engine_takes_the_calls_of_one_that_fails(
    engines: Engines, lukas: UserAgent, lenka: UserAgent, gone: int, how: object
) -> None:
    engines[gone].reply = how  # type: ignore[assignment]
    call = placed(lukas, lenka)
    assert [each["command"] for each in engines[1 - gone].of(call.call_id)] == ["offer", "answer"]
    hang_up(call.caller, call.callee)
    wait_until(lambda: engines[1 - gone].of(call.call_id)[-1]["command"] == "delete", "the end at the engine")


@pytest.mark.parametrize("how", [silent, refused("Ran out of ports")])
def test_without_an_engine_the_caller_is_told_in_words(
    engines: Engines, lukas: UserAgent, lenka: UserAgent, how: object
) -> None:
    for each in engines:
        each.reply = how  # type: ignore[assignment]
    response = lukas.invite(lenka.aor).expect(488)
    assert "The media of this call cannot be relayed" in response.get("warning")


def test_a_dialog_whose_media_an_engine_has_lost_is_ended_on_both_sides(
    engines: Engines, lukas: UserAgent, lenka: UserAgent
) -> None:
    call = placed(lukas, lenka)
    for each in engines:
        each.reply = refused("Ran out of ports")
    again = call.callee.start("INVITE", body=SDP)
    bye = call.caller.expect("BYE")
    assert "The media cannot be relayed" in bye.request.get("reason")
    bye.reply(200, routes=False)
    assert "Ran out of ports" in again.expect(481).get("warning")


def test_a_call_whose_answer_no_engine_takes_ends_on_both_sides(
    engines: Engines, lukas: UserAgent, lenka: UserAgent
) -> None:
    def forgets(command: Command) -> Reply:
        return refused("Unknown call-id")(command) if command["command"] == "answer" else answered(command)

    for each in engines:
        each.reply = forgets
    invite = lukas.invite(lenka.aor)
    incoming = lenka.expect("INVITE")
    sent = incoming.reply(200, body=SDP)
    callee = Dialog.of_callee(lenka, incoming, sent)
    callee.expect("ACK")
    callee.expect("BYE").reply(200, routes=False)
    assert "Unknown call-id" in invite.expect(488).get("warning")


@pytest.mark.parametrize("asked", ["offer", "answer"])
def test_a_router_is_killed_while_an_engine_is_asked(
    engines: Engines, switchboard: Switchboard, lukas: UserAgent, lenka: UserAgent, asked: str
) -> None:
    def is_asked() -> bool:
        return any(each["command"] == asked for one in engines for each in one.of(call_id))

    def waits(command: Command) -> Reply:
        return None if command["command"] == asked else answered(command)

    for each in engines:
        each.reply = waits
    invite = lukas.invite(lenka.aor)
    call_id = invite.request.call_id
    if asked == "answer":
        incoming = lenka.expect("INVITE")
        sent = incoming.reply(200, body=SDP)
    wait_until(is_asked, f"the {asked} at an engine")
    for each in engines:
        each.reply = answered
    switchboard.kill("router")
    if asked == "offer":
        incoming = lenka.expect("INVITE")
        sent = incoming.reply(200, body=SDP)
    received = invite.expect(200)
    assert b"m=audio 7000 " in received.body
    call = Call(Dialog.of_caller(lukas, invite, received), Dialog.of_callee(lenka, incoming, sent), received)
    call.caller.acknowledge()
    call.callee.expect("ACK")
    hang_up(call.callee, call.caller)


def test_calls_do_not_wait_for_an_engine_that_was_found_gone(
    engines: Engines, switchboard: Switchboard, lukas: UserAgent, lenka: UserAgent
) -> None:
    """Nobody has asked it for a call: pings have found it out."""
    engines[0].reply, engines[0].answers_pings = silent, False
    gone = f"the media engine {engines[0].url} does not answer"
    wait_until(lambda: gone in switchboard.cli("status", check=False).stderr, "the word of it")
    for _ in range(4):
        since = time.monotonic()
        call = placed(lukas, lenka)
        assert time.monotonic() - since < ANSWER_S
        assert not [each for each in engines[0].of(call.call_id) if each["command"] == "offer"]
        hang_up(call.caller, call.callee)
    engines[0].reply, engines[0].answers_pings = answered, True
    wait_until(lambda: gone not in switchboard.cli("status", check=False).stderr, "its return")
