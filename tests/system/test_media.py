"""Calls whose media Debian's rtpengine relays, or need not relay: voice both ways, and what becomes of it."""

import json
import re
from collections.abc import Iterator

import pytest
from system.dialog import Call, Dialog, hang_up
from system.harness import Switchboard, wait_until
from system.media_engine import HOST, Ear, RtpEngine, place_in, talk
from system.net import Net
from system.user_agent import UserAgent

pytestmark = pytest.mark.system

IPV6 = "::1"
STATISTIC = "switchboard_worker_statistic"
ELSEWHERE = "192.168.77.7"
"""A private address that no phone sends from."""
VIDEO = b"m=video 40000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n"


@pytest.fixture(scope="module")
def engine() -> Iterator[RtpEngine]:
    with RtpEngine() as running:
        yield running


@pytest.fixture(scope="module")
def switchboard(engine: RtpEngine) -> Iterator[Switchboard]:
    settings = {"SWITCHBOARD_MEDIA": engine.url, "SWITCHBOARD_SIP_HOST": "", "SWITCHBOARD_ROUTERS": "1"}
    with Switchboard(settings) as running:
        yield running


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    with Net(switchboard.address, retransmits=True) as phones:
        yield phones


class Phone:
    """A registered phone with an ear."""

    def __init__(self, net: Net, name: str, host: str = HOST) -> None:
        self.agent = UserAgent(net, name, host, (host, net.proxy[1]))
        self.agent.register().expect(200)
        self.ear = Ear(host)

    def uri_of(self, other: "Phone") -> str:
        """What it dials."""
        return f"sip:{other.agent.user}@{self.agent.domain}"


@pytest.fixture
def phones(net: Net) -> Iterator[tuple[Phone, Phone, Phone]]:
    """Lukas and lenka on IPv4, and pavol on IPv6."""
    found = Phone(net, "lukas"), Phone(net, "lenka"), Phone(net, "pavol", IPV6)
    yield found
    for each in found:
        each.ear.close()


def called(caller: Phone, callee: Phone, offer: bytes) -> tuple[Call, bytes, bytes]:
    """A call that is up, and the SDP that the callee and the caller got."""
    invite = caller.agent.invite(caller.uri_of(callee), body=offer)
    incoming = callee.agent.expect("INVITE")
    sent = incoming.reply(200, body=callee.ear.sdp())
    received = invite.expect(200)
    ends = Dialog.of_caller(caller.agent, invite, received), Dialog.of_callee(callee.agent, incoming, sent)
    call = Call(*ends, received)
    call.caller.acknowledge()
    call.callee.expect("ACK")
    return call, incoming.request.body, received.body


def test_phones_in_one_network_speak_by_themselves_and_stay_in_the_compiled_core(
    switchboard: Switchboard, phones: tuple[Phone, Phone, Phone]
) -> None:
    lukas, lenka, _ = phones
    before = stats(switchboard)
    call, offered, answered = called(lukas, lenka, lukas.ear.sdp())
    assert place_in(offered) == (lukas.ear.host, lukas.ear.port)
    assert place_in(answered) == (lenka.ear.host, lenka.ear.port)
    hang_up(call.caller, call.callee)
    after = stats(switchboard)
    assert after[f"{STATISTIC} media_asked"] == before[f"{STATISTIC} media_asked"]
    assert_compiled(before, after)


def assert_compiled(before: dict[str, float], after: dict[str, float]) -> None:
    """The messages of a call were the compiled core's, where there is one."""
    if f"{STATISTIC} plain" in after:
        messages = ("INVITE", "200", "ACK", "BYE", "200")
        assert after[f"{STATISTIC} plain"] - before[f"{STATISTIC} plain"] >= len(messages)
        assert after[f"{STATISTIC} handed_over"] == before[f"{STATISTIC} handed_over"]


def test_a_phone_behind_address_translation(
    engine: RtpEngine, switchboard: Switchboard, phones: tuple[Phone, Phone, Phone]
) -> None:
    lukas, lenka, _ = phones
    before = stats(switchboard)
    call, offered, answered = called(lukas, lenka, lukas.ear.sdp(host=ELSEWHERE))
    assert place_in(offered)[0] == place_in(answered)[0] == HOST
    lukas.ear.speak(answered, b"here I am")
    talk(lukas.ear, answered, lenka.ear, offered)
    assert call.call_id in engine.calls()
    hang_up(call.callee, call.caller)
    assert_compiled(before, stats(switchboard))
    wait_until(lambda: call.call_id not in engine.calls(), "the end of the call at the engine")
    wait_until(lambda: stats(switchboard).get("switchboard_media_voice_total both"), "the figures")
    told = wait_until(lambda: explained(switchboard, call.call_id), "the explanation")
    assert f"A media engine at {HOST} relayed their voice. It got " in told
    assert re.search(r"[0-9]+ packets of voice from lenka-\w+ and [0-9]+ packets of voice from lukas-", told)
    relayed = switchboard.wait_record(call.call_id)["relayed"]
    assert relayed["engine"] == engine.url
    assert min(relayed["from_caller"], relayed["from_callee"]) > 0


def test_a_call_that_the_operator_ends(
    engine: RtpEngine, switchboard: Switchboard, phones: tuple[Phone, Phone, Phone]
) -> None:
    lukas, lenka, _ = phones
    call, offered, answered = called(lukas, lenka, lukas.ear.sdp(host=ELSEWHERE))
    lukas.ear.speak(answered, b"here I am")
    talk(lukas.ear, answered, lenka.ear, offered)
    with switchboard.cli_beside("hangup", call.call_id):
        for side in (call.caller, call.callee):
            side.expect("BYE").reply(200, routes=False)
    record = switchboard.wait_record(call.call_id)
    assert record["ended_by"] == "operator"
    assert record["relayed"]["engine"] == engine.url
    assert min(record["relayed"]["from_caller"], record["relayed"]["from_callee"]) > 0


