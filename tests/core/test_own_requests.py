"""Requests that workers have a router send: where they go, what comes back, and that nothing of them is saved."""

import gc

import pytest
from flows import udp
from playbook import HOST, LENKA, PORT, Board, Sent, response

from switchboard.core.commands import Lookup, NextHop
from switchboard.core.own_requests import MOST, Answer, OwnRequest, Wanted
from switchboard.sip.flow import TCP, UDP, Flow, connection_of

CONTACT = "sip:lenka@10.0.0.12:5060"
PROVIDER = "sip:voip.example"


def board_alone() -> Board:
    """A board that neither crashes nor is compared: what is asked is not kept."""
    board = Board(fragile=False, transports={UDP: PORT, TCP: PORT})
    board.twin = None
    return board


@pytest.fixture
def board() -> Board:
    return board_alone()


def wanted(
    uri: str = PROVIDER, *lines: str, method: str = "REGISTER", flow: bytes = b"", user: str = ""
) -> Wanted:
    head = [
        f"{method} {uri} SIP/2.0",
        *lines,
        "Max-Forwards: 70",
        "From: <sip:481@voip.example>;tag=f",
        "To: <sip:481@voip.example>",
        "Contact: <sip:x@here.invalid>",
        "Call-ID: c-1",
        f"CSeq: 7 {method}",
        "Content-Length: 12",
    ]
    raw = "\r\n".join(head).encode() + b"\r\n\r\nhere.invalid"
    return Wanted("trunks", b"t1", raw, flow, user)


def send(board: Board, *requests: Wanted) -> None:
    board._step(lambda core: core.send_own(requests, *board._moment))


def answers(board: Board) -> list[Answer]:
    return board.core.own_answers().get("trunks", [])


def only(sent: list[Sent]) -> Sent:
    assert len(sent) == 1
    return sent[0]


def test_a_request_goes_where_its_name_leads_and_its_answer_comes_back(board: Board) -> None:
    send(board, wanted())
    (lookup,) = board.lookups
    assert (lookup.host, board.askers) == ("voip.example", ["trunks"])
    board.resolve(lookup, ("10.9.0.1", 5060))
    sent = only(board.sent())
    assert sent.to == ("10.9.0.1", 5060)
    assert sent.message.via.host == HOST
    assert sent.message.via.param("rport") == ""
    assert sent.message.get("contact") == f"<sip:x@{HOST}:{PORT}>"
    assert sent.message.body == b"here.invalid"
    board.receive(response(sent.message, 100), sent.to)
    assert not answers(board)
    final = response(sent.message, 200)
    board.receive(final, sent.to)
    assert answers(board) == [Answer(b"t1", 200, final, sent.flow.pack() if sent.flow else b"")]
    board.receive(final, sent.to)
    assert not answers(board)
    assert not board.answers()
    assert not list(board.log)
    assert board.core.stats()["own_requests_waiting"] == 0


def test_it_is_repeated_until_64_t1_are_over(board: Board) -> None:
    send(board, wanted("sip:10.9.0.1"))
    board.advance(31.9)
    assert len(board.sent()) == 11
    board.advance(0.2)
    assert [each.status for each in answers(board)] == [408]
    board.advance(60)
    assert not board.sent()


@pytest.mark.parametrize("way", ["refused", "503", "silent"])
def test_the_next_hop_gets_what_one_does_not_take(board: Board, way: str) -> None:
    send(board, wanted())
    board.resolve(board.lookups[0], ("10.9.0.1", 5060), ("10.9.0.2", 5060))
    first = only(board.sent())
    if way == "refused":
        board.lose(first)
    elif way == "503":
        board.receive(response(first.message, 503), first.to)
    else:
        board.advance(4.1)
    second = board.sent()[-1]
    assert second.to == ("10.9.0.2", 5060)
    board.receive(response(second.message, 401), second.to)
    assert [each.status for each in answers(board)] == [401]


def test_the_last_503_is_the_answer(board: Board) -> None:
    send(board, wanted("sip:10.9.0.1"))
    sent = only(board.sent())
    final = response(sent.message, 503, lines=("Retry-After: 7",))
    board.receive(final, sent.to)
    assert [(each.status, each.raw) for each in answers(board)] == [(503, final)]


def test_a_closed_port_is_a_503_of_our_own(board: Board) -> None:
    send(board, wanted("sip:10.9.0.1"))
    board.lose(only(board.sent()))
    assert [(each.status, each.raw) for each in answers(board)] == [(503, b"")]


def test_a_name_that_leads_nowhere(board: Board) -> None:
    send(board, wanted())
    board.resolve(board.lookups[0])
    assert [each.status for each in answers(board)] == [503]


