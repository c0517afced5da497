"""How the processes of one host reach the others, by the settings."""

from pathlib import Path

import pytest

from switchboard.bus.context import make_keys
from switchboard.bus.endpoints import SocketKind
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.site import (
    endpoints_of,
    host_of,
    hosts_of,
    is_here,
    leaving_routers,
    open_context,
    parents,
    router_numbers,
    standbys_of,
    workers,
)

HOSTS = {
    "alpha": {"address": "10.0.0.1", "components": ["edge", "translator", "router.1"]},
    "beta": {"address": "10.0.0.2", "components": ["registrar", "router.0", "journal"]},
}


def settings(tmp_path: Path, here: str = "alpha", **more: object) -> Settings:
    return Settings(data_dir=tmp_path, hosts=HOSTS, host=here, **more)  # type: ignore[arg-type]


def test_one_host_needs_neither_plan_nor_keys(tmp_path: Path) -> None:
    alone = Settings(data_dir=tmp_path, routers=2)
    assert endpoints_of(alone).plan is None
    with open_context(alone) as context:
        assert context.keys is None
    assert (host_of("router.1", alone), is_here("router.1", alone)) == ("", True)
    assert list(parents(alone)) == [
        "edge",
        "registrar",
        "router",
        "translator",
        "journal",
        "history",
        "console",
    ]
    assert list(parents(alone.model_copy(update={"console": "off", "history": False})))[-1] == "journal"


def test_a_history_is_had_by_who_wants_it(tmp_path: Path) -> None:
    off = Settings(data_dir=tmp_path, routers=2, history=False)
    assert "history" not in parents(off)
    assert "history on beta" not in parents(settings(tmp_path))
    beta = {"address": "10.0.0.2", "components": (*HOSTS["beta"]["components"], "history")}
    spread = Settings(data_dir=tmp_path, hosts=HOSTS | {"beta": beta}, host="alpha")  # type: ignore[arg-type]
    assert "history on beta" in parents(spread)
    assert host_of("history.0", spread) == "beta"


def test_who_runs_what(tmp_path: Path) -> None:
    here = settings(tmp_path)
    assert here.routers == 2
    assert [is_here(name, here) for name in ("edge-rx.0", "router.0", "router.1")] == [True, False, True]
    assert hosts_of(Component.ROUTER, here) == ["beta", "alpha"]
    assert hosts_of(Component.EDGE, here) == ["alpha"]


def test_routers_that_are_leaving_have_directories_here(tmp_path: Path) -> None:
    for name in (
        "router-0",
        "router-3",
        "router-7",
        "router-x",
        "router-1000",
        "router-",
        "router-08",
        "router-٣",
    ):
        (tmp_path / name).mkdir()
    (tmp_path / "router-9").write_text("a file")
    here = Settings(data_dir=tmp_path, routers=2)
    assert (leaving_routers(here), router_numbers(here)) == ([3, 7], [0, 1, 3, 7])
    assert list(map(str, workers(Component.ROUTER, here)))[2:] == ["router.3", "router.7"]
    assert list(map(str, workers(Component.JOURNAL, here))) == ["journal.0"]


def test_routers_that_are_leaving_are_listed_among_several_hosts(tmp_path: Path) -> None:
    """So that all agree on their places and ports, which are the same as before."""
    before, now = settings(tmp_path), settings(tmp_path, routers=1)
    assert leaving_routers(before) == []
    assert leaving_routers(now) == [1]
    assert hosts_of(Component.ROUTER, now) == ["beta", "alpha"]
    plans = [endpoints_of(each).plan for each in (before, now)]
    assert plans[0]
    assert plans[1]
    assert plans[0].owners == plans[1].owners


