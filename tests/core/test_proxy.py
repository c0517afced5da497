"""Calls and other requests through the whole core, as phones see them (RFC 3261 §16, §17)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import EPOCH, LENKA, LUKAS, PETER, Board, Sent, request, response

CALLEE = "sip:lenka@10.0.0.1"
CONTACT = "sip:lenka@10.0.0.12:5060"
OUR_ROUTE = "Route: <sip:10.0.0.1:5060;lr>"


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", CONTACT)
    return board


def test_a_whole_call(board: Board) -> None:
    board.receive(request("INVITE", CALLEE), LUKAS)
    (invite,) = board.sent()
    assert (invite.to, invite.message.uri) == (LENKA, CONTACT)
    board.receive(response(invite.message, 180), LENKA)
    board.advance(7)
    board.receive(response(invite.message, 200), LENKA)
    assert board.statuses() == [100, 180, 200]
    board.receive(request("ACK", CONTACT, branch="z9hG4bKa2", to_tag="to-1", lines=(OUR_ROUTE,)), LUKAS)
    (ack,) = board.sent()
    assert (ack.to, len(ack.message.values("via")), ack.message.values("route")) == (LENKA, 2, [])
    board.advance(60)
    bye = request("BYE", CONTACT, branch="z9hG4bKa3", cseq=2, to_tag="to-1", lines=(OUR_ROUTE,))
    board.receive(bye, LUKAS)
    (sent,) = board.sent()
    board.receive(response(sent.message, 200), LENKA)
    assert board.statuses() == [200]
    started = EPOCH + 1000
    assert [(event.kind, event.at - started) for event in board.events] == [
        ("invite", 0), ("ringing", 0), ("answered", 7), ("bye", 67),
    ]  # fmt: skip
    assert board.events[0].details == ("sip:lukas@10.0.0.1", CALLEE)
    assert board.events[-1].details == ("from-1", "to-1", 200)


class TestCallEvents:
    """What the journal hears of a call that is up."""

    def answer(self, board: Board, *lines: str) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 200, lines=lines), LENKA)
        board.events.clear()

    def ask(self, board: Board, method: str, cseq: int = 2) -> Sent:
        """A request of the caller in the dialog, as it reaches the callee."""
        board.receive(
            request(method, CONTACT, branch="z9hG4bKb1", cseq=cseq, to_tag="to-1", lines=(OUR_ROUTE,)), LUKAS
        )
        return board.sent()[-1]

    @pytest.mark.parametrize(
        ("status", "told"),
        [(200, 200), (202, 202), (401, 401), (403, 403), (481, 481), (500, 500), (503, 503)],
    )
    def test_a_bye_is_told_of_with_its_answer_and_when_it_came(
        self, board: Board, status: int, told: int
    ) -> None:
        self.answer(board)
        bye = self.ask(board, "BYE")
        came_at = EPOCH + board.now
        assert board.events == []
        board.advance(3)
        for _ in range(2):
            board.receive(response(bye.message, status), LENKA)
        assert [(each.kind, each.at, each.details) for each in board.events] == [
            ("bye", came_at, ("from-1", "to-1", told))
        ]

    def test_a_bye_that_nobody_answers(self, board: Board) -> None:
        self.answer(board)
        self.ask(board, "BYE")
        came_at = EPOCH + board.now
        board.advance(100)
        (told,) = (event for event in board.events if event.kind == "bye")
        assert told.details == ("from-1", "to-1", 408)
        assert told.at == pytest.approx(came_at)

    def test_a_bye_that_we_refuse_is_none(self, board: Board) -> None:
        self.answer(board)
        board.receive(request("BYE", "sip:x@192.0.2.9", cseq=2, to_tag="to-1"), PETER)
        assert (board.statuses()[-1], board.events) == (403, [])

    @pytest.mark.parametrize(("line", "session_s"), [("x: 600", 600), ("Subject: none", 0)])
    @pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
    def test_a_refresh(self, board: Board, method: str, line: str, session_s: int) -> None:
        self.answer(board)
        board.receive(response(self.ask(board, method).message, 200, lines=(line,)), LENKA)
        assert [(each.kind, each.details) for each in board.events] == [
            ("refreshed", ("from-1", "to-1", session_s))
        ]

    @pytest.mark.parametrize(("method", "status"), [("INVITE", 491), ("UPDATE", 500), ("INFO", 200)])
    def test_no_refresh(self, board: Board, method: str, status: int) -> None:
        self.answer(board)
        board.receive(response(self.ask(board, method).message, status), LENKA)
        assert board.events == []

    def test_an_answer_tells_of_its_session_timer_and_record_route(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        answer = response(board.sent()[0].message, 200, lines=("Session-Expires: 1800;refresher=uas",))
        head, _, rest = answer.partition(b"Record-Route:")
        board.receive(head + rest.partition(b"\r\n")[2], LENKA)
        assert board.events[-1].details == ("to-1", 200, 1800, False)

    def test_an_ack_that_never_comes(self) -> None:
        board = Board(fragile=False)
        board.bind("lenka", CONTACT)
        self.answer(board)
        board.advance(31)
        assert board.events == []
        board.advance(2)
        assert board.kinds() == ["unconfirmed"]
        board.advance(100)
        assert board.kinds() == ["unconfirmed"]

    def test_an_ack_without_a_route_that_is_lost_on_its_way_to_the_callee(self) -> None:
        """The callee repeats its 2xx, and the caller the ACK."""
        board = Board(fragile=False)
        board.bind("lenka", CONTACT)
        board.receive(request("INVITE", CALLEE), LUKAS)
        answer = response(board.sent()[0].message, 200, lines=("Contact: <sip:x@10.0.0.12:5099>",))
        for _ in range(2):
            board.receive(answer, LENKA)
            board.receive(request("ACK", "sip:x@10.0.0.12:5099", to_tag="to-1"), LUKAS)
        assert [(sent.to, sent.message.method) for sent in board.sent()] == [(("10.0.0.12", 5099), "ACK")] * 2

    def test_an_ack_that_comes(self, board: Board) -> None:
        self.answer(board)
        self.ask(board, "ACK", cseq=1)
        board.advance(100)
        assert board.events == []


@pytest.mark.parametrize(
    "method", ["MESSAGE", "OPTIONS", "INFO", "REFER", "SUBSCRIBE", "NOTIFY", "UPDATE", "FOO"]
)
def test_any_method_passes_there_and_back(board: Board, method: str) -> None:
    board.receive(request(method, CALLEE), LUKAS)
    (sent,) = board.sent()
    assert (sent.to, sent.message.method) == (LENKA, method)
    board.receive(response(sent.message, 202, "All  right"), LENKA)
    (answer,) = board.answers()
    assert (answer.to, answer.line) == (LUKAS, "SIP/2.0 202 All  right")
    assert len(answer.message.values("via")) == 1


class TestRetransmissions:
    def test_of_an_invite_are_answered_with_the_last_provisional(self, board: Board) -> None:
        raw = request("INVITE", CALLEE)
        board.receive(raw, LUKAS)
        board.receive(raw, LUKAS)
        assert board.statuses() == [100, 100]
        (invite,) = board.sent()
        board.receive(response(invite.message, 180), LENKA)
        board.receive(raw, LUKAS)
        assert board.statuses() == [180, 180]
        assert not board.sent()

    def test_of_an_accepted_invite_are_absorbed(self, board: Board) -> None:
        raw = request("INVITE", CALLEE)
        board.receive(raw, LUKAS)
        board.receive(response(board.sent()[0].message, 200), LENKA)
        board.answers()
        board.receive(raw, LUKAS)
        assert (board.answers(), board.sent()) == ([], [])

    def test_of_a_2xx_pass(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        ok = response(board.sent()[0].message, 200)
        for _ in range(3):
            board.receive(ok, LENKA)
        assert board.statuses() == [100, 200, 200, 200]

    def test_of_a_failure_are_acknowledged_and_end_here(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        busy = response(board.sent()[0].message, 486)
        for _ in range(3):
            board.receive(busy, LENKA)
        assert board.statuses() == [100, 486]
        assert [sent.line for sent in board.sent()] == [f"ACK {CONTACT} SIP/2.0"] * 3

    def test_of_a_failure_go_on_until_the_ack(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 486), LENKA)
        board.advance(1.6)
        assert board.statuses() == [100, 486, 486, 486]
        board.receive(request("ACK", CALLEE, to_tag="to-1"), LUKAS)
        board.advance(60)
        assert board.statuses() == []

    def test_of_a_bye_are_answered_from_the_state(self, board: Board) -> None:
        bye = request("BYE", CONTACT, to_tag="to-1", lines=(OUR_ROUTE,))
        board.receive(bye, LUKAS)
        board.receive(response(board.sent()[0].message, 200), LENKA)
        board.receive(bye, LUKAS)
        assert board.statuses() == [200, 200]
        assert not board.sent()


class TestAck:
    def test_for_a_failure_ends_here(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 486), LENKA)
        board.sent()
        board.receive(request("ACK", CALLEE, to_tag="to-1"), LUKAS)
        assert not board.sent()

    def test_repeated_has_the_same_branch(self, board: Board) -> None:
        """§16.11: so that the callee knows it for a retransmission."""
        ack = request("ACK", CONTACT, to_tag="to-1", lines=(OUR_ROUTE,))
        board.receive(ack, LUKAS)
        board.receive(ack, LUKAS)
        first, second = board.sent()
        assert first.message.raw == second.message.raw

    @pytest.mark.parametrize("uri", ["sip:nobody@10.0.0.1", "tel:1", "sip:x@192.0.2.9"])
    def test_stray_is_dropped(self, board: Board, uri: str) -> None:
        board.receive(request("ACK", uri, to_tag="t", caller="sip:x@evil.example"), LUKAS)
        assert (board.answers(), board.sent()) == ([], [])
        assert board.proxy.counters["stray_acks"] == 1


class TestResponses:
    def test_nobody_waits_for(self, board: Board) -> None:
        board.receive(request("MESSAGE", CALLEE), LUKAS)
        message = board.sent()[0].message
        board.receive(response(message, 200).replace(b"z9hG4bKsb0.", b"z9hG4bKsb0.x"), LENKA)
        assert board.statuses() == []
        assert board.proxy.counters["responses_absorbed"] == 1

    def test_of_another_method_do_not_match(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        raw = response(board.sent()[0].message, 200).replace(b"1 INVITE", b"1 BYE")
        board.receive(raw, LENKA)
        assert board.statuses() == [100]

    def test_with_only_our_via_are_dropped(self, board: Board) -> None:
        board.receive(request("MESSAGE", CALLEE), LUKAS)
        raw = response(board.sent()[0].message, 200)
        head, _, tail = raw.partition(b"\r\nVia: SIP/2.0/UDP 10.0.0.11")
        board.receive(head + b"\r\n" + tail.partition(b"\r\n")[2], LENKA)
        assert board.statuses() == []

    def test_with_nothing_behind_our_via_are_dropped(self, board: Board) -> None:
        """The callee may do better the next time: the call is not stuck."""
        board.receive(request("INVITE", CALLEE), LUKAS)
        invite = board.sent()[0].message
        good = response(invite, 486)
        ours, theirs = invite.all("via")
        bad = good.replace(f"Via: {ours}\r\nVia: {theirs}".encode(), f"Via: {ours},".encode())
        assert bad != good
        board.receive(bad, LENKA)
        assert board.statuses() == [100]
        board.receive(good, LENKA)
        assert board.statuses() == [486]

    def test_408_to_a_non_invite_ends_here(self, board: Board) -> None:
        """RFC 4320 §4.2."""
        board.receive(request("MESSAGE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 408), LENKA)
        assert board.statuses() == []

    def test_408_to_an_invite_passes(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 408, "Gone fishing"), LENKA)
        assert board.answers()[-1].line == "SIP/2.0 408 Gone fishing"

    def test_provisional_to_a_non_invite_ends_here(self, board: Board) -> None:
        """RFC 4320 §4.1."""
        board.receive(request("MESSAGE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 183), LENKA)
        assert board.statuses() == []


class TestWhereAnswersGo:
    def test_to_rport(self, board: Board) -> None:
        board.receive(
            request("MESSAGE", "sip:nobody@10.0.0.1", source=("10.0.0.11", 5099)), ("10.0.0.11", 40000)
        )
        (answer,) = board.answers()
        assert answer.to == ("10.0.0.11", 40000)
        assert answer.message.top_via.endswith(";rport=40000;received=10.0.0.11")

    def test_without_rport_to_the_port_of_sent_by(self, board: Board) -> None:
        raw = request("MESSAGE", "sip:nobody@10.0.0.1", source=("phone.invalid", 5099)).replace(
            b";rport", b""
        )
        board.receive(raw, ("10.0.0.11", 40000))
        assert board.answers()[0].to == ("10.0.0.11", 5099)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (request("OPTIONS", CALLEE).replace(b"From:", b"X-From:"), "SIP/2.0 400 Missing From Header Field"),
        (request("OPTIONS", CALLEE).replace(b"Content-Length: 0", b"Content-Length: 9"), "SIP/2.0 400 "),
        (request("OPTIONS", CALLEE).replace(b"SIP/2.0\r\nVia", b"SIP/7.0\r\nVia", 1), "SIP/2.0 505 "),
    ],
)
def test_what_cannot_be_scanned_is_told_why(board: Board, raw: bytes, line: str) -> None:
    board.receive(raw, LUKAS)
    (answer,) = board.answers()
    assert answer.line.startswith(line)
    assert answer.to == LUKAS


@pytest.mark.parametrize("status", [404, 480])
def test_a_call_that_never_left_is_in_the_journal(board: Board, status: int) -> None:
    board.bind("gone")
    board.receive(request("INVITE", "sip:gone@10.0.0.1" if status == 480 else "sip:nobody@10.0.0.1"), LUKAS)
    assert board.kinds() == ["invite", "failed"]
    assert board.events[-1].details == (status, "switchboard")


def test_the_journal_is_told_addresses_of_record(board: Board) -> None:
    uri = "sip:lenka@10.0.0.1;transport=udp;user=phone"
    board.receive(request("INVITE", uri, caller="sip:lukas:secret@10.0.0.1;ob"), LUKAS)
    assert board.events[0].details == ("sip:lukas@10.0.0.1", "sip:lenka@10.0.0.1")


def test_a_reinvite_is_no_new_call(board: Board) -> None:
    board.receive(request("INVITE", CONTACT, to_tag="to-1", lines=(OUR_ROUTE,)), LUKAS)
    assert board.statuses() == [100]
    assert board.kinds() == []


@pytest.mark.parametrize(
    "raw",
    [
        request("OPTIONS", CALLEE, branch="1", cseq=99999999999999999999),
        request("OPTIONS", CALLEE, max_forwards="0" * 5000 + "256"),
        request("OPTIONS", "sip:10.0.0.1:" + "0" * 5000 + "99999"),
    ],
    ids=["cseq", "max-forwards", "uri-port"],
)
def test_numbers_without_end_are_refused(board: Board, raw: bytes) -> None:
    board.receive(raw, LUKAS)
    assert set(board.statuses()) <= {400}
    assert not board.sent()


def test_leading_zeros_are_no_harm(board: Board) -> None:
    board.receive(request("OPTIONS", CALLEE, max_forwards="0" * 5000 + "70"), LUKAS)
    assert board.sent()[0].message.get("max-forwards") == "69"


def test_a_long_run_of_blanks_costs_no_time(board: Board) -> None:
    """Unfolding is linear: this took seconds when it was not."""
    board.receive(request("OPTIONS", CALLEE, call_id="a" + " " * 60_000 + "b\r\n c"), LUKAS)
    assert len(board.sent()[0].message.call_id) == 60_004


MESSAGE = request("INVITE", CALLEE, lines=(OUR_ROUTE, "Contact: <sip:lukas@10.0.0.11>"), body=b"v=0\r\n")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_datagram_breaks_the_proxy(data: st.DataObject) -> None:
    """Mutated requests and responses: no exception, and the next honest call goes through."""
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", CONTACT)
    board.receive(MESSAGE, LUKAS)
    seeds = [MESSAGE, response(board.sent()[0].message, 200), request("ACK", CALLEE, to_tag="x")]
    raw = bytearray(data.draw(st.sampled_from(seeds)))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 9))] = data.draw(st.binary(max_size=9))
    board.receive(bytes(raw), LUKAS)
    board.advance(200)
    board.sent()
    board.receive(request("MESSAGE", CALLEE, branch="z9hG4bKhonest", call_id="honest"), LUKAS)
    assert board.sent()[0].to == LENKA
