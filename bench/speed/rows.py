"""What is measured: each row starts a subject by itself and returns a figure for each of its lines."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from system.media_engine import HOST, RtpEngine

from bench.speed.capture import Capture, capture
from bench.speed.delays import stays_ms
from bench.speed.figure import Figure, Line
from bench.speed.highest import HighestRate, two_routers
from bench.speed.memory import memory_mb
from bench.speed.programs import require
from bench.speed.quantiles import quantile
from bench.speed.run import Plan, Run, prepare, run
from bench.speed.scale import Scale
from bench.speed.scenario import CALL, CANCELLED, HIDDEN, MESSAGE, REFUSED, REGISTER, RELAYED, Scenario
from bench.speed.subjects import Kind, started, started_with_rules
from bench.speed.ways import lines, measure_ways

BOTH = (Kind.KAMAILIO, Kind.OURS)
USERS = 1000
GROWTH_RATE = 1000
RAMP_S = 2.0
RELAYED_PORTS = 8000
RULED_USERS = 100_000


@dataclass(frozen=True)
class Row:
    """`measure` returns a figure for each of the `lines`; with `once` one round is enough."""

    name: str
    lines: Sequence[Line]
    subjects: Sequence[Kind]
    measure: Callable[[Kind], list[Figure]]
    once: bool = False

    def rounds(self, scale: Scale) -> int:
        """How often it is measured."""
        return 1 if self.once else scale.rounds


def make_rows(scale: Scale) -> list[Row]:
    """All rows, in the order of the page."""
    return [
        _cpu_row(scale, 200, "≤ 1.0", (*BOTH, Kind.BEFORE, Kind.RELAY)),
        _cpu_row(scale, 1000, "≤ 0.5", tuple(Kind)),
        _cpu_row(scale, 2000, "≤ 0.4", (*BOTH, Kind.BEFORE, Kind.RELAY)),
        _highest_row(scale),
        _delay_row(scale, 50, ("ours ≤ 0.5 ms", "")),
        _delay_row(scale, 1000, ("ours ≤ 3 ms", "ours ≤ 8 ms")),
        _each_row(scale, "register", "REGISTER at 2000/s", "≤ 2", REGISTER, 2000),
        _each_row(scale, "message", "MESSAGE at 1000/s", "≤ 0.7", MESSAGE, 1000),
        _each_row(scale, "refused", "INVITE refused with 486, at 1000/s", "≤ 0.6", REFUSED, 1000),
        _each_row(scale, "cancelled", "INVITE cancelled, at 1000/s", "≤ 0.6", CANCELLED, 1000),
        _relayed_row(scale, 100),
        _auto_row(scale, 100),
        _memory_row(scale),
        _calls_up_row(scale),
        _users_row(scale),
        _rules_row(scale),
        _ways_row(scale, 150),
        _routers_row(scale),
    ]


def cpu_figure(measured: Run, factor: float = 1.0) -> Figure:
    """CPU per call in ms times `factor`."""
    return Figure(None, measured.flaw) if measured.flaw else Figure(factor * measured.cpu_ms)


def _plan(scale: Scale, rate: int, scenario: Scenario = CALL, users: int = USERS) -> Plan:
    return Plan(rate, scenario, scale.warm_s, scale.window_s, users=users)


def _run_alone(kind: Kind, plan: Plan, settings: Mapping[str, str] | None = None) -> Run:
    """A subject that does nothing else before or after."""
    with started(kind, settings=settings) as subject:
        prepare(subject, plan.users)
        return run(subject, plan)


def _cpu_row(scale: Scale, rate: int, target: str, subjects: Sequence[Kind]) -> Row:
    def measure(kind: Kind) -> list[Figure]:
        return [cpu_figure(_run_alone(kind, _plan(scale, rate)))]

    return Row(f"cpu-{rate}", [Line(f"CPU per call at {rate} calls/s", "ms", 3, target)], subjects, measure)


def _each_row(scale: Scale, name: str, title: str, target: str, scenario: Scenario, rate: int) -> Row:
    def measure(kind: Kind) -> list[Figure]:
        return [cpu_figure(_run_alone(kind, _plan(scale, rate, scenario)), 1000)]

    return Row(name, [Line(f"{title}: CPU each", "µs", 0, target)], BOTH, measure)


def _relayed_row(scale: Scale, rate: int) -> Row:
    """rtpengine relays the media of all calls, and of none; its own CPU does not count."""

    def measure(kind: Kind) -> list[Figure]:
        require("rtpengine")
        plain = cpu_figure(_run_alone(kind, _plan(scale, rate)))
        with RtpEngine(RELAYED_PORTS, (HOST,), ("--delete-delay=2",)) as engine:
            settings = {"SWITCHBOARD_MEDIA": engine.url, "SWITCHBOARD_RELAY_MEDIA": "always"}
            return [plain, cpu_figure(_run_alone(kind, _plan(scale, rate, RELAYED), settings))]

    title = f"CPU per call at {rate} calls/s"
    more = f"{title} while rtpengine relays the media, without the engine's"
    lines = [Line(title, "ms", 3), Line(more, "ms", 3, "≤ the line above")]
    return Row("relayed", lines, (*BOTH, Kind.BEFORE), measure)


def _auto_row(scale: Scale, rate: int) -> Row:
    """The same with `relay_media = "auto"`, of calls that have to be relayed."""

    def measure(kind: Kind) -> list[Figure]:
        require("rtpengine")
        with RtpEngine(RELAYED_PORTS, (HOST,), ("--delete-delay=2",)) as engine:
            return [
                cpu_figure(_run_alone(kind, _plan(scale, rate, HIDDEN), {"SWITCHBOARD_MEDIA": engine.url}))
            ]

    title = f"CPU per call at {rate} calls/s that `auto` relays, without the engine's"
    return Row("relayed-auto", [Line(title, "ms", 3)], (Kind.OURS, Kind.BEFORE), measure)


def _highest_row(scale: Scale) -> Row:
    line = Line("highest rate with at most 0.1 % failed", "calls/s", 0, "≥ 1.5")
    return Row("highest", [line], tuple(Kind), HighestRate(scale.trial_s).measure)


def _delay_row(scale: Scale, rate: int, targets: Sequence[str]) -> Row:
    def measure(kind: Kind) -> list[Figure]:
        with started(kind) as subject:
            prepare(subject, USERS)
            plan = _plan(scale, rate)
            with capture() as caught:
                measured = run(subject, plan)
        stays = _steady_stays_ms(caught, plan, subject.address[1])
        flaw = measured.flaw or _capture_flaw(caught, stays)
        return [Figure(None, flaw) if flaw else Figure(quantile(stays, share)) for share in (0.5, 0.99)]

    lines = [
        Line(f"time inside at {rate} calls/s, {name}", "ms", 2, target)
        for name, target in zip(("median", "99 %"), targets, strict=True)
    ]
    return Row(f"delay-{rate}", lines, BOTH, measure)


def _steady_stays_ms(caught: Capture, plan: Plan, port: int) -> list[float]:
    """Those of the calls that began when the proxy was warm."""
    since_ns = min((packet.at_ns for packet in caught.packets), default=0) + plan.warm_s * 1e9
    return stays_ms((packet for packet in caught.packets if packet.at_ns >= since_ns), port)


def _capture_flaw(caught: Capture, stays: list[float]) -> str:
    if caught.lost:
        return f"{caught.lost} packets not caught"
    return "" if stays else "nothing caught"


def _memory_row(scale: Scale) -> Row:
    def measure(kind: Kind) -> list[Figure]:
        with started(kind) as subject:
            before = memory_mb(subject.processes())
            prepare(subject, scale.registrations)
            after = memory_mb(subject.processes())
        return [Figure(after), Figure(after - before)]

    what = f"memory with {scale.registrations:,} registrations"
    lines = [Line(what, "MB", 0, "≤ 1.5"), Line(f"{what}, beyond that without any", "MB", 0)]
    return Row("memory", lines, BOTH, measure, once=True)


def _calls_up_row(scale: Scale) -> Row:
    def measure(kind: Kind) -> list[Figure]:
        return [figure for calls in scale.calls_up for figure in _calls_up(kind, scale, calls)]

    what = f"{{}} at {GROWTH_RATE} calls/s with {{:,}} calls up"
    lines = [
        line
        for calls in scale.calls_up
        for line in (
            Line(what.format("CPU per call", calls), "ms", 3),
            Line(what.format("memory", calls), "MB", 0),
        )
    ]
    return Row("calls-up", lines, BOTH, measure, once=True)


def _calls_up(kind: Kind, scale: Scale, calls: int) -> list[Figure]:
    """As many calls begin as end; the window opens when so many are up."""
    hold_s = calls / GROWTH_RATE
    plan = Plan(GROWTH_RATE, CALL, hold_s + RAMP_S, scale.window_s, hold_s=hold_s, users=USERS, finish=False)
    memory: list[float] = []
    with started(kind) as subject:
        prepare(subject, USERS)
        measured = run(subject, plan, lambda: memory.append(memory_mb(subject.processes())))
    if measured.flaw:
        return [Figure(None, measured.flaw)] * 2
    return [cpu_figure(measured), Figure(memory[0])]


def _users_row(scale: Scale) -> Row:
    def measure(kind: Kind) -> list[Figure]:
        return [cpu_figure(_run_alone(kind, _plan(scale, GROWTH_RATE, users=n))) for n in scale.users]

    what = f"CPU per call at {GROWTH_RATE} calls/s with {{:,}} users"
    return Row(
        "users", [Line(what.format(users), "ms", 3) for users in scale.users], BOTH, measure, once=True
    )


def _rules_row(scale: Scale) -> Row:
    """Of calls between users without rules."""

    def measure(kind: Kind) -> list[Figure]:
        plan = _plan(scale, GROWTH_RATE)
        without = cpu_figure(_run_alone(kind, plan))
        with started_with_rules(RULED_USERS) as subject:
            prepare(subject, plan.users)
            ruled = cpu_figure(run(subject, plan))
        times = ruled.value / without.value if ruled.value and without.value else None
        return [without, ruled, Figure(times, ruled.flaw or without.flaw)]

    what = f"CPU per call at {GROWTH_RATE} calls/s {{}} rules for {RULED_USERS:,} others"
    lines = [
        Line(what.format("without"), "ms", 3),
        Line(what.format("with"), "ms", 3),
        Line("with rules for others against without", "times", 2, "ours ≤ 1.05"),
    ]
    return Row("rules", lines, (Kind.OURS,), measure)


def _ways_row(scale: Scale, rate: int) -> Row:
    """All ways in turn at one switchboard."""
    return Row(
        "ways", lines(rate), (Kind.OURS, Kind.BEFORE), lambda kind: measure_ways(kind, scale, rate, USERS)
    )


def _routers_row(scale: Scale) -> Row:
    lines = [
        Line("highest rate with one router that has a part of a core", "calls/s", 0),
        Line("highest rate with two such routers", "calls/s", 0),
        Line("two routers against one", "times", 2, "ours ≥ 1.7"),
    ]
    return Row("routers", lines, (Kind.OURS,), lambda _: two_routers(scale.trial_s), once=True)
