"""What the router's write-ahead log costs: a save a touch, bytes a call, and taking it all over.

python -m bench.writeahead [CALLS]    calls through the core alone, INVITE to BYE; no sockets
"""

import gc
import shutil
import sys
import tempfile
from itertools import count
from pathlib import Path
from time import process_time

from playbook import HOST, LENKA, LUKAS, Board, Sent, request, response

from switchboard.core.commands import ProxyTurn
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.scan import scan
from switchboard.wal.keyed_log import KeyedLog
from switchboard.wal.router_log import RouterLog

SDP = b"v=0\r\n" + b"a=rtpmap:96 opus/48000/2\r\n" * 8
CALLEE = "sip:lenka@10.0.0.1"


class Bench:
    """A core whose every message is one drain: noted, committed, sent."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.board = Board(fragile=False)
        self.board.bind("lenka", "sip:lenka@10.0.0.12:5060")
        self.log = RouterLog(directory)
        self.log.restore(self.board.proxy.env, ProxyTurn(1000.0, at=1000.0))
        self.now = 1000.0
        self.core_s = 0.0
        self.saving_s = 0.0
        self.saves = self.written = 0

    def feed(self, raw: bytes, source: tuple[str, int]) -> ProxyTurn:
        """One message through the core and the log."""
        index, flow = scan(raw), Flow(UDP, HOST, *source)
        begin = process_time()
        turn = ProxyTurn(self.now, at=self.now)
        self.board.proxy.receive(raw, index, flow, turn)
        self.core_s += process_time() - begin
        self._save(turn)
        return turn

    def call(self, number: int) -> None:
        """INVITE, 180, 200, ACK, BYE, 200."""
        same = {"branch": f"z9hG4bK{number}", "call_id": f"call-{number}"}
        turn = self.feed(request("INVITE", CALLEE, body=SDP, **same), LUKAS)  # type: ignore[arg-type]
        there = Sent(turn.requests[0].to.hop, turn.requests[0].raw).message
        for status in (180, 200):
            self.feed(response(there, status), LENKA)
        ack = request("ACK", CALLEE, to_tag="to-1", **{**same, "branch": f"z9hG4bK{number}ack"})  # type: ignore[arg-type]
        self.feed(ack, LUKAS)
        same["branch"] += "bye"
        bye = request("BYE", CALLEE, to_tag="to-1", cseq=2, **same)  # type: ignore[arg-type]
        turn = self.feed(bye, LUKAS)
        self.feed(response(Sent(turn.requests[0].to.hop, turn.requests[0].raw).message, 200), LENKA)
        self.now += 0.01

    def let_timers_fire(self) -> None:
        """What lingered for 32 s ends."""
        while (deadline := self.board.proxy.next_deadline()) is not None and deadline <= self.now:
            begin = process_time()
            turn = ProxyTurn(self.now, at=self.now)
            self.board.proxy.handle_timer(turn)
            self.core_s += process_time() - begin
            self._save(turn)

    def _save(self, turn: ProxyTurn) -> None:
        self.saves += len(turn.touched) > 0
        turn.events.clear()
        begin = process_time()
        self.log.note(turn)
        before = self.log.size
        self.log.commit(self.now)
        self.saving_s += process_time() - begin
        self.written += max(0, self.log.size - before)


def take_over(directory: Path, now: float) -> tuple[float, float, int]:
    """CPU seconds to read the log and to take the units up, and how many there are."""
    board = Board(fragile=False)
    gc.collect()
    gc.freeze()  # a successor has nothing else to collect
    begin = process_time()
    log = RouterLog(directory)
    middle = process_time()
    restored = log.restore(board.proxy.env, ProxyTurn(now, at=now))
    end = process_time()
    log.close()
    return middle - begin, end - middle, restored


def replay(directory: Path, records: int) -> float:
    """CPU seconds to read a keyed log of that many records."""
    log = KeyedLog(directory)
    for number in range(records):
        log.put(b"key %d" % (number // 3), bytes(500))
        log.commit()
    log.close()
    begin = process_time()
    KeyedLog(directory).close()
    return process_time() - begin


def main(calls: int) -> None:
    """Print the figures."""
    root = Path(tempfile.mkdtemp())
    try:
        bench = Bench(root / "router")
        numbers = count()
        for _ in range(calls):
            bench.call(next(numbers))
            bench.let_timers_fire()
        print(
            f"{bench.saves / calls:.1f} saves a call, {1e6 * bench.saving_s / bench.saves:.1f} us each;",
            end=" ",
        )
        print(
            f"{bench.written / calls:.0f} bytes a call;",
            f"log {bench.log.size / 1e6:.1f} MB, {len(bench.log)} entries",
        )
        bench.log.close()
        reading_s, restoring_s, units = take_over(root / "router", bench.now)
        print(f"take over {units} units: read {1e3 * reading_s:.0f} ms, restore {1e3 * restoring_s:.0f} ms")
        print(f"replay of 10,000 records of 500 bytes: {1e3 * replay(root / 'keyed', 10_000):.0f} ms")
    finally:
        shutil.rmtree(root)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4000)
