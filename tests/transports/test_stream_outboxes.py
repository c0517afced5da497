"""What goes to which edge-stream, as Python and as compiled code see it."""

import pytest
from compiled import needs_compiled_core
from flows import udp
from hypothesis import given
from hypothesis import strategies as st

from switchboard.bus.frames import pack_sent
from switchboard.sip.flow import TCP, UDP, WSS, Flow, connection_of
from switchboard.transports.stream_outboxes import split, split_in_python

HOSTS = st.sampled_from(("10.0.0.1", "2001:db8::7", "fe80::1%eth0", ""))
FLOWS = st.builds(
    Flow,
    st.integers(UDP, WSS),
    HOSTS,
    HOSTS,
    st.integers(0, 65535),
    st.just(b"") | st.builds(connection_of, st.integers(0, 5), st.binary(min_size=8, max_size=8)),
)
RAW = st.sampled_from((b"ACK sip:x SIP/2.0", b"ACK", b"", b"SIP/2.0 200 OK", b"x" * 300, b"y" * 70000))


@needs_compiled_core
@given(items=st.lists(st.tuples(FLOWS, RAW), max_size=9), streams=st.integers(1, 4))
def test_both_split_alike(items: list[tuple[Flow, bytes]], streams: int) -> None:
    run = b"".join(pack_sent(flow.pack(), raw) for flow, raw in items)
    assert split(len(items), run, streams) == split_in_python(len(items), run, streams)


@pytest.mark.parametrize("function", [split, split_in_python])
def test_an_ack_is_told(function: object) -> None:
    flow = Flow(TCP, "", "10.0.0.2", 5060, connection_of(1, bytes(8))).pack()
    away, left = pack_sent(flow, b"ACK sip:x"), pack_sent(udp("10.0.0.3", 5060).pack(), b"ACK sip:x")
    assert callable(function)
    assert function(2, away + left, 2) == ((1, left), [(1, (1, away))], [(1, away)])
