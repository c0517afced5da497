"""Real Linphone phones whose users have passwords (RFC 3261 §22, RFC 8760)."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from system.harness import Switchboard, wait_until
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.phone_lab import connect
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]


@dataclass(frozen=True, slots=True)
class Office:
    """Two phones whose passwords are right, and one whose is not."""

    switchboard: Switchboard
    lukas: Linphone
    lenka: Linphone
    mallory: Linphone
    algorithm: str


@pytest.fixture(scope="module", params=["SHA-256,MD5", "MD5"])
def office(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """An office whose switchboard offers these algorithms."""
    require_root()
    require_tools("ip", "linphonec")
    home, settings = (
        tmp_path_factory.mktemp("office"),
        {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_AUTH_FROM": "true"},
    )
    settings["SWITCHBOARD_AUTH_ALGORITHMS"] = request.param
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "mallory"]))
        board = stack.enter_context(Switchboard(settings, host=HUB, port=5060, namespace=lan.hub))
        passwords = {
            user: board.cli("user", "add", user, "--generate").stdout.strip()
            for user in ("lukas", "lenka", "mallory")
        }
        passwords["mallory"] = "guessed"
        phones = [
            Linphone(lan, user, home / user, password=password, outbound_proxy=user == "lukas")
            for user, password in passwords.items()
        ]
        lukas, lenka = (stack.enter_context(phone) for phone in phones[:2])
        yield Office(board, lukas, lenka, phones[2], request.param.partition(",")[0])


def shown(phone: Linphone) -> list[str]:
    """The credentials in the phone's log."""
    return [
        line
        for line in phone.log().splitlines()
        if line.startswith(("Authorization:", "Proxy-Authorization:"))
    ]


def test_phones_register_and_call(office: Office) -> None:
    ours, theirs = connect(office.lukas, office.lenka)
    office.lenka.hang_up(theirs)
    office.lukas.wait_ended(ours)
    fields = {line.partition(":")[0] for line in shown(office.lukas)}
    assert fields == {"Authorization", "Proxy-Authorization"}
    assert all(f"algorithm={office.algorithm}" in line for line in shown(office.lukas))
    assert "Proxy-Authorization" not in "".join(shown(office.lenka))
    [record] = office.switchboard.wait_cdr(1)
    assert (record["caller"], record["outcome"]) == (office.lukas.uri, "answered")


def test_a_wrong_password_is_refused_and_the_log_tells_why(office: Office) -> None:
    phone = office.mallory
    phone.start()
    try:
        log = wait_until(lambda: _failures(office.switchboard), "a failure in the log", 20.0)
    finally:
        phone.stop()
    assert all("wrong password" in line and phone.address in line and "mallory" in line for line in log)
    assert "mallory" not in office.switchboard.cli("bindings", "--json").stdout
    assert "guessed" not in office.switchboard.log()


def _failures(switchboard: Switchboard) -> list[str]:
    return [line for line in switchboard.log().splitlines() if "auth failed" in line]
