"""How a process of this host reaches the others of the switchboard, as the settings have it."""

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from switchboard.bus.context import BusContext, Keys, KeysError, load_keys
from switchboard.bus.endpoints import Endpoint, Endpoints, HostPlan
from switchboard.clock import SteadyClock
from switchboard.settings.hosts import (
    EDGE_STREAM,
    LATE,
    OPTIONAL,
    Component,
    WorkerName,
    all_workers,
    edge_hosts,
    place,
    standbys,
    workers_of,
    workers_of_edge,
)
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.types import OFF

MAX_NUMBER = 1000
"""A branch of ours has room for three digits."""


def endpoints_of(settings: Settings) -> Endpoints:
    """Where every process is reached from here."""
    return Endpoints(settings.run_dir, _plan(settings) if settings.hosts else None)


def open_context(settings: Settings) -> BusContext:
    """Return a context with the keys that this host needs; SettingsError if one is missing."""
    if not settings.hosts:
        return BusContext()
    try:
        keys = _load_keys(settings, settings)
    except KeysError as error:
        raise SettingsError(str(error), "a key is missing") from error
    context = BusContext()
    context.keys, context.read_keys = keys, partial(_reload_keys, settings)
    return context


def _load_keys(settings: Settings, now: Settings) -> Keys:
    """Of the hosts of `now`."""
    return load_keys(
        settings.keys_path, settings.here, {name: host.address for name, host in now.hosts.items()}
    )


def _reload_keys(settings: Settings) -> Keys:
    """With those of hosts that the settings have got since: a new host is let in before we start again. KeysError."""
    try:
        now = load_settings()
    except SettingsError:
        now = settings
    return _load_keys(settings, now if settings.here in now.hosts else settings)


def clock_of(settings: Settings) -> SteadyClock:
    """Return the clock of this host's lifetimes and durations."""
    return SteadyClock(settings.data_dir, settings.max_expires)


def components(settings: Settings) -> list[Component]:
    """What this switchboard is made of: not all that is optional need be wanted."""
    return [each for each in Component if each not in OPTIONAL or _is_wanted(each, settings)]


def hosts_of(component: Component, settings: Settings) -> list[str]:
    """The hosts that run workers of `component`; [""] if there is only this one."""
    return list(dict.fromkeys(host_of(each, settings) for each in workers(component, settings)))


def workers(component: Component, settings: Settings) -> list[WorkerName]:
    """All workers of a component, with the routers that are leaving."""
    leaving = leaving_routers(settings) if component is Component.ROUTER else []
    return [
        *lasting_workers(component, settings),
        *(WorkerName(str(component), number) for number in leaving),
    ]


def lasting_workers(component: Component, settings: Settings) -> list[WorkerName]:
    """All workers of a component, without routers that are leaving."""
    counts = settings.routers, settings.edge_streams, len(edges(settings)), settings.registrars
    return workers_of(component, *counts)


def edges(settings: Settings) -> list[str]:
    """The hosts of the edges, by the edges' numbers; [""] if there is only this one."""
    return edge_hosts(settings.hosts) or [""]


def edge_here(settings: Settings) -> int | None:
    """The number of the edge on this host; None if it has none."""
    found = edges(settings)
    here = settings.here if settings.hosts else ""
    return found.index(here) if here in found else None


def advertised(settings: Settings) -> str:
    """The public address to which the network maps this host's; "" if there is none."""
    known = settings.hosts.get(settings.here) if settings.hosts else None
    return (known.advertise if known else "") or settings.advertise


def edge_streams(settings: Settings) -> int:
    """How many edge-streams all edges have together."""
    return settings.edge_streams * len(edges(settings))


def host_of(worker: object, settings: Settings) -> str:
    """The host that runs `worker`; "" if there is only this one."""
    if not settings.hosts:
        return ""
    return _places(settings)[str(worker)]


def has_registrar(settings: Settings) -> bool:
    """Whether this host runs a registrar."""
    return any(is_here(each, settings) for each in lasting_workers(Component.REGISTRAR, settings))


def _places(settings: Settings) -> dict[str, str]:
    return place(settings.hosts, settings.routers, settings.edge_streams, settings.registrars)


