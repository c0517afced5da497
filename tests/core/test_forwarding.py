"""The copy for one target and where it goes (RFC 3261 §16.6)."""

import re

import pytest
from playbook import LENKA, LUKAS, Board, request, response

from switchboard.core.commands import Lookup
from switchboard.core.forwarding import is_sendable, literal_hop


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    return board


def recorded(board: Board) -> list[str]:
    """The Record-Routes of what was sent, without what ours prove."""
    routes = board.sent()[0].message.values("record-route")
    return [re.sub(";sb=[0-9A-Za-z_-]{40,}>", ">", route) for route in routes]


@pytest.mark.parametrize("method", ["INVITE", "SUBSCRIBE", "REFER", "NOTIFY", "UPDATE"])
def test_dialog_forming_requests_are_record_routed(board: Board, method: str) -> None:
    board.receive(request(method, "sip:lenka@10.0.0.1", lines=("Record-Route: <sip:192.0.2.77;lr>",)), LUKAS)
    routes = recorded(board)
    assert routes == ["<sip:10.0.0.1:5060;lr>", "<sip:192.0.2.77;lr>"]


@pytest.mark.parametrize("method", ["MESSAGE", "OPTIONS", "INFO", "PUBLISH", "FOO"])
def test_others_are_not(board: Board, method: str) -> None:
    board.receive(request(method, "sip:lenka@10.0.0.1"), LUKAS)
    assert board.sent()[0].message.values("record-route") == []


def test_two_entries_when_the_sides_know_us_by_other_addresses(board: Board) -> None:
    """RFC 5658 §3: the target's side on top."""
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), LUKAS, local="2001:db8::1")
    routes = recorded(board)
    assert routes == ["<sip:10.0.0.1:5060;lr>", "<sip:[2001:db8::1]:5060;lr>"]


def test_a_link_local_address_is_not_recorded(board: Board) -> None:
    """Its zone is ours alone, and no URI may have one."""
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), LUKAS, local="fe80::1%eth0")
    assert recorded(board) == ["<sip:10.0.0.1:5060;lr>"]


def test_three_colons_are_two(board: Board) -> None:
    """RFC 5118 §4.10."""
    board.bind("six", "sip:x@[2001:db8:::9]")
    board.receive(request("MESSAGE", "sip:six@10.0.0.1"), LUKAS)
    assert board.sent()[0].to == ("2001:db8::9", 5060)


def test_nothing_else_is_touched(board: Board) -> None:
    """§16.6: unknown header fields, their order and spelling, and the body."""
    odd = ("X-a:  spaced   out ", "x-B: 1", "X-a: 2", "Subject : \t one;two", "k: bar, baz", "Require: foo")
    body = bytes(range(256))
    raw = request("MESSAGE", "sip:lenka@10.0.0.1", lines=odd, body=body)
    board.receive(raw, LUKAS)
    out = board.sent()[0].message
    assert out.body == body
    assert raw[raw.index(b"From:") :] in out.raw


def test_octets_beyond_the_content_length_are_dropped(board: Board) -> None:
    board.receive(
        request("MESSAGE", "sip:lenka@10.0.0.1", body=b"hi") + b"INVITE sip:x@y SIP/2.0\r\n\r\n", LUKAS
    )
    assert board.sent()[0].message.raw.endswith(b"\r\n\r\nhi")


def test_via_says_where_we_are_and_where_it_came_from(board: Board) -> None:
    raw = request("MESSAGE", "sip:lenka@10.0.0.1", source=("phone.invalid", 5099))
    board.receive(raw, ("10.0.0.11", 40000))
    ours, theirs = board.sent()[0].message.values("via")
    assert ours.startswith("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKsb0.")
    assert theirs == "SIP/2.0/UDP phone.invalid:5099;branch=z9hG4bKa1;rport=40000;received=10.0.0.11"


def test_branches_differ_for_each_transaction(board: Board) -> None:
    for number in range(3):
        board.receive(request("MESSAGE", "sip:lenka@10.0.0.1", branch=f"z9hG4bKa{number}"), LUKAS)
    assert len({sent.branch for sent in board.sent()}) == 3


def test_a_name_is_resolved_first(board: Board) -> None:
    board.receive(request("INVITE", "sip:x@phone.example"), LUKAS)
    assert (board.statuses(), board.sent()) == ([100], [])
    assert board.lookups == [Lookup("phone.example", None)]
    board.resolve(Lookup("phone.example", None), LENKA)
    assert board.sent()[0].to == LENKA


