"""None"""

import time

import zmq
from bus.inbox import bind_inbox, next_frame

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint, Endpoints
from switchboard.bus.peer import HIGH_WATER_MARK, Peer, Publisher


def send_within(peer: Peer, body: object, limit_s: float = 20.0) -> None:
    until = time.monotonic() + limit_s
    while not peer.send("s", body):
        assert time.monotonic() < until, "the peer never took the frame"


def test_peer_that_is_away_takes_nothing_and_is_found_later(
    context: BusContext, endpoints: Endpoints
) -> None:
    endpoint = endpoints.inbox("router", 2)
    peer = Peer(context, endpoint)
    assert peer.name == "router.2"
    assert not peer.send("s", 1)
    inbox = bind_inbox(context, endpoint)
    send_within(peer, 2)
    assert next_frame(inbox) == ("s", 2)


def test_peer_that_hangs_is_noticed(context: BusContext) -> None:
    inbox = bind_inbox(context, "inproc://hung")
    peer = Peer(context, Endpoint("inproc://hung", "hung.0"))
    taken = 0
    while peer.send("s", taken):
        taken += 1
    assert HIGH_WATER_MARK <= taken <= 2 * HIGH_WATER_MARK
    assert [next_frame(inbox)[1] for _ in range(taken)] == list(range(taken))


def test_peer_is_found_again_after_its_restart(context: BusContext, endpoints: Endpoints) -> None:
    endpoint = endpoints.inbox("router")
    first_life = BusContext()
    inbox = bind_inbox(first_life, endpoint)
    peer = Peer(context, endpoint)
    send_within(peer, "before")
    assert next_frame(inbox) == ("s", "before")
    first_life.destroy(linger=0)
    gone_by = time.monotonic() + 2
    while peer.send("s", "lost"):
        assert time.monotonic() < gone_by, "the end of the peer went unnoticed"
    inbox = bind_inbox(context, endpoint)
    back_by = time.monotonic() + 2
    while not inbox.poll(1):
        assert time.monotonic() < back_by, "the peer was never found again"
        peer.send("s", "after")
    assert next_frame(inbox) == ("s", "after")


def test_closed_peer_leaves_the_context_free_to_end(context: BusContext, endpoints: Endpoints) -> None:
    peer = Peer(context, endpoints.inbox("router"))
    peer.close()
    context.term()


DEADLINE_MS = 2000


def test_all_subscribers_hear_it_at_whatever_endpoint(context: BusContext) -> None:
    endpoints = ["inproc://one", "inproc://two"]
    publisher = Publisher(context, endpoints)
    subscribers = [context.socket(zmq.SUB) for _ in endpoints]
    for subscriber, endpoint in zip(subscribers, endpoints, strict=True):
        subscriber.connect(endpoint)
        subscriber.subscribe(b"")
    publisher.send("location.number", [1])
    for subscriber in subscribers:
        assert subscriber.poll(DEADLINE_MS)
        assert frames.unpack(subscriber.recv()) == ("location.number", [1])
    publisher.close()


def test_who_has_subscribed_is_noticed_once_each(context: BusContext) -> None:
    publisher = Publisher(context, ["inproc://one"])
    assert not publisher.has_newcomers()
    for _ in range(2):
        subscriber = context.socket(zmq.SUB)
        subscriber.connect("inproc://one")
        subscriber.subscribe(b"")
        assert publisher.has_newcomers()
        publisher.send("location.number", [1])
        assert not publisher.has_newcomers()
    publisher.close()
