"""Switchboards that share their registrations on a real Redis server, which is killed, emptied and restarted."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis_server import RedisServer, redis_server
from system.harness import INIT_SYSTEM, Switchboard, wait_until
from system.net import Net
from system.sipmsg import uri_in
from system.test_store_faults import kill_registrar
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

KEYS = "{switchboard:0}:user:"
BACK_WITHIN_S = 8.0
"""From the first answer of the server; the phones here try again at once, and not when they are told to."""


@contextmanager
def board_at(server: RedisServer, **environment: str) -> Iterator[tuple[Switchboard, Net]]:
    wanted = {"SWITCHBOARD_LOCATION": server.url, "SWITCHBOARD_ROUTERS": "1", "SWITCHBOARD_HISTORY": "off"}
    with Switchboard(wanted | environment, runner=INIT_SYSTEM) as board, Net(board.address) as net:
        yield board, net


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RedisServer]:
    with redis_server(tmp_path / "redis") as server:
        yield server


def assert_reached(caller: UserAgent, callee: UserAgent) -> None:
    """A request to the callee's address-of-record reaches its phone."""
    request = caller.ask("OPTIONS", callee.aor)
    callee.expect("OPTIONS").reply(200)
    request.expect(200)


def test_who_registers_at_one_switchboard_is_called_by_the_other(server: RedisServer) -> None:
    with board_at(server) as (one, net), board_at(server) as (other, elsewhere):
        callee = registered(net, "lukas")
        caller = UserAgent(elsewhere, "eva")
        wait_until(lambda: callee.user in other.cli("bindings", "--json").stdout, "the binding at the other")
        assert_reached(caller, callee)
        kill_registrar(one)
        assert callee.user in one.cli("bindings", "--json").stdout


def test_both_switchboards_take_registers_of_one_user(server: RedisServer) -> None:
    with board_at(server) as (_, net), board_at(server) as (_, elsewhere):
        here = registered(net, "lukas")
        there = UserAgent(elsewhere, "lukas")
        there.user = here.user
        there.register().expect(200)
        contacts = {here.contact, there.contact}
        wait_until(lambda: {uri_in(each) for each in here.bindings()} == contacts, "both bindings")
        assert {uri_in(each) for each in there.bindings()} == contacts


def test_calls_go_on_while_the_server_is_away(server: RedisServer) -> None:
    with board_at(server) as (board, net):
        callee, caller = registered(net, "lukas"), registered(net, "eva")
        server.kill()
        refusal = callee.register(expires=900).expect(503)
        assert int(refusal.get("retry-after")) > 0
        assert [uri_in(each) for each in callee.bindings()] == [callee.contact]
        wait_until(lambda: "Connection refused" in board.cli("status", check=False).stderr, "the reason")
        kill_registrar(board)
        assert [uri_in(each) for each in callee.bindings()] == [callee.contact]
        assert_reached(caller, callee)
        server.start()
        since = time.monotonic()
        wait_until(lambda: is_ok(net, callee), "a 200")
        assert time.monotonic() - since < BACK_WITHIN_S
        wait_until(lambda: server.do("EXISTS", KEYS + callee.user, KEYS + caller.user) == 2, "both")
        assert_nobody_waits_for_a_server_that_hangs(server, board, net, callee)


def assert_nobody_waits_for_a_server_that_hangs(
    server: RedisServer, board: Switchboard, net: Net, phone: UserAgent
) -> None:
    server.hang()
    first = phone.register(expires=900)
    assert phone.user in board.cli("bindings", "--json").stdout
    first.expect(503)
    assert [uri_in(each) for each in phone.bindings()] == [phone.contact]
    phone.register(expires=900).expect(503)
    server.go_on()
    wait_until(lambda: is_ok(net, phone), "a 200")
    assert [uri_in(each) for each in phone.bindings()] == [phone.contact]


def is_ok(net: Net, phone: UserAgent) -> bool:
    request = phone.register(expires=900)
    return net.wait_for(lambda: next(iter(request.statuses()), None), "an answer") == 200


@pytest.mark.parametrize("persistence", ["everysec", "always", "none"])
def test_a_server_that_is_killed_under_registers_loses_nobody(tmp_path: Path, persistence: str) -> None:
    """Without a file it has lost everything, and gets it from the registrar."""
    options = () if persistence == "none" else ("--appendonly", "yes", "--appendfsync", persistence)
    with redis_server(tmp_path / "redis", *options) as server, board_at(server) as (_, net):
        bound = []
        for each in range(60):
            phone = UserAgent(net, f"user{each}")
            if each == 40:
                server.kill()
            if is_ok(net, phone):
                bound.append(phone)
        server.start()
        assert 40 <= len(bound) < 60
        keys = [KEYS + phone.user for phone in bound]
        wait_until(lambda: server.do("EXISTS", *keys) == len(keys), "all of them")
        for phone in bound:
            assert [uri_in(each) for each in phone.bindings()] == [phone.contact]


def test_a_server_that_was_emptied_is_filled_again(server: RedisServer) -> None:
    with board_at(server) as (_, net):
        phone = registered(net, "lukas")
        server.do("FLUSHALL")
        wait_until(lambda: server.do("EXISTS", KEYS + phone.user), "the binding")
        left_s = server.do("PTTL", KEYS + phone.user) / 1000
        assert 550 < left_s <= 600


def test_without_redis_py_the_start_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "hidden").mkdir()
    hide = "import sys; sys.modules['redis'] = None\n"
    (tmp_path / "hidden" / "sitecustomize.py").write_text(hide)
    path = os.pathsep.join((str(tmp_path / "hidden"), os.environ.get("PYTHONPATH", "")))
    environment = {"SWITCHBOARD_LOCATION": "redis://127.0.0.1", "PYTHONPATH": path}
    board = Switchboard(environment)
    _, told = board.fail_to_start()
    assert "pip install 'switchboard[redis]'" in told
    assert "Traceback" not in told
