"""The number of routers changes while calls ring and records wait: everything is answered, cancelled and recorded."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from system.dialog import answer_call, hang_up, place_call
from system.harness import INIT_SYSTEM, Switchboard, free_port, wait_until
from system.net import Net
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

RINGING = 10
T1_S = 0.1
OVER_S = 32.0 + 64 * T1_S + 15.0
"""Within this the last transaction has ended (timer D lasts 32 s), and nobody awaits anything."""


@dataclass
class Ringing:
    caller: UserAgent
    invite: ClientTransaction
    callee: UserAgent
    incoming: ServerTransaction

    @classmethod
    def begin(cls, net: Net, number: int) -> "Ringing":
        caller, callee = registered(net, f"caller{number}"), registered(net, f"callee{number}")
        invite = caller.invite(callee.aor)
        incoming = callee.expect("INVITE")
        incoming.reply(180)
        invite.expect(180)
        return cls(caller, invite, callee, incoming)

    def repeat_and_answer(self) -> str:
        """The caller's INVITE comes again, which its callee is not to notice."""
        self.invite.resend()
        return self.answer()

    def answer(self) -> str:
        call = answer_call(self.caller, self.invite, self.callee, self.incoming)
        hang_up(call.callee, call.caller)
        return "answered"

    def cancel(self) -> str:
        cancel = self.caller.cancel(self.invite)
        cancel.expect(200)
        incoming = self.callee.expect("CANCEL")
        incoming.reply(200)
        self.incoming.reply(487)
        self.invite.expect(487)
        self.incoming.expect_ack()
        return "cancelled"

    def decline(self) -> str:
        self.incoming.reply(603)
        self.invite.expect(603)
        self.incoming.expect_ack()
        return "declined"

    @property
    def ways(self) -> list[Callable[[], str]]:
        return [self.answer, self.cancel, self.repeat_and_answer, self.decline]


class Site:
    """One data directory and one port, whatever runs with them."""

    def __init__(self, data_dir: Path) -> None:
        self.port = free_port("127.0.0.1")
        self._data_dir = data_dir

    def board(self, routers: int) -> Switchboard:
        environment = {"SWITCHBOARD_ROUTERS": str(routers), "SWITCHBOARD_T1_S": str(T1_S)}
        return Switchboard(environment, port=self.port, data_dir=self._data_dir)

    @contextmanager
    def crashing(self, routers: int) -> Iterator[Switchboard]:
        """It is killed at the end of the block."""
        board = self.board(routers)
        board.start()
        try:
            board.wait_up()
            yield board
        finally:
            board.crash()


def routers_of(board: Switchboard) -> list[int]:
    return [one["instance"] for one in board.components() if one["name"] == "router"]


def finish(calls: list[Ringing], soon: bool = False) -> dict[str, str]:
    """Each call in one of the ways; the outcomes by Call-ID. `soon`: timer D is not to be waited for."""
    outcomes = {}
    for n, call in enumerate(calls):
        ways = call.ways[::2] if soon else call.ways
        outcomes[call.invite.request.call_id] = ways[n % len(ways)]()
    return outcomes


def answered_while_the_journal_stands_still(board: Switchboard, net: Net) -> dict[str, str]:
    board.hang("journal")
    outcomes = {}
    for number in range(RINGING):
        call = place_call(registered(net, f"a{number}"), registered(net, f"b{number}"))
        hang_up(call.caller, call.callee)
        outcomes[call.call_id] = "answered"
    return outcomes


