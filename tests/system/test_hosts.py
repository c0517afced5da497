"""Two hosts: calls through both, deaths of workers, a cut link, and what people see of it."""

import json
from collections.abc import Iterator

import pytest
from system.harness import PATIENCE_S, wait_until
from system.hosts import ALPHA, BETA
from system.tools import require_root, require_tools

from bench.blow import Way, all_workers
from bench.killmatrix import FAST_CALLS, FAST_LOAD_S, FAST_RATE
from bench.session import LOAD_S, Session
from bench.two_hosts import LINK, TwoHosts
from switchboard.bus.context import SILENCE_MS

pytestmark = [pytest.mark.system, pytest.mark.alone]

ROUTERS = 2
CELLS = [
    *((worker, Way.KILL) for worker in all_workers(ROUTERS) if worker != "router.1"),
    ("router.1", Way.RESTART),
    (LINK, Way.CUT),
]


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    require_root()
    require_tools("ip")
    load_s = FAST_LOAD_S | {Way.CUT: LOAD_S[Way.CUT]}
    with Session(TwoHosts(ROUTERS), FAST_CALLS, FAST_RATE, load_s) as running:
        yield running


@pytest.fixture
def board(session: Session) -> TwoHosts:
    assert isinstance(session.subject, TwoHosts)
    return session.subject


@pytest.mark.parametrize(("target", "way"), CELLS)
def test_nothing_is_lost(session: Session, target: str, way: Way) -> None:
    event = session.happen(target, way)
    assert event.blemishes == [], "\n".join(event.why)


@pytest.mark.parametrize("asked", [ALPHA, BETA])
def test_commands_work_on_either_host(board: TwoHosts, asked: str) -> None:
    cli = board.hosts.boards[asked].cli
    places = {name: one["host"] for name, one in board.hosts.status(asked).items()}
    assert places == {
        **dict.fromkeys(("edge-rx.0", "edge-tx.0", "edge-stream.0", "translator.0"), ALPHA),
        **dict.fromkeys(("registrar.0", "router.0", "router.1", "journal.0", "history.0"), BETA),
    }
    assert json.loads(cli("bindings", "--json").stdout)["bindings"]
    records = json.loads(cli("cdr", "--json").stdout)["records"]
    assert len(records) == len(board.hosts.boards[BETA].cdr())
    assert json.loads(cli("calls", "--json").stdout) == {"calls": []}
    for worker in ("translator.0", "journal.0"):
        assert cli("restart", worker).stderr == f"Restarted: {worker}.\n"


def test_a_cut_link_is_told_by_those_who_miss_it(board: TwoHosts) -> None:
    def notes() -> list[str]:
        said: list[str] = board.hosts.status(ALPHA)["edge-rx.0"]["notes"]
        return said

    board.hosts.lan.cut(BETA)
    try:
        told = wait_until(lambda: notes(), "a note of the edge", SILENCE_MS / 1000 + PATIENCE_S)
        assert board.hosts.status(ALPHA)["router.0"]["state"] == "down"
    finally:
        board.hosts.lan.mend(BETA)
    address = board.hosts.lan.backbone[BETA]
    assert all(f" at tcp://{address}:" in note and " cannot be reached since " in note for note in told)
    assert {note.partition(" ")[0] for note in told} <= {"registrar.0", "router.0", "router.1"}
    wait_until(lambda: not notes(), "the link is whole again")
