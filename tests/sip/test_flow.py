"""Flows as values and as octets."""

import pytest
from flows import udp
from hypothesis import given
from hypothesis import strategies as st

from switchboard.sip.flow import (
    NAMES,
    SERIAL_OCTETS,
    TCP,
    TLS,
    UDP,
    WS,
    WSS,
    Flow,
    FlowError,
    bracketed,
    connection_of,
    default_port,
    format_hop,
    is_dialled,
    is_reliable,
    is_secure,
    stream_of,
    with_local,
    without_local,
)


def test_format_hop() -> None:
    assert (format_hop("h", 1), format_hop("::1", 2)) == ("h:1", "[::1]:2")


def test_bracketed() -> None:
    assert (bracketed("h"), bracketed("127.0.0.1"), bracketed("::1")) == ("h", "127.0.0.1", "[::1]")


ADDRESSES = st.ip_addresses().map(str) | st.sampled_from(["fe80::1%eth0", "fe80::1%4", "phone.test", ""])
FLOWS = st.builds(
    Flow, st.integers(0, 255), ADDRESSES, ADDRESSES, st.integers(0, 65535), st.binary(max_size=20)
)


@given(FLOWS)
def test_what_is_packed_comes_back(flow: Flow) -> None:
    assert Flow.unpack(flow.pack()) == flow


@given(FLOWS)
def test_our_address_can_be_left_out(flow: Flow) -> None:
    assert with_local(without_local(flow.pack()), flow.local) == flow.pack()


def test_the_octets_are_the_documented_ones() -> None:
    assert udp("192.0.2.9", 5060, "192.0.2.1").pack().hex() == "0104c000020104c0000209" + "13c4"
    assert udp("2001:db8::1", 5061).pack().hex() == "0100" + "1020010db8000000000000000000000001" + "13c5"
    assert udp("fe80::1%lo", 0).pack() == b"\1\0\x8afe80::1%lo\0\0"


def test_a_text_is_cut_at_127_octets() -> None:
    assert Flow.unpack(udp("x" * 300, 5060).pack()).host == "x" * 127


def test_octets_that_are_no_text_come_back() -> None:
    assert Flow.unpack(udp("\udcff", 5060).pack()).host == "\udcff"


@given(st.binary(max_size=60))
def test_any_octets_are_a_flow_or_an_error(octets: bytes) -> None:
    try:
        flow = Flow.unpack(octets)
    except FlowError:
        return
    assert Flow.unpack(flow.pack()) == flow


@given(FLOWS.map(lambda flow: flow._replace(connection=b"")), st.data())
def test_what_is_cut_is_an_error(flow: Flow, data: st.DataObject) -> None:
    octets = flow.pack()
    with pytest.raises(FlowError):
        Flow.unpack(octets[: data.draw(st.integers(0, len(octets) - 1))])


@pytest.mark.parametrize("octets", [b"\1\3abc\0\0\0", b"\1\0\5abcde\0\0", b"\1\x7f" + bytes(130)])
def test_an_address_of_another_size_is_an_error(octets: bytes) -> None:
    with pytest.raises(FlowError):
        Flow.unpack(octets)


def test_the_way_back_keeps_our_address() -> None:
    flow = udp("192.0.2.9", 5070, "192.0.2.1")
    assert flow.towards(("192.0.2.9", 5060)) == udp("192.0.2.9", 5060, "192.0.2.1")
    assert flow.towards(flow.hop) is flow


def test_an_address_may_be_spelled_otherwise() -> None:
    assert udp("2001:DB8:0::1", 5060).is_at("2001:db8::1", 5060)
    assert udp("fe80::1%eth0", 5060).is_at("fe80::1%eth0", 5060)
    assert not udp("fe80::1%eth0", 5060).is_at("fe80::1%eth1", 5060)
    assert udp("::ffff:192.0.2.9", 5060).is_at("::ffff:c000:209", 5060)
    assert not udp("::ffff:192.0.2.9", 5060).is_at("192.0.2.9", 5060)


@pytest.mark.parametrize(
    ("transport", "name", "reliable", "secure", "dialled"),
    [
        (UDP, "UDP", False, False, True),
        (TCP, "TCP", True, False, True),
        (TLS, "TLS", True, True, True),
        (WS, "WS", True, False, False),
        (WSS, "WSS", True, True, False),
    ],
)
def test_transports(transport: int, name: str, reliable: bool, secure: bool, dialled: bool) -> None:
    assert NAMES[transport] == name
    assert (is_reliable(transport), is_secure(transport), is_dialled(transport)) == (
        reliable,
        secure,
        dialled,
    )


@given(FLOWS, st.integers(0, 255), st.integers(1, 8))
def test_a_connection_says_who_holds_it(flow: Flow, instance: int, streams: int) -> None:
    connection = connection_of(instance, bytes(SERIAL_OCTETS))
    octets = flow._replace(transport=TCP, connection=connection).pack()
    assert stream_of(octets, streams) == instance


@given(FLOWS, st.integers(1, 8))
def test_one_stream_makes_all_connections_to_an_address(flow: Flow, streams: int) -> None:
    stream = stream_of(flow._replace(transport=TLS, connection=b"").pack(), streams)
    elsewhere = flow._replace(transport=TCP, local="192.0.2.250", connection=b"")
    assert stream is not None
    assert 0 <= stream < streams
    assert stream_of(elsewhere.pack(), streams) == stream


def test_no_stream_sends_datagrams() -> None:
    assert stream_of(udp("192.0.2.9", 5060).pack(), 4) is None


def test_the_way_back_over_a_connection_is_that_connection() -> None:
    flow = Flow(TCP, "192.0.2.1", "192.0.2.9", 40000, connection_of(0, b"12345678"))
    assert flow.towards(("192.0.2.9", 5060)) is flow
    unconnected = flow._replace(connection=b"")
    assert unconnected.towards(("192.0.2.9", 5060)) == unconnected._replace(port=5060)


def test_only_tls_has_another_default_port() -> None:
    assert [default_port(each) for each in (UDP, TCP, TLS)] == [5060, 5060, 5061]


def test_the_same_way_whatever_is_left_out() -> None:
    flow = Flow(TCP, "192.0.2.1", "192.0.2.9", 40000, connection_of(0, b"12345678"))
    assert flow.is_same_way(flow._replace(local=""))
    assert flow.is_same_way(flow._replace(connection=b""))
    assert not flow.is_same_way(flow._replace(connection=connection_of(0, b"12345679")))
    assert not flow.is_same_way(flow._replace(transport=TLS))
    assert not flow.is_same_way(flow._replace(port=40001))
