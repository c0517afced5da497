"""Which worker gets which message."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playbook import LENKA, Board, request, response

from switchboard.core.domains import OwnDomains
from switchboard.sip.dispatch import (
    NO_WAY,
    REGISTRAR,
    DatagramKind,
    Dispatcher,
    Quoted,
    ServerKey,
    classify,
    client_key,
    looks_like_request,
    parse_quoted,
    server_key,
    strip_empty_lines,
)
from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message
from switchboard.sip.scan import scan
from switchboard.sip.shares import call_id_sum
from switchboard.sip.splice import make_ack, make_cancel
from switchboard.sip.uri import SipUri

STUN = bytes.fromhex("00010000 2112a442 0102030405060708090a0b0c")
CLASSIC_STUN = bytes.fromhex("00010000 0102030405060708090a0b0c0d0e0f10")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"INVITE sip:lukas@10.0.0.1 SIP/2.0\r\n\r\n", DatagramKind.MESSAGE),
        (b"\r\n\r\nINVITE sip:lukas@10.0.0.1 SIP/2.0\r\n\r\n", DatagramKind.MESSAGE),
        (b"!method sip:lukas@10.0.0.1 SIP/2.0\r\n\r\n", DatagramKind.MESSAGE),
        (b"SIP/2.0 200 OK\r\n\r\n", DatagramKind.MESSAGE),
        (b"jaK\r\n", DatagramKind.MESSAGE),
        (b"\r\n\r\n", DatagramKind.PING),
        (b"", DatagramKind.KEEP_ALIVE),
        (b"\r\n", DatagramKind.KEEP_ALIVE),
        (b"\r\n\r\n\r\n", DatagramKind.KEEP_ALIVE),
        (b"\n\n", DatagramKind.KEEP_ALIVE),
        (b"\0", DatagramKind.KEEP_ALIVE),
        (b"\0\0\0\0", DatagramKind.KEEP_ALIVE),
        (b" ", DatagramKind.KEEP_ALIVE),
        (STUN, DatagramKind.STUN),
        (CLASSIC_STUN, DatagramKind.STUN),
        (STUN[:19], DatagramKind.MESSAGE),
        (b"\x80" + bytes(30), DatagramKind.MESSAGE),
    ],
)
def test_kinds(data: bytes, kind: DatagramKind) -> None:
    assert classify(data) is kind


@given(st.binary())
def test_what_can_be_scanned_is_a_message(tail: bytes) -> None:
    data = (
        b"OPTIONS sip:x SIP/2.0\r\nVia: v\r\nFrom: f\r\nTo: t\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n" + tail
    )
    try:
        scan(data)
    except ParseError:
        return
    assert classify(data) is DatagramKind.MESSAGE


@pytest.mark.parametrize(
    ("data", "rest"), [(b"\r\n\r\nA b\r\n", b"A b\r\n"), (b"\nA", b"A"), (b" A", b" A"), (b"A\r\n", b"A\r\n")]
)
def test_empty_lines_before_the_start_line_go(data: bytes, rest: bytes) -> None:
    assert strip_empty_lines(data) == rest


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"INVITE sip:a@b SIP/2.0\r\n", True),
        (b"INVITE sip:a@b SIP/2.0", True),
        (b"INVITE  sip:a b@c  SIP/7.0 \n", True),
        (b"INVITE sip:a@b sip/2.0\r\n", True),
        (b"INVITE sip:a@b SIP/\r\n", True),
        (b"INVITE sip:a@b\r\nVia: SIP/2.0/UDP x\r\n", False),
        (b"SIP/2.0 200 OK\r\n", False),
        (b"SIP/2.0 200 SIP/2.0\r\n", False),
        (b"GET / HTTP/1.1\r\n", False),
        (b"jaK\r\n", False),
        (b"", False),
        (b"a" + b" SIP/" * 13000, True),
        (b"a" + b" SIP/ x" * 9000, False),
    ],
)
def test_what_was_meant_as_a_request(raw: bytes, expected: bool) -> None:
    assert looks_like_request(raw) is expected


ROUTERS = 4
OWN = OwnDomains(["10.0.0.1"], ["pbx.example"], 5060)
DISPATCHER = Dispatcher(range(ROUTERS), OWN.owns)


def target(raw: bytes, dispatcher: Dispatcher = DISPATCHER) -> int:
    return dispatcher.target(raw, parse_message(raw).index.tobytes())


def stray(via: str, call_id: str = "call-1") -> bytes:
    lines = f"From: <sip:a@h>\r\nTo: <sip:b@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
    return f"SIP/2.0 200 OK\r\nVia: {via}\r\n{lines}".encode()


@pytest.mark.parametrize("call_id", [f"call-{number}" for number in range(8)])
def test_a_call_keeps_its_router(call_id: str) -> None:
    invite = request("INVITE", "sip:lenka@10.0.0.1", call_id=call_id)
    router = target(invite)
    assert 0 <= router < ROUTERS
    assert target(request("BYE", "sip:lukas@elsewhere", call_id=call_id, source=LENKA, cseq=7)) == router
    assert target(invite.replace(b"Call-ID: ", b"i:\r\n\t ")) == router
    assert target(make_cancel(parse_message(invite))) == router
    assert target(make_ack(parse_message(invite), parse_message(stray("SIP/2.0/UDP h")))) == router


def test_what_a_router_holds_goes_there() -> None:
    invite = request("INVITE", "sip:lenka@10.0.0.1", call_id="held")
    dispatcher = Dispatcher(range(2), OWN.owns, leaving=[3])
    dispatcher.held[call_id_sum(b"held")] = 3
    assert target(invite, dispatcher) == 3
    assert target(make_cancel(parse_message(invite)), dispatcher) == 3
    assert target(request("INVITE", "sip:lenka@10.0.0.1", call_id="other"), dispatcher) in (0, 1)
    held = stray("SIP/2.0/UDP h;branch=z9hG4bKsb3.t1.abc")
    assert target(held, dispatcher) == 3
    dispatcher.ways[3] = 1
    assert target(held, dispatcher) == 1, "another one in its place"
    dispatcher.ways[3] = NO_WAY
    assert target(held, dispatcher) == target(stray("SIP/2.0/UDP h"), dispatcher), "by the Call-ID"


def test_calls_are_spread() -> None:
    assert {target(request("INVITE", "sip:a@h", call_id=str(number))) for number in range(50)} == set(
        range(ROUTERS)
    )


@pytest.mark.parametrize(
    ("branch", "routers", "router"),
    [
        ("z9hG4bKsb0.t1.abc", 4, 0),
        ("z9hG4bKsb3.t1.abc", 4, 3),
        ("z9hG4bKsb12.t1.abc", 16, 12),
    ],
)
def test_response_goes_by_our_branch(branch: str, routers: int, router: int) -> None:
    via = f"SIP/2.0/UDP 10.0.0.1:5060;branch={branch}, SIP/2.0/UDP h;branch=z9hG4bKsb9.x.y"
    assert target(stray(via), Dispatcher(range(routers), OWN.owns)) == router


@pytest.mark.parametrize(
    "branch", ["z9hG4bKother", "z9hG4bKsb", "z9hG4bKsbx.1", "z9hG4bKsb1234.t", "z9hG4bKsb1"]
)
def test_response_to_somebody_else_goes_by_call_id(branch: str) -> None:
    """A branch that is not ours; that of a Via below the topmost does not count either."""
    via = f"SIP/2.0/UDP 10.0.0.1:5060;branch={branch}, SIP/2.0/UDP h;branch=z9hG4bKsb2.x.y"
    assert [target(stray(via, str(number))) for number in range(8)] == [
        target(request("INVITE", "sip:a@h", call_id=str(number))) for number in range(8)
    ]


@pytest.mark.parametrize(
    ("method", "uri", "routes", "is_registrars"),
    [
        ("REGISTER", "sip:10.0.0.1", (), True),
        ("REGISTER", "sip:PBX.example:5060;transport=udp", (), True),
        ("REGISTER", "sip:10.0.0.1", ("Route: <sip:10.0.0.1;lr>, <sip:pbx.example;lr>",), True),
        ("REGISTER", "sip:10.0.0.1", ("Route: <sip:other.example;lr>",), False),
        ("REGISTER", "sip:10.0.0.1", ("Route: nonsense",), False),
        ("REGISTER", "sip:10.0.0.1", ('Route: "open',), False),
        ("REGISTER", "sip:other.example", (), False),
        ("REGISTER", "tel:1", (), False),
        ("register", "sip:10.0.0.1", (), False),
        ("REGISTERS", "sip:10.0.0.1", (), False),
        ("OPTIONS", "sip:10.0.0.1", (), False),
    ],
)
def test_register(method: str, uri: str, routes: tuple[str, ...], is_registrars: bool) -> None:
    """The registrar gets what is for us and needs no further hop; the routers relay and refuse the rest."""
    assert (target(request(method, uri, lines=routes)) == REGISTRAR) is is_registrars


def test_answers_are_remembered_until_the_owner_changes() -> None:
    asked: list[str] = []

    def owns(uri: SipUri) -> bool:
        asked.append(uri.host)
        return True

    dispatcher = Dispatcher(range(ROUTERS), owns)
    assert [dispatcher.owns("sip:a.example") for _ in range(3)] == [True] * 3
    assert asked == ["a.example"]
    dispatcher.own(lambda _: False)
    assert not dispatcher.owns("sip:a.example")


def test_what_is_remembered_is_bounded() -> None:
    dispatcher = Dispatcher(range(ROUTERS), lambda _: True)
    for number in range(5000):
        assert dispatcher.owns(f"sip:h{number}.example")
    assert dispatcher.owns("sip:h.example;x=" + "x" * 60_000)
    assert len(dispatcher._known) <= 1024


COOKIE = "SIP/2.0/UDP h:5070;branch=z9hG4bKa1"
PLAIN = "SIP/2.0/UDP h;branch=1"


def key(
    via: str,
    method: str = "INVITE",
    *,
    uri: str = "sip:b@h",
    from_tag: str = "1",
    to_tag: str = "",
    call_id: str = "c",
    cseq: int = 1,
    match: str = "",
) -> ServerKey:
    to = f"<sip:b@h>;tag={to_tag}" if to_tag else "<sip:b@h>"
    head = f"{method} {uri} SIP/2.0\r\nVia: {via}\r\nFrom: <sip:a@h>;tag={from_tag}\r\nTo: {to}\r\n"
    request = parse_message(f"{head}Call-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n\r\n".encode())
    return server_key(request, request.via, match)


@pytest.mark.parametrize(
    "other",
    [
        key(COOKIE, uri="sip:other@h", from_tag="2", to_tag="3", call_id="d", cseq=2),
        key("SIP/2.0/TCP H:5070;branch=Z9HG4BKA1;rport"),
        key(COOKIE + ", SIP/2.0/UDP below"),
        key(COOKIE, "ACK", to_tag="2"),
        key(COOKIE, "CANCEL", match="INVITE"),
    ],
)
def test_branch_with_cookie_decides(other: ServerKey) -> None:
    """Branch, sent-by and method: nothing else, and in any case."""
    assert key(COOKIE) == other


@pytest.mark.parametrize(
    "other",
    [
        key("SIP/2.0/UDP h:5070;branch=z9hG4bKa2"),
        key("SIP/2.0/UDP i:5070;branch=z9hG4bKa1"),
        key("SIP/2.0/UDP h:5071;branch=z9hG4bKa1"),
        key("SIP/2.0/UDP h;branch=z9hG4bKa1"),
        key(COOKIE, "CANCEL"),
        key(COOKIE, "BYE"),
        key(PLAIN),
    ],
)
def test_what_differs(other: ServerKey) -> None:
    assert key(COOKIE) != other


def test_default_port_of_sent_by() -> None:
    assert key("SIP/2.0/UDP h;branch=z9hG4bKa1") == key("SIP/2.0/UDP h:5060;branch=z9hG4bKa1")


@pytest.mark.parametrize(
    "via", [PLAIN, "SIP/2.0/UDP h", "SIP/2.0/UDP h;branch=z9hG4bK", "SIP/2.0/UDP h;branch=Z9HG4BK"]
)
@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({}, True),
        ({"method": "ACK", "to_tag": "2"}, True),
        ({"method": "CANCEL", "match": "INVITE"}, True),
        ({"method": "CANCEL"}, False),
        ({"uri": "sip:c@h"}, False),
        ({"from_tag": "2"}, False),
        ({"call_id": "d"}, False),
        ({"cseq": 2}, False),
    ],
)
def test_without_cookie_the_fields_decide(via: str, changes: dict[str, str], is_same: bool) -> None:
    """RFC 2543 elements; so it is where nothing stands behind the cookie."""
    assert (key(via) == key(via, **changes)) is is_same  # type: ignore[arg-type]


def test_without_cookie_the_topmost_via_decides() -> None:
    assert key(PLAIN) != key("SIP/2.0/UDP h;branch=2")
    assert key(PLAIN) == key(PLAIN + ", SIP/2.0/UDP below")


def test_malformed_from_has_a_key() -> None:
    assert key(PLAIN, from_tag='"open') == key(PLAIN, from_tag='"open')


def test_client_key() -> None:
    """A CANCEL has the branch of its INVITE, and is another transaction (§17.1.3)."""
    assert client_key("z9hG4bK1", "INVITE") == client_key("z9hG4bK1", "INVITE")
    assert client_key("z9hG4bK1", "INVITE") != client_key("z9hG4bK1", "CANCEL")


BRANCH = "z9hG4bKsb12.abc1.deadbeef"
VIA = f"Via: SIP/2.0/UDP 10.0.0.1:5060;branch={BRANCH}\r\n".encode()
PHONE = b"Via: SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKa1;rport\r\n"


def forwarded(method: bytes = b"INVITE", before: bytes = b"Max-Forwards: 69\r\n", via: bytes = VIA) -> bytes:
    return (
        method + b" sip:lenka@10.0.0.12 SIP/2.0\r\n" + before + via + PHONE + b"From: <sip:a@b>;tag=1\r\n\r\n"
    )


@pytest.mark.parametrize("method", ["INVITE", "CANCEL", "ACK", "MESSAGE", "!odd.method~"])
@pytest.mark.parametrize(
    "before", [b"", b"Max-Forwards: 69\r\n", b"Subject: a\r\n Via: SIP/2.0/UDP h;branch=z9hG4bKsb7.x\r\n"]
)
def test_our_branch_is_found(method: str, before: bytes) -> None:
    assert parse_quoted(forwarded(method.encode(), before)) == Quoted(method, BRANCH, 12)


@pytest.mark.parametrize("transport", [b"TCP", b"TLS", b"WS", b"WSS"])
def test_our_branch_is_found_over_any_transport(transport: bytes) -> None:
    via = VIA.replace(b"UDP", transport)
    assert parse_quoted(forwarded(via=via)) == Quoted("INVITE", BRANCH, 12)


def test_what_the_proxy_sends_is_found() -> None:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", "sip:lenka@10.0.0.12")
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), ("10.0.0.11", 5060))
    (invite,) = board.sent()
    assert parse_quoted(invite.raw) == Quoted("INVITE", invite.branch, 0)
    board.receive(response(invite.message, 486), ("10.0.0.12", 5060))
    (ack,) = board.sent()
    assert parse_quoted(ack.raw) == Quoted("ACK", invite.branch, 0)


def test_the_topmost_via_counts() -> None:
    other = VIA.replace(b"sb12.abc1", b"sb3.xyz9")
    assert parse_quoted(forwarded(via=VIA + other)) == Quoted("INVITE", BRANCH, 12)


def test_cut_within_our_via_it_says_nothing() -> None:
    raw = forwarded()
    end = raw.index(VIA) + len(VIA) - 1
    assert [parse_quoted(raw[:size]) for size in range(end)] == [None] * end
    assert {parse_quoted(raw[:size]) for size in range(end, len(raw))} == {Quoted("INVITE", BRANCH, 12)}


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n\r\n",
        forwarded(via=b""),
        forwarded(via=VIA.replace(b"sb12.", b".")),
        forwarded(via=VIA.replace(b"sb12.", b"sb1234.")),
        forwarded(via=VIA.replace(b"sb12.", b"sb.")),
        b"SIP/2.0 200 OK\r\n" + VIA + b"\r\n",
        b"SIP/2.0 200 SIP/2.0\r\n" + VIA + b"\r\n",
        b"INVITE sip:a@b SIP/3.0\r\n" + VIA + b"\r\n",
    ],
)
def test_what_is_no_request_of_ours_says_nothing(sent: bytes) -> None:
    assert parse_quoted(sent) is None


@given(st.binary(max_size=200), st.integers(0, 200))
def test_anything_may_be_quoted(octets: bytes, at: int) -> None:
    raw = forwarded()
    for sent in (octets, raw[:at] + octets + raw[at:]):
        quoted = parse_quoted(sent)
        assert quoted is None or f";branch={quoted.branch}".encode() in sent