@pytest.mark.parametrize("is_first", [True, False])
def test_from_one_address_family_to_the_other(phones: tuple[Phone, Phone, Phone], is_first: bool) -> None:
    lukas, _, pavol = phones
    ours, theirs = (pavol, lukas) if is_first else (lukas, pavol)
    call, offered, answered = called(ours, theirs, ours.ear.sdp())
    assert (b"IP6" in offered, b"IP6" in answered) == (not is_first, is_first)
    talk(ours.ear, answered, theirs.ear, offered)
    hang_up(call.caller, call.callee)


def test_an_offer_in_the_200(
    engine: RtpEngine, switchboard: Switchboard, phones: tuple[Phone, Phone, Phone]
) -> None:
    lukas, _, pavol = phones
    invite = pavol.agent.invite(pavol.uri_of(lukas), body=b"")
    incoming = lukas.agent.expect("INVITE")
    sent = incoming.reply(200, body=lukas.ear.sdp())
    received = invite.expect(200)
    caller = Dialog.of_caller(pavol.agent, invite, received)
    caller.acknowledge(pavol.ear.sdp())
    callee = Dialog.of_callee(lukas.agent, incoming, sent)
    ack = callee.expect("ACK").request
    assert (b"IP6" in received.body, b"IP6" in ack.body) == (True, False)
    talk(pavol.ear, received.body, lukas.ear, ack.body)
    switchboard.kill("router")
    talk(pavol.ear, received.body, lukas.ear, ack.body, "again")
    hang_up(callee, caller)
    wait_until(lambda: caller.call_id not in engine.calls(), "the end of the call at the engine")


def test_the_voices_of_forks_do_not_cross(net: Net, phones: tuple[Phone, Phone, Phone]) -> None:
    """Both forks announce something; the second one answers."""
    lukas, _, pavol = phones
    second = Phone(net, "lukas")
    invite = pavol.agent.invite(pavol.uri_of(lukas), body=pavol.ear.sdp())
    first_call, second_call = lukas.agent.expect("INVITE"), second.agent.expect("INVITE")
    first_call.reply(183, body=lukas.ear.sdp())
    invite.expect(183)
    sent = second_call.reply(200, body=second.ear.sdp())
    received = invite.expect(200)
    lukas.agent.expect("CANCEL").reply(200)
    first_call.reply(487)
    caller = Dialog.of_caller(pavol.agent, invite, received)
    caller.acknowledge()
    callee = Dialog.of_callee(second.agent, second_call, sent)
    callee.expect("ACK")
    assert place_in(first_call.request.body) != place_in(second_call.request.body)
    talk(pavol.ear, received.body, second.ear, second_call.request.body)
    hang_up(callee, caller)
    second.ear.close()


def renewed(dialog: Dialog, other: Dialog, ears: tuple[Ear, Ear]) -> tuple[bytes, bytes]:
    """Another offer and its answer; the SDP that the other side and this one got."""
    again = dialog.start("INVITE", body=ears[0].sdp(2))
    incoming = other.expect("INVITE")
    incoming.reply(200, body=ears[1].sdp(2), routes=False)
    received = again.expect(200)
    dialog.acknowledge()
    other.expect("ACK")
    return incoming.request.body, received.body


def test_an_engine_that_is_started_anew_builds_the_media_anew(
    engine: RtpEngine, phones: tuple[Phone, Phone, Phone]
) -> None:
    lukas, _, pavol = phones
    call, offered, answered = called(pavol, lukas, pavol.ear.sdp())
    talk(pavol.ear, answered, lukas.ear, offered)
    engine.kill()
    engine.start()
    offered, answered = renewed(call.callee, call.caller, (lukas.ear, pavol.ear))
    talk(lukas.ear, answered, pavol.ear, offered, "anew")
    hang_up(call.caller, call.callee)
    wait_until(lambda: call.call_id not in engine.calls(), "the end of the call at the engine")


def test_an_engine_without_ports_ends_the_call_that_it_has_dropped(
    engine: RtpEngine, phones: tuple[Phone, Phone, Phone]
) -> None:
    lukas, lenka, pavol = phones
    engine.kill()
    engine.start(ports=2)
    try:
        call, _, _ = called(pavol, lukas, pavol.ear.sdp())
        refused = pavol.agent.invite(pavol.uri_of(lenka), body=pavol.ear.sdp()).expect(488)
        assert "Ran out of ports" in refused.get("warning")
        again = call.caller.start("INVITE", body=pavol.ear.sdp(2) + VIDEO)
        call.callee.expect("BYE").reply(200, routes=False)
        assert "Ran out of ports" in again.expect(481).get("warning")
    finally:
        engine.kill()
        engine.start()


def explained(switchboard: Switchboard, call_id: str) -> str:
    """What `explain` says of a call, as soon as it has seen the end."""
    told = " ".join(switchboard.cli("explain", call_id, check=False).stdout.split())
    return told if "hung up" in told and "packets" in told else ""


def stats(switchboard: Switchboard) -> dict[str, float]:
    """The metrics of the router, by name and kind."""
    found = json.loads(switchboard.cli("metrics", "--json").stdout)["metrics"]
    ours = [each for each in found if each["labels"].get("worker") == "router.0"]
    return {" ".join((each["name"], *list(each["labels"].values())[1:])): each["value"] for each in ours}
