"""Real phones on UDP that listen on TCP, too: their large requests (RFC 3261 §18.1.1)."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from system.harness import Switchboard, wait_until
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.phone_lab import connect
from system.tools import require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]

Phones = tuple[Linphone, Linphone, Linphone]


@pytest.fixture(scope="module")
def phones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Phones]:
    """Lukas and lenka also listen on TCP, peter does not. An INVITE with video is large."""
    require_root()
    require_tools("ip", "linphonec")
    home = tmp_path_factory.mktemp("phones")
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(["lukas", "lenka", "peter"]))
        stack.enter_context(Switchboard(host=HUB, port=5060, namespace=lan.hub))
        lukas, lenka, peter = (
            stack.enter_context(Linphone(lan, user, home / user, listens_on_tcp=user != "peter", video=True))
            for user in ("lukas", "lenka", "peter")
        )
        yield lukas, lenka, peter


def received(phone: Linphone, method: str) -> list[str]:
    """Over which transport the phone got requests of a method, oldest first."""
    return [
        request.partition("Via: SIP/2.0/")[2][:3]
        for request in phone.log().split(f"\n{method} sip:{phone.user}@{phone.address}")[1:]
    ]


def call(caller: Linphone, callee: Linphone) -> None:
    """Both of them hang up once."""
    for ending in range(2):
        numbers = connect(caller, callee, video=True)
        (caller, callee)[ending].hang_up(numbers[ending])
        assert [each.wait_ended(number) for each, number in zip((caller, callee), numbers, strict=True)] == [
            "No error"
        ] * 2


def test_the_second_call_goes_by_tcp(phones: Phones) -> None:
    lukas, lenka, _ = phones
    call(lukas, lenka)
    assert received(lenka, "INVITE")[0] == "UDP"
    wait_until(lambda: received(lenka, "OPTIONS"), "the question whether it has TCP")
    assert received(lenka, "OPTIONS") == ["TCP"]
    call(lenka, lukas)
    call(lukas, lenka)
    assert received(lenka, "INVITE")[-2:] == ["TCP"] * 2
    assert received(lukas, "INVITE")[-1] == "TCP"


def test_a_phone_without_tcp_is_called_as_ever(phones: Phones) -> None:
    lukas, _, peter = phones
    call(lukas, peter)
    assert set(received(peter, "INVITE")) == {"UDP"}
