"""One measured run: SIPp at a steady rate against a subject, and the counters over a window in its middle."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from tempfile import TemporaryDirectory

from system.sipp import Sipp

from bench.speed.cpu import Cost, costs, spent
from bench.speed.datagrams import Datagrams, count_datagrams
from bench.speed.registration import register, user_names
from bench.speed.scenario import CALL, SCENARIOS, Scenario
from bench.speed.subjects import CALLEE_PORT, Kind, Subject

FAILED_AT_MOST = 0.001
RATE_WITHIN = 0.03
DATAGRAMS_WITHIN = 0.01
RECEIVE_S = 4.0
"""A call whose next message does not come within this has failed."""
DRAIN_S = 12.0
HOLD_S = 0.1
MANY = "1000000"


@dataclass(frozen=True)
class Plan:
    """`window_s` begins after `warm_s`, and the load goes on for `tail_s` after it.

    With `finish` the calls are ended and judged one by one; without, those that are up are abandoned. `called`: who is
    called in turn; nobody: the users.
    """

    rate: int
    scenario: Scenario = CALL
    warm_s: float = 1.5
    window_s: float = 5.0
    tail_s: float = 0.5
    hold_s: float = HOLD_S
    users: int = 1000
    finish: bool = True
    called: Sequence[str] = ()

    @property
    def calls(self) -> int:
        """How many are placed."""
        return round(self.rate * (self.warm_s + self.window_s + self.tail_s))


@dataclass(frozen=True)
class Run:
    """What was seen. `calls` are those of the window, by their datagrams; `failed`: share of all calls."""

    plan: Plan
    window_s: float
    cost: dict[int, Cost]
    datagrams: Datagrams
    datagrams_a_call: float
    failed: float
    expected_datagrams: int

    @property
    def calls(self) -> float:
        return self.datagrams.sent / self.datagrams_a_call

    @property
    def cpu_ms(self) -> float:
        """CPU of all processes per call, in milliseconds."""
        return 1000 * sum(cost.cpu_s for cost in self.cost.values()) / self.calls

    @property
    def failure(self) -> str:
        """How the rate was not carried; empty if it was."""
        if self.failed > FAILED_AT_MOST:
            dropped = f", {self.datagrams.dropped} datagrams dropped" if self.datagrams.dropped else ""
            return f"fails: {100 * self.failed:.3g} %{dropped}"
        if self._carried < (1 - RATE_WITHIN) * self.plan.rate:
            return f"only {self._carried:.0f}/s"
        return ""

    @property
    def flaw(self) -> str:
        """Why its figures say nothing; empty if they do."""
        if self.failure:
            return self.failure
        if self._carried > (1 + RATE_WITHIN) * self.plan.rate:
            return f"datagrams of {self._carried:.0f}/s"
        if abs(self.datagrams_a_call / self.expected_datagrams - 1) > DATAGRAMS_WITHIN:
            return f"{self.datagrams_a_call:.2f} datagrams instead of {self.expected_datagrams}"
        return ""

    @property
    def _carried(self) -> float:
        return self.calls / self.window_s


def prepare(subject: Subject, users: int) -> None:
    """Register the users where the callees are."""
    if subject.registers:
        place = f"{subject.phones}:{CALLEE_PORT}"
        register(subject.callees_at or subject.address, user_names(users), place, subject.phones)


def run(subject: Subject, plan: Plan, at_window: Callable[[], None] | None = None) -> Run:
    """Put the load on; `at_window` is called when the window is over, while the load goes on."""
    with TemporaryDirectory(prefix="bench-sipp-") as name, ExitStack() as stack:
        directory = Path(name)
        stack.enter_context(_callee(subject, plan, directory))
        before = count_datagrams()
        caller = stack.enter_context(_caller(subject, plan, directory))
        window_s, cost, datagrams = _window(subject, plan)
        if at_window:
            at_window()
        succeeded, failed = _result(caller, plan)
        sent = (count_datagrams() - before).sent
        expected = expected_datagrams(subject.kind, plan.scenario)
        a_call = sent / succeeded if plan.finish and succeeded else expected
        return Run(plan, window_s, cost, datagrams, a_call, failed, expected)


def expected_datagrams(kind: Kind, scenario: Scenario) -> int:
    """Into and out of it, per call: the assignment's proxy sends no 100."""
    return scenario.datagrams - (kind is Kind.ASSIGNMENT and scenario.invites)


def _window(subject: Subject, plan: Plan) -> tuple[float, dict[int, Cost], Datagrams]:
    time.sleep(plan.warm_s)
    pids = subject.processes()
    since, cost, datagrams = time.monotonic(), costs(pids), count_datagrams()
    time.sleep(plan.window_s)
    window_s = time.monotonic() - since
    return window_s, spent(cost, costs(subject.processes())), count_datagrams() - datagrams


def _result(caller: Sipp, plan: Plan) -> tuple[int, float]:
    """How many calls succeeded, and which share did not."""
    if plan.finish:
        _wait(caller, plan)
        succeeded = caller.count("SuccessfulCall")
        return succeeded, 1 - succeeded / plan.calls
    failed, placed = caller.count("FailedCall"), int(caller.statistics()["TotalCallCreated"])
    return 0, failed / max(1, placed)


def _wait(caller: Sipp, plan: Plan) -> None:
    try:
        caller.wait(plan.tail_s + plan.hold_s + DRAIN_S)
    except TimeoutExpired:
        return


def _callee(subject: Subject, plan: Plan, directory: Path) -> AbstractContextManager[object]:
    scenario = plan.scenario
    if not scenario.callee:
        return nullcontext()
    return _sipp(subject, scenario.callee, directory, "-deadcall_wait", "0", "-l", MANY, port=CALLEE_PORT)


def _caller(subject: Subject, plan: Plan, directory: Path) -> Sipp:
    users = directory / "users.csv"
    rows = (f"{user};{CALLEE_PORT}" for user in plan.called or user_names(plan.users))
    users.write_text("\n".join(["SEQUENTIAL", *rows, ""]))
    options = ["-inf", str(users), "-r", str(plan.rate), "-m", str(plan.calls), "-l", MANY]
    options += ["-d", f"{plan.hold_s * 1000:.0f}", "-deadcall_wait", "0"]
    options += ["-recv_timeout", f"{RECEIVE_S * 1000:.0f}"]
    scenario = plan.scenario
    if not scenario.awaits_at:
        return _sipp(subject, scenario.caller, directory, *options)
    text = (SCENARIOS / f"{scenario.caller}.xml").read_text()
    (directory / f"{scenario.caller}.xml").write_text(text.replace("[media_ip]", scenario.awaits_at))
    return _sipp(subject, scenario.caller, directory, *options, scenarios=directory)


def _sipp(
    subject: Subject,
    scenario: str,
    directory: Path,
    *options: str,
    port: int = 0,
    scenarios: Path = SCENARIOS,
) -> Sipp:
    own_host = subject.phones
    return Sipp(
        scenario, directory, subject.address, *options, scenarios=scenarios, port=port, own_host=own_host
    )
