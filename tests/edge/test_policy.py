"""What the settings let whom do."""

from switchboard.core.domains import AccessList, parse_host, parse_networks
from switchboard.edge.policy import FilterPolicy

HERE, THERE = parse_host("10.0.0.1"), parse_host("192.0.2.1")
OFFICE = AccessList(allow=parse_networks(["10.0.0.0/8"]))


def test_everybody_is_free_by_default() -> None:
    assert FilterPolicy().is_free(THERE)
    assert FilterPolicy().lets_in(THERE, "REGISTER")


def test_a_method_has_a_list_of_its_own() -> None:
    policy = FilterPolicy(methods={"REGISTER": OFFICE})
    assert not policy.is_free(THERE)
    assert policy.is_free(HERE)
    assert [policy.lets_in(THERE, method) for method in ("REGISTER", "INVITE", "")] == [False, True, True]


def test_the_list_for_all_counts_besides() -> None:
    policy = FilterPolicy(access=OFFICE, methods={"OPTIONS": AccessList()})
    assert not policy.lets_in(THERE, "OPTIONS")
    assert policy.lets_in(HERE, "OPTIONS")


def test_without_a_rate_nobody_is_counted() -> None:
    assert FilterPolicy().is_exempt(THERE)
    policy = FilterPolicy(rate=1.0, exempt=parse_networks(["10.0.0.0/8"]))
    assert [policy.is_exempt(each) for each in (HERE, THERE)] == [True, False]
