"""Calls over TCP, and between TCP and UDP; the worker that has the connections is killed meanwhile."""

import json
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from system.dialog import hang_up, place_call
from system.harness import Switchboard, wait_until
from system.net import Net
from system.stream_agent import StreamAgent, registered_on_stream
from system.user_agent import ClientTransaction, UserAgent, registered

from switchboard.edge.receivers import REPEATED_S
from switchboard.supervisor.worker import STEADY_S

PAUSE_S = REPEATED_S + 0.05
"""After this time the next message has a mark ahead of it."""

pytestmark = pytest.mark.system

Make = Callable[[Net, str], UserAgent]
MIXES = [(registered_on_stream, registered), (registered, registered_on_stream), (registered_on_stream,) * 2]
IDS = ["tcp-udp", "udp-tcp", "tcp-tcp"]
KILLS = 3
ANSWERED_S = STEADY_AGAIN_S = 20.0
"""On a machine that is busy with other things, too."""


@pytest.mark.parametrize(("make_caller", "make_callee"), MIXES, ids=IDS)
@pytest.mark.parametrize("by", ["caller", "callee"])
def test_a_call(switchboard: Switchboard, net: Net, make_caller: Make, make_callee: Make, by: str) -> None:
    caller, callee = make_caller(net, "kristian"), make_callee(net, "lukas")
    call = place_call(caller, callee)
    ends = (call.caller, call.callee)
    hang_up(*ends if by == "caller" else ends[::-1])
    record = switchboard.wait_record(call.call_id)
    assert (record["outcome"], record["status"], record["ended_by"]) == ("answered", 200, by)


@pytest.mark.parametrize(("make_caller", "make_callee"), MIXES, ids=IDS)
def test_a_caller_gives_up(net: Net, make_caller: Make, make_callee: Make) -> None:
    caller, callee = make_caller(net, "kristian"), make_callee(net, "lukas")
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    cancel = caller.cancel(invite)
    callee.expect("CANCEL").reply(200)
    incoming.reply(487)
    cancel.expect(200)
    invite.expect(487)
    incoming.expect_ack()


def test_a_callee_whose_connection_is_gone(switchboard: Switchboard, net: Net) -> None:
    """The caller hears of it at once."""
    caller, callee = registered(net, "kristian"), registered_on_stream(net, "lukas")
    before = count_of(switchboard)
    callee.close()
    wait_until(lambda: count_of(switchboard) < before, "the end of the connection")
    invite = caller.invite(callee.aor)
    net.wait_for(lambda: any(status >= 300 for status in invite.statuses()), "a final response")
    assert invite.statuses()[-1] in (480, 500), "whether its Contact is tried, too"


def test_a_ping_is_answered(net: Net) -> None:
    phone = StreamAgent(net, "lukas")
    phone.send(b"\r\n\r\n")
    net.wait_for(lambda: phone.connection.pongs, "a pong")


def test_messages_of_any_pieces(net: Net) -> None:
    """Several in one segment, one in several."""
    caller, callee = registered_on_stream(net, "kristian"), registered_on_stream(net, "lukas")
    first, second = (caller.request("MESSAGE", callee.aor, body=b"x" * 3000) for _ in range(2))
    octets = first.encode() + second.encode()
    for part in (octets[:100], octets[100:5000], octets[5000:]):
        caller.send(part)
    assert {callee.expect("MESSAGE").request.call_id for _ in range(2)} == {first.call_id, second.call_id}


def test_connections_are_listed(switchboard: Switchboard, net: Net) -> None:
    phone = registered_on_stream(net, "lukas")
    listed = json.loads(switchboard.cli("connections", "--json").stdout)["connections"]
    (ours,) = [each for each in listed if each["port"] == phone.address[1]]
    assert (ours["user"], ours["transport"], ours["stranger"]) == (phone.user, "TCP", False)
    assert phone.user in switchboard.cli("connections").stdout


def test_it_is_known_whose_the_connections_of_a_killed_worker_are(switchboard: Switchboard, net: Net) -> None:
    phone = registered_on_stream(net, "lukas")
    switchboard.kill("edge-stream")

    def is_listed() -> bool:
        said = switchboard.cli("connections", "--json", check=False).stdout
        listed = json.loads(said)["connections"] if said else []
        return any((each["user"], each["port"]) == (phone.user, phone.address[1]) for each in listed)

    wait_until(is_listed, "the connection with its user")


