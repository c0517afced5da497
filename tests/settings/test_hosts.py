"""The tables of hosts: what runs where, and what is told of those that do not fit."""

import pytest
from pydantic import ValidationError

from switchboard.settings.hosts import (
    HostSettings,
    all_workers,
    edge_hosts,
    listed_registrars,
    listed_routers,
    place,
    standbys,
)


def host(address: str, *components: str, **more: object) -> HostSettings:
    return HostSettings(address=address, components=components, **more)  # type: ignore[arg-type]


TWO = {
    "alpha": host("10.0.0.1", "edge", "translator", "router.1"),
    "beta": host("10.0.0.2", "registrar", "router.0", "journal"),
}


def test_every_worker_has_its_host() -> None:
    places = place(TWO, 2)
    assert places.keys() == set(all_workers(2))
    assert [places[name] for name in ("edge-rx.0", "edge-tx.0", "router.0")] == ["alpha", "alpha", "beta"]


def test_a_router_beyond_the_others_is_leaving() -> None:
    assert place(TWO | {"gamma": host("10.0.0.3", "router.2")}, 2)["router.2"] == "gamma"
    assert place(TWO, 1)["router.1"] == "alpha"


TWO_EDGES = TWO | {"gamma": host("10.0.0.3", "edge")}


def test_an_edge_of_several_has_the_number_of_its_host_among_them() -> None:
    assert edge_hosts(TWO_EDGES) == ["alpha", "gamma"]
    places = place(TWO_EDGES, 2, streams=2)
    assert places.keys() == set(all_workers(2, streams=2, edges=2))
    assert {name for name, where in places.items() if where == "gamma"} == {
        "edge-rx.1",
        "edge-tx.1",
        "edge-stream.2",
        "edge-stream.3",
    }


def test_more_edges_than_connections_can_name() -> None:
    many = {f"edge{number}": host(f"10.0.1.{number}", "edge") for number in range(17)}
    with pytest.raises(ValueError, match="17 hosts have the edge; 16 may"):
        place(TWO | many | {"alpha": host("10.0.0.1", "translator", "router.1")}, 2)


def test_listed_routers() -> None:
    assert listed_routers(TWO) == 2
    assert listed_routers({"alpha": host("10.0.0.1", "router")}) == 0


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        ((), ("registrar",), ["beta", "beta"]),
        (("registrar",), ("registrar",), ["alpha", "beta"]),
        (("registrar.1",), ("registrar.0",), ["beta", "alpha"]),
    ],
)
def test_several_registrars(alpha: tuple[str, ...], beta: tuple[str, ...], expected: list[str]) -> None:
    hosts = {
        "alpha": host("10.0.0.1", "edge", "translator", "router", *alpha),
        "beta": host("10.0.0.2", "journal", *beta),
    }
    places = place(hosts, 1, registrars=2)
    assert [places["registrar.0"], places["registrar.1"]] == expected
    assert listed_registrars(hosts) == len(alpha + beta)
    assert places.keys() == set(all_workers(1, registrars=2))


@pytest.mark.parametrize(
    ("hosts", "routers", "reason"),
    [
        ({"alpha": TWO["alpha"]}, 2, "no host has registrar.0, router.0, journal.0 among its components"),
        (TWO, 3, "no host has router.2 among its components"),
        (TWO | {"gamma": host("10.0.0.3", "journal")}, 2, "journal.0 is on beta and on gamma"),
        (
            TWO | {"gamma": host("10.0.0.3", "registrar")},
            2,
            "registrars is 1, and 2 hosts have a registrar: beta",
        ),
        (TWO | {"gamma": host("10.0.0.3", "registrar.0")}, 2, "registrar.0 is on beta and on gamma"),
        (TWO | {"gamma": host("10.0.0.3", "registrar.1")}, 2, "there is no component 'registrar.1'"),
        (TWO | {"gamma": host("10.0.0.2", "journal")}, 2, "beta and gamma have the same address 10.0.0.2"),
        (
            TWO | {"gamma": host("10.0.0.3", "router.3")},
            2,
            "no host has router.2 among its components",
        ),
        (TWO | {"gamma": host("10.0.0.3", "edge-rx")}, 2, "there is no component 'edge-rx'"),
        (TWO | {"alpha": host("alpha.lan", "edge")}, 2, "alpha has the edge and a name as its address"),
    ],
)
def test_misplaced(hosts: dict[str, HostSettings], routers: int, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        place(hosts, routers)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"address": "pbx_1.example"}, "'pbx_1.example' is neither an IP address nor the name of a host"),
        ({"address": "10.0.0"}, "'10.0.0' is neither"),
        ({"address": f"{'x' * 64}.example"}, "is neither"),
        ({"address": "0.0.0.0"}, "name one that the other hosts can reach"),
        ({"components": ()}, "at least 1 item"),
        ({"sip_addresses": ("10.0.0.300/8",)}, "with a prefix length"),
        ({"port": 1}, "not permitted"),
    ],
)
def test_bad_host(values: dict[str, object], reason: str) -> None:
    good: dict[str, object] = {"address": "10.0.0.1", "components": ("edge",)}
    with pytest.raises(ValidationError, match=reason):
        HostSettings(**good | values)  # type: ignore[arg-type]


def test_address_may_stand_in_brackets() -> None:
    assert host("[2001:db8:0::1]", "edge").address == "2001:db8::1"


def test_address_may_be_a_name() -> None:
    assert host("Router-0.pbx.svc", "edge").address == "router-0.pbx.svc"
    named = TWO | {"beta": host("beta.lan", *TWO["beta"].components)}
    assert place(named, 2)["registrar.0"] == "beta"
    seen = host("alpha.lan", *TWO["alpha"].components, sip_addresses=("192.0.2.1/24",))
    assert place(named | {"alpha": seen}, 2)["edge-rx.0"] == "alpha"


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ((("edge",), ("router.0",), ("router.1",)), {0: 1, 1: 0}),
        ((("edge", "router.0"), ("router.1",), ("router.2",)), {1: 2, 2: 0}),
        ((("edge",), ("router.0", "router.1"), ("router.2",)), {0: 2, 1: 2, 2: 0}),
        ((("edge",), ("router.0", "router.1")), {}),
        ((("edge", "router.0"), ("router.1",)), {1: 0}),
        ((("edge", "router.0"), ("edge", "router.1")), {}),
        ((("edge", "router.0"), ("edge", "router.1"), ("router.2",)), {2: 0}),
        ((("edge", "router.0", "router.1"),), {}),
    ],
)
def test_who_takes_over_from_whom(hosts: tuple[tuple[str, ...], ...], expected: dict[int, int]) -> None:
    rest = ("registrar", "translator", "journal")
    named = {
        f"h{at}": host(f"10.0.0.{at + 1}", *each, *(() if at else rest)) for at, each in enumerate(hosts)
    }
    routers = listed_routers(named)
    assert standbys(place(named, routers), routers) == expected
