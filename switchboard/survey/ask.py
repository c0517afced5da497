"""Asks all parents and workers of a switchboard at once (I/O rim)."""

import time
from collections.abc import Iterable, Mapping
from typing import Any

from switchboard.auth.failures import Failing
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.rpc import RpcGroup
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, host_of, is_here, lasting_workers, parents
from switchboard.survey.reading import UP, Reading, Survey, Usage

ANSWER_WITHIN_S = 1.0


def take_survey(settings: Settings, context: BusContext) -> Survey:
    """How all workers are now; takes two round trips, and a second more for each round with a silent one."""
    workers = ask_parents(context, settings)
    counters = ask_workers(context, settings, workers, "stats")
    readings = (
        Reading(**each, counters=counters.get(name_of(each), {}), usage=_usage(each, settings))
        for each in workers
    )
    return Survey(time.monotonic(), tuple(readings))


def ask_parents(context: BusContext, settings: Settings, here: bool = False) -> list[dict[str, Any]]:
    """What the parents say of each worker (docs/BUS.md, `status`); one whose parent is silent is down.

    `here`: only those of this host.
    """
    servers = parents(settings)
    if here:
        servers = {name: one for name, one in servers.items() if one[1] in ("", settings.here)}
    answers = _ask({name: server for name, (_, _, server) in servers.items()}, "status", context)
    return [
        worker
        for name, (component, host, _) in servers.items()
        for worker in answers.get(name) or _silent(component, host, settings)
    ]


def ask_workers(
    context: BusContext,
    settings: Settings,
    workers: Iterable[dict[str, Any]],
    question: str,
    body: object = None,
) -> dict[str, Any]:
    """The answers of the workers that are up, by NAME.INSTANCE; without those that do not answer."""
    endpoints = endpoints_of(settings)
    up = (each for each in workers if each["state"] == UP)
    servers = {name_of(each): endpoints.ask(each["name"], each["instance"]) for each in up}
    return _ask(servers, question, context, body)


def name_of(worker: dict[str, Any]) -> str:
    """NAME.INSTANCE of a worker as its parent describes it."""
    return f"{worker['name']}.{worker['instance']}"


def _ask(
    servers: Mapping[str, Endpoint], question: str, context: BusContext, body: object = None
) -> dict[str, Any]:
    group = RpcGroup(context, servers, question, body)
    try:
        group.wait(ANSWER_WITHIN_S)
    finally:
        group.close()
    return {name: group.answers[name] for name in servers if name in group.answers}


def _silent(component: Component, host: str, settings: Settings) -> list[dict[str, Any]]:
    """What is said of a component whose parent does not answer."""
    return [
        {
            "name": worker.name,
            "instance": worker.instance,
            "pid": None,
            "host": host or settings.here,
            "state": "down",
            "uptime_s": 0.0,
            "restarts": 0,
        }
        for worker in lasting_workers(component, settings)
        if host_of(worker, settings) == host
    ]


def _usage(worker: dict[str, Any], settings: Settings) -> Usage | None:
    if worker["pid"] is None or not is_here(name_of(worker), settings):
        return None
    import psutil  # 40 ms, and most commands ask no further than the parents

    try:
        process = psutil.Process(worker["pid"])
        with process.oneshot():
            times = process.cpu_times()
            return Usage(times.user + times.system, process.memory_info().rss)
    except psutil.Error:  # it has ended meanwhile
        return None


QUESTION = "auth.failing"
ASKED = ("registrar", "router")
SHOWN = 20


def failing_phones(
    settings: Settings, context: BusContext, workers: Iterable[dict[str, Any]]
) -> list[Failing]:
    """The latest SHOWN, one of each user; none where nobody is asked for a password."""
    if settings.auth == "off":
        return []
    asked = [each for each in workers if each["name"] in ASKED]
    told = ask_workers(context, settings, asked, QUESTION).values()
    found = sorted((Failing(*each) for some in told for each in some), key=lambda each: each.last_at)
    latest = {each.user: each for each in found}
    return sorted(latest.values(), key=lambda each: -each.last_at)[:SHOWN]
