"""Request validation and Route handling (RFC 3261 §16.3, §16.4)."""

import pytest
from playbook import LENKA, LUKAS, PETER, Board, own_route, request

CALLEE = "sip:lenka@10.0.0.1"
AT_LENKA = "sip:lenka@10.0.0.12:5060"


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", AT_LENKA)
    return board


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"uri": "tel:+421900123456"}, 416),
        ({"uri": "sips:lenka@10.0.0.1"}, 416),
        ({"uri": "nobodyKnowsThisScheme:opaque"}, 416),
        ({"uri": "sip:lenka@10.0.0.9?Subject=x"}, 400),
        ({"uri": "sip:lenka@10.0.0.1:x"}, 400),
        ({"max_forwards": "0"}, 483),
        ({"max_forwards": "256"}, 400),
        ({"max_forwards": "seven"}, 400),
        ({"lines": ("Proxy-Require: foo, bar",)}, 420),
        ({"lines": ("Route: nonsense<",)}, 400),
        ({"lines": ("Route: bare",)}, 400),
        ({"cseq": 2**31}, 400),
        ({"caller": '"<sip:x@y'}, 400),
        ({"call_id": ""}, 400),
        ({"uri": "sip:nobody@10.0.0.1"}, 404),
    ],
)
def test_refused(board: Board, changes: dict[str, object], status: int) -> None:
    board.receive(request("MESSAGE", **({"uri": CALLEE} | changes)), LUKAS)  # type: ignore[arg-type]
    assert board.statuses() == [status]
    assert not board.sent()


@pytest.mark.parametrize("route", ["<<>", '"x <sip:a;lr>'])
def test_the_answer_names_the_field(board: Board, route: str) -> None:
    """In the phrase, and where a translated phrase does not tell it (§20.43)."""
    board.receive(request("MESSAGE", CALLEE, lines=(f"Route: {route}",)), LUKAS)
    (answer,) = board.answers()
    assert answer.line == "SIP/2.0 400 Malformed Route"
    assert answer.message.get("warning") == '399 switchboard "Malformed Route"'


def test_order_of_the_checks(board: Board) -> None:
    """A request that offends twice is told the first offence: scheme before Max-Forwards, that before 420."""
    both = {"max_forwards": "0", "lines": ("Proxy-Require: foo",)}
    board.receive(request("OPTIONS", "tel:1", **both), LUKAS)  # type: ignore[arg-type]
    board.receive(request("OPTIONS", CALLEE, branch="z9hG4bKa2", **both), LUKAS)  # type: ignore[arg-type]
    assert board.statuses() == [416, 483]


def test_unsupported_names_every_option(board: Board) -> None:
    board.receive(request("MESSAGE", CALLEE, lines=("Proxy-Require: foo", "Proxy-Require: bar")), LUKAS)
    assert board.answers()[0].message.values("unsupported") == ["foo", "bar"]


def test_cseq_method_mismatch(board: Board) -> None:
    raw = request("MESSAGE", CALLEE).replace(b"1 MESSAGE", b"1 INFO")
    board.receive(raw, LUKAS)
    assert board.answers()[0].line == "SIP/2.0 400 CSeq Does Not Match The Method"


@pytest.mark.parametrize(("incoming", "forwarded"), [("70", "69"), ("1", "0"), ("", "70"), ("0068", "67")])
def test_max_forwards(board: Board, incoming: str, forwarded: str) -> None:
    board.receive(request("MESSAGE", CALLEE, max_forwards=incoming), LUKAS)
    assert board.sent()[0].message.get("max-forwards") == forwarded


@pytest.mark.parametrize(
    "route",
    ["<sip:10.0.0.1:5060;lr>", "<sip:10.0.0.1;lr>", "<sip:127.0.0.1;lr>", "<sip:pbx.example;lr>"],
)
def test_own_route_is_removed_by_whatever_name(board: Board, route: str) -> None:
    board.receive(request("MESSAGE", CALLEE, lines=(f"Route: {route}",)), LUKAS)
    assert board.sent()[0].message.values("route") == []


