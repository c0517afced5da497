"""How a process of this host reaches the others of the switchboard, as the settings have it."""

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint, Endpoints
from switchboard.bus.keys import Keys, KeysError, load_keys
from switchboard.bus.plan import Plan
from switchboard.components import Component, workers_of
from switchboard.hosts import all_workers, place
from switchboard.settings import Settings, SettingsError


def endpoints_of(settings: Settings) -> Endpoints:
    """Where every process is reached from here."""
    return Endpoints(settings.run_dir, _plan(settings) if settings.hosts else None)


def open_context(settings: Settings) -> BusContext:
    """Return a context with the keys that this host needs; SettingsError if one is missing."""
    keys = _load_keys(settings) if settings.hosts else None
    context = BusContext()
    context.keys = keys
    return context


def _load_keys(settings: Settings) -> Keys:
    addresses = {name: host.address for name, host in settings.hosts.items()}
    try:
        return load_keys(settings.keys_path, settings.here, addresses)
    except KeysError as error:
        raise SettingsError(str(error), "a key is missing") from error


def hosts_of(component: Component, settings: Settings) -> list[str]:
    """The hosts that run workers of `component`; [""] if there is only this one."""
    return list(dict.fromkeys(host_of(each, settings) for each in workers_of(component, settings.routers)))


def host_of(worker: object, settings: Settings) -> str:
    """The host that runs `worker`; "" if there is only this one."""
    return place(settings.hosts, settings.routers)[str(worker)] if settings.hosts else ""


def is_here(worker: object, settings: Settings) -> bool:
    """Whether this host runs `worker`."""
    return host_of(worker, settings) in ("", settings.here)


def parents(settings: Settings) -> dict[str, tuple[Component, str, Endpoint]]:
    """Every parent by a name for people: its component, its host, and the control door."""
    endpoints = endpoints_of(settings)
    found = [(component, host) for component in Component for host in hosts_of(component, settings)]
    return {
        f"{component} on {host}" if host else str(component): (
            component,
            host,
            endpoints.control(component, host),
        )
        for component, host in found
    }


def _plan(settings: Settings) -> Plan:
    places = {worker: [host] for worker, host in place(settings.hosts, settings.routers).items()}
    workers = sorted(all_workers(settings.routers), key=lambda name: name.startswith(f"{Component.ROUTER}."))
    components = {str(each): hosts_of(each, settings) for each in Component}
    return Plan(
        here=settings.here,
        addresses={name: host.address for name, host in settings.hosts.items()},
        owners=[*components, *workers],
        places=components | places,
        base_port=settings.bus_port,
    )
