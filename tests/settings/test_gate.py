"""How the settings of the gate become its policy."""

import pytest
from pydantic import ValidationError

from switchboard.core.networks import parse_host
from switchboard.settings.gate import AccessSettings, check_network, check_scanner, gate_policy
from switchboard.settings.model import Settings


def test_defaults_count_everybody_but_ourselves() -> None:
    policy = gate_policy(Settings())
    assert (policy.rate, policy.burst, policy.ignored_s) == (400.0, 2000.0, 10.0)
    assert [policy.is_exempt(parse_host(host)) for host in ("127.0.0.9", "::1", "192.0.2.1")] == [
        True,
        True,
        False,
    ]
    assert policy.is_free(parse_host("192.0.2.1"))


def test_access_by_method() -> None:
    access = AccessSettings.model_validate(
        {"deny": ["192.0.2.0/24"], "answer": "silence", "methods": {"REGISTER": {"allow": ["10.0.0.0/8"]}}}
    )
    policy = gate_policy(Settings(access=access))
    assert policy.silent
    far, near = parse_host("198.51.100.1"), parse_host("10.0.0.1")
    assert [policy.lets_in(far, method) for method in ("REGISTER", "INVITE")] == [False, True]
    assert policy.lets_in(near, "REGISTER")
    assert not policy.lets_in(parse_host("192.0.2.1"), "INVITE")


def test_a_burst_is_not_less_than_a_second() -> None:
    assert gate_policy(Settings(rate_limit=100.0, rate_burst=1.0)).burst == 100.0


@pytest.mark.parametrize(
    ("access", "shown"),
    [
        (AccessSettings(), "everybody"),
        (AccessSettings(allow=("10.0.0.0/8",), deny=("10.0.0.1",)), "allow 10.0.0.0/8; deny 10.0.0.1/32"),
        (AccessSettings.model_validate({"methods": {"REGISTER": {"deny": ["::/0"]}}}), "REGISTER: deny ::/0"),
    ],
)
def test_access_in_words(access: AccessSettings, shown: str) -> None:
    assert str(access) == shown


@pytest.mark.parametrize("access", [{"allow": ["everybody"]}, {"answer": "no"}, {"methods": {"bye": {}}}])
def test_bad_access(access: object) -> None:
    with pytest.raises(ValidationError):
        AccessSettings.model_validate(access)


def test_networks_and_scanners_in_one_form() -> None:
    assert check_network(" 10.0.0.1 ") == "10.0.0.1/32"
    assert check_scanner("Friendly") == "friendly"
