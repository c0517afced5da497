"""The process of a router: a plain one, or one that takes part in `router_standby`."""

from functools import partial

from switchboard.bus.context import BusContext
from switchboard.settings.model import Settings
from switchboard.settings.site import standbys_of
from switchboard.workers.router import RouterService
from switchboard.workers.run import run_actor
from switchboard.workers.standby import StandbyRouter


def make_router(settings: Settings, context: BusContext, instance: int) -> RouterService:
    """Return what the settings want of that router."""
    standbys = standbys_of(settings)
    takes_part = instance in {*standbys, *standbys.values()}
    return (StandbyRouter if takes_part else RouterService)(settings, context, instance)


run = partial(run_actor, make_router)

if __name__ == "__main__":
    run()
