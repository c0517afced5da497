"""Restarts of single workers, which the page Now and the JSON API ask for."""

from collections.abc import Mapping

import structlog

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components, endpoints_of, host_of, lasting_workers
from switchboard.supervisor.supervisor import DEADLINE_S

OWN_END_S = 0.2
"""The answer to a question for our own restart comes when we have gone."""


def owners(settings: Settings) -> Mapping[str, Component]:
    """The workers that can be restarted, as `router.0`, and whose they are."""
    return {str(worker): each for each in components(settings) for worker in lasting_workers(each, settings)}


def restart(settings: Settings, context: BusContext, worker: str) -> bool:
    """Replace a worker, one of `owners`, and wait for the new one; False: it was not, or is the console, or is late."""
    component = owners(settings)[worker]
    server = endpoints_of(settings).control(component, host_of(worker, settings))
    timeout_s = OWN_END_S if component is Component.CONSOLE else DEADLINE_S + 1
    try:
        call_rpc(server, "restart", worker, timeout_s, context)
    except RpcError as error:
        structlog.get_logger().warning("not restarted", worker_wanted=worker, why=str(error))
        return False
    return True
