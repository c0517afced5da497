"""Switchboards that share what they know on a real PostgreSQL server, which is killed and comes back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer
from system.harness import INIT_SYSTEM, Switchboard, wait_until
from system.net import Net
from system.sipmsg import uri_in
from system.test_redis import assert_reached, is_ok
from system.test_store_faults import kill_registrar
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system


@contextmanager
def board_at(url: str, **environment: str) -> Iterator[tuple[Switchboard, Net]]:
    wanted = {"SWITCHBOARD_LOCATION": url, "SWITCHBOARD_ROUTERS": "1", "SWITCHBOARD_HISTORY": "off"}
    with Switchboard(wanted | environment, runner=INIT_SYSTEM) as board, Net(board.address) as net:
        yield board, net


def test_calls_go_on_while_the_server_is_away(postgres: PostgresServer) -> None:
    database = postgres.database()
    url = postgres.url(database)
    with board_at(url) as (one, net), board_at(url) as (other, elsewhere):
        callee, caller = registered(net, "lukas"), UserAgent(elsewhere, "eva")
        wait_until(lambda: callee.user in other.cli("bindings", "--json").stdout or None, "the other's copy")
        assert_reached(caller, callee)
        postgres.kill()
        refusal = callee.register(expires=900).expect(503)
        assert int(refusal.get("retry-after")) > 0
        wait_until(lambda: "refused" in one.cli("status", check=False).stderr or None, "the reason")
        assert PASSWORD not in one.cli("status", check=False).stderr
        kill_registrar(one)
        assert [uri_in(each) for each in callee.bindings()] == [callee.contact]
        assert_reached(caller, callee)
        postgres.start()
        wait_until(lambda: is_ok(net, callee) or None, "a 200")
        wait_until(lambda: is_ok(elsewhere, caller) or None, "a 200 of the other")
        found = postgres.do("SELECT name FROM switchboard.location_users", database=database)
        assert {bytes(name).decode() for (name,) in found} == {callee.user, caller.user}
        assert "fsync" in one.cli("doctor", check=False).stdout


def test_without_psycopg_the_start_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text("import sys; sys.modules['psycopg'] = None\n")
    path = os.pathsep.join((str(tmp_path / "hidden"), os.environ.get("PYTHONPATH", "")))
    _, told = Switchboard({"SWITCHBOARD_LOCATION": "postgresql://h/d", "PYTHONPATH": path}).fail_to_start()
    assert "location is on PostgreSQL" in told
    assert "pip install 'switchboard[postgres]'" in told
    assert "Traceback" not in told
