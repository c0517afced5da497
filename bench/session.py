"""One subject, its phones and its load: events happen to it one after the other."""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from secrets import token_hex
from types import TracebackType
from typing import Self

from system.access import Access
from system.user_agent import UserAgent

from bench.blow import Way
from bench.event import Cell, Event
from bench.ledger import Ledger
from bench.load import LINES, Load, Outcome
from bench.parked import Cue, ParkedCall
from bench.phases import PHASES, Phase
from bench.phones import Lab, Line, is_cut, look_up, make_line, register
from bench.script import run_all
from bench.stage import End, Performance, Stage
from bench.subject import Blow, Subject
from switchboard.sip.shares import call_id_sum, router_of

BEFORE_S = 0.003
"""How long before the event the first messages leave."""
LATER_S = 1.0
"""How long after the event's effect the phases that last go on at the latest."""
LEAD_S = 0.25
LOAD_S = {Way.KILL: 4, Way.TERM: 4, Way.RESTART: 6, Way.ROLL: 12, Way.STOP: 7, Way.CUT: 9}
"""How long new calls of the load begin."""
LOAD_WITHIN_S = 45.0
LINES_ON_STREAMS = 150
"""So that each is used before a stranger's connection is closed."""
RECORDS_WITHIN_S = 20.0
BACK_WITHIN_S = 20.0


