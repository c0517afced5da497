"""Where things stand on several hosts."""

from dataclasses import replace
from pathlib import Path

import pytest

from switchboard.bus.endpoints import Endpoints, HostPlan, SocketKind

PLAN = HostPlan(
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
        ("edge", SocketKind.CONTROL, "", "tcp://10.0.0.1:7103"),
        ("router", SocketKind.CONTROL, "", "tcp://10.0.0.1:7107"),
        ("router", SocketKind.CONTROL, "beta", "tcp://[2001:db8::2]:7107"),
        ("router.1", SocketKind.INBOX, "", "tcp://[2001:db8::2]:7116"),
        ("router.1", SocketKind.ASK, "", "tcp://[2001:db8::2]:7118"),
    ],
)
def test_endpoint(owner: str, kind: SocketKind, host: str, endpoint: str) -> None:
    assert PLAN.endpoint(owner, kind, host) == endpoint


def test_no_two_sockets_share_a_port() -> None:
    ports = [PLAN.port(owner, kind) for owner in PLAN.owners for kind in SocketKind]
    assert len(set(ports)) == len(ports)


def test_is_here() -> None:
    assert [PLAN.is_here(owner) for owner in ("edge", "router", "router.1")] == [True, True, False]


def test_every_door_has_its_own_socket() -> None:
    at = Endpoints(Path("/run/sb"))
    assert at.inbox("router", 1) == "ipc:///run/sb/router.1.in"
    assert at.inbox("edge-tx") == "ipc:///run/sb/edge-tx.0.in"
    assert at.publisher("registrar") == "ipc:///run/sb/registrar.0.pub"
    assert at.ask("router", 1) == "ipc:///run/sb/router.1.ask"
    assert at.control("router") == "ipc:///run/sb/router.control"
    assert at.listen("router.1", SocketKind.ASK) == [at.ask("router", 1)]


def test_what_runs_elsewhere_is_reached_by_tcp() -> None:
    at = Endpoints(Path("/run/sb"), PLAN)
    assert at.inbox("router", 0) == "ipc:///run/sb/router.0.in"
    assert at.inbox("router", 1) == PLAN.endpoint("router.1", SocketKind.INBOX)
    assert at.control("router") == at.control("router", "alpha") == "ipc:///run/sb/router.control"
    assert at.control("router", "beta") == PLAN.endpoint("router", SocketKind.CONTROL, "beta")
    assert at.listen("router.0", SocketKind.INBOX) == [
        "ipc:///run/sb/router.0.in",
        PLAN.endpoint("router.0", SocketKind.INBOX),
    ]


def test_endpoints_know_whose_they_are() -> None:
    at = Endpoints(Path("/run/sb"), PLAN)
    assert [at.inbox("router", number).owner for number in (0, 1)] == ["router.0", "router.1"]


def test_a_host_that_is_known_by_a_name_listens_at_all_its_addresses() -> None:
    plan = replace(PLAN, addresses={"alpha": "alpha.lan", "beta": "10.0.0.2"})
    assert Endpoints(Path("/run/sb"), plan).listen("router.0", SocketKind.ASK)[1] == "tcp://*:7114"
    there = Endpoints(Path("/run/sb"), replace(plan, here="beta"))
    assert there.ask("router", 0) == "tcp://alpha.lan:7114"
    assert there.listen("router.1", SocketKind.ASK)[1] == "tcp://10.0.0.2:7118"


def test_a_twin_has_the_ports_of_the_other_on_its_own_host() -> None:
    places = {**PLAN.places, "edge-tx.1": ["beta"]}
    plan = replace(PLAN, places=places, twins={"edge-tx.1": "edge-tx.0"})
    assert plan.endpoint("edge-tx.1", SocketKind.INBOX) == "tcp://[2001:db8::2]:7108"
    assert plan.endpoint("edge-tx.0", SocketKind.INBOX) == "tcp://10.0.0.1:7108"