@pytest.mark.parametrize(
    "killed",
    [["edge-stream.0"], ["router.0", "router.1"], ["edge-stream.0", "router.0", "router.1"], ["registrar.0"]],
    ids=["edge-stream", "routers", "all-of-them", "registrar"],
)
def test_killed_workers_lose_no_connection_and_no_message(killed: list[str]) -> None:
    """Phones send nothing again over a connection, and a refusal needs its ACK. One call goes on meanwhile."""
    with Switchboard({"SWITCHBOARD_ROUTERS": "2"}) as board, Net(board.address) as net:
        pairs = [
            (registered_on_stream(net, f"caller{number}"), registered_on_stream(net, f"callee{number}"))
            for number in range(5)
        ]
        call = place_call(*pairs[0])
        wait_until(lambda: is_steady(board, 0), "steady workers", STEADY_AGAIN_S)
        for kill in range(KILLS):
            refused = [(caller.invite(callee.aor), callee.expect("INVITE")) for caller, callee in pairs]
            asked = [caller.ask("MESSAGE", callee.aor) for caller, callee in pairs for _ in range(4)]
            for _, incoming in refused:
                incoming.reply(486)
            for worker in killed:
                name, _, instance = worker.partition(".")
                board.kill(name, int(instance))
            asked += [caller.ask("MESSAGE", callee.aor) for caller, callee in pairs for _ in range(4)]
            answer_all([callee for _, callee in pairs], net, asked)
            for invite, incoming in refused:
                invite.expect(486, ANSWERED_S)
                incoming.expect_ack(ANSWERED_S)
            wait_until(partial(steady_again, board, kill + 1, killed), "steady workers", STEADY_AGAIN_S)
        hang_up(call.caller, call.callee)
        assert not any(each.connection.is_closed for pair in pairs for each in pair)
        assert count_of(board) == 2 * len(pairs)


def answer_all(callees: Sequence[StreamAgent], net: Net, asked: Sequence[ClientTransaction]) -> None:
    """Every request arrives, and its answer, too."""

    def all_answered() -> bool:
        for callee in callees:
            while incoming := callee.take("MESSAGE"):
                incoming.reply(200)
        return all(200 in each.statuses() for each in asked)

    net.wait_for(all_answered, "an answer to each request", ANSWERED_S)


@pytest.mark.parametrize("late_s", [0.0, 0.001, 0.002, 0.004])
def test_a_register_is_answered_though_the_registrar_is_killed_over_it(
    switchboard: Switchboard, net: Net, late_s: float
) -> None:
    """The phone was quiet for a while, and does not send it again."""
    phone = registered_on_stream(net, "lukas")
    before = switchboard.component("registrar")["pid"]
    assert before
    net.listen(PAUSE_S)
    asked = phone.register()
    net.listen(late_s)
    os.kill(before, signal.SIGKILL)
    asked.expect(200)
    switchboard.wait_component("registrar", lambda one: one["state"] == "up" and one["pid"] != before)


def test_all_is_there_after_a_restart_of_everything(switchboard: Switchboard, net: Net) -> None:
    caller, callee = registered_on_stream(net, "kristian"), registered_on_stream(net, "lukas")
    call = place_call(caller, callee)
    switchboard.cli("restart", "--all")
    hang_up(call.callee, call.caller)
    place_call(callee, caller)
    assert not caller.connection.is_closed
    assert not callee.connection.is_closed


def is_steady(switchboard: Switchboard, restarts: int, names: Sequence[str] = ()) -> bool:
    """Whether all are up, and would be started again at once; those of these `names` after so many restarts."""
    workers = switchboard.components()
    counts = [each["restarts"] for each in workers if f"{each['name']}.{each['instance']}" in names]
    return all(each["state"] == "up" and each["uptime_s"] > STEADY_S for each in workers) and all(
        count == restarts for count in counts
    )


def steady_again(switchboard: Switchboard, restarts: int, names: Sequence[str]) -> bool:
    return is_steady(switchboard, restarts, names)


def count_of(switchboard: Switchboard) -> int:
    return len(json.loads(switchboard.cli("connections", "--json").stdout)["connections"])