def test_both_own_routes_of_a_double_record_route_are_removed(board: Board) -> None:
    routes = "Route: <sip:10.0.0.1;lr>, <sip:127.0.0.1;lr>,<sip:10.0.0.9;lr;x=1>"
    board.receive(request("BYE", AT_LENKA, to_tag="t", lines=(routes,)), LUKAS)
    (sent,) = board.sent()
    assert sent.to == ("10.0.0.9", 5060)
    assert sent.message.values("route") == ["<sip:10.0.0.9;lr;x=1>"]
    assert sent.message.uri == AT_LENKA


def test_strict_router_before_us(board: Board) -> None:
    """§16.4: our Record-Route came as Request-URI; the last Route is the target."""
    lines = ("Route: <sip:10.0.0.9;lr>, <sip:lenka@10.0.0.12:5060>",)
    board.receive(request("BYE", own_route("sip:10.0.0.9").strip("<>"), to_tag="t", lines=lines), PETER)
    (sent,) = board.sent()
    assert sent.message.uri == AT_LENKA
    assert sent.message.values("route") == ["<sip:10.0.0.9;lr>"]
    assert sent.to == ("10.0.0.9", 5060)


def test_strict_router_after_us(board: Board) -> None:
    """§16.6 step 6: its URI goes into the Request-URI, ours to the end of Route."""
    lines = "Route: <sip:10.0.0.1;lr>, <sip:10.0.0.9>, <sip:10.0.0.8;lr>"
    board.receive(request("BYE", AT_LENKA, to_tag="t", lines=(lines,)), LUKAS)
    (sent,) = board.sent()
    assert sent.message.uri == "sip:10.0.0.9"
    assert sent.message.values("route") == ["<sip:10.0.0.8;lr>", f"<{AT_LENKA}>"]
    assert sent.to == ("10.0.0.9", 5060)


def test_own_maddr_is_stripped(board: Board) -> None:
    board.receive(request("MESSAGE", "sip:lenka@10.0.0.1;maddr=127.0.0.1;transport=udp"), LUKAS)
    assert board.sent()[0].to == LENKA


def test_foreign_maddr_is_where_it_goes(board: Board) -> None:
    board.receive(request("MESSAGE", "sip:x@elsewhere.example;maddr=10.0.0.99"), LUKAS)
    assert board.sent()[0].to == ("10.0.0.99", 5060)


def test_loop_ends_in_482(board: Board) -> None:
    """Another proxy sends the same request back (RFC 5393 §4.2)."""
    board.bind("loop", "sip:loop@10.0.0.9")
    board.receive(request("MESSAGE", "sip:loop@10.0.0.1"), LUKAS)
    came_back = board.sent()[0].raw.replace(b"sip:loop@10.0.0.9", b"sip:loop@10.0.0.1", 1)
    board.receive(came_back, ("10.0.0.9", 5060))
    assert board.answers()[0].line == "SIP/2.0 482 Loop Detected"
    assert not board.sent()


@pytest.mark.parametrize(
    ("came", "given"), [("7", "7"), ("x", "60"), ("", "60"), ("999", "60"), ("070", "60")]
)
def test_breadth_is_bounded_by_ours(board: Board, came: str, given: str) -> None:
    """RFC 5393 §5.3.3."""
    board.receive(request("MESSAGE", CALLEE, lines=(f"Max-Breadth: {came}",)), LUKAS)
    assert board.sent()[0].message.all("max-breadth") == [given]


def test_no_breadth_is_left(board: Board) -> None:
    board.receive(request("MESSAGE", CALLEE, lines=("Max-Breadth: 0",)), LUKAS)
    assert board.answers()[0].line == "SIP/2.0 440 Max-Breadth Exceeded"


def test_another_switchboards_branch_is_no_loop(board: Board) -> None:
    """The hash may be the same there: only a Via with our own address counts."""
    board.receive(request("MESSAGE", CALLEE), LUKAS)
    passed = board.sent()[0].message.raw.replace(b"SIP/2.0/UDP 10.0.0.1:5060", b"SIP/2.0/UDP 10.0.0.77:5060")
    passed = passed.replace(AT_LENKA.encode(), CALLEE.encode())
    board.receive(passed, ("10.0.0.77", 5060))
    assert board.sent()[0].to == LENKA