def test_over_a_flow(board: Board) -> None:
    flow = Flow(TCP, HOST, "10.0.0.12", 40000, connection_of(0, b"12345678"))
    send(board, wanted(CONTACT, method="NOTIFY", flow=flow.pack()))
    sent = only(board.sent())
    assert sent.flow == flow
    board.lose(sent)
    assert [each.status for each in answers(board)] == [430]


def test_over_a_flow_of_udp(board: Board) -> None:
    send(board, wanted(CONTACT, method="NOTIFY", flow=udp("10.0.0.77", 5099, HOST).pack()))
    assert only(board.sent()).to == ("10.0.0.77", 5099)


def test_to_a_binding(board: Board) -> None:
    board.bind("lenka", CONTACT, next_hop="192.0.2.9:4000")
    send(board, wanted(CONTACT, method="MESSAGE", user="lenka"))
    assert only(board.sent()).to == ("192.0.2.9", 4000)
    send(board, wanted("sip:lenka@10.0.0.13", method="MESSAGE", user="lenka"))
    assert [each.status for each in answers(board)] == [480]


def test_to_a_gruu(board: Board) -> None:
    """Some phones have theirs as their Contact."""
    params = ';+sip.instance="<urn:uuid:1>"'
    gruu = f"sip:lenka@{HOST};gr=urn:uuid:1"
    board.bind("lenka", "sip:lenka@10.0.0.13:5060", CONTACT, params=params)
    send(board, wanted(gruu, method="NOTIFY", user="lenka"))
    sent = only(board.sent())
    assert (sent.to, sent.message.uri) == (("10.0.0.12", 5060), gruu)
    board.bind("lenka")
    send(board, wanted(gruu, method="NOTIFY", user="lenka"))
    assert [each.status for each in answers(board)] == [480]


def test_by_its_route(board: Board) -> None:
    send(board, wanted(CONTACT, "Route: <sip:10.9.0.4;lr>, <sip:10.9.0.5;lr>", method="NOTIFY"))
    sent = only(board.sent())
    assert sent.to == ("10.9.0.4", 5060)
    assert sent.message.values("route") == ["<sip:10.9.0.4;lr>", "<sip:10.9.0.5;lr>"]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (wanted("sip:10.9.0.1", method="INVITE"), 400),
        (wanted("mailto:a@b"), 416),
        (wanted("sip:10.9.0.1", "Route: <sip:10.9.0.4>"), 400),
        (Wanted("trunks", b"t1", b"nonsense"), 400),
        (wanted("sip:10.9.0.1", flow=b"\xff"), 430),
        (wanted(f"sip:{HOST}:{PORT}"), 482),
        (wanted("sip:10.9.0.1;transport=ws"), 503),
    ],
)
def test_what_cannot_be_sent_is_answered_at_once(board: Board, request_: Wanted, status: int) -> None:
    send(board, request_)
    assert [(each.token, each.status, each.raw) for each in answers(board)] == [(b"t1", status, b"")]
    assert not board.sent()


def test_too_many_at_a_time_are_refused(board: Board) -> None:
    board.proxy.own_requests.waiting = MOST
    send(board, wanted("sip:10.9.0.1"))
    assert [each.status for each in answers(board)] == [503]


def test_an_answer_to_nothing_that_was_asked_ends_here(board: Board) -> None:
    send(board, wanted("sip:10.9.0.1"))
    sent = only(board.sent())
    board.receive(response(sent.message, 200).replace(b"own", b"1own", 1), LENKA)
    assert not answers(board)
    assert board.core.stats()["responses_absorbed"] == 1


def test_a_late_answer_of_a_name_is_no_answer(board: Board) -> None:
    send(board, wanted())
    board.advance(33)
    assert [each.status for each in answers(board)] == [408]
    board.resolve(Lookup("voip.example", None), NextHop("10.9.0.1", 5060))
    assert not board.sent()


@pytest.mark.parametrize("way", ["answered", "silence", "closed"])
def test_nothing_is_left_of_it(board: Board, way: str) -> None:
    """Nor a circle of objects, which the collector would find late: 100 MB within half an hour."""
    gc.collect()
    gc.disable()
    try:
        before = _sendings()
        send(board, wanted("sip:10.9.0.1"))
        sent = only(board.sent())
        assert _sendings() == before + 1
        if way == "answered":
            board.receive(response(sent.message, 200), sent.to)
        elif way == "closed":
            board.lose(sent)
        board.advance(33)
        assert answers(board)
        board.advance(6)
        assert _sendings() == before
    finally:
        gc.enable()


def _sendings() -> int:
    return sum(isinstance(each, OwnRequest) for each in gc.get_objects())


def test_what_a_stranger_wrote_does_not_become_our_address(board: Board) -> None:
    send(board, wanted("sip:10.9.0.1", "P-Asserted-Identity: <sip:boss@here.invalid>"))
    sent = only(board.sent()).message
    assert sent.get("p-asserted-identity") == "<sip:boss@here.invalid>"
    assert "here.invalid" not in (sent.get("contact") or "")
