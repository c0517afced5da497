"""The kill matrix: every component x every phase of a call x every way to go, and what it cost.

python -m bench.killmatrix            the matrix on the terminal
    --fast                            two calls a phase, SIGKILL and restart only: a minute
    --only TARGET --way WAY           a part of it; both may be repeated
    --kamailio                        Kamailio instead
    --hosts                           two hosts, in network namespaces, and the link between them
    --tcp                             all calls are between phones on TCP
    --relayed                         rtpengine relays the media of all calls
    --whole-hosts                     hosts and servers of registrations that die whole, one after the other
    --streams                         calls over TCP, TLS and WebSockets in TLS beside idle connections, SIGKILL only
    --soak MINUTES                    random kills under load instead, with memory and files before and after
    --busy LOOPS                      with --soak: no weights, but that many busy loops beside the switchboard
    --write PAGE                      put the result into its section of a Markdown page
    --stories FILE                    for each call that did not end as it should: why, and all its datagrams
"""

from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from system.access import Transport
from system.media_engine import RtpEngine
from system.tools import is_installed

from bench.blow import Way
from bench.event import Event, gather
from bench.kamailio import Kamailio
from bench.machine import describe_machine
from bench.ours import PARENT, Ours
from bench.report import markdown, markdown_beside, summary, table, write_section
from bench.session import LOAD_S, Session
from bench.soak import soak, soak_beside
from bench.subject import Subject
from bench.two_hosts import TwoHosts
from bench.whole_hosts import CASES, WholeHosts
from bench.whole_hosts import LOAD_S as LOAD_S_OF_HOSTS
from switchboard.cli.output import Step, progress

FAST_WAYS = [Way.KILL, Way.RESTART]
FAST_CALLS = 2
FAST_RATE = 50
FAST_LOAD_S = dict.fromkeys(Way, 2)
STREAMS = [Transport.TCP, Transport.TLS, Transport.WSS]
IDLE = 150
RATE_ON_STREAMS = 30
RELAYED_PORTS = 8000


def plan_events(subject: Subject, targets: list[str], ways: list[Way], rounds: int) -> list[tuple[str, Way]]:
    """Every event, `rounds` times."""
    once = [(target, way) for way in ways for target in targets if way in subject.ways_of(target)]
    return once * rounds


def over_streams(routers: int, rounds: int, stories: Path | None) -> dict[str, list[Event]]:
    """Each worker is killed, and all of them, for each transport; a parent takes its connections with it."""
    found: dict[str, list[Event]] = {}
    targets = [target for target in Ours(routers).targets if not target.startswith(PARENT)]
    with progress("Kills", len(STREAMS) * len(targets) * rounds) as step:
        for transport in STREAMS:
            ours = Ours(routers, has_rules=False)
            way_in = partial(ours.access, transport)
            events = []
            with Session(ours, FAST_CALLS, RATE_ON_STREAMS, FAST_LOAD_S, way_in, IDLE) as session:
                for target, blow in plan_events(ours, targets, [Way.KILL], rounds):
                    events.append(session.happen(target, blow))
                    tell(events[-1], step, stories)
            found[transport] = gather(events)
    return found


def of_whole_hosts(only: list[str] | None, calls: int, rate: int, stories: Path | None) -> list[Event]:
    """Each dies in a switchboard of its own."""
    events = []
    with progress("Kills", len(only or CASES)) as step:
        for name in only or CASES:
            with Session(WholeHosts(name), calls, rate, LOAD_S_OF_HOSTS) as session:
                events.append(session.happen(name, Way.KILL))
            tell(events[-1], step, stories)
    return events


def happened(session: Session, planned: list[tuple[str, Way]], stories: Path | None) -> list[Event]:
    """Each event, one after the other."""
    events = []
    with progress("Kills", len(planned)) as step:
        for target, blow in planned:
            events.append(session.happen(target, blow))
            tell(events[-1], step, stories)
    return events


def tell(event: Event, step: Step, stories: Path | None) -> None:
    """A line for people, and the whole story for who wants to know why."""
    step(summary(event))
    if stories and event.why:
        with stories.open("a") as file:
            file.write(f"=== {event.way} {event.target}\n" + "\n".join(event.why) + "\n")


def main(
    only: Annotated[list[str] | None, typer.Option(help="edge-rx.0, router.1, …, all")] = None,
    way: Annotated[list[Way] | None, typer.Option()] = None,
    fast: bool = False,
    kamailio: bool = False,
    hosts: bool = False,
    tcp: bool = False,
    relayed: bool = False,
    streams: bool = False,
    whole_hosts: bool = False,
    soak_minutes: Annotated[float, typer.Option("--soak", help="minutes")] = 0.0,
    busy: Annotated[int, typer.Option(help="busy loops beside it")] = 0,
    routers: int = 2,
    calls: Annotated[int, typer.Option(help="parked in each phase")] = 6,
    rate: Annotated[int, typer.Option(help="other calls a second")] = 100,
    rounds: int = 1,
    write: Path | None = None,
    stories: Path | None = None,
) -> None:
    """Run the kill matrix, or a soak; print the result, and write it into a page."""
    console = Console()
    if soak_minutes and busy:
        section, text = "busy", soak_beside(busy, routers, rate, soak_minutes, console).markdown()
        console.print(text, highlight=False)
    elif soak_minutes:
        section, text = "soak", soak(routers, rate, soak_minutes, console).markdown()
        console.print(text, highlight=False)
    elif streams:
        rate = RATE_ON_STREAMS
        section, text = "streams", markdown_beside(over_streams(routers, rounds, stories))
        console.print(text, highlight=False)
    elif whole_hosts:
        events = of_whole_hosts(only, calls, rate, stories)
        console.print(table(events))
        section, text = "whole hosts", markdown(events)
    else:
        if fast:
            calls, rate = FAST_CALLS, FAST_RATE
        with ExitStack() as beside:
            engine = beside.enter_context(RtpEngine(RELAYED_PORTS)) if relayed else None
            has_trunk = not (kamailio or hosts) and is_installed("kamailio")
            ours = Ours(routers, has_trunk=has_trunk, engine=engine.url if engine else "")
            subject: Subject = Kamailio() if kamailio else TwoHosts(routers) if hosts else ours
            way_in = partial(ours.access, Transport.TCP if tcp else Transport.UDP)
            session = beside.enter_context(
                Session(subject, calls, rate, FAST_LOAD_S if fast else LOAD_S, way_in)
            )
            ways = way or (FAST_WAYS if fast else list(Way))
            events = happened(session, plan_events(subject, only or subject.targets, ways, rounds), stories)
        gathered = gather(events)
        console.print(table(gathered))
        kind = "Kamailio" if kamailio else "hosts" if hosts else "relayed" if relayed else "matrix"
        section, text = f"{kind} TCP" if tcp else kind, markdown(gathered)
    if write:
        write_section(write, section, f"{describe_machine()}; {rate} other calls a second.\n\n{text}")


if __name__ == "__main__":
    typer.run(main)