def test_a_name_is_asked_for_once_at_a_time(board: Board) -> None:
    for number in range(3):
        board.receive(request("MESSAGE", "sip:x@phone.example", branch=f"z9hG4bKa{number}"), LUKAS)
    assert board.lookups == [Lookup("phone.example", None)]
    assert set(board.askers) == {LUKAS[0]}
    board.resolve(Lookup("phone.example", None), LENKA)
    assert len(board.sent()) == 3


def test_a_name_that_leads_nowhere(board: Board) -> None:
    """§16.9: as if a 503 had come, which becomes a 500 (§16.7 step 6)."""
    board.receive(request("INVITE", "sip:x@phone.example"), LUKAS)
    board.resolve(Lookup("phone.example", None), None)
    assert board.statuses() == [100, 500]


def test_a_phone_whose_name_leads_nowhere_is_reached_where_it_registered_from(board: Board) -> None:
    board.bind("anna", "sip:anna@phone7.lan", source="10.0.0.17:5066")
    board.receive(request("INVITE", "sip:anna@10.0.0.1"), LUKAS)
    board.resolve(Lookup("phone7.lan", None), None)
    assert board.sent()[0].to == ("10.0.0.17", 5066)


@pytest.mark.parametrize("name", ["alias.example", "10.0.0.1"])
def test_nothing_is_sent_to_ourselves(board: Board, name: str) -> None:
    """What leads back here would come back; ours are resolved inside (RFC 5393 §3)."""
    board.receive(request("INVITE", f"sip:x@{name};maddr=alias.example"), LUKAS)
    board.resolve(Lookup("alias.example", None), ("10.0.0.1", 5060))
    assert board.statuses() == [100, 482]
    assert not board.sent()


def test_cancel_while_a_name_is_resolved(board: Board) -> None:
    board.receive(request("INVITE", "sip:x@phone.example"), LUKAS)
    board.receive(request("CANCEL", "sip:x@phone.example"), LUKAS)
    assert board.statuses() == [100, 200, 487]
    board.resolve(Lookup("phone.example", None), LENKA)
    assert not board.sent()


def test_an_ack_is_resolved_as_well(board: Board) -> None:
    ack = request("ACK", "sip:x@phone.example", to_tag="t", lines=("Route: <sip:10.0.0.1:5060;lr>",))
    board.receive(ack, LUKAS)
    board.resolve(Lookup("phone.example", None), LENKA)
    kept = [] if board.fragile else ["ACK sip:x@phone.example SIP/2.0"]  # the 200 and its ACK come again
    assert [sent.line for sent in board.sent()] == kept


@pytest.mark.parametrize(
    "contact", ["sip:x@10.0.0.9:0", "sip:x@224.0.0.1", "sip:x@0.0.0.0", "sip:x@255.255.255.255"]
)
def test_where_no_peer_can_be_nothing_is_sent(board: Board, contact: str) -> None:
    board.bind("odd", contact, source="")
    board.receive(request("INVITE", "sip:odd@10.0.0.1"), LUKAS)
    assert board.statuses() == [100, 500]
    assert not board.sent()


def test_another_transport_is_not_tried_over_udp(board: Board) -> None:
    board.bind("tcp", "sip:x@10.0.0.9;transport=tcp")
    board.receive(request("INVITE", "sip:tcp@10.0.0.1"), LUKAS)
    assert board.statuses() == [100, 500]


def test_an_unreachable_fork_does_not_hurt_the_other(board: Board) -> None:
    board.bind("two", "sip:x@10.0.0.9:0", "sip:y@10.0.0.12:5060", source="")
    board.receive(request("INVITE", "sip:two@10.0.0.1"), LUKAS)
    (sent,) = board.sent()
    board.receive(response(sent.message, 486), LENKA)
    assert board.statuses() == [100, 486]


@pytest.mark.parametrize(
    ("lookup", "hop"),
    [
        (Lookup("10.0.0.9", None), ("10.0.0.9", 5060)),
        (Lookup("10.0.0.9", 5070), ("10.0.0.9", 5070)),
        (Lookup("2001:db8::9", None), ("2001:db8::9", 5060)),
        (Lookup("10.0.0", None), None),
        (Lookup("1und1.example", None), None),
        (Lookup("example.com", 5060), None),
    ],
)
def test_literal_hop(lookup: Lookup, hop: tuple[str, int] | None) -> None:
    assert literal_hop(lookup) == hop


@pytest.mark.parametrize(
    ("hop", "fine"), [(("10.0.0.9", 1), True), (("10.0.0.9", 0), False), (("ff02::1", 9), False)]
)
def test_is_sendable(hop: tuple[str, int], fine: bool) -> None:
    assert is_sendable(hop) is fine
