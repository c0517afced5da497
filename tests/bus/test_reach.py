"""Who cannot be reached, told once; `now` is made up."""

import time
from collections.abc import Callable

from bus.inbox import bind_inbox

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
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
    assert reach.look([peer], 100.0, AT) == []
    assert reach.notes() == []
    (line,) = reach.look([peer], 100.0 + AWAY_S, AT + AWAY_S)
    assert line.startswith(f"journal.0 at {here} cannot be reached since 2023-11-1")
    assert reach.look([peer], 105.0, AT + 5) == []
    assert reach.notes() == [line]
    bind_inbox(context, here)
    wait_until(lambda: peer.takes_frames)
    assert reach.look([peer], 110.0, AT + 10) == [f"journal.0 at {here} can be reached again, after 10 s"]
    assert reach.notes() == []


def test_a_short_absence_is_not_worth_a_word(context: BusContext, endpoints: Endpoints) -> None:
    here = endpoints.inbox("journal")
    peer, reach = Peer(context, here), Reach()
    reach.look([peer], 100.0, AT)
    bind_inbox(context, here)
    wait_until(lambda: peer.takes_frames)
    assert reach.look([peer], 100.5, AT) == []
    peer.close()
