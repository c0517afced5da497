"""The other end of a PUSH socket, for tests."""

from collections.abc import Iterator
from typing import Any

import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext

DEADLINE_MS = 2000


def bind_inbox(context: BusContext, endpoint: str) -> zmq.Socket[bytes]:
    inbox = context.socket(zmq.PULL)
    inbox.set(zmq.RCVHWM, 64)
    inbox.bind(endpoint)
    return inbox


def next_frame(inbox: zmq.Socket[bytes]) -> tuple[str, Any]:
    """The next cast; fails if none arrives within DEADLINE_MS."""
    assert inbox.poll(DEADLINE_MS), "no frame arrived"
    return frames.unpack(inbox.recv())


def all_items(inbox: zmq.Socket[bytes], count: int) -> Iterator[Any]:
    """The next `count` items, whatever frames they come in."""
    while count > 0:
        items = next_frame(inbox)[1]
        count -= len(items)
        yield from items
