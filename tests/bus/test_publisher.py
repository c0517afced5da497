import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.publisher import Publisher

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
