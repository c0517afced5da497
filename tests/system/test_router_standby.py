"""A router's host dies while calls ring: a router on another host goes on with them, and the first one never acts."""

import time
from collections.abc import Callable, Iterator
from secrets import token_hex
from zlib import crc32

import pytest
from system.dialog import Call, Dialog, answer_call, hang_up
from system.harness import START_S
from system.hosts import ALPHA, BETA, GAMMA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.stream_agent import registered_on_stream
from system.tools import require_root, require_tools
from system.user_agent import SDP, UserAgent, registered

from switchboard.sip.shares import router_of

pytestmark = pytest.mark.system

COMPONENTS = {
    ALPHA: ("edge", "translator", "registrar", "journal"),
    BETA: ("router.0",),
    GAMMA: ("router.1",),
}
SETTINGS = {"SWITCHBOARD_ROUTER_STANDBY": "true", "SWITCHBOARD_T1_S": "0.1"}
"""A short T1: what a router has taken over it lets go of 64 · T1 after the call was answered."""


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    with (
        Lan([ALPHA, BETA, GAMMA, PHONES], servers=[ALPHA, BETA, GAMMA]) as lan,
        Hosts(lan, 2, COMPONENTS, SETTINGS) as running,
        lan.entered(PHONES),
    ):
        yield running


@pytest.fixture
def net(hosts: Hosts) -> Iterator[Net]:
    with Net(hosts.address, retransmits=True) as phones:
        yield phones


def call_id_at(router: int) -> str:
    """A Call-ID that is that router's business."""
    return next(
        each for each in iter(lambda: token_hex(8), "") if router_of(crc32(each.encode()), [0, 1]) == router
    )


def ring(caller: UserAgent, callee: UserAgent, router: int) -> tuple[ClientTransaction, ServerTransaction]:
    """A call of that router rings."""
    make_call_id, caller.make_call_id = caller.make_call_id, lambda: call_id_at(router)
    invite = caller.invite(callee.aor)
    caller.make_call_id = make_call_id
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    return invite, incoming


def notes(hosts: Hosts, worker: str = "edge-rx.0") -> str:
    return "\n".join(hosts.status(ALPHA)[worker].get("notes", []))


def wait(net: Net, check: Callable[[], object], what: str) -> None:
    """Return when that is so; the phones listen meanwhile."""
    deadline = time.monotonic() + START_S
    while not check():
        assert time.monotonic() < deadline, f"not within {START_S:g} s: {what}"
        net.listen(0.05)


def times_taken_over(hosts: Hosts) -> int:
    return hosts.boards[GAMMA].log().count("calls taken over")


def wait_taken_over(net: Net, hosts: Hosts, before: int) -> None:
    """`before`: how often it had happened."""
    wait(net, lambda: times_taken_over(hosts) > before, "a router that takes over")
    wait(net, lambda: "router.0 was declared dead: its calls are at router.1" in notes(hosts), "a note of it")


def wait_back(net: Net, hosts: Hosts) -> None:
    """The router of beta has its share of the calls again."""
    wait(net, lambda: not any(word in notes(hosts) for word in ("declared dead", "away")), "beta is back")


def count(net: Net, phone: UserAgent, way: str, *words: bytes) -> int:
    """How many messages with these words the phone has sent ("->") or got ("<-")."""
    return sum(
        f"{phone.user} " in line and f" {way} " in line and all(word in raw for word in words)
        for _, line, raw in net._trace
    )


def test_calls_that_ring_outlive_the_host_of_their_router(hosts: Hosts, net: Net) -> None:
    """One is answered, one is cancelled, one is answered by the phone before anybody has taken over."""
    phones = [registered(net, f"{name}{number}") for number in range(3) for name in ("lukas", "lenka")]
    answered, cancelled, early = (ring(phones[at], phones[at + 1], router=0) for at in (0, 2, 4))
    before = times_taken_over(hosts)
    hosts.boards[BETA].lose_power()
    sent = early[1].reply(200, body=SDP)
    wait_taken_over(net, hosts, before)
    call = answer_call(phones[0], answered[0], phones[1], answered[1])
    giving_up = phones[2].cancel(cancelled[0])
    giving_up.expect(200)
    phones[3].expect("CANCEL").reply(200)
    cancelled[1].reply(487)
    cancelled[0].expect(487)
    cancelled[1].expect_ack()
    hang_up(call.callee, call.caller)
    received = early[0].expect(200)
    ends = Dialog.of_caller(phones[4], early[0], received), Dialog.of_callee(phones[5], early[1], sent)
    other = Call(*ends, received)
    other.caller.acknowledge()
    other.callee.expect("ACK")
    hang_up(other.caller, other.callee)
    board = hosts.boards[ALPHA]
    record = board.wait_record(call.call_id)
    assert (record["outcome"], record["ended_by"]) == ("answered", "callee")
    assert record["ringing_at"]
    assert 0 < record["duration_s"] < START_S
    assert board.wait_record(cancelled[0].request.call_id)["outcome"] == "cancelled"
    hosts.boards[BETA].start()
    wait_back(net, hosts)
    invite, incoming = ring(phones[0], phones[1], router=0)
    call = answer_call(phones[0], invite, phones[1], incoming)
    hang_up(call.caller, call.callee)
    board.wait_record(call.call_id)
    board.wait_record(other.call_id)
    assert len({each["call_id"] for each in board.cdr()}) == len(board.cdr())


def test_a_router_that_was_taken_for_dead_does_nothing_when_it_goes_on(hosts: Hosts, net: Net) -> None:
    """A call over TCP is answered meanwhile: no phone repeats that."""
    caller, callee = registered(net, "kristian"), registered(net, "peter")
    invite, incoming = ring(caller, callee, router=0)
    phones = registered_on_stream(net, "milan"), registered_on_stream(net, "jan")
    over_tcp = ring(*phones, router=0)
    before, ends = times_taken_over(hosts), hosts.boards[BETA].log().count("was declared dead")
    frozen = hosts.freeze(BETA)
    sent = over_tcp[1].reply(200, body=SDP)
    wait_taken_over(net, hosts, before)
    call = answer_call(caller, invite, callee, incoming)
    received = over_tcp[0].expect(200)
    ends_of_tcp = (
        Dialog.of_caller(phones[0], over_tcp[0], received),
        Dialog.of_callee(phones[1], over_tcp[1], sent),
    )
    ends_of_tcp[0].acknowledge()
    ends_of_tcp[1].expect("ACK")
    hang_up(*ends_of_tcp)
    status = hosts.status(ALPHA)
    for process in frozen:
        process.resume()
    wait(net, lambda: hosts.boards[BETA].log().count("was declared dead") > ends, "its end")
    wait_back(net, hosts)
    assert hosts.status(ALPHA)["router.0"]["pid"] != status["router.0"]["pid"]
    hang_up(call.callee, call.caller)
    record = hosts.boards[ALPHA].wait_record(call.call_id)
    assert record["outcome"] == "answered"
    call_id = call.call_id.encode()
    for start, sender, receiver in ((b"SIP/2.0 200", callee, caller), (b"ACK ", caller, callee)):
        words = start, call_id, b"CSeq: 1 "
        assert 1 <= count(net, receiver, "<-", *words) <= count(net, sender, "->", *words)
    assert count(net, callee, "<-", b"CANCEL ", call_id) == 0
