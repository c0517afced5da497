"""What the history tells of calls that real processes served, and what a trace shows of them."""

import json
import os
import signal
import socket
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from history.test_hep import decode
from system.dialog import hang_up, place_call
from system.harness import Switchboard, wait_until
from system.net import Net
from system.tools import require_tools
from system.user_agent import ClientTransaction, UserAgent, registered

from switchboard.history.explain import explain
from switchboard.history.reader import HistoryReader
from switchboard.history.store import HistoryError

pytestmark = pytest.mark.system

REASONS = {486: "Busy Here", 488: "Not Acceptable Here", 603: "Decline"}
ANSWERED = len(
    ("INVITE", "100", "INVITE", "180", "180", "200", "200", "ACK", "ACK", "BYE", "BYE", "200", "200")
)
REFUSED = len(("INVITE", "100", "INVITE", "603", "ACK", "603", "ACK"))
"""So many messages make a call, repetitions apart."""
SLOVAK = {"SWITCHBOARD_LANGUAGE": "sk", "SWITCHBOARD_T1_S": "0.02"}


@pytest.fixture(scope="module")
def board() -> Iterator[Switchboard]:
    with Switchboard(SLOVAK) as running:
        await_history(running)
        yield running


def await_history(board: Switchboard) -> None:
    """It hears what passes, both ways, a moment after the board is up."""

    def hears() -> bool:
        tester.bindings()
        try:
            return any(each.messages >= 2 for each in history(board).recent(kind=None))
        except HistoryError:
            return False

    with Net(board.address) as phones:
        tester = UserAgent(phones, "tester")
        wait_until(hears, "something in the history")


@pytest.fixture
def net(board: Switchboard) -> Iterator[Net]:
    with Net(board.address) as phones:
        yield phones


def history(board: Switchboard) -> HistoryReader:
    return HistoryReader(board.data_dir / "history.db")


def account(board: Switchboard, call_id: str, outcome: str) -> str:
    """What is told of a call as soon as the history has its end."""

    def ended() -> bool:
        summary = history(board).summary(call_id)
        return summary is not None and summary.outcome == outcome

    wait_until(ended, f"{call_id} {outcome} in the history")
    return board.cli("explain", call_id).stdout


