"""The frame of a program around a Python library: reads the words that `stack.Phone` names, a line each."""

import asyncio
import os
import select
import sys
import time
import traceback
from dataclasses import dataclass, field
from typing import Any

RING_S = 4.0


def _of_place(name: str) -> Any:
    return field(default_factory=lambda: os.environ[f"PHONE_{name}"])


@dataclass
class Agent:
    """What a program is told of its place; a subclass does what it can of the words."""

    user: str = _of_place("USER")
    password: str = _of_place("PASSWORD")
    address: str = _of_place("ADDRESS")
    server: str = _of_place("SERVER")

    def uri(self, user: str) -> str:
        """The address-of-record of a user."""
        return f"sip:{user}@{self.server}"

    incoming: Any = None
    """The call that rings; a library's own thread or task sets it."""

    def rung(self) -> Any:
        """Return the call that rings, as soon as there is one; AssertionError if there is none in time."""
        return asyncio.run(self.rung_async())

    async def rung_async(self) -> Any:
        """The same in asyncio."""
        deadline = time.monotonic() + RING_S
        while self.incoming is None:
            assert time.monotonic() < deadline, "nobody calls"
            await asyncio.sleep(0.02)
        call, self.incoming = self.incoming, None
        return call

    def idle(self) -> None:
        """What a library has to do in between."""


class AsyncAgent(Agent):
    """One whose library has calls with the coroutines `answer` and `hangup`; it has one call at a time."""

    current: Any = None

    async def answer(self) -> None:
        """Answer the call that rings."""
        self.current = await self.rung_async()
        await self.current.answer()

    async def hangup(self) -> None:
        """End the call, if there is one."""
        if self.current is not None:
            await self.current.hangup()


def serve(agent: Agent, pause_s: float = 0.02) -> None:
    """Do what the lines of the standard input say, until it ends."""
    while True:
        if select.select([sys.stdin], [], [], pause_s)[0]:
            line = sys.stdin.readline()
            if not line:
                os._exit(0)  # some libraries have threads that never end
            _obey(agent, line)
        agent.idle()


async def serve_async(agent: Agent) -> None:
    """The same for a library that lives in asyncio: the words are coroutines, each in a task of its own."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    tasks = set()
    while line := await reader.readline():
        tasks.add(loop.create_task(_obey_async(agent, line.decode())))
    os._exit(0)


def _obey(agent: Agent, line: str) -> None:
    word, *rest = line.split(maxsplit=2)
    print("told", line.strip(), flush=True)
    try:  # what a foreign library raises is written down, and the next word may work
        getattr(agent, word)(*(text.strip() for text in rest))
    except Exception:
        traceback.print_exc()


async def _obey_async(agent: Agent, line: str) -> None:
    word, *rest = line.split(maxsplit=2)
    print("told", line.strip(), flush=True)
    try:  # as above
        await getattr(agent, word)(*(text.strip() for text in rest))
    except Exception:
        traceback.print_exc()