class Session:
    """Inside the `with` block the subject runs. `calls` are parked in each phase; `rate`: load, per s.

    All phones come by `access`, on UDP unless given, and so many `idle` ones with them, which only register.
    """

    def __init__(
        self,
        subject: Subject,
        calls: int,
        rate: int,
        load_s: Mapping[Way, int] = LOAD_S,
        access: Callable[[], Access] = Access,
        idle: int = 0,
    ) -> None:
        self.subject = subject
        self._find_access = access
        self._idle_count = idle
        self._calls = calls
        self._rate = rate
        self._load_s = load_s
        self._stack = ExitStack()
        self._names = count()
        self._aim = -1

    def __enter__(self) -> Self:
        with self._stack:
            enter = self._stack.enter_context
            address = enter(self.subject).address
            self._lab = enter(Lab(address))
            self._lab.provider = self.subject.provider
            self._access = self._find_access()
            lines = LINES if self._access.transport == "udp" else LINES_ON_STREAMS
            self._load = enter(Load(address, lines, self._access))
            self._phases = [phase for phase in PHASES if self._has(phase)]
            cells = [(phase, turn) for phase in self._phases for turn in range(self._calls)]
            self._lines = {(phase.name, turn): self._make_line(phase, turn) for phase, turn in cells}
            self._register(self._lines.values())
            self._idle = self._make_idle(self._idle_count)
            self._stack = self._stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def happen(self, target: str, way: Way) -> Event:
        """Let `way` happen to one of the subject's targets."""
        self._aim = router_in(target)
        blow = self.subject.blow(target, way)
        self._load.start(self._rate, self._rate * self._load_s[way])
        stage = self._set_stage(self.subject.spread_s(target, way))
        stage.park()
        stage.strike(time.monotonic() + LEAD_S, partial(blow.strike, self._lab))
        cells = {phase.name: Cell() for phase in self._phases}
        event = Event(target, way, cells, self._load.finish(LOAD_WITHIN_S))
        self._wait_back(blow, event)
        self._judge(stage.performances, event)
        if self.subject.ledger:
            event.load.judge(self.subject.ledger.records)
        event.why += [*blow.errors, *event.load.why]
        event.away_s = blow.away_s()
        self._check_registrations(event)
        self._check_connections(event)
        self._replace(stage.performances)
        return event

    def _set_stage(self, spread_s: float) -> Stage:
        cue = Cue()
        performances = [
            Performance(phase, self._park(phase, turn, cue, spread_s))
            for phase in self._phases
            for turn in range(self._calls)
        ]
        return Stage(self._lab, cue, performances)

    def _park(self, phase: Phase, turn: int, cue: Cue, spread_s: float) -> ParkedCall:
        return ParkedCall(self._lines[phase.name, turn], cue, turn, self._offset_s(phase, spread_s, turn))

    def _offset_s(self, phase: Phase, spread_s: float, turn: int) -> float:
        """When a call goes on: the first at the event, the last when its effect is over."""
        part = turn / max(1, self._calls - 1)
        if phase.in_flight:
            return part * (spread_s + BEFORE_S) - BEFORE_S
        return part * (spread_s + LATER_S)

    def _wait_back(self, blow: Blow, event: Event) -> None:
        if self._lab.poll(lambda: blow.over, BACK_WITHIN_S) is None:
            event.why.append("not all workers are up again")

    def _judge(self, performances: Sequence[Performance], event: Event) -> None:
        ledger = self.subject.ledger
        if ledger:
            self._wait_records(performances, event.load, ledger)
        for each in performances:
            cell = event.cells[each.phase.name]
            cell.calls += 1
            cell.lost += each.end is End.LOST
            cell.wrong += each.end is End.WRONG
            if each.end is not End.AS_IT_SHOULD:
                event.why.append(self._story(each))
            elif ledger:
                _judge_records(each, ledger, event)

    def _wait_records(self, performances: Sequence[Performance], load: Outcome, ledger: Ledger) -> None:
        good = [each for each in performances if each.end is End.AS_IT_SHOULD]
        wanted = [leg.expected.call_id for each in good for leg in each.call.legs]
        wanted += [expected.call_id for expected in load.expected]
        end = time.monotonic() + RECORDS_WITHIN_S
        while not ledger.has(wanted) and time.monotonic() < end:
            self._lab.listen(0.05)

    def _story(self, performance: Performance) -> str:
        call = performance.call
        reasons = "\n".join(performance.why)
        trace = self._lab.trace(*call.line.users)
        return f"--- {performance.phase.name}, turn {call.turn}, {call.offset_s:+.3f} s: {reasons}\n{trace}\n"

    def _check_registrations(self, event: Event) -> None:
        """Ask for every phone's binding, as phones do; if one is lost, all register anew."""
        missing: list[str] = []
        phones = self._phones
        whole = [phone for phone in phones if not is_cut(phone)]
        missing += [phone.contact for phone in phones if is_cut(phone)]
        run_all(self._lab, [look_up(phone, missing) for phone in whole], BACK_WITHIN_S)
        event.registrations = len(phones)
        event.registrations_lost = len(missing)
        if missing:
            event.why.append(f"registrations lost: {missing}")
            self._register(line for line in self._lines.values() if not line.is_cut)

    def _check_connections(self, event: Event) -> None:
        """Count those that have ended, and give idle phones a new one."""
        cut = list(filter(is_cut, self._phones))
        event.connections = len(self._phones) + event.load.phones
        event.connections_lost = len(cut) + event.load.cut
        if cut:
            event.why.append(f"connections lost: {[phone.user for phone in cut]}")
        whole = [phone for phone in self._idle if not is_cut(phone)]
        self._idle = [*whole, *self._make_idle(len(self._idle) - len(whole))]

    def _replace(self, performances: Sequence[Performance]) -> None:
        """Calls that did not end as they should leave phones behind that nobody can use again."""
        spoilt = [each for each in performances if each.end is not End.AS_IT_SHOULD or each.call.line.is_cut]
        for each in spoilt:
            each.call.line.unplug()
            self._lines[each.phase.name, each.call.turn] = self._make_line(each.phase, each.call.turn)
        self._register([self._lines[each.phase.name, each.call.turn] for each in spoilt])

    def _has(self, phase: Phase) -> bool:
        """Whether the subject can do it."""
        has_rules = phase.rule is None or self.subject.has_rules
        return has_rules and (phase.extra != "outside" or self.subject.provider is not None)

    def _make_line(self, phase: Phase, turn: int) -> Line:
        name = f"n{next(self._names)}"
        line = make_line(self._lab, name, phase.extra_of(turn), self._call_id, self._access)
        if phase.rule:
            self.subject.command(*phase.rule(line))
        return line

    @property
    def _phones(self) -> list[UserAgent]:
        return [*(phone for line in self._lines.values() for phone in line.phones), *self._idle]

    def _make_idle(self, number: int) -> list[UserAgent]:
        """So many registered phones that do nothing."""
        phones = [self._access.phone(self._lab, f"i{next(self._names)}") for _ in range(number)]
        run_all(self._lab, map(register, phones), BACK_WITHIN_S)
        return phones

    def _register(self, lines: Iterable[Line]) -> None:
        run_all(self._lab, [line.register() for line in lines], BACK_WITHIN_S)

    def _call_id(self) -> str:
        """A Call-ID that is the business of the router that is aimed at, if any is (docs/DESIGN.md)."""
        while True:
            text = token_hex(8)
            if (
                self._aim < 0
                or router_of(call_id_sum(text.encode()), range(self.subject.routers)) == self._aim
            ):
                return text


def router_in(target: str) -> int:
    """The number of the router that `target` names, -1 if it names none."""
    found = re.search(r"\brouter\.(\d+)", target)
    return int(found[1]) if found else -1


def _judge_records(performance: Performance, ledger: Ledger, event: Event) -> None:
    for leg in performance.call.legs:
        event.cells[performance.phase.name].records += 1
        if flaw := leg.expected.flaw(ledger.records.get(leg.expected.call_id, [])):
            event.cells[performance.phase.name].flaws[flaw[0]] += 1
            event.why.append(f"{performance.phase.name}: {flaw[1]}")
