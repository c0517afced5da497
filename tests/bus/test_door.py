import pytest
import zmq

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.door import Door

HERE = "inproc://door"
DEADLINE_MS = 2000


@pytest.fixture
def door(context: BusContext) -> Door:
    return Door(context, HERE)


@pytest.fixture
def asker(context: BusContext, door: Door) -> zmq.Socket[bytes]:
    assert door.take() is None
    asker = context.socket(zmq.DEALER)
    asker.connect(HERE)
    return asker


def test_questions_are_replied_to_in_any_order(door: Door, asker: zmq.Socket[bytes]) -> None:
    asker.send(frames.pack("first", [1]))
    asker.send(frames.pack("second", None))
    assert door.sockets[0].poll(DEADLINE_MS)
    first, second = door.take(), door.take()
    assert first is not None
    assert second is not None
    assert (first.subject, first.body) == ("first", [1])
    assert door.take() is None
    second.reply("two")
    first.refuse("not now")
    assert frames.unpack(asker.recv()) == ("second", "two")
    assert frames.unpack(asker.recv()) == ("error", "not now")


@pytest.mark.parametrize("parts", [[b"junk"], [b""], [b"", frames.pack("q", 1), b"more"]])
def test_what_is_no_question_is_counted_and_refused(
    door: Door, asker: zmq.Socket[bytes], parts: list[bytes]
) -> None:
    asker.send_multipart(parts)
    assert door.sockets[0].poll(DEADLINE_MS)
    assert door.take() is None
    assert door.bad_frames == 1
    subject, _ = frames.unpack(asker.recv())
    assert subject == "error"


def test_reply_to_an_asker_that_has_gone_is_dropped(door: Door, asker: zmq.Socket[bytes]) -> None:
    asker.send(frames.pack("q", None))
    assert door.sockets[0].poll(DEADLINE_MS)
    question = door.take()
    assert question is not None
    asker.close(linger=0)
    question.reply("too late")
    door.close()
