"""How the settings become the policy of the edge's filter."""

from switchboard.core.domains import parse_host
from switchboard.settings.model import Settings
from switchboard.settings.types import AccessSettings
from switchboard.workers.edge_rx import filter_policy


def test_defaults_count_everybody_but_ourselves() -> None:
    policy = filter_policy(Settings())
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
    policy = filter_policy(Settings(access=access))
    assert policy.silent
    far, near = parse_host("198.51.100.1"), parse_host("10.0.0.1")
    assert [policy.lets_in(far, method) for method in ("REGISTER", "INVITE")] == [False, True]
    assert policy.lets_in(near, "REGISTER")
    assert not policy.lets_in(parse_host("192.0.2.1"), "INVITE")


def test_a_burst_is_not_less_than_a_second() -> None:
    assert filter_policy(Settings(rate_limit=100.0, rate_burst=1.0)).burst == 100.0
