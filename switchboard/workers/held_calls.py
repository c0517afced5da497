"""How the workers of the edge learn which routers and registrars are in service, and which hold calls for others."""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog

from switchboard.bus.context import BusContext
from switchboard.bus.peer import Peer
from switchboard.bus.rpc import RpcGroup
from switchboard.edge.held_calls import HeldCalls
from switchboard.edge.in_service import GIVEN_UP_S, InService
from switchboard.edge.registrars import Registrars
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, host_of, is_here, leaving_routers, standbys_of
from switchboard.sip.dispatch import Dispatcher


def find_routers(
    settings: Settings,
    context: BusContext,
    dispatcher: Dispatcher,
    peers: Sequence[Peer],
    gone: Callable[[int], None],
    name: str = "routers",
) -> InService:
    """Return what keeps `dispatcher` up to date, after the first answers.

    `peers`: the routers by number. `name`: of its file in data_dir.
    """
    endpoints = endpoints_of(settings)

    def ask(numbers: Mapping[str, int], routers: frozenset[int]) -> RpcGroup:
        servers = {each: endpoints.ask("router", number) for each, number in numbers.items()}
        return RpcGroup(context, servers, "calls.held", sorted(routers))

    def tell_gone(router: int) -> None:
        structlog.get_logger().warning(f"router.{router} is away: its calls go to the other routers")
        gone(router)

    routers, leaving = range(settings.routers), leaving_routers(settings)
    held_calls = HeldCalls(dispatcher, leaving, settings.data_dir / name, ask)
    here = [each for each in routers if is_here(f"router.{each}", settings)]
    if len({host_of(f"router.{each}", settings) for each in routers}) > 1:
        for peer in peers:
            peer.give_up_after(GIVEN_UP_S)
    found = InService(
        dispatcher,
        held_calls,
        routers,
        here,
        lambda number: peers[number].is_connected,
        tell_gone,
        leaving,
        standbys_of(settings),
    )
    found.start(time.monotonic())
    return found


def find_registrars(
    settings: Settings, dispatcher: Dispatcher, peers: Sequence[Peer], gone: Callable[[int], None]
) -> Registrars:
    """Return what keeps `dispatcher` up to date. `peers`: the registrars by number."""

    def tell_gone(registrar: int) -> None:
        structlog.get_logger().warning(f"registrar.{registrar} is away: its users go to the other registrars")
        gone(registrar)

    if len({host_of(f"registrar.{each}", settings) for each in range(settings.registrars)}) > 1:
        for peer in peers:
            peer.give_up_after(GIVEN_UP_S)
    return Registrars(dispatcher, lambda number: peers[number].is_connected, tell_gone)