def test_an_answered_call(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    call = place_call(lukas, lenka)
    hang_up(call.callee, call.caller)
    told = account(board, call.call_id, "answered")
    assert f"{lukas.user} called {lenka.user}." in told
    assert f"{lenka.user} answered." in told
    assert f"then {lenka.user} hung up." in told
    assert "-" not in [line[0] for line in told.splitlines()], "advice on a call that went well"


@pytest.mark.parametrize(
    ("status", "outcome", "sentence"),
    [
        (486, "busy", "was busy (486 Obsadené)."),
        (603, "declined", "declined (603 Odmietnutie)."),
        (488, "failed", "could not agree on a way to talk (488"),
    ],
)
def test_a_call_that_the_callee_refuses(
    board: Switchboard, lukas: UserAgent, lenka: UserAgent, status: int, outcome: str, sentence: str
) -> None:
    invite = lukas.invite(lenka.aor)
    lenka.expect("INVITE").reply(status, reason=REASONS[status])
    invite.expect(status)
    assert sentence in account(board, invite.request.call_id, outcome)


def test_a_call_that_the_caller_gives_up(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    invite = lukas.invite(lenka.aor)
    incoming = lenka.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    lukas.cancel(invite).expect(200)
    lenka.expect("CANCEL").reply(200)
    incoming.reply(487)
    invite.expect(487)
    told = account(board, invite.request.call_id, "cancelled")
    assert "The phone rang for" in told
    assert f"{lukas.user} hung up before anybody answered (487 " in told


def test_a_call_to_nobody(board: Switchboard, lukas: UserAgent) -> None:
    invite = lukas.invite(f"sip:nobody@{lukas.domain}")
    invite.expect(404)
    told = account(board, invite.request.call_id, "unreachable")
    assert "nobody has never registered here" in told
    assert "nobody is not registered now, either." in told


def test_a_call_to_a_phone_that_went_silent(board: Switchboard, lukas: UserAgent, net: Net) -> None:
    """Its registration is there, nobody answers."""
    gone = registered(net, "gone")
    invite = lukas.invite(gone.aor)
    invite.expect(408, timeout_s=10)
    told = account(board, invite.request.call_id, "unreachable")
    assert f"No phone of {gone.user} answered in time (408 " in told
    assert "said nothing, though asked" in told


def test_a_call_to_a_phone_that_is_gone(board: Switchboard, lukas: UserAgent, net: Net) -> None:
    """Nobody listens at its port any more."""
    gone = registered(net, "gone")
    host, port = gone.address
    gone.close()
    invite = lukas.invite(gone.aor)
    invite.expect(500)
    told = account(board, invite.request.call_id, "failed")
    assert f"Nobody is at {host}:{port}, as the network says (ICMP)" in told


def rungs(board: Switchboard, call_id: str) -> int:
    """How many messages the ladder of a call shows, repetitions left out."""
    drawn = board.cli("ladder", call_id, check=False).stdout
    once = "".join(line for line in drawn.splitlines() if "[again]" not in line)
    return once.count("▶") + once.count("◀")


def test_the_ladder_of_a_call(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    call = place_call(lukas, lenka)
    hang_up(call.caller, call.callee)
    wait_until(lambda: rungs(board, call.call_id) >= ANSWERED, "the whole call in the history")
    assert rungs(board, call.call_id) == ANSWERED
    told = json.loads(board.cli("ladder", "--json", call.call_id).stdout)
    invite = next(each for each in told["messages"][1:] if each["label"].startswith("INVITE"))
    assert {"Request-URI", "Via", "Record-Route", "Max-Forwards"} <= {
        each["what"] for each in invite["changes"]
    }


def test_a_history_that_is_killed_goes_on(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    pid = board.kill("history")
    board.wait_component("history", lambda one: one["state"] == "up" and one["pid"] != pid)
    invite = lukas.invite(lenka.aor)
    lenka.expect("INVITE").reply(486)
    invite.expect(486)
    assert "was busy" in account(board, invite.request.call_id, "busy")


@contextmanager
def tracing(board: Switchboard, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """`switchboard trace`, listening; Ctrl-C at the end."""
    process = board.start_command("trace", *arguments)
    with process:
        assert process.stderr is not None
        assert "Listening" in process.stderr.readline()
        yield process
        process.send_signal(signal.SIGINT)
        process.wait(10)
    assert process.returncode == 0


def test_a_trace_opens_in_tshark(
    board: Switchboard, lukas: UserAgent, lenka: UserAgent, tmp_path: Path
) -> None:
    require_tools("tshark")
    capture = tmp_path / "call.pcapng"
    with tracing(board, "--user", lukas.user, "-o", str(capture)):
        invite = lukas.invite(lenka.aor)
        lenka.expect("INVITE").reply(603)
        invite.expect(603)
        wait_until(lambda: kept(board, invite) >= REFUSED, "the whole call in the history")
        wait_until(lambda: len(dissect(capture)) >= kept(board, invite), "all of its packets")
    packets = dissect(capture)
    assert len(packets) == kept(board, invite)
    last = [packet for packet in packets if packet[2]][-1]
    host, port = board.address
    assert last[:2] == [str(port), str(lukas.address[1])]
    assert last[2] == "SIP/2.0 603 Odmietnutie"
    assert [packet[3] for packet in packets if packet[3]] == [], "malformed, or with a bad checksum"


def kept(board: Switchboard, invite: ClientTransaction) -> int:
    """How many messages the history has of the call, repetitions too."""
    return len(history(board).messages(invite.request.call_id))


def dissect(capture: Path) -> list[list[str]]:
    """Ports, status line and complaints of each packet."""
    fields = ("udp.srcport", "udp.dstport", "sip.Status-Line", "_ws.expert.message")
    checks = ("-o", "udp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE")
    command = ["tshark", "-n", "-r", str(capture), *checks, "-T", "fields"]
    for each in fields:
        command += ["-e", each]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return [line.split("\t") for line in done.stdout.splitlines()]


def test_a_trace_prints_a_line_a_message(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    with tracing(board, "--user", lenka.user) as process:
        assert process.stdout is not None
        os.set_blocking(process.stdout.fileno(), False)
        invite = lukas.invite(lenka.aor)
        lenka.expect("INVITE").reply(486)
        invite.expect(486)
        wait_until(lambda: kept(board, invite) >= REFUSED, "the whole call in the history")
        lines: list[str] = []

        def has_all() -> bool:
            lines.extend(line for line in process.stdout or () if invite.request.call_id in line)
            return len(lines) >= kept(board, invite)

        wait_until(has_all, "all of its lines")
    assert len(lines) == kept(board, invite)
    assert f"INVITE {lenka.user}" in lines[0]
    assert any("486 Obsadené (INVITE)" in line for line in lines)


def test_a_collector_gets_what_passes() -> None:
    """It reaches Homer's port as HEP3."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as collector:
        collector.bind(("127.0.0.1", 0))
        collector.settimeout(5)
        where = f"127.0.0.1:{collector.getsockname()[1]}"
        with Switchboard({"SWITCHBOARD_HEP": where}) as board, Net(board.address) as net:
            await_history(board)
            lukas = registered(net, "lukas")
            ends = struct.pack("!H", lukas.address[1]), struct.pack("!H", board.address[1])
            first_words: dict[tuple[bytes, bytes], bytes] = {}
            while len(first_words) < 2:
                packet = decode(collector.recv(65535))
                if ends[0] in (packet[7], packet[8]):
                    first_words[packet[7], packet[8]] = packet[15].split()[0]
    assert first_words == {ends: b"REGISTER", ends[::-1]: b"SIP/2.0"}


def test_nothing_is_kept_where_it_is_off() -> None:
    with Switchboard({"SWITCHBOARD_HISTORY": "off"}) as board:
        assert "history" not in [each["name"] for each in board.components()]
        done = board.cli("explain", "--last", check=False)
        assert done.returncode == 1
        assert "There is no history" in done.stderr


def test_the_account_is_that_of_the_messages(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    invite = lukas.invite(lenka.aor)
    lenka.expect("INVITE").reply(486)
    invite.expect(486)
    told = account(board, invite.request.call_id, "busy")
    assert explain(history(board).messages(invite.request.call_id)).text == told.rstrip()
