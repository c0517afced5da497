"""Two edges, each with an address of ours: through which of them requests leave, and what Record-Route names."""

import pytest
from playbook import HOST, LENKA, LUKAS, PORT, Board, request, response

from switchboard.core.domains import OwnDomains
from switchboard.core.overload import read_stamp, stamp_of
from switchboard.sip.address import uri_in
from switchboard.sip.uri import SipUri

OTHER = "127.0.0.1"
"""The address of the other edge."""
CALLEE = "sip:lenka@10.0.0.1"
AT_LENKA = "sip:lenka@10.0.0.12:5060"


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11:5060", local=HOST)
    board.bind("lenka", AT_LENKA, local=OTHER)
    return board


def lose(board: Board, *away: str) -> None:
    """The edges with these addresses send nothing from now on."""
    board.away = away
    own = OwnDomains([HOST, OTHER], ["pbx.example"], PORT, away=away)
    board._step(lambda core: core.own(own))


def invite(board: Board, contact: str = "sip:lukas@10.0.0.11:5060") -> list[str]:
    """The addresses in the Record-Routes of a call to lenka, the top one first."""
    board.receive(request("INVITE", CALLEE, lines=(f"Contact: <{contact}>",)), LUKAS)
    (sent,) = board.sent()
    assert sent.to == LENKA
    routes = [SipUri.parse(uri_in(value)).host for value in sent.message.values("record-route")]
    assert sent.flow is not None
    assert sent.message.via.host == sent.flow.local == routes[0]
    return routes


def test_a_phone_is_called_through_the_edge_at_which_it_registered(board: Board) -> None:
    assert invite(board) == [OTHER, HOST]


def test_where_caller_and_callee_have_the_same_edge_it_is_named_once(board: Board) -> None:
    board.bind("lenka", AT_LENKA, local=HOST)
    assert invite(board) == [HOST]


def test_an_edge_that_is_away_is_not_named(board: Board) -> None:
    lose(board, OTHER)
    assert invite(board) == [HOST]


def test_a_dialog_goes_on_through_the_edge_that_is_left(board: Board) -> None:
    board.receive(request("INVITE", CALLEE, lines=("Contact: <sip:lukas@10.0.0.11:5060>",)), LUKAS)
    (sent,) = board.sent()
    board.receive(response(sent.message, 200, lines=(f"Contact: <{AT_LENKA}>",)), LENKA)
    answer = board.answers()[-1].message
    routes = tuple(f"Route: {each}" for each in answer.values("record-route")[::-1])
    for number, (away, local) in enumerate([((), OTHER), ((OTHER,), HOST), ((), OTHER)]):
        lose(board, *away)
        info = request("INFO", AT_LENKA, to_tag=answer.to_tag, branch=f"z9hG4bKi{number}", lines=routes)
        board.receive(info, LUKAS)
        (led,) = board.sent()
        assert led.flow is not None
        assert (led.to, led.flow.local) == (LENKA, local)


def test_a_phone_behind_address_translation_that_has_come_to_another_edge(board: Board) -> None:
    """Its translator lets in there what comes from that edge, and from no other one."""
    contact, seen = "sip:lenka@192.168.1.9:5060", ("198.51.100.9", 40123)
    there = {"next_hop": "198.51.100.9:40123", "source": "198.51.100.9:40123"}
    board.bind("lenka", contact, local=OTHER, **there)
    board.receive(request("INVITE", CALLEE, lines=("Contact: <sip:lukas@10.0.0.11:5060>",)), LUKAS)
    (sent,) = board.sent()
    board.receive(response(sent.message, 200, lines=(f"Contact: <{contact}>",)), seen)
    answer = board.answers()[-1].message
    routes = tuple(f"Route: {each}" for each in answer.values("record-route")[::-1])
    for number, local in enumerate((OTHER, HOST)):
        board.bind("lenka", contact, local=local, **there)
        info = request("INFO", contact, to_tag=answer.to_tag, branch=f"z9hG4bKi{number}", lines=routes)
        board.receive(info.replace(b"To: <" + contact.encode(), b"To: <" + CALLEE.encode()), LUKAS)
        (led,) = board.sent()
        assert led.flow is not None
        assert (led.to, led.flow.local) == (seen, local)


@pytest.mark.parametrize("edge", [0, 1, 15])
def test_a_stamp_says_whose_it_is(edge: int) -> None:
    number, at = read_stamp(stamp_of(edge, 12_345_678.25))
    assert (number, at) == (edge, 12_345_678.25)


def test_the_last_stamp_of_each_edge_is_returned(board: Board) -> None:
    stamps = [stamp_of(0, 1.0), stamp_of(1, 9.0), stamp_of(0, 2.0)]
    board.core.receive_items(stamps, *board._moment)
    assert sorted(board.core.take_stamps()) == [stamps[2], stamps[1]]
    assert not list(board.core.take_stamps())
