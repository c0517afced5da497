"""Two registrars of one switchboard, on a real Redis server: who gets which users, and those of one that is dead."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
import pytest
from redis_server import redis_server
from system.harness import INIT_SYSTEM, Switchboard, wait_until
from system.net import Net
from system.sipmsg import uri_in
from system.user_agent import UserAgent, registered

from bench.asked import stat

pytestmark = pytest.mark.system

USERS = 200
EXPECTED_S = 30.0
REGISTRARS = ("registrar.0", "registrar.1")


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Switchboard]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        wanted = {
            "SWITCHBOARD_LOCATION": server.url,
            "SWITCHBOARD_REGISTRARS": "2",
            "SWITCHBOARD_ROUTERS": "2",
            "SWITCHBOARD_HISTORY": "off",
        }
        with Switchboard(wanted, runner=INIT_SYSTEM) as board:
            yield board


@pytest.fixture
def net(board: Switchboard) -> Iterator[Net]:
    with Net(board.address, retransmits=True) as net:
        yield net


@contextmanager
def kept_down(board: Switchboard, instance: int) -> Iterator[None]:
    """Inside the block this registrar is dead (SIGKILL), and nobody starts it again."""
    process = psutil.Process(board.component("registrar", instance)["pid"])
    parent = psutil.Process(process.ppid())
    parent.suspend()
    try:
        process.kill()
        yield
    finally:
        parent.resume()


def told(board: Switchboard, worker: str, counter: str) -> float:
    return stat(board, worker, counter)


def answered(board: Switchboard) -> list[float]:
    """The REGISTERs that each registrar has answered."""
    return [told(board, each, "replied") for each in REGISTRARS]


def followed(board: Switchboard) -> set[float]:
    """The registrars whose changes the routers follow."""
    return {told(board, f"router.{each}", "registrar_followed") for each in (0, 1)}


def wait_serving(board: Switchboard, count: int) -> None:
    """The edge gives users to so many registrars."""
    wait_until(lambda: told(board, "edge-rx.0", "registrars_away") == 2 - count, "the edge knows", EXPECTED_S)


def bound(board: Switchboard) -> dict[str, Any]:
    """The contacts by user, as whichever registrar answers lists them."""
    found = json.loads(board.cli("bindings", "--json").stdout)["bindings"]
    return {each["user"]: each["contact_uri"] for each in found}


def assert_reached(caller: UserAgent, callee: UserAgent) -> None:
    """By both routers: each has its share of the Call-IDs."""
    for _ in range(4):
        request = caller.ask("OPTIONS", callee.aor)
        callee.expect("OPTIONS").reply(200)
        request.expect(200)


def register_all(phones: list[UserAgent]) -> None:
    for phone in phones:
        phone.register().expect(200, EXPECTED_S)


def test_two_registrars_share_the_users_and_both_routers_know_all(board: Switchboard, net: Net) -> None:
    before = answered(board)
    caller = registered(net, "caller")
    for number in range(USERS):
        phone = registered(net, f"user{number}")
        if number % 20 == 0:
            assert_reached(caller, phone)  # at once, whichever registrar it was
    after = answered(board)
    gained = [now - then for now, then in zip(after, before, strict=True)]
    assert sum(gained) >= USERS + 1
    assert min(gained) > USERS / 20
    assert len(bound(board)) >= USERS + 1


@pytest.mark.parametrize("dead", [1, 0])
def test_a_killed_registrar_under_registers(board: Switchboard, net: Net, dead: int) -> None:
    """Its users are answered by the other one, and nothing is lost that was acknowledged."""
    caller = registered(net, "caller")
    phones = [UserAgent(net, f"user{number}") for number in range(USERS)]
    register_all(phones[:50])
    with kept_down(board, dead):
        register_all(phones[50:])
        away = f"registrar.{dead} is away: its users go to the other registrars"
        wait_until(lambda: away in notes(board), "the edge says who is away", EXPECTED_S)
        assert bound(board).items() >= {phone.user: phone.contact for phone in phones}.items()
        wait_until(lambda: followed(board) == {1 - dead}, "both routers follow the other one", EXPECTED_S)
        newest = registered(net, "newest")
        for phone in (*phones[::20], newest):
            assert_reached(caller, phone)
    board_is_whole(board)
    before = told(board, f"registrar.{dead}", "replied")
    register_all(phones)
    assert told(board, f"registrar.{dead}", "replied") > before + USERS / 20
    assert [uri_in(each) for each in newest.bindings()] == [newest.contact]
    assert_reached(caller, newest)


def notes(board: Switchboard) -> str:
    return " ".join(board.cli("status", check=False).stderr.split())


def board_is_whole(board: Switchboard) -> None:
    wait_until(lambda: all(one["state"] == "up" for one in board.status()), "all up", EXPECTED_S)
    wait_serving(board, 2)


def test_registrars_are_restarted_one_after_the_other(board: Switchboard, net: Net) -> None:
    phone = registered(net, "patient")
    done = board.cli("restart", "registrar")
    assert "Restarted: registrar.0, registrar.1." in done.stderr + done.stdout
    board_is_whole(board)
    phone.register().expect(200, EXPECTED_S)
    assert_reached(phone, phone)
