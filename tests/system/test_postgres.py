"""Switchboards that share what they know on a real PostgreSQL server, which is killed and comes back."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postgres_server import PASSWORD, PostgresServer
from system.harness import INIT_SYSTEM, Switchboard, wait_until
from system.net import Net
from system.password import PasswordAgent, add_user
from system.test_store_faults import kill_registrar
from system.user_agent import UserAgent

pytestmark = pytest.mark.system


@contextmanager
def board_at(url: str) -> Iterator[tuple[Switchboard, Net]]:
    """Registrations and users are in the database."""
    wanted = {"LOCATION": url, "USERS": url, "AUTH": "on", "ROUTERS": "1", "HISTORY": "off"}
    environment = {f"SWITCHBOARD_{key}": value for key, value in wanted.items()}
    with Switchboard(environment, runner=INIT_SYSTEM) as board, Net(board.address) as net:
        yield board, net


def assert_reached(caller: PasswordAgent, callee: UserAgent) -> None:
    """A request to the callee's address-of-record reaches its phone."""
    request = caller.prove(lambda: caller.ask("OPTIONS", callee.aor))
    callee.expect("OPTIONS").reply(200)
    request.expect(200)


def is_ok(net: Net, phone: PasswordAgent) -> bool:
    request = phone.prove(lambda: phone.register(expires=900))
    return net.wait_for(lambda: next(iter(request.statuses()), None), "an answer") == 200


def users_of(board: Switchboard) -> set[str]:
    return {each["user"] for each in json.loads(board.cli("user", "list", "--json").stdout)["users"]}


def test_calls_and_passwords_go_on_while_the_server_is_away(postgres: PostgresServer) -> None:
    database = postgres.database()
    url = postgres.url(database)
    with board_at(url) as (one, net), board_at(url) as (other, elsewhere):
        callee, caller = PasswordAgent(net, "lukas"), PasswordAgent(elsewhere, "eva")
        for phone in (callee, caller):
            add_user(one, phone)
        callee.sign_in()
        wait_until(lambda: users_of(other) == {callee.user, caller.user}, "the users at the other")
        wait_until(lambda: callee.user in other.cli("bindings", "--json").stdout, "the other's copy")
        assert_reached(caller, callee)
        postgres.kill()
        wait_until(lambda: "refused" in one.cli("status", check=False).stderr, "the reason")
        refusal = callee.prove(lambda: callee.register(expires=900)).expect(503)
        assert int(refusal.get("retry-after")) > 0
        refused = one.cli("user", "add", "jan", "--generate", check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "refused" in refused.stderr
        assert PASSWORD not in refused.stderr + one.cli("status", check=False).stderr
        kill_registrar(one)
        assert_reached(caller, callee)
        postgres.start()
        wait_until(lambda: is_ok(net, callee), "a 200")
        wait_until(lambda: is_ok(elsewhere, caller), "a 200 of the other")
        found = postgres.do("SELECT name FROM switchboard.location_users", database=database)
        assert {bytes(name).decode() for (name,) in found} == {callee.user, caller.user}
        one.cli("user", "remove", caller.user)
        wait_until(lambda: users_of(other) == {callee.user}, "the change at the other")
        told = one.cli("doctor", check=False).stdout
        assert "fsync" in told
        assert "users" in told


def test_without_psycopg_the_start_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    (tmp_path / "hidden" / "sitecustomize.py").write_text("import sys; sys.modules['psycopg'] = None\n")
    path = os.pathsep.join((str(tmp_path / "hidden"), os.environ.get("PYTHONPATH", "")))
    board = Switchboard({"SWITCHBOARD_LOCATION": "postgresql://h/d", "PYTHONPATH": path})
    _, told = board.fail_to_start()
    assert "location is on PostgreSQL" in told
    assert "pip install 'switchboard[postgres]'" in told
    assert "Traceback" not in told
