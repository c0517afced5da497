"""Large requests go by TCP where the phone is known to have it (RFC 3261 §18.1.1)."""

from itertools import count

import pytest
from flows import udp
from playbook import HOST, LENKA, LUKAS, PORT, Board, Sent, request, response

from switchboard.core.large_requests import LASTS_S, MOST_ASKED
from switchboard.core.probing import PATIENCE_S
from switchboard.sip.flow import TCP, UDP, Flow

CONTACT = "sip:lenka@10.0.0.12:5060"
BY_UDP = udp(*LENKA, HOST)
BY_TCP = Flow(TCP, HOST, *LENKA)
CALLS = count()
LARGE = b"v=0\r\n" + b"a=rtpmap:96 opus/48000/2\r\n" * 40
BOTH = {UDP: PORT, TCP: PORT}


@pytest.fixture
def board() -> Board:
    return made()


def made(contact: str = CONTACT, **more: object) -> Board:
    """What is known of phones is not kept: the board does not crash, and has no twin."""
    board = Board(transports=BOTH, fragile=False, **more)  # type: ignore[arg-type]
    board.twin = None
    board.bind("lenka", contact)
    return board


def invite(board: Board, body: bytes = LARGE) -> list[Sent]:
    """A new call to lenka; what left for it, with the questions."""
    call_id = f"c{next(CALLS)}"
    raw = request(
        "INVITE", f"sip:lenka@{HOST}", branch=f"z9hG4bK{call_id}", call_id=call_id, body=body,
        lines=("Contact: <sip:lukas@10.0.0.11:5060>",),
    )  # fmt: skip
    board.receive(raw, LUKAS)
    return board.sent()


def flows(sent: list[Sent]) -> list[tuple[str, Flow | None]]:
    return [(each.message.method, each.flow) for each in sent]


def told(board: Board, status: int = 200) -> None:
    """The phone answers the question whether it has TCP."""
    question, first = invite(board)
    board.receive(response(question.message, status), BY_TCP)
    board.receive(response(first.message, 486), LENKA)
    board.sent()


def test_the_first_one_goes_over_udp_and_asks(board: Board) -> None:
    assert flows(invite(board)) == [("OPTIONS", BY_TCP), ("INVITE", BY_UDP)]


def test_a_contact_that_says_udp_does_not_say_that_there_is_no_tcp() -> None:
    board = made(f"{CONTACT};transport=udp")
    told(board)
    assert flows(invite(board)) == [("INVITE", BY_TCP)]


@pytest.mark.parametrize("status", [200, 404, 500])
def test_whoever_has_answered_gets_the_next_ones_over_tcp(board: Board, status: int) -> None:
    told(board, status)
    (sent,) = invite(board)
    assert sent.flow == BY_TCP
    assert sent.message.top_via.startswith(f"SIP/2.0/TCP {HOST}:{PORT};branch=z9hG4bKsb")
    assert sent.raw.endswith(LARGE)
    assert board.core.stats()["large_by_tcp"] == 1
    board.advance(10)
    assert not board.sent(), "nothing is repeated over TCP"


def test_small_ones_stay(board: Board) -> None:
    told(board)
    assert flows(invite(board, b"")) == [("INVITE", BY_UDP)]


def test_the_size_is_that_of_what_leaves(board: Board) -> None:
    told(board)
    (sent,) = invite(board, b"x" * 100)
    missing = 1300 - len(sent.raw)
    (sent,) = invite(board, b"x" * (100 + missing))
    assert (len(sent.raw), sent.flow) == (1300, BY_UDP)
    (sent,) = invite(board, b"x" * (101 + missing))
    assert (len(sent.raw), sent.flow) == (1301, BY_TCP)


def test_the_rest_of_the_call_is_one_of_udp(board: Board) -> None:
    """Also if the phone names TCP in its answer: it has both."""
    told(board)
    (sent,) = invite(board)
    routes = sent.message.values("record-route")
    assert [route.partition(";lr")[0] for route in routes] == [f"<sip:{HOST}:{PORT}"]
    ok = response(sent.message, 200, lines=(f"Contact: <{CONTACT};transport=tcp>",))
    board.receive(ok, BY_TCP)
    assert [each.flow for each in board.answers()][-1] == udp(*LUKAS, HOST)
    bye = request(
        "BYE", CONTACT, branch="z9hG4bKbye", call_id=sent.message.call_id, cseq=2, to_tag="to-1",
        lines=tuple(f"Route: {route}" for route in routes),
    )  # fmt: skip
    board.receive(bye, LUKAS)
    assert flows(board.sent()) == [("BYE", BY_UDP)]


