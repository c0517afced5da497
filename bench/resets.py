"""Connections that are made and reset at random, at any moment of their life; what is left of them afterwards.

python -m bench.resets --minutes 5    what every process weighs before and after
    --kill-every 5                    a worker is killed at random, each 5 s
"""

import random
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from system.access import HOST, Ports, Transport, free_ports
from system.harness import Switchboard, wait_until

from bench.asked import stat
from bench.connected import AT_ONCE, RESET, Connected, register
from bench.machine import describe_machine
from bench.report import write_section
from bench.soak import MB, Weight, weigh

KILLED = ("edge-stream", "registrar", "router", "edge-rx", "edge-tx", "journal", "translator", "history")
STREAMS = (Transport.TCP, Transport.TLS, Transport.WSS)
KEPT = 100
WARM_UP = 600
"""Connections: until tables, caches and allocators have the size that they keep."""
GONE_WITHIN_S = 60.0
HALVES = {
    Transport.TCP: b"REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP 127.0.0.1:9;branch=z9hG4bK1\r\nFrom: <sip:",
    Transport.TLS: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    Transport.WSS: b"\x16\x03\x01\x00\xc4\x01\x00\x00",
}
"""What is cut off: a message, or a handshake."""


class Resets:
    """Makes connections to one switchboard, and ends them in all ways; `made` counts them.

    `kill_every_s`: between two kills of a worker, which `kills` counts; 0: none is killed. No handshake is under way
    then, which would not outlive the process.
    """

    def __init__(self, board: Switchboard, ports: Ports, seed: int, kill_every_s: float = 0.0) -> None:
        self.made = self.kills = 0
        self._kill_every_s = kill_every_s
        self._next_kill = time.monotonic() + kill_every_s
        self._board, self._ports = board, ports
        self._random = random.Random(seed)
        self._kept: list[Connected] = []

    def run(self, until: Callable[[], bool]) -> None:
        """Go on until then; at the end all connections are gone. AssertionError if a phone is not answered."""
        while not until():
            transport = self._random.choice(STREAMS)
            self._cut_short(transport)
            phones = [Connected(transport, self._address(transport)) for _ in range(AT_ONCE // 5)]
            self.made += len(phones) + 1
            self._register(phones)
            if self._kill_every_s and time.monotonic() >= self._next_kill:
                self._kill()
            self._random.shuffle(self._kept)
            for phone in self._kept[KEPT:]:
                self._end(phone)
            del self._kept[KEPT:]
        while self._kept:
            self._end(self._kept.pop())
        wait_until(lambda: self._count() == 0, "the end of all connections", GONE_WITHIN_S)

    def _kill(self) -> None:
        self._board.kill(self._random.choice(KILLED))
        self.kills += 1
        self._next_kill = time.monotonic() + self._kill_every_s

    def _register(self, phones: list[Connected]) -> None:
        """Some of them are reset before the answer, some say nothing at all."""
        third = len(phones) // 3
        for phone in phones[:third]:
            phone.register()
        for phone in phones[: 2 * third]:
            self._end(phone)
        register(phones[2 * third :])
        self._kept += phones[2 * third :]

    def _cut_short(self, transport: Transport) -> None:
        half = HALVES[transport]
        with socket.create_connection(self._address(transport)) as opened:
            opened.sendall(half[: self._random.randrange(len(half))])
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _end(self, phone: Connected) -> None:
        if self._random.random() < 0.7:
            phone.reset()
        else:
            phone.close()

    def _address(self, transport: Transport) -> tuple[str, int]:
        return HOST, self._ports.access(transport, self._board.port, self._board.data_dir).port

    def _count(self) -> float:
        return stat(self._board, "edge-stream.0", "connections")


def soak(
    board: Switchboard, ports: Ports, until: Callable[[Resets], bool], kill_every_s: float = 0.0
) -> tuple[dict[str, Weight], dict[str, Weight]]:
    """Weigh every process after a warm-up, and after the soak: without connections both times."""
    resets = Resets(board, ports, 14, kill_every_s)
    resets.run(lambda: resets.made >= WARM_UP)
    wait_until(lambda: board.is_up(), "all workers", GONE_WITHIN_S)
    before = weigh(board)
    resets.made = resets.kills = 0
    resets.run(lambda: until(resets))
    wait_until(lambda: board.is_up(), "all workers", GONE_WITHIN_S)
    return before, weigh(board)


def main(
    minutes: Annotated[float, typer.Option()] = 5.0,
    kill_every: Annotated[float, typer.Option(help="seconds between two kills; 0: none")] = 0.0,
    write: Path | None = None,
) -> None:
    """Run it, print the table, and write it into a page."""
    ports = free_ports()
    end = 0.0
    made = kills = 0

    def until(resets: Resets) -> bool:
        nonlocal end, made, kills
        end = end or time.monotonic() + minutes * 60  # the warm-up is over
        made, kills = resets.made, resets.kills
        return time.monotonic() >= end

    with Switchboard(ports.environment) as board:
        before, after = soak(board, ports, until, kill_every)
    rows = ["| process | memory before, MB | after | files before | after |", "|---|---|---|---|---|"]
    for name, was in before.items():
        now = after[name]
        rows.append(
            f"| {name} | {was.memory_bytes / MB:.1f} | {now.memory_bytes / MB:.1f} | {was.files} | {now.files} |"
        )
    text = f"{describe_machine()}; {minutes:g} minutes, {made:,} connections, {kills} kills.\n\n" + "\n".join(
        rows
    )
    print(text)
    if write:
        write_section(write, "resets", text)


if __name__ == "__main__":
    typer.run(main)
