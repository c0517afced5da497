"""CPU microseconds that the workers beside the routers take: journal, translator, registrar, change feed.

python -m bench.workers [ROUNDS]    the real cores on real files, frames packed and unpacked; no sockets
"""

import sys
import tempfile
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from time import process_time

from bench.messages import RESPONSE
from switchboard.bus import frames
from switchboard.codec import list_head
from switchboard.journal.journal import Journal
from switchboard.phrases.translate import Translator
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.replica import Replica
from switchboard.registrar.rules import Registrar
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.scan import scan
from switchboard.workers.reception import RECEIVED_HEAD, make_reception

ROUNDS = 200
NOW_AT = 1_800_000_000.0
LOCAL = "10.0.0.1"
FLOW = Flow(UDP, LOCAL, "10.0.0.11", 5060).pack()
USERS = 1000

_REGISTER = """REGISTER sip:10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bK-{number};rport
Max-Forwards: 70
From: <sip:user{user}@10.0.0.1>;tag=ab12cd34
To: <sip:user{user}@10.0.0.1>
Call-ID: 7d3a1c5e-{user}@10.0.0.11
CSeq: {cseq} REGISTER
Contact: <sip:user{user}@10.0.0.11:5060>
Expires: 3600
User-Agent: phone 1.0
Content-Length: 0

""".replace("\n", "\r\n")


def measured(step: Callable[[], object], rounds: int, each: int) -> float:
    """CPU microseconds of a `step`, for each of the `each` things that it does: only a tenth was faster."""
    spent = []
    for _ in range(rounds):
        begin = process_time()
        step()
        spent.append(process_time() - begin)
    return sorted(spent)[rounds // 10] / each * 1e6


def journal(directory: Path, rounds: int, calls: int, *, are_short: bool) -> float:
    """A call, `calls` of them a commit: within one (short), or begun in one and ended in a later one."""
    journal = Journal(directory / "journal.db", directory / "cdr.jsonl", 43_200.0, NOW_AT)
    telling = _tell_short(calls) if are_short else _tell_long(calls)
    head = len(frames.head("call.happened"))
    told = iter([next(telling) for _ in range(rounds + 1)])

    def step() -> None:
        frame = next(told)
        if journal.receive_frame(frame, head, NOW_AT) is None:
            journal.receive(frames.unpack(frame)[1], NOW_AT)
        journal.commit()

    step()
    spent = measured(step, rounds, calls)
    journal.close()
    return spent


def _tell_short(calls: int) -> Iterator[bytes]:
    numbers = count(1)
    for first in count(0, calls):
        events = [(*_begin(call), _end(call)) for call in range(first, first + calls)]
        yield _telling(numbers, [event for of_call in events for event in of_call])


def _tell_long(calls: int) -> Iterator[bytes]:
    """The calls that begin, and those that began before."""
    numbers = count(1)
    for first in count(0, calls):
        begun = [event for call in range(first, first + calls) for event in _begin(call)]
        ended = [_end(call) for call in range(max(0, first - calls), first)]
        yield _telling(numbers, begun + ended)


def _begin(call: int) -> tuple[list[object], ...]:
    head = f"7d3a1c5e-{call}@10.0.0.11", "ab12cd34", NOW_AT + call / 1000
    return (
        ["invite", *head, "sip:lukas@10.0.0.1", "sip:lenka@10.0.0.1"],
        ["ringing", *head],
        ["answered", *head, "99fe", 200, 0, True],
    )


def _end(call: int) -> list[object]:
    head = f"7d3a1c5e-{call}@10.0.0.11", "ab12cd34", NOW_AT + 2 + call / 1000
    return ["bye", *head, "ab12cd34", "99fe", 200]


def _telling(numbers: Iterator[int], events: list[list[object]]) -> bytes:
    return frames.pack("call.happened", [0, "first", [[next(numbers), *event] for event in events]])


class TranslatorBench:
    """The translator's share of a response, `items` of them a frame."""

    def __init__(self, items: int) -> None:
        self.translator = Translator("sk", {"anna": "de"})
        readers = ("", ""), ("lukas", ""), ("anna", ""), ("lukas", "hu-HU,hu;q=0.9,en;q=0.5")
        self.frame = frames.pack(
            "sip.translate",
            [[FLOW, RESPONSE, *readers[each % len(readers)]] for each in range(items)],
        )

    def step(self) -> bytes:
        """As the service does it."""
        translated = []
        for flow, raw, user, accept_language in frames.unpack(self.frame)[1]:
            translated.append([flow, self.translator.translate(raw, user, accept_language)])
        return frames.pack("sip.send", translated)


class RegistrarBench:
    """Refreshes of `USERS` users with one contact each, `batch` of them a commit."""

    def __init__(self, path: Path, batch: int) -> None:
        self.store = SqliteStore(path)
        registrar = Registrar(self.store, lambda uri: uri.host == LOCAL, RegistrarPolicy(), b"secret")
        self.reception = make_reception(registrar, 32.0)
        self.batch = batch
        self.numbers = count()
        self.now_at = NOW_AT
        self.changes: list[bytes] = []
        for _ in range(USERS // batch + 1):
            self.step(self.frame())

    def frame(self) -> bytes:
        """What edge-rx sends."""
        items = []
        for number in (next(self.numbers) for _ in range(self.batch)):
            text = _REGISTER.format(number=number, user=number % USERS, cseq=number // USERS + 1)
            items.append([FLOW, scan(text.encode()), text.encode()])
        return frames.pack("sip.received", items)

    def step(self, frame: bytes) -> bytes:
        """As the service does it: the frame of replies."""
        self.now_at += 0.05
        with self.store.batch() as change:
            answers = self.reception.take(frame, len(RECEIVED_HEAD), self.now_at, self.now_at)
        assert all(b"SIP/2.0 200" in answer for answer in answers)
        self.changes.append(change.pack())
        return b"".join((frames.head("sip.translate"), list_head(len(answers)), *answers))

    def measure(self, rounds: int) -> float:
        """Microseconds a REGISTER, the making of the requests left out."""
        requests = iter([self.frame() for _ in range(rounds)])
        return measured(lambda: self.step(next(requests)), rounds, self.batch)

    def measure_replica(self) -> float:
        """Microseconds a change of one user takes a router."""
        replica = Replica()
        replica.load((0, {}))
        changes = iter(self.changes)

        def step() -> None:
            body = next(changes)
            number, start = Change.split(body)
            assert replica.apply(number, body, start)

        return measured(step, len(self.changes), self.batch)


def report(directory: Path, rounds: int) -> Iterator[tuple[str, float]]:
    """What was measured, and microseconds."""
    fresh = (directory / str(number) for number in count())
    for calls in (10, 200):
        for kind, are_short in (("short", True), ("long", False)):
            (path := next(fresh)).mkdir()
            spent = journal(path, rounds, calls, are_short=are_short)
            yield f"journal: a {kind} call, {calls} a commit", spent
    for items in (1, 8, 32):
        bench = TranslatorBench(items)
        yield f"translator: a response, {items} a frame", measured(bench.step, 10 * rounds, items)
    for batch in (1, 8, 32):
        registrar = RegistrarBench(next(fresh), batch)
        yield f"registrar: a REGISTER, {batch} a commit", registrar.measure(rounds)
        yield f"replica: a changed user, {batch} a change", registrar.measure_replica()


def main(rounds: int) -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        for name, spent in report(Path(directory), rounds):
            print(f"{spent:8.2f}  {name}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