@pytest.mark.parametrize(
    ("before", "after", "soon"), [(2, 1, False), (3, 2, True), (1, 2, False), (4, 1, True)]
)
def test_calls_ring_and_records_wait_while_the_number_changes(
    tmp_path: Path, before: int, after: int, soon: bool
) -> None:
    site = Site(tmp_path / "data")
    with Net(("127.0.0.1", site.port), retransmits=True) as net:
        with site.crashing(before) as board:
            assert routers_of(board) == list(range(before))
            outcomes = answered_while_the_journal_stands_still(board, net)
            calls = [Ringing.begin(net, number) for number in range(RINGING)]
        with site.board(after) as board:
            assert routers_of(board) == list(range(max(before, after)))
            if before > after:
                assert "leaving" in str([one.get("notes") for one in board.status()])
                assert f"router-{after}" in board.cli("doctor", "--json", check=False).stdout
            outcomes |= finish(calls, soon)
            calls = [Ringing.begin(net, RINGING + number) for number in range(4)]
            outcomes |= finish(calls, soon)
            records = {one["call_id"]: one["outcome"] for one in board.wait_cdr(len(outcomes))}
            assert records == outcomes
            wait_until(lambda: is_over(board, tmp_path / "data", after), "the end of it", OVER_S)
            calls += [Ringing.begin(net, 2 * RINGING + number) for number in range(4)]
            for call_id, outcome in finish(calls[-4:]).items():
                assert board.wait_record(call_id)["outcome"] == outcome
            assert [call.callee.unread() for call in calls] == [[]] * len(calls)


def is_over(board: Switchboard, data_dir: Path, routers: int) -> bool:
    """Whether nobody leaves any more, and nothing is kept of who has left."""
    numbers = list(range(routers))
    kept = sorted(each.name for each in data_dir.glob("router-*"))
    is_kept = kept == [f"router-{number}" for number in numbers]
    in_service = f"in service: {' '.join(map(str, numbers))}\n"
    return is_kept and routers_of(board) == numbers and (data_dir / "routers").read_text() == in_service


@contextmanager
def rolling(tmp_path: Path, routers: int) -> Iterator[tuple[Switchboard, Callable[[int], None]]]:
    """One under an init system, with a settings file, and what changes the number of routers in that."""
    path = tmp_path / "switchboard.toml"

    def write(number: int) -> None:
        path.write_text(f"routers = {number}\n")

    write(routers)
    environment = {"SWITCHBOARD_CONFIG": str(path), "SWITCHBOARD_T1_S": str(T1_S)}
    with Switchboard(environment, data_dir=tmp_path / "data", runner=INIT_SYSTEM) as board:
        yield board, write


def restart_router_parent(board: Switchboard, routers: int) -> None:
    pid = board.component("router")["pid"]
    assert pid is not None
    psutil.Process(psutil.Process(pid).ppid()).terminate()
    wait_until(
        lambda: board.component("router")["pid"] != pid and routers_of(board) == list(range(routers)),
        "the other routers",
    )
    board.wait_up()


def test_a_router_is_removed_while_calls_ring(tmp_path: Path) -> None:
    """As docs/OPERATING.md tells: edge-rx first, then the routers."""
    with rolling(tmp_path, 2) as (board, write), Net(board.address, retransmits=True) as net:
        calls = [Ringing.begin(net, number) for number in range(RINGING)]
        write(1)
        board.cli("restart", "edge-rx")
        outcomes = finish(calls[:4], soon=True)
        restart_router_parent(board, 2)
        outcomes |= finish(calls[4:], soon=True)
        assert {one["call_id"]: one["outcome"] for one in board.wait_cdr(RINGING)} == outcomes
        wait_until(lambda: is_over(board, tmp_path / "data", 1), "the end of router.1", OVER_S)


def test_a_router_is_added_while_calls_ring(tmp_path: Path) -> None:
    """The routers first, then edge-rx."""
    with rolling(tmp_path, 1) as (board, write), Net(board.address, retransmits=True) as net:
        calls = [Ringing.begin(net, number) for number in range(RINGING)]
        write(2)
        restart_router_parent(board, 2)
        outcomes = finish(calls[:4])
        board.cli("restart", "edge-rx")
        new = [Ringing.begin(net, RINGING + number) for number in range(4)]
        outcomes |= finish(calls[4:]) | finish(new)
        assert {one["call_id"]: one["outcome"] for one in board.wait_cdr(len(outcomes))} == outcomes
        wait_until(lambda: is_over(board, tmp_path / "data", 2), "the end of it", OVER_S)
