"""The calls beside the parked ones: orders to the traffic process, and the verdict on its calls."""

import json
import os
import selectors
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import IO, Any, Self

from system.access import Access
from system.harness import PROJECT, CallRecord
from system.sipmsg import Address

from bench.expected import Expected, Flaw

LINES = 600
READY_WITHIN_S = 90.0
END_S = 5.0


@dataclass
class Outcome:
    """What became of the calls of one run. `expected`: the records of those that went well.

    `phones`: how many there are, of which `cut` have lost their connection.
    """

    calls: int = 0
    failed: int = 0
    phones: int = 0
    cut: int = 0
    flaws: Counter[Flaw] = field(default_factory=Counter)
    why: list[str] = field(default_factory=list)
    expected: list[Expected] = field(default_factory=list)

    def __iadd__(self, other: "Outcome") -> "Outcome":
        self.calls += other.calls
        self.failed += other.failed
        self.phones += other.phones
        self.cut += other.cut
        self.flaws += other.flaws
        return self

    def flawed(self) -> str:
        """What is wrong with the records, in words."""
        return ", ".join(f"{n} {flaw.name.lower()}" for flaw, n in self.flaws.items() if n) or "all right"

    def judge(self, records: Mapping[str, Sequence[CallRecord]]) -> None:
        """Add what is wrong with the records."""
        for expected in self.expected:
            if flaw := expected.flaw(records.get(expected.call_id, [])):
                self.flaws[flaw[0]] += 1
                self.why.append(f"other call: {flaw[1]}")


class Load:
    """A traffic process for as long as the `with` block. Its phones register once, by `access`."""

    def __init__(self, proxy: Address, lines: int = LINES, access: Access | None = None) -> None:
        host, port = proxy
        way = [access.transport, str(access.port), access.authority] if access else []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.traffic", host, str(port), str(lines), *way],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=PROJECT,
            env={**os.environ, "PYTHONPATH": str(PROJECT / "tests")},
        )

    def __enter__(self) -> Self:
        try:
            assert self._read(READY_WITHIN_S) == "ready\n", "the traffic process cannot register its phones"
        except AssertionError:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate(timeout=END_S)

    @property
    def pid(self) -> int:
        """Of the process that plays the phones."""
        return self._process.pid

    def start(self, calls_per_s: int, calls: int) -> None:
        """Begin a run of so many calls."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{calls_per_s} {calls}\n")
        self._process.stdin.flush()

    def finish(self, timeout_s: float) -> Outcome:
        """Wait for the end of the run; how its calls went."""
        result: dict[str, Any] = json.loads(self._read(timeout_s))
        expected = [Expected(**each) for each in result["expected"]]
        calls, failed, phones, cut = (result[name] for name in ("calls", "failed", "phones", "cut"))
        return Outcome(calls, failed, phones, cut, Counter(), result["stories"], expected)

    def _read(self, timeout_s: float) -> str:
        output: IO[str] | None = self._process.stdout
        assert output is not None
        with selectors.DefaultSelector() as selector:
            selector.register(output, selectors.EVENT_READ)
            assert selector.select(timeout_s), f"nothing from the traffic process for {timeout_s:g} s"
        return output.readline()
