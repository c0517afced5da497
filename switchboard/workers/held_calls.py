"""How the workers of the edge find the calls that routers hold while the number of routers changes."""

import time
from collections.abc import Iterable

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcGroup
from switchboard.edge.held_calls import HeldCalls
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, router_numbers
from switchboard.sip.dispatch import Dispatcher


def find_held_calls(
    settings: Settings, context: BusContext, dispatcher: Dispatcher, name: str = "routers"
) -> HeldCalls:
    """Return what keeps `dispatcher.held` up to date, after the first answers. `name`: of its file in data_dir."""
    numbers = named(router_numbers(settings))
    endpoints = endpoints_of(settings)

    def ask(names: Iterable[str]) -> RpcGroup:
        servers = {each: endpoints.ask("router", numbers[each]) for each in names}
        return RpcGroup(context, servers, "calls.held", settings.routers)

    found = HeldCalls(dispatcher.held, settings.routers, numbers, settings.data_dir / name, ask)
    found.start(time.monotonic())
    return found


def named(routers: Iterable[int]) -> dict[str, int]:
    """Their numbers by their names."""
    return {f"router.{number}": number for number in routers}