def is_here(worker: object, settings: Settings) -> bool:
    """Whether this host runs `worker`."""
    return host_of(worker, settings) in ("", settings.here)


def standbys_of(settings: Settings) -> dict[int, int]:
    """Which router takes over the calls of which, when that one's host dies; none unless the settings want it."""
    if not settings.hosts or not settings.router_standby:
        return {}
    return standbys(_places(settings), settings.routers)


def leaving_routers(settings: Settings) -> list[int]:
    """The numbers of routers that take no new calls and finish what they have, since there are fewer than before.

    With several hosts, those that are listed besides; else those whose directories are there.
    """
    if settings.hosts:
        names = _places(settings)
        numbers = [int(name.partition(".")[2]) for name in names if name.startswith(f"{Component.ROUTER}.")]
    else:
        found = {
            each: each.name.partition("-")[2] for each in settings.data_dir.glob("router-*") if each.is_dir()
        }
        numbered = {each: int(digits) for each, digits in found.items() if digits.isdecimal()}
        numbers = [number for each, number in numbered.items() if each == router_dir(number, settings)]
    return sorted(number for number in numbers if settings.routers <= number < MAX_NUMBER)


def router_dir(number: int, settings: Settings) -> Path:
    """Where a router of this host keeps its state."""
    return settings.data_dir / f"router-{number}"


def store_of(registrar: int, settings: Settings) -> Path:
    """The bindings of a registrar of this host (SQLite)."""
    return settings.data_dir / f"location-{registrar}.db" if registrar else settings.store_path


def router_numbers(settings: Settings) -> list[int]:
    """The numbers of all routers, with those that are leaving."""
    return [*range(settings.routers), *leaving_routers(settings)]


def parents(settings: Settings) -> dict[str, tuple[Component, str, Endpoint]]:
    """Every parent by a name for people: its component, its host, and the control socket."""
    endpoints = endpoints_of(settings)
    wanted = components(settings)
    found = [(component, host) for component in wanted for host in hosts_of(component, settings)]
    return {
        f"{component} on {host}" if host else str(component): (
            component,
            host,
            endpoints.control(component, host),
        )
        for component, host in found
    }


def _is_wanted(optional: Component, settings: Settings) -> bool:
    named = {name for host in settings.hosts.values() for name in host.components}
    on = {
        Component.CONSOLE: settings.console != OFF,
        Component.HISTORY: settings.history,
        Component.PRESENCE: settings.presence or settings.keep_messages_days > 0,
        Component.TRUNKS: bool(settings.trunks),
    }
    return on[optional] and (not settings.hosts or str(optional) in named)


def _plan(settings: Settings) -> HostPlan:
    placed = _places(settings)
    places = {worker: [host] for worker, host in placed.items()}
    parts = {str(each): hosts_of(each, settings) for each in components(settings)}
    needed = [str(each) for each in Component if each not in OPTIONAL]
    leaving = [f"{Component.ROUTER}.{number}" for number in leaving_routers(settings)]
    more_registrars = list(map(str, lasting_workers(Component.REGISTRAR, settings)[1:]))
    optional, late = _owners(OPTIONAL - LATE), _owners(LATE)
    first = list(map(str, workers_of_edge(0, settings.edge_streams)))
    others = (workers_of_edge(edge, settings.edge_streams) for edge in range(1, len(edges(settings))))
    return HostPlan(
        here=settings.here,
        addresses={name: host.address for name, host in settings.hosts.items()},
        owners=[
            *needed,
            *_routers_last(all_workers(settings.routers, settings.edge_streams), optional),
            *leaving,
            *late,
            *more_registrars,
        ],
        places=parts | places,
        base_port=settings.bus_port,
        twins={str(worker): twin for each in others for worker, twin in zip(each, first, strict=True)},
    )


def _owners(parts: Iterable[Component]) -> list[str]:
    return [str(owner) for each in sorted(parts) for owner in (each, *workers_of(each, 1))]


def _routers_last(workers: list[str], optional: list[str]) -> list[str]:
    """The order of the ports: edge-streams and routers are as many as the settings say."""
    several = [name for name in workers if name.startswith((f"{EDGE_STREAM}.", f"{Component.ROUTER}."))]
    return [*(name for name in workers if name not in several), *optional, *several]
