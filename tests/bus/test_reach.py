"""Who cannot be reached: told once, with the reason, and so is the return."""

import time
from collections.abc import Callable

import zmq
from bus.inbox import bind_inbox

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.link import Link
from switchboard.bus.peer import Peer
from switchboard.bus.reach import AWAY_S, FIRST_S, Reach

AT = 1_700_000_000.0
LIMIT_S = 20.0


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
    assert reach.look([peer], [], 99.9 + FIRST_S, AT + FIRST_S) == []  # it may still start, as this one does
    (line,) = reach.look([peer], [], 100.0 + FIRST_S, AT + FIRST_S)
    assert line.startswith(f"journal.0 at {here} cannot be reached since 2023-11-1")
    assert reach.look([peer], [], 135.0, AT + 35) == []
    assert reach.notes() == [line]
    bind_inbox(context, here)
    wait_until(lambda: peer.takes_frames)
    assert reach.look([peer], [], 140.0, AT + 40) == [f"journal.0 at {here} can be reached again, after 40 s"]
    assert reach.notes() == []


def test_who_is_let_go_is_not_away(context: BusContext, endpoints: Endpoints) -> None:
    peer, reach = Peer(context, endpoints.inbox("journal")), Reach()
    for now in (100.0, 100.0 + FIRST_S):
        reach.look([peer], [peer.link], now, AT)
    assert len(reach.notes()) == 1
    peer.close()
    assert reach.look([], [peer.link], 101.0 + FIRST_S, AT) == []
    assert reach.notes() == []


def test_who_was_reached_once_is_missed_sooner(context: BusContext, endpoints: Endpoints) -> None:
    here = endpoints.inbox("journal")
    inbox = bind_inbox(context, here)
    peer, reach = Peer(context, here), Reach()
    wait_until(lambda: peer.takes_frames)
    reach.look([peer], [], 100.0, AT)
    inbox.close(linger=0)
    wait_until(lambda: not peer.takes_frames)
    assert reach.look([peer], [], 101.0, AT) == []
    assert len(reach.look([peer], [], 101.0 + AWAY_S, AT)) == 1


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
    assert len(reach.look([peer], [], 132.0, AT)) == 1
    for _ in range(2):
        peer.link.reason = "it hangs up"
        (note,) = [*reach.look([peer], [], 133.0, AT), *reach.notes()][-1:]
        assert note.endswith(": it hangs up")
        assert note.startswith(f"journal.0 at {here} cannot be reached since ")
        peer.link.reason = ""
        assert reach.look([peer], [], 134.0, AT) == []
    assert reach.notes() == [note.removesuffix(": it hangs up")]


def test_each_reason_is_told_once(context: BusContext, endpoints: Endpoints) -> None:
    peer, reach = Peer(context, endpoints.inbox("journal")), Reach()
    reach.look([peer], [], 100.0, AT)
    told = []
    for second, reason in enumerate(("", "one", "", "one", "two", "one"), start=131):
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
    (line,) = reach.look([], context.links, 131.0, AT)
    assert line.startswith(f"registrar.0 at {here} cannot be reached since ")
    context.listen(zmq.XPUB, [here])
    wait_until(lambda: is_connected(link))
    assert reach.look([], context.links, 140.0, AT) == [
        f"registrar.0 at {here} can be reached again, after 40 s"
    ]
