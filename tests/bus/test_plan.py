"""Where things stand on several hosts."""

import pytest

from switchboard.bus.plan import Kind, Plan

PLAN = Plan(
    here="alpha",
    addresses={"alpha": "10.0.0.1", "beta": "2001:db8::2"},
    owners=["edge", "router", "edge-tx.0", "router.0", "router.1"],
    places={
        "edge": ["alpha"],
        "router": ["alpha", "beta"],
        "edge-tx.0": ["alpha"],
        "router.0": ["alpha"],
        "router.1": ["beta"],
    },
    base_port=7100,
)


@pytest.mark.parametrize(
    ("owner", "kind", "host", "endpoint"),
    [
        ("edge", Kind.CONTROL, "", "tcp://10.0.0.1:7103"),
        ("router", Kind.CONTROL, "", "tcp://10.0.0.1:7107"),
        ("router", Kind.CONTROL, "beta", "tcp://[2001:db8::2]:7107"),
        ("router.1", Kind.INBOX, "", "tcp://[2001:db8::2]:7116"),
        ("router.1", Kind.ASK, "", "tcp://[2001:db8::2]:7118"),
    ],
)
def test_endpoint(owner: str, kind: Kind, host: str, endpoint: str) -> None:
    assert PLAN.endpoint(owner, kind, host) == endpoint


def test_no_two_sockets_share_a_port() -> None:
    ports = [PLAN.port(owner, kind) for owner in PLAN.owners for kind in Kind]
    assert len(set(ports)) == len(ports)


def test_is_here() -> None:
    assert [PLAN.is_here(owner) for owner in ("edge", "router", "router.1")] == [True, True, False]
