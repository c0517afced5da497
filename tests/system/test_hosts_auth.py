"""Two hosts whose users have passwords: the registrar and its users are on one, the routers on the other."""

from collections.abc import Iterator
from functools import partial
from secrets import token_hex
from zlib import crc32

import pytest
from system.dialog import answer_call, hang_up
from system.hosts import ALPHA, BETA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.password import PasswordAgent, add_user
from system.tools import require_root, require_tools

pytestmark = pytest.mark.system

COMPONENTS = {ALPHA: ("edge", "translator", "registrar"), BETA: ("router", "journal", "history")}
ROUTERS = 2
KNOWN_WITHIN = 50
"""Requests until a router has heard of a change; it is told every second."""
ASK_S = 10.0


@pytest.fixture(scope="module")
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    settings = {
        "SWITCHBOARD_AUTH": "on",
        "SWITCHBOARD_REALM": "office",
        "SWITCHBOARD_DO_NOT_DISTURB_STATUS": "603",
    }
    with (
        Lan([ALPHA, BETA, PHONES], servers=[ALPHA, BETA]) as lan,
        Hosts(lan, ROUTERS, COMPONENTS, settings) as running,
        lan.entered(PHONES),
    ):
        yield running


@pytest.fixture
def net(hosts: Hosts) -> Iterator[Net]:
    with Net(hosts.address, retransmits=True) as phones:
        yield phones


def asked_of_routers(phone: PasswordAgent) -> int:
    """What the phone, with its password, is told of a user who does not exist: 407 if it is not believed."""
    asked = phone.prove(lambda: phone.ask("OPTIONS", f"sip:nobody@{phone.domain}"))
    phone.net.wait_for(lambda: asked.statuses(), "an answer", ASK_S)
    return asked.statuses()[-1]


def wait_told(phone: PasswordAgent, status: int) -> None:
    """Return when each router has answered the phone so: it has heard of the change."""
    make_call_id = phone.make_call_id
    for router in range(ROUTERS):
        phone.make_call_id = partial(call_id_of, router)
        tries = KNOWN_WITHIN
        while asked_of_routers(phone) != status:
            tries -= 1
            assert tries, f"router {router} never said {status}"
            phone.net.listen(0.1)
    phone.make_call_id = make_call_id


def call_id_of(router: int) -> str:
    """A Call-ID that is that router's business (docs/DESIGN.md)."""
    return next(text for text in iter(lambda: token_hex(8), "") if crc32(text.encode()) % ROUTERS == router)


def wait_declined(phone: PasswordAgent, callee: str) -> None:
    """Return when each router declines calls to the callee, who is registered nowhere."""
    for router in range(ROUTERS):
        phone.make_call_id = partial(call_id_of, router)
        tries, status = KNOWN_WITHIN, 0
        while status != 603:
            invite = phone.prove(lambda: phone.invite(f"sip:{callee}@{phone.domain}"))
            phone.net.wait_for(lambda invite=invite: invite.statuses()[-1:] > [199], "an answer")  # type: ignore[misc]
            status, tries = invite.statuses()[-1], tries - 1
            assert tries, f"router {router} never declined"
            phone.net.listen(0.1)


def call(caller: PasswordAgent, callee: PasswordAgent) -> None:
    invite = caller.prove(lambda: caller.invite(callee.aor))
    answered = answer_call(caller, invite, callee, callee.expect("INVITE"))
    hang_up(answered.callee, answered.caller)


def test_routers_elsewhere_follow_the_users(hosts: Hosts, net: Net) -> None:
    """Who is added, calls; who has another password, calls with that alone; who is removed, calls no more."""
    board = hosts.boards[ALPHA]
    places = {name: one["host"] for name, one in hosts.status(ALPHA).items()}
    assert (places["registrar.0"], places["router.0"], places["router.1"]) == (ALPHA, BETA, BETA)
    lukas, lenka = PasswordAgent(net, "lukas"), PasswordAgent(net, "lenka")
    for phone in (lukas, lenka):
        assert asked_of_routers(phone) == 407
        add_user(board, phone)
        phone.sign_in()
        wait_told(phone, 404)
    call(lukas, lenka)
    old, lukas.password = (
        lukas.password,
        board.cli("user", "passwd", lukas.user, "--generate").stdout.strip(),
    )
    wait_told(lukas, 404)
    call(lukas, lenka)
    lukas.password, new = old, lukas.password
    wait_told(lukas, 407)
    lukas.password = new
    board.cli("user", "remove", lukas.user)
    wait_told(lukas, 407)


def test_routers_elsewhere_know_the_users_after_their_death(hosts: Hosts, net: Net) -> None:
    board = hosts.boards[ALPHA]
    lukas, lenka = PasswordAgent(net, "lukas"), PasswordAgent(net, "lenka")
    for phone in (lukas, lenka):
        add_user(board, phone)
        phone.sign_in()
        wait_told(phone, 404)
    before = hosts.status(ALPHA)
    hosts.kill(BETA, "router")
    hosts.wait_replaced(before, ["router.0"])
    wait_told(lukas, 404)
    call(lukas, lenka)


def test_routers_elsewhere_follow_the_rules(hosts: Hosts, net: Net) -> None:
    board, eva = hosts.boards[ALPHA], PasswordAgent(net, "eva")
    add_user(board, eva)
    eva.sign_in()
    wait_told(eva, 404)
    board.cli("dnd", "petra", "on")
    wait_declined(eva, "petra")