def test_presence_reads_the_registrars_file(tmp_path: Path) -> None:
    alpha = {**HOSTS["alpha"], "components": (*HOSTS["alpha"]["components"], "presence")}
    with pytest.raises(ValueError, match="presence has to be on the host of the registrar"):
        Settings(data_dir=tmp_path, hosts=HOSTS | {"alpha": alpha}, host="alpha", presence=True)  # type: ignore[arg-type]
    beta = {**HOSTS["beta"], "components": (*HOSTS["beta"]["components"], "presence")}
    spread = Settings(data_dir=tmp_path, hosts=HOSTS | {"beta": beta}, host="alpha", presence=True)  # type: ignore[arg-type]
    assert "presence on beta" in parents(spread)


def test_all_hosts_agree_on_the_ports(tmp_path: Path) -> None:
    plans = [endpoints_of(settings(tmp_path, here)).plan for here in HOSTS]
    assert plans[0]
    assert plans[1]
    owners = plans[0].owners
    assert owners == plans[1].owners
    assert [plans[0].port(owner, SocketKind.ASK) for owner in owners] == [
        plans[1].port(owner, SocketKind.ASK) for owner in owners
    ]


def test_ports_do_not_depend_on_the_order_of_the_tables(tmp_path: Path) -> None:
    reversed_ = Settings(data_dir=tmp_path, hosts=dict(reversed(HOSTS.items())), host="alpha")  # type: ignore[arg-type]
    plans = [endpoints_of(each).plan for each in (settings(tmp_path), reversed_)]
    assert plans[0]
    assert plans[1]
    assert plans[0].owners == plans[1].owners
    assert plans[0].owners[5:] == [
        "edge-rx.0", "edge-tx.0", "registrar.0", "translator.0", "journal.0",
        "console", "console.0", "history", "history.0", "edge-stream.0", "router.0", "router.1",
        "presence", "presence.0", "trunks", "trunks.0",
    ]  # fmt: skip


def test_parents_of_all_hosts(tmp_path: Path) -> None:
    servers = parents(settings(tmp_path))
    assert {name: server.partition(":")[0] for name, (_, _, server) in servers.items()} == {
        "edge on alpha": "ipc",
        "registrar on beta": "tcp",
        "router on beta": "tcp",
        "router on alpha": "ipc",
        "translator on alpha": "ipc",
        "journal on beta": "tcp",
    }


def test_a_missing_key_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"alpha\.key is missing"):
        open_context(settings(tmp_path))
    make_keys(settings(tmp_path).keys_path, HOSTS)
    with open_context(settings(tmp_path)) as context:
        assert context.keys


@pytest.mark.parametrize(
    ("here", "more", "reason"),
    [
        ("gamma", {}, r"host 'gamma' is not one of hosts \(alpha, beta\)"),
        ("alpha", {"routers": 3}, "no host has router.2"),
        ("alpha", {"keep_messages_days": 7}, "keep_messages_days needs the component presence"),
    ],
)
def test_settings_that_do_not_fit_the_hosts(
    tmp_path: Path, here: str, more: dict[str, object], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        settings(tmp_path, here, **more)


def test_routers_are_not_counted_by_each_host_for_itself(tmp_path: Path) -> None:
    hosts = {"alpha": {"address": "10.0.0.1", "components": [str(each) for each in Component]}}
    with pytest.raises(ValueError, match="routers has to be set"):
        Settings(data_dir=tmp_path, hosts=hosts, host="alpha")  # type: ignore[arg-type]


def test_a_standby_router_is_on_another_host(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="hosts is empty"):
        Settings(data_dir=tmp_path, router_standby=True)
    assert standbys_of(settings(tmp_path)) == {}
    assert standbys_of(settings(tmp_path, router_standby=True)) == {0: 1}
    hosts = {"alpha": {"address": "10.0.0.1", "components": [str(each) for each in Component]}}
    with pytest.raises(ValueError, match="router_standby needs a router on a host without edge"):
        Settings(data_dir=tmp_path, hosts=hosts, host="alpha", routers=2, router_standby=True)  # type: ignore[arg-type]
