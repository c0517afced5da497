"""Records of calls on a real PostgreSQL server, while the server and the journal are killed."""

from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from postgres_server import PostgresServer
from system.dialog import place_call
from system.harness import INIT_SYSTEM, Switchboard, wait_until
from system.net import Net
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

LONG_S = 40.0


@pytest.fixture(scope="module")
def database(postgres_process: PostgresServer) -> str:
    return postgres_process.database()


@pytest.fixture(scope="module")
def board(postgres_process: PostgresServer, database: str) -> Iterator[Switchboard]:
    environment = {
        "SWITCHBOARD_JOURNAL": postgres_process.url(database),
        "SWITCHBOARD_ROUTERS": "1",
        "SWITCHBOARD_HISTORY": "off",
    }
    with Switchboard(environment, runner=INIT_SYSTEM) as board:
        yield board


def call(caller: UserAgent, callee: UserAgent) -> None:
    ended = place_call(caller, callee).caller.start("BYE")
    callee.expect("BYE").reply(200)
    ended.expect(200)


def test_each_record_is_in_the_database_once_whoever_is_killed(
    postgres: PostgresServer, database: str, board: Switchboard
) -> None:
    def rows() -> list[str]:
        try:
            found = postgres.do("SELECT call_id FROM switchboard.calls", database=database)
        except psycopg.errors.UndefinedTable:
            return []  # the journal has not made it yet
        return sorted(call_id for (call_id,) in found)

    with ExitStack() as stack:
        net = stack.enter_context(Net(board.address))
        caller, callee = registered(net, "eva"), registered(net, "lukas")
        for _ in range(3):
            call(caller, callee)
        wait_until(lambda: len(rows()) == 3, "three rows", LONG_S)
        postgres.kill()
        call(caller, callee)
        board.kill("journal")
        for _ in range(3):
            call(caller, callee)
        note = wait_until(lambda: waiting_of(board), "what waits", LONG_S)
        assert "127.0.0.1" in note
        assert "records wait in cdr.jsonl" in note
        postgres.start()
        call(caller, callee)
        board.kill("journal")
        call(caller, callee)
        written = sorted(record["call_id"] for record in board.wait_cdr(9, LONG_S))
        wait_until(lambda: len(rows()) == 9, "all rows", LONG_S)
        assert rows() == written
        wait_until(lambda: not waiting_of(board), "an end of waiting", LONG_S)


def waiting_of(board: Switchboard) -> str:
    told = board.cli("status", check=False)
    found = [
        line for line in (told.stdout + told.stderr).splitlines() if "in cdr.jsonl for postgresql" in line
    ]
    return found[0] if found else ""
