"""Who cannot be reached: told once, with the reason, and so is the return."""

import time
from collections.abc import Callable

import zmq
from bus.inbox import bind_inbox

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.link import Link
from switchboard.bus.peer import Peer
from switchboard.bus.reach import AWAY_S, Reach

AT = 1_700_000_000.0
LIMIT_S = 5.0


def wait_until(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until


def test_a_peer_that_stays_away_is_told_once_and_so_is_its_return(
    context: BusContext, endpoints: Endpoints
) -> None:
    here = endpoints.inbox("journal")
    peer, reach = Peer(context, here), Reach()
    assert reach.look([peer], [], 100.0, AT) == []
    assert reach.notes() == []
    (line,) = reach.look([peer], [], 100.0 + AWAY_S, AT + AWAY_S)
    assert line.startswith(f"journal.0 at {here} cannot be reached since 2023-11-1")
    assert reach.look([peer], [], 105.0, AT + 5) == []
    assert reach.notes() == [line]
    bind_inbox(context, here)
    wait_until(lambda: peer.takes_frames)
    assert reach.look([peer], [], 110.0, AT + 10) == [f"journal.0 at {here} can be reached again, after 10 s"]
    assert reach.notes() == []


def test_a_short_absence_is_not_worth_a_word(context: BusContext, endpoints: Endpoints) -> None:
    here = endpoints.inbox("journal")
    peer, reach = Peer(context, here), Reach()
    reach.look([peer], [], 100.0, AT)
    bind_inbox(context, here)
    wait_until(lambda: peer.takes_frames)
    assert reach.look([peer], [], 100.5, AT) == []
    peer.close()


def test_why_is_told_once_it_is_known(context: BusContext, endpoints: Endpoints) -> None:
    here = endpoints.inbox("journal")
    peer, reach = Peer(context, here), Reach()
    reach.look([peer], [], 100.0, AT)
    assert len(reach.look([peer], [], 102.0, AT)) == 1
    for _ in range(2):
        peer.link.reason = "it hangs up"
        (note,) = [*reach.look([peer], [], 103.0, AT), *reach.notes()][-1:]
        assert note.endswith(": it hangs up")
        assert note.startswith(f"journal.0 at {here} cannot be reached since ")
        peer.link.reason = ""
        assert reach.look([peer], [], 104.0, AT) == []
    assert reach.notes() == [note.removesuffix(": it hangs up")]


def test_each_reason_is_told_once(context: BusContext, endpoints: Endpoints) -> None:
    peer, reach = Peer(context, endpoints.inbox("journal")), Reach()
    reach.look([peer], [], 100.0, AT)
    told = []
    for second, reason in enumerate(("", "one", "", "one", "two", "one"), start=101):
        peer.link.reason = reason
        told += [line.partition(": ")[2] for line in reach.look([peer], [], float(second), AT)]
    assert told == ["", "one", "two"]


def is_connected(link: Link) -> bool:
    link.look(102.0)
    return link.is_connected


def test_links_of_no_peer_are_told_of_too(context: BusContext, endpoints: Endpoints) -> None:
    reach, here = Reach(), endpoints.publisher("registrar")
    link = context.link(context.socket(zmq.SUB), here, watched=True)
    reach.look([], context.links, 100.0, AT)
    (line,) = reach.look([], context.links, 101.0, AT)
    assert line.startswith(f"registrar.0 at {here} cannot be reached since ")
    context.listen(zmq.XPUB, [here])
    wait_until(lambda: is_connected(link))
    assert reach.look([], context.links, 110.0, AT) == [
        f"registrar.0 at {here} can be reached again, after 10 s"
    ]
