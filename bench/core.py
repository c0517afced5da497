"""What the core of a router and its log cost without sockets, in microseconds of CPU a call, and taking them over.

python -m bench.core [CALLS] [--reference] [--one]
    calls of INVITE, 180, 200, ACK, BYE, 200 from many users; six messages a batch, with --one each for itself;
    with --reference as it is where nothing was compiled
"""

import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from time import process_time

from flows import udp
from playbook import EPOCH, HOST, LENKA, LUKAS, Board, request, response

from switchboard.codec import list_head, pack, unpack
from switchboard.core.router_core import RouterCore, Run
from switchboard.sip.message import Message, parse_message
from switchboard.sip.scan import scan
from switchboard.wal.router_log import RouterLog

SDP = b"v=0\r\n" + b"a=rtpmap:96 opus/48000/2\r\n" * 8
USERS = 1000
WARM_UP = 4000
"""So many calls until transactions end as fast as they begin."""
A_CALL_S = 0.01
CALLER, CALLEE = udp(*LUKAS, HOST).pack(), udp(*LENKA, HOST).pack()
TARGET = "sip:lenka@10.0.0.12:5060"
PHASES = ("receive", "take", "log", "timers")


class Bench:
    """A core with its log, and the seconds of CPU of each phase of a step."""

    def __init__(self, directory: Path, batch: int, native: bool) -> None:
        self.log = RouterLog(directory)
        self.core = make_core(self.log, native)
        self.core.restore(1000.0, EPOCH)
        self.now = 1000.0
        self.spent_s = dict.fromkeys(PHASES, 0.0)
        self._batch = batch
        self._calls = 0

    def run(self, calls: int) -> None:
        """Place so many calls, a batch of them at a time, each message of all before the next one."""
        for _ in range(0, calls, self._batch):
            numbers = range(self._calls, self._calls + self._batch)
            self._calls += self._batch
            self._place(numbers)
            self.now += A_CALL_S * self._batch
            begin = process_time()
            self.core.advance(self.now, EPOCH + self.now)
            self.spent_s["timers"] += process_time() - begin

    def _place(self, numbers: Iterable[int]) -> None:
        invites = self._feed(map(invite, numbers), CALLER)[0]
        self._feed((response(each, 180) for each in invites), CALLEE)
        contact = (f"Contact: <{TARGET}>",)
        answers = self._feed((response(each, 200, lines=contact) for each in invites), CALLEE)[1]
        self._feed((within(each, "ACK", 1) for each in answers), CALLER)
        byes = self._feed((within(each, "BYE", 2) for each in answers), CALLER)[0]
        self._feed((response(each, 200) for each in byes), CALLEE)

    def _feed(self, raws: Iterable[bytes], flow: bytes) -> tuple[list[Message], list[Message]]:
        """One batch through the core and the log; returns the requests and responses that leave."""
        items = [pack([flow, scan(raw), raw]) for raw in raws]
        frame = list_head(len(items)) + b"".join(items)
        moment = self.now, EPOCH + self.now
        marks = [process_time()]
        if self.core.receive(frame, 0, *moment) is None:
            self.core.receive_items(unpack(frame), *moment)
        marks.append(process_time())
        effects = self.core.take(self.now)
        marks.append(process_time())
        self.log.note(effects.events)
        self.log.commit()
        marks.append(process_time())
        for phase, begin, end in zip(PHASES, marks, marks[1:], strict=False):
            self.spent_s[phase] += end - begin
        return list(messages_in(effects.requests)), list(messages_in(effects.responses))


def make_core(log: RouterLog, native: bool) -> RouterCore:
    """A core that knows the users, and keeps its saved transactions in `log`."""
    board = Board(fragile=False, native=False)
    for number in range(USERS):
        board.bind(f"u{number}", TARGET)
    return RouterCore(board.proxy.env, log.keyed, native=native)


def invite(number: int) -> bytes:
    """An INVITE as phones write it."""
    lines = ("Contact: <sip:lukas@10.0.0.11:5060>", "User-Agent: bench", "Allow: INVITE, ACK, CANCEL, BYE")
    branch, call_id = f"z9hG4bK{number}", f"call-{number}"
    return request(
        "INVITE", f"sip:u{number % USERS}@{HOST}", branch=branch, call_id=call_id, lines=lines, body=SDP
    )


def within(answer: Message, method: str, cseq: int) -> bytes:
    """A request of the dialog that `answer` made."""
    return request(
        method,
        TARGET,
        branch=f"{answer.via.branch}{method}",
        cseq=cseq,
        to_tag=answer.to_tag,
        call_id=answer.call_id,
        lines=tuple(f"Route: {value}" for value in answer.values("record-route")),
    )


def messages_in(run: Run) -> Iterator[Message]:
    """The messages of a run of items."""
    count, octets = run
    return (parse_message(item[1]) for item in unpack(list_head(count) + octets))


def take_over(directory: Path, now: float, native: bool) -> tuple[float, float, int]:
    """CPU seconds to read the log and to take the saved transactions up, and how many there are."""
    begin = process_time()
    log = RouterLog(directory)
    middle = process_time()
    core = make_core(log, native)
    before = process_time()
    restored = core.restore(now, EPOCH)
    return middle - begin, process_time() - before, restored


def main(arguments: Sequence[str]) -> None:
    """Print the figures."""
    native = "--reference" not in arguments
    calls = int(next(filter(str.isdigit, arguments), "12000"))
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), 1 if "--one" in arguments else 6, native)
        bench.run(WARM_UP)
        bench.spent_s = dict.fromkeys(PHASES, 0.0)
        began = time.monotonic()
        bench.run(calls)
        parts = ", ".join(f"{phase} {1e6 * s / calls:.2f}" for phase, s in bench.spent_s.items())
        print(f"{1e6 * sum(bench.spent_s.values()) / calls:.1f} us a call: {parts}")
        print(
            f"log {bench.log.size / 1e6:.1f} MB, {len(bench.log)} entries; {time.monotonic() - began:.0f} s"
        )
        bench.log.close()
        reading_s, restoring_s, saved_transactions = take_over(Path(directory), bench.now, native)
        print(
            f"take over {saved_transactions}: read {1e3 * reading_s:.0f} ms, restore {1e3 * restoring_s:.0f} ms"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
