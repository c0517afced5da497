"""The calls beside the parked ones, in a process of its own: at a steady rate, as strict as the others.

python -m bench.traffic HOST PORT LINES [TRANSPORT PORT AUTHORITY]
    prints `ready`, then for each line `RATE CALLS` on its input one line of JSON: what went wrong, and what records
    there have to be. Phones use UDP unless another transport is given, with its port and the file of the authority.
"""

import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import count
from secrets import token_hex

from system.access import Access, Transport

from bench.leg import Leg
from bench.phases import end_somehow
from bench.phones import Lab, Line, is_cut, make_line
from bench.script import Running, Script, pause, run_all

LOOK_EVERY_S = 0.02
TALK_S = 0.2
REGISTERED_WITHIN_S = 60.0
END_WITHIN_S = 36.0
TRACES = 10


@dataclass
class Placed:
    """A call on its way."""

    line: Line
    leg: Leg
    running: Running
    why: str = ""

    def step(self, lab: Lab) -> bool:
        """Go on; True if it has ended."""
        try:
            self.running.step()
        except AssertionError as error:
            self.why = str(error)
        for user in self.line.users:
            self.why += "; ".join(lab.complaints.pop(user, []))
        if self.running.ended:
            self.why += "; ".join(text for phone in self.line.phones for text in phone.unread())
        return self.running.ended


class Traffic:
    """Places calls on lines that are free again when their call has ended well."""

    def __init__(self, lab: Lab, lines: int, access: Access) -> None:
        self._lab = lab
        self._access = access
        self._names = count()
        self._free = deque(self._make_line() for _ in range(lines))
        self._register()

    def run(self, rate: int, calls: int) -> dict[str, object]:
        """Place so many calls; what became of them."""
        start = time.monotonic()
        placed: list[Placed] = []
        on: list[Placed] = []
        next_look = 0.0

        def look() -> bool:
            nonlocal next_look
            now = time.monotonic()
            if now < next_look:
                return False
            next_look = now + LOOK_EVERY_S
            self._lab.later(LOOK_EVERY_S, lambda: None)
            fresh = [self._place(number) for number in self._due(len(placed), (now - start) * rate, calls)]
            placed.extend(fresh)
            on[:] = [each for each in (*on, *fresh) if not self._step(each)]
            return len(placed) == calls and not on

        self._lab.poll(look, calls / rate + END_WITHIN_S)
        for each in on:
            each.why = each.why or f"never came: {each.running.missing}"
        spoilt = [each.line for each in placed if each.why]
        phones = [phone for line in (*self._free, *spoilt) for phone in line.phones]
        result = self._result(placed) | {"phones": len(phones), "cut": sum(map(is_cut, phones))}
        spoilt += [line for line in self._free if line.is_cut]
        self._free = deque(line for line in self._free if not line.is_cut)
        self._replace(spoilt)
        return result

    def _due(self, placed: int, wanted: float, calls: int) -> Iterator[int]:
        return iter(range(placed, min(calls, int(wanted) + 1, placed + len(self._free))))

    def _place(self, turn: int) -> Placed:
        line = self._free.popleft()
        leg = Leg(line.caller, [line.callee])
        return Placed(line, leg, Running(_call(leg, turn)))

    def _step(self, placed: Placed) -> bool:
        ended = placed.step(self._lab)
        if ended and not placed.why:
            self._free.append(placed.line)
        return ended

    def _make_line(self) -> Line:
        return make_line(self._lab, f"t{next(self._names)}", "", lambda: token_hex(8), self._access)

    def _replace(self, spoilt: list[Line]) -> None:
        """New phones for those whose call did not end as it should; all register anew then."""
        for line in spoilt:
            line.unplug()
            self._free.append(self._make_line())
        if spoilt:
            self._register()

    def _register(self) -> None:
        run_all(self._lab, [line.register() for line in self._free], REGISTERED_WITHIN_S)

    def _result(self, placed: list[Placed]) -> dict[str, object]:
        failed = [each for each in placed if each.why]
        stories = [f"{each.why}\n{self._lab.trace(*each.line.users)}" for each in failed[:TRACES]]
        good = [asdict(each.leg.expected) for each in placed if not each.why]
        return {"calls": len(placed), "failed": len(failed), "stories": stories, "expected": good}


def _call(leg: Leg, turn: int) -> Script[None]:
    yield from leg.ring(ringback=False)
    yield from pause(leg.caller.net, TALK_S)
    yield from end_somehow(leg, turn)


def main(
    host: str, port: str, lines: str, transport: str = "udp", at: str = "0", authority: str = ""
) -> None:
    """Serve the one who started this."""
    with Lab((host, int(port))) as lab:
        traffic = Traffic(lab, int(lines), Access(Transport(transport), int(at), authority))
        print("ready", flush=True)
        for order in sys.stdin:
            rate, calls = order.split()
            print(json.dumps(traffic.run(int(rate), int(calls))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
