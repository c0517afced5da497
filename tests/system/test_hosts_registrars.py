"""A registrar and a router on each of two hosts, a Redis server for both, and users with passwords: one host dies."""

import json
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from redis_server import redis_server
from system.harness import START_S, wait_until
from system.hosts import ALPHA, BETA, GAMMA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.password import PasswordAgent, add_user
from system.tools import require_root, require_tools

pytestmark = pytest.mark.system

COMPONENTS = {
    ALPHA: ("edge", "translator"),
    BETA: ("registrar", "router.0", "journal"),
    GAMMA: ("registrar", "router.1"),
}
USERS = 8
FOR_OTHER_HOSTS = ("--bind", "0.0.0.0", "--protected-mode", "no")
WITHIN_S = 30.0
PATIENCE_S = 5.0


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan([ALPHA, BETA, GAMMA, PHONES], servers=[ALPHA, BETA, GAMMA]))
        with lan.entered(ALPHA):
            directory = tmp_path_factory.mktemp("redis")
            server = stack.enter_context(redis_server(directory, *FOR_OTHER_HOSTS))
        settings = {
            "SWITCHBOARD_LOCATION": f"redis://{lan.backbone[ALPHA]}:{server.port}",
            "SWITCHBOARD_AUTH": "on",
            "SWITCHBOARD_REALM": "office",
            "SWITCHBOARD_HISTORY": "off",
        }
        running = stack.enter_context(Hosts(lan, 2, COMPONENTS, settings))
        stack.enter_context(lan.entered(PHONES))
        yield running


@pytest.fixture(scope="module")
def phones(hosts: Hosts) -> Iterator[list[PasswordAgent]]:
    with Net(hosts.address) as net:
        found = [PasswordAgent(net, f"user{number}") for number in range(USERS)]
        for phone in found:
            add_user(hosts.boards[BETA], phone)
        yield found


def sign_in(phone: PasswordAgent) -> None:
    """However often it is asked for its password: another registrar may have got it meanwhile.

    A challenge is not kept for retransmissions, so it begins anew where a phone would send the same again.
    """
    request = phone.register()
    for _ in range(10):
        phone.net.poll(request.statuses, PATIENCE_S)
        if not request.responses:
            request = phone.register()
        elif request.responses[0].status == 200:
            return
        else:
            request = phone.start(phone.answered(request.request, request.responses[0]))
    raise AssertionError(f"{phone.user} was never believed")


def assert_reached(caller: PasswordAgent, callee: PasswordAgent) -> None:
    asked = caller.prove(lambda: caller.ask("OPTIONS", callee.aor))
    callee.expect("OPTIONS", WITHIN_S).reply(200)
    asked.expect(200, WITHIN_S)


def bound(hosts: Hosts) -> dict[str, str]:
    """As whichever registrar answers lists them."""
    found = json.loads(hosts.boards[ALPHA].cli("bindings", "--json").stdout)["bindings"]
    return {each["user"]: each["contact_uri"] for each in found}


def test_each_host_has_a_registrar_and_all_users_register(hosts: Hosts, phones: list[PasswordAgent]) -> None:
    places = {name: one["host"] for name, one in hosts.status(ALPHA).items()}
    assert (places["registrar.0"], places["registrar.1"]) == (BETA, GAMMA)
    for phone in phones:
        sign_in(phone)
    for caller, callee in zip(phones, phones[1:], strict=False):
        assert_reached(caller, callee)
    assert bound(hosts) == {phone.user: phone.contact for phone in phones}


@pytest.mark.parametrize("dead", [GAMMA, BETA])
def test_a_host_with_a_registrar_dies(hosts: Hosts, phones: list[PasswordAgent], dead: str) -> None:
    """The users of its registrar are answered by the other one, which knows their passwords, and all are called."""
    hosts.boards[dead].lose_power()
    for phone in phones:
        sign_in(phone)
    assert bound(hosts) == {phone.user: phone.contact for phone in phones}
    wait_until(lambda: len(away(hosts)) == 2, "the edge says that registrar and router are away", WITHIN_S)
    for caller, callee in zip(phones, phones[1:], strict=False):
        assert_reached(caller, callee)
    hosts.boards[dead].start()
    wait_until(
        lambda: all(one["state"] == "up" for one in hosts.status(ALPHA).values()), "all up again", START_S
    )
    wait_until(lambda: not away(hosts), "nobody is away", WITHIN_S)
    for phone in phones:
        sign_in(phone)
    assert bound(hosts) == {phone.user: phone.contact for phone in phones}


def away(hosts: Hosts) -> list[str]:
    """What the edge says of who gets nothing."""
    return [each for each in hosts.status(ALPHA)["edge-rx.0"]["notes"] if " to the other " in each]