def test_the_ack_and_the_cancel_go_where_the_invite_went(board: Board) -> None:
    told(board)
    (sent,) = invite(board)
    board.receive(response(sent.message, 180), BY_TCP)
    call_id = sent.message.call_id
    cancel = request("CANCEL", f"sip:lenka@{HOST}", branch=f"z9hG4bK{call_id}", call_id=call_id)
    board.receive(cancel, LUKAS)
    board.receive(response(sent.message, 487), BY_TCP)
    assert flows(board.sent()) == [("CANCEL", BY_TCP), ("ACK", BY_TCP)]


def test_a_connection_that_is_refused_leads_back_to_udp(board: Board) -> None:
    told(board)
    (sent,) = invite(board)
    board.answers()
    board.lose(sent)
    (again,) = board.sent()
    assert again.flow == BY_UDP
    assert again.message.top_via.startswith("SIP/2.0/UDP ")
    assert not board.answers()
    assert flows(invite(board)) == [("INVITE", BY_UDP)], "it is known to have none now"


def test_a_successor_goes_back_to_udp_too(board: Board) -> None:
    told(board)
    (sent,) = invite(board)
    board.crash()
    board.sent()
    board.lose(sent)
    assert flows(board.sent()) == [("INVITE", BY_UDP)]


@pytest.mark.parametrize("is_refused", [True, False])
def test_who_does_not_answer_is_not_asked_again_for_an_hour(board: Board, is_refused: bool) -> None:
    question, _ = invite(board)
    if is_refused:
        board.lose(question)
    else:
        board.advance(PATIENCE_S + 1)
    board.sent()
    assert flows(invite(board)) == [("INVITE", BY_UDP)]
    board.advance(3 * LASTS_S)
    board.bind("lenka", CONTACT)
    board.sent()
    assert flows(invite(board)) == [("OPTIONS", BY_TCP), ("INVITE", BY_UDP)]


def test_the_engine_keeps_the_calls_of_those_who_have_none(board: Board) -> None:
    if board.core.engine is None:
        pytest.skip("without an engine")
    question, _ = invite(board)
    board.lose(question)
    board.bind("lenka", CONTACT)
    before = board.core.engine.plain
    assert flows(invite(board)) == [("INVITE", BY_UDP)]
    assert board.core.engine.plain == before + 1


@pytest.mark.parametrize(
    "contact",
    [
        "sip:lenka@127.0.0.1:5070",
        f"sip:lenka@{HOST}:5070",
    ],
    ids=["loopback", "our machine"],
)
def test_who_is_never_asked(contact: str) -> None:
    board = made(contact)
    assert [each.message.method for each in invite(board)] == ["INVITE"]


def test_who_is_behind_address_translation_is_never_asked() -> None:
    board = made()
    board.bind("lenka", "sip:lenka@192.168.1.9:5060", next_hop="10.0.0.12:40001", source="10.0.0.12:40001")
    assert flows(invite(board)) == [("INVITE", udp("10.0.0.12", 40001, HOST))]


def test_without_tcp_nobody_is_asked() -> None:
    board = Board(fragile=False)
    board.bind("lenka", CONTACT)
    assert flows(invite(board)) == [("INVITE", BY_UDP)]


def test_it_can_be_turned_off() -> None:
    board = made(tcp_above=65507)
    assert flows(invite(board)) == [("INVITE", BY_UDP)]


def test_few_are_asked_at_a_time(board: Board) -> None:
    for number in range(MOST_ASKED + 5):
        board.bind("lenka", f"sip:lenka@10.1.0.{number}:5060")
        invite(board)
    assert board.core.stats()["large_asked"] == MOST_ASKED


def test_within_a_dialog(board: Board) -> None:
    told(board)
    (sent,) = invite(board, b"")
    board.receive(response(sent.message, 200, lines=(f"Contact: <{CONTACT}>",)), LENKA)
    for number, (body, flow) in enumerate([(LARGE, BY_TCP), (b"", BY_UDP)]):
        again = request(
            "INVITE", CONTACT, branch=f"z9hG4bKagain{number}", call_id=sent.message.call_id, cseq=2 + number,
            to_tag="to-1", body=body,
            lines=tuple(f"Route: {route}" for route in sent.message.values("record-route")),
        )  # fmt: skip
        board.receive(again, LUKAS)
        assert flows(board.sent()) == [("INVITE", flow)]
