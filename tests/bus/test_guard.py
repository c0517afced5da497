"""The guard's answers to libzmq (ZeroMQ RFC 27), asked by hand."""

import pytest
import zmq
from zmq.utils import z85

from switchboard.bus.context import BusContext
from switchboard.bus.guard import ENDPOINT, Guard

KNOWN, UNKNOWN = bytes(range(32)), bytes(32)


@pytest.mark.parametrize(
    ("mechanism", "credentials", "status", "refused"),
    [
        (b"CURVE", [KNOWN], b"200", 0),
        (b"CURVE", [UNKNOWN], b"400", 1),
        (b"CURVE", [], b"400", 1),
        (b"NULL", [], b"400", 1),
        (b"PLAIN", [b"admin", b"admin"], b"400", 1),
    ],
)
def test_answers(
    context: BusContext, mechanism: bytes, credentials: list[bytes], status: bytes, refused: int
) -> None:
    guard = Guard(context, [z85.encode(KNOWN)])
    asker = context.socket(zmq.REQ)
    asker.connect(ENDPOINT)
    asker.send_multipart([b"1.0", b"7", b"switchboard", b"10.0.0.9", b"", mechanism, *credentials])
    guard.serve()
    version, request, answered, *_ = asker.recv_multipart()
    assert (version, request, answered) == (b"1.0", b"7", status)
    assert (guard.refused, guard.take_strangers()) == (refused, ["10.0.0.9"] * refused)
    guard.close()
