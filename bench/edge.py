"""What the edge costs a datagram: real edge-rx and edge-tx, UDP in, UDP out, and nothing but an echo between.

python -m bench.edge [--rate 5000] [--seconds 5] [--variables SWITCHBOARD_TICK_S=0 ...]
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import zmq

from bench.messages import INVITE
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.frames import message_in
from switchboard.bus.peer import Peer
from switchboard.settings.model import Settings
from switchboard.transports.udp_sockets import SOCKETS, bind_sockets

BUFFER_BYTES = 4 << 20
LATE_S = 1.0


class Router(threading.Thread):
    """Takes what edge-rx hands on and has edge-tx send it to `target`."""

    def __init__(self, endpoints: Endpoints, target: tuple[str, int]) -> None:
        super().__init__(daemon=True)
        self.context = BusContext()
        self.inbox = self.context.socket(zmq.PULL)
        self.inbox.bind(endpoints.inbox("router", 0))
        self.registrar = self.context.socket(zmq.PULL)  # there, or edge-rx would look for it all the time
        self.registrar.bind(endpoints.inbox("registrar"))
        self.edge = Peer(self.context, endpoints.inbox("edge-tx"))
        self.target = target
        self.frames = 0

    def run(self) -> None:
        while True:
            _, items = frames.unpack(self.inbox.recv())
            self.frames += 1
            found = filter(None, (message_in("sip.received", item) for item in items))
            self.edge.send("sip.send", [[flow.towards(self.target).pack(), raw] for flow, raw in found])


class Sink(threading.Thread):
    """Counts what edge-tx sends, and how long each datagram took: its Call-ID is the instant it was sent."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.socket.bind(("127.0.0.1", 0))
        self.delays: list[float] = []

    def run(self) -> None:
        while True:
            data = self.socket.recv(65535)
            at = data.index(b"Call-ID: ") + 9
            self.delays.append(time.monotonic() - int(data[at : at + 20]) / 1e9)


@contextmanager
def worker(module: str, variables: dict[str, str], fds: Sequence[int]) -> Iterator[int]:
    """Run a worker; yields its process id."""
    environment = {**os.environ, **variables}
    with subprocess.Popen([sys.executable, "-m", module], env=environment, pass_fds=fds) as process:
        yield process.pid
        process.terminate()


def cpu_s(pid: int) -> float:
    """What the process has used, of all its threads, from nanosecond counters."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def send(target: tuple[str, int], rate: float, seconds: float) -> int:
    """Send INVITEs, evenly spaced, and return how many."""
    count = 0
    begin = time.monotonic()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        while (elapsed := time.monotonic() - begin) < seconds:
            while count < elapsed * rate:
                phone.sendto(INVITE.replace(b"CALLID", b"%020d" % time.monotonic_ns()), target)
                count += 1
            time.sleep(max(0.0, begin + count / rate - time.monotonic()))
    return count


def measure(rate: float, seconds: float, variables: dict[str, str]) -> str:
    """Run it once and say what it cost."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory, ExitStack() as stack:
        settings = Settings(data_dir=Path(directory), routers=1)
        settings.run_dir.mkdir()
        (sock,) = bind_sockets("127.0.0.1", 0)
        sink = Sink()
        router = Router(Endpoints(settings.run_dir), sink.socket.getsockname())
        ours = {
            "SWITCHBOARD_DATA_DIR": directory,
            "SWITCHBOARD_ROUTERS": "1",
            SOCKETS: str(sock.fileno()),
            **variables,
        }
        pids = [
            stack.enter_context(worker(name, ours, (sock.fileno(),)))
            for name in ("switchboard.workers.edge_rx", "switchboard.workers.edge_tx")
        ]
        for thread in (router, sink):
            thread.start()
        until_one_arrives(sock.getsockname(), sink)
        return run(rate, seconds, sock.getsockname(), router, sink, pids)


def until_one_arrives(target: tuple[str, int], sink: Sink) -> None:
    until = time.monotonic() + 20
    while not sink.delays:
        assert time.monotonic() < until, "the edge does not start"
        send(target, 20, 0.1)
    send(target, 1000, 0.5)
    time.sleep(0.2)


def run(
    rate: float, seconds: float, target: tuple[str, int], router: Router, sink: Sink, pids: list[int]
) -> str:
    before = [cpu_s(pid) for pid in pids]
    frames_before = router.frames
    sink.delays.clear()
    count = send(target, rate, seconds)
    until = time.monotonic() + LATE_S
    while len(sink.delays) < count and time.monotonic() < until:
        time.sleep(0.01)
    rx, tx = ((cpu_s(pid) - start) * 1e6 / count for pid, start in zip(pids, before, strict=True))
    delays = sorted(sink.delays)
    p50, p99 = (delays[int(len(delays) * share)] * 1e3 for share in (0.5, 0.99))
    batch = count / (router.frames - frames_before)
    return (
        f"{rate:>7.0f}/s  edge-rx {rx:6.2f} µs  edge-tx {tx:6.2f} µs a datagram  {batch:5.1f} a frame  "
        f"through in p50 {p50:.2f} ms, p99 {p99:.2f} ms  lost {count - len(delays)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rate", type=float, nargs="+", default=[5000.0])
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--variables", nargs="*", default=[], metavar="NAME=VALUE")
    arguments = parser.parse_args()
    variables = dict(each.split("=", 1) for each in arguments.variables)
    for rate in arguments.rate:
        print(measure(rate, arguments.seconds, variables), flush=True)


if __name__ == "__main__":
    main()
