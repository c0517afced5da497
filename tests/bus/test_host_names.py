"""Names of hosts: look-ups that succeed, fail, change and hang."""

import time
from threading import Event

import pytest

from switchboard.bus import host_names
from switchboard.bus.host_names import HostNames, first_address

LIMIT_S = 20.0


class Dns:
    """Answers what it is told; with `hold()` not before `release()`."""

    def __init__(self, address: str = "10.0.0.1") -> None:
        self.address = address
        self.asked = 0
        self._may = Event()
        self._may.set()

    def __call__(self, name: str) -> str:
        assert name == "beta.example"
        self.asked += 1
        address = self.address
        self._may.wait(LIMIT_S)
        return address

    def hold(self) -> None:
        self._may.clear()

    def release(self) -> None:
        self._may.set()


def resolve(names: HostNames) -> str:
    return names.resolve("tcp://beta.example:7100")


def resolved(names: HostNames, wanted: str) -> bool:
    until = time.monotonic() + LIMIT_S
    while (found := resolve(names)) != wanted:
        if time.monotonic() > until:
            return found == wanted
    return True


@pytest.mark.parametrize("endpoint", ["tcp://10.0.0.1:7100", "tcp://[2001:db8::1]:7100"])
def test_an_address_is_no_name(endpoint: str) -> None:
    dns = Dns()
    assert HostNames(dns).resolve(endpoint) == endpoint
    assert dns.asked == 0


def test_a_name_gets_its_address() -> None:
    assert resolve(HostNames(Dns())) == "tcp://10.0.0.1:7100"
    assert resolve(HostNames(Dns("2001:db8::1"))) == "tcp://[2001:db8::1]:7100"


def test_a_fresh_answer_serves_again() -> None:
    dns = Dns()
    names = HostNames(dns)
    assert resolve(names) == resolve(names)
    assert dns.asked == 1


def test_a_changed_address_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    dns = Dns()
    names = HostNames(dns)
    resolve(names)
    dns.address = "10.0.0.2"
    monkeypatch.setattr(host_names, "FRESH_S", 0.01)
    assert resolved(names, "tcp://10.0.0.2:7100")


def test_a_name_that_fails_keeps_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    dns = Dns()
    names = HostNames(dns)
    resolve(names)
    dns.address, asked = "", dns.asked
    dns.hold()
    monkeypatch.setattr(host_names, "FRESH_S", 0.05)
    assert resolved(names, "")  # it is being looked up
    dns.release()
    assert resolved(names, "tcp://10.0.0.1:7100")
    assert dns.asked > asked


def test_nobody_waits_twice_for_a_silent_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_names, "FIRST_WAIT_S", 0.05)
    dns = Dns()
    dns.hold()
    names = HostNames(dns)
    assert resolve(names) == ""
    monkeypatch.setattr(host_names, "FIRST_WAIT_S", LIMIT_S)
    begin = time.monotonic()
    assert resolve(names) == ""
    assert time.monotonic() - begin < LIMIT_S / 2
    assert dns.asked == 1
    dns.release()
    assert resolved(names, "tcp://10.0.0.1:7100")


def test_the_system_resolver() -> None:
    assert first_address("localhost") in ("127.0.0.1", "::1")
    assert first_address("no-such-host.invalid") == ""
    assert first_address("x" * 70) == ""
