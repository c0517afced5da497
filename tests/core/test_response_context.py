"""Forking and the one final response (RFC 3261 §16.6-10)."""

import pytest
from playbook import LENKA, LENKA_TABLET, LUKAS, PETER, Board, Sent, request, response

from switchboard.sip.message import Message, parse_message

CALLEE = "sip:lenka@10.0.0.1"
DESK = "sip:lenka@10.0.0.12:5060"
TABLET = "sip:lenka@10.0.0.22:5070"


def call(*contacts: str, recurse: bool = True) -> tuple[Board, list[Sent]]:
    """A board on which lukas has called lenka at `contacts`; what was sent to them."""
    board = Board(recurse=recurse)
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", *contacts)
    board.receive(request("INVITE", CALLEE), LUKAS)
    assert board.statuses() == [100]
    return board, board.sent()


def hang_up(board: Board, *lines: str) -> None:
    """The caller cancels."""
    board.receive(request("CANCEL", CALLEE, lines=lines), LUKAS)


class TestParallel:
    @pytest.fixture
    def board(self) -> Board:
        called, (self.desk, self.tablet) = call(DESK, TABLET)
        return called

    def test_both_are_called_at_once(self, board: Board) -> None:  # noqa: ARG002
        assert [self.desk.to, self.tablet.to] == [LENKA, LENKA_TABLET]
        assert [self.desk.message.uri, self.tablet.message.uri] == [DESK, TABLET]
        assert self.desk.branch != self.tablet.branch

    def test_every_provisional_passes(self, board: Board) -> None:
        for sent, source, tag in ((self.desk, LENKA, "d"), (self.tablet, LENKA_TABLET, "t")):
            board.receive(response(sent.message, 100), source)
            board.receive(response(sent.message, 180, tag=tag), source)
        assert [(a.status, a.message.to_tag) for a in board.answers()] == [(180, "d"), (180, "t")]

    def test_first_answer_ends_the_other(self, board: Board) -> None:
        board.receive(response(self.tablet.message, 180), LENKA_TABLET)
        board.receive(response(self.desk.message, 200), LENKA)
        (cancel,) = board.sent()
        assert (cancel.to, cancel.message.method, cancel.branch) == (
            LENKA_TABLET,
            "CANCEL",
            self.tablet.branch,
        )
        assert cancel.message.get("reason") == 'SIP;cause=200;text="Call completed elsewhere"'
        board.receive(response(self.tablet.message, 487), LENKA_TABLET)
        assert board.statuses() == [180, 200]
        assert board.sent()[0].message.method == "ACK"

    def test_the_cancel_waits_for_a_provisional(self, board: Board) -> None:
        board.receive(response(self.desk.message, 200), LENKA)
        assert not board.sent()
        board.receive(response(self.tablet.message, 100), LENKA_TABLET)
        assert board.sent()[0].message.method == "CANCEL"

    def test_a_second_answer_passes_too(self, board: Board) -> None:
        """§16.7 step 5: every 2xx to an INVITE is forwarded."""
        board.receive(response(self.desk.message, 200, tag="d"), LENKA)
        board.receive(response(self.tablet.message, 200, tag="t"), LENKA_TABLET)
        assert [answer.message.to_tag for answer in board.answers()] == ["d", "t"]
        assert [event.details for event in board.events[1:]] == [("d", 200, 0, True), ("t", 200, 0, True)]

    def test_a_failure_waits_for_the_other(self, board: Board) -> None:
        board.receive(response(self.desk.message, 486), LENKA)
        assert board.statuses() == []
        board.receive(response(self.tablet.message, 200), LENKA_TABLET)
        assert board.statuses() == [200]

    @pytest.mark.parametrize(
        ("desk", "tablet", "chosen"),
        [
            (486, 404, {486, 404}),
            (500, 404, {404}),
            (486, 603, {603}),
            (503, 486, {486}),
            (503, 503, {500}),
            (486, 401, {401}),
            (404, 415, {415}),
            (380, 404, {380}),
        ],
    )
    def test_best_response(self, board: Board, desk: int, tablet: int, chosen: set[int]) -> None:
        board.receive(response(self.desk.message, desk), LENKA)
        board.receive(response(self.tablet.message, tablet), LENKA_TABLET)
        statuses = board.statuses()
        assert len(statuses) == 1
        assert set(statuses) <= chosen
        assert [sent.message.method for sent in board.sent()] == ["ACK", "ACK"]

    def test_6xx_ends_the_other(self, board: Board) -> None:
        board.receive(response(self.tablet.message, 180), LENKA_TABLET)
        board.receive(response(self.desk.message, 603), LENKA)
        assert [sent.message.method for sent in board.sent()] == ["ACK", "CANCEL"]
        assert board.statuses() == [180]
        board.receive(response(self.tablet.message, 487), LENKA_TABLET)
        assert board.statuses() == [603]

    def test_an_answer_beats_a_held_6xx(self, board: Board) -> None:
        board.receive(response(self.desk.message, 603), LENKA)
        board.receive(response(self.tablet.message, 200), LENKA_TABLET)
        assert board.statuses() == [200]

    def test_challenges_are_gathered(self, board: Board) -> None:
        """§16.7 step 7, also across 401 and 407."""
        first = ('WWW-Authenticate: Digest realm="one", nonce="1"',)
        second = ('Proxy-Authenticate: Digest realm="two", nonce="2"',)
        board.receive(response(self.desk.message, 401, lines=first), LENKA)
        board.receive(response(self.tablet.message, 407, lines=second), LENKA_TABLET)
        (answer,) = board.answers()
        assert answer.status == 401
        assert answer.message.all("www-authenticate") == ['Digest realm="one", nonce="1"']
        assert answer.message.all("proxy-authenticate") == ['Digest realm="two", nonce="2"']

    def test_the_caller_hangs_up(self, board: Board) -> None:
        for sent, source in ((self.desk, LENKA), (self.tablet, LENKA_TABLET)):
            board.receive(response(sent.message, 180), source)
        hang_up(board, 'Reason: SIP;cause=487;text="changed my mind"')
        cancels = board.sent()
        assert [cancel.message.method for cancel in cancels] == ["CANCEL", "CANCEL"]
        assert cancels[0].message.get("reason") == 'SIP;cause=487;text="changed my mind"'
        for sent, source in ((self.desk, LENKA), (self.tablet, LENKA_TABLET)):
            board.receive(response(sent.message, 487), source)
        assert board.statuses() == [180, 180, 200, 487]
        assert board.events[-1].details == (487, "caller")


class TestBounds:
    def test_challenges_that_fit_no_datagram_are_left_out(self) -> None:
        board, (desk, tablet) = call(DESK, TABLET)
        lines = ("WWW-Authenticate: Digest realm=" + "x" * 40_000,)
        board.receive(response(desk.message, 401, lines=lines), LENKA)
        board.receive(response(tablet.message, 401, lines=lines), LENKA_TABLET)
        (answer,) = board.answers()
        assert (answer.status, len(answer.message.all("www-authenticate"))) == (401, 1)

    def test_redirections_end(self) -> None:
        """A callee that names a new contact each time (RFC 5393 §3)."""
        board, pending = call(DESK)
        for number in range(100):
            sent = next((each for each in pending if each.message.method == "INVITE"), None)
            if sent is None:
                break
            lines = (f"Contact: <sip:lenka@10.0.0.12:5060;n={number}>",)
            board.receive(response(sent.message, 302, lines=lines), LENKA)
            pending = board.sent()
        assert number == board.max_forks
        assert board.statuses() == [302]

    def test_contacts_that_lead_back_do_not_multiply(self) -> None:
        board = Board(fragile=False)
        board.bind("loop", *(f"sip:loop@10.0.0.1:5060;n={number}" for number in range(6)))
        board.receive(request("MESSAGE", "sip:loop@10.0.0.1"), LUKAS)
        total = 0
        while pending := board.sent():
            total += len(pending)
            for sent in pending:
                board.receive(sent.raw, ("10.0.0.1", 5060))
        assert total <= 6 * (1 + 3 + 9 + 27 + 81)


class TestSerial:
    def test_falling_q_one_after_the_other(self) -> None:
        board, (first,) = call(DESK + ";q=0.9", TABLET + ";q=0.5")
        assert first.to == LENKA
        board.receive(response(first.message, 486), LENKA)
        ack, second = board.sent()
        assert (ack.message.method, second.to) == ("ACK", LENKA_TABLET)
        assert board.statuses() == []
        board.receive(response(second.message, 200), LENKA_TABLET)
        assert board.statuses() == [200]

    @pytest.mark.parametrize("status", [200, 603])
    def test_the_rest_is_not_tried(self, status: int) -> None:
        board, (first,) = call(DESK + ";q=0.9", TABLET + ";q=0.5")
        board.receive(response(first.message, status), LENKA)
        assert LENKA_TABLET not in [sent.to for sent in board.sent()]
        assert board.statuses() == [status]

    def test_best_of_all_groups(self) -> None:
        board, (first,) = call(DESK + ";q=0.9", TABLET + ";q=0.5")
        board.receive(response(first.message, 404), LENKA)
        second = board.sent()[-1]
        board.receive(response(second.message, 500), LENKA_TABLET)
        assert board.statuses() == [404]

    def test_hanging_up_forgets_the_rest(self) -> None:
        board, (first,) = call(DESK + ";q=0.9", TABLET + ";q=0.5")
        board.receive(response(first.message, 180), LENKA)
        hang_up(board)
        board.receive(response(first.message, 487), LENKA)
        assert board.statuses() == [180, 200, 487]
        assert {sent.to for sent in board.sent()} == {LENKA}


class TestCancel:
    def test_held_until_a_provisional(self) -> None:
        """§9.1: no CANCEL before the callee has been heard of."""
        board, (invite,) = call(DESK)
        hang_up(board)
        assert (board.statuses(), board.sent()) == ([200], [])
        board.receive(response(invite.message, 180), LENKA)
        (cancel,) = board.sent()
        assert cancel.branch == invite.branch
        assert cancel.message.uri == invite.message.uri
        assert cancel.message.get("to") == invite.message.get("to")
        assert cancel.message.cseq == (1, "CANCEL")
        assert len(cancel.message.values("via")) == 1

    def test_sent_once(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 180), LENKA)
        hang_up(board)
        hang_up(board)
        board.receive(response(invite.message, 180), LENKA)
        assert len(board.sent()) == 1

    def test_after_the_answer_it_changes_nothing(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 200), LENKA)
        hang_up(board)
        assert board.statuses() == [200, 200]
        assert not board.sent()

    def test_an_answer_that_crosses_it(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 180), LENKA)
        hang_up(board)
        board.receive(response(invite.message, 200), LENKA)
        assert board.statuses() == [180, 200, 200]
        assert board.kinds() == ["invite", "ringing", "answered"]

    def test_a_callee_that_ignores_it(self) -> None:
        """§9.1: after 64*T1 the INVITE counts as cancelled."""
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 180), LENKA)
        hang_up(board)
        board.advance(31)
        assert 487 not in board.statuses()
        board.advance(2)
        assert board.statuses()[0] == 487

    def test_a_callee_that_was_never_heard_of(self) -> None:
        board, _ = call(DESK)
        hang_up(board)
        board.advance(33)
        assert board.statuses()[:2] == [200, 487]
        assert all(sent.message.method == "INVITE" for sent in board.sent())

    def test_without_a_transaction(self) -> None:
        board = Board()
        board.receive(request("CANCEL", CALLEE), LUKAS)
        assert board.statuses() == [481]
        assert not board.sent()


class TestTimers:
    def test_a_silent_callee(self) -> None:
        """Timer A repeats the INVITE, timer B gives it up as a 408 (§17.1.1.2)."""
        board, (invite,) = call(DESK)
        board.advance(31.9)
        again = board.sent()
        assert len(again) == 6
        assert {sent.message.raw for sent in again} == {invite.message.raw}
        board.advance(0.2)
        assert board.statuses() == [408]
        assert board.events[-1].details == (408, "switchboard")

    def test_timer_c_gives_up_a_callee_that_rings_too_long(self) -> None:
        """§16.8: a CANCEL goes out, and the caller is told that nobody answered."""
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 180), LENKA)
        board.advance(184)
        assert not board.sent()
        board.advance(2)
        assert board.sent()[0].message.method == "CANCEL"
        board.receive(response(invite.message, 487), LENKA)
        assert board.statuses()[:2] == [180, 408]

    def test_each_provisional_starts_timer_c_anew(self) -> None:
        board, (invite,) = call(DESK)
        for _ in range(3):
            board.receive(response(invite.message, 180), LENKA)
            board.advance(100)
        assert not board.sent()

    def test_nobody_answers_a_non_invite(self) -> None:
        """RFC 4320: a 100 when the caller slows down, no 408 at the end."""
        board = Board()
        board.bind("lenka", DESK)
        board.receive(request("MESSAGE", CALLEE), LUKAS)
        board.advance(3)
        assert board.statuses() == []
        board.advance(1)
        assert board.statuses() == [100]
        board.advance(100)
        assert board.statuses() == []
        assert not board.proxy.env.layer.servers

    def test_everything_is_forgotten_in_the_end(self) -> None:
        board, (invite,) = call(DESK, TABLET)[0], call(DESK)[1]
        del invite
        board.advance(300)
        layer = board.proxy.env.layer
        assert (layer.servers, layer.clients, board.proxy.next_deadline()) == ({}, {}, None)


class TestRedirection:
    def test_the_contact_is_called(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 302, lines=("Contact: <sip:peter@10.0.0.13>",)), LENKA)
        ack, second = board.sent()
        assert (ack.message.method, second.to, second.message.uri) == ("ACK", PETER, "sip:peter@10.0.0.13")
        board.receive(response(second.message, 200), PETER)
        assert board.statuses() == [200]

    def test_a_user_of_ours_is_looked_up(self) -> None:
        board, (invite,) = call(DESK)
        board.bind("peter", "sip:peter@10.0.0.13:5060")
        board.receive(response(invite.message, 302, lines=("Contact: <sip:peter@pbx.example>",)), LENKA)
        assert board.sent()[-1].to == PETER

    def test_several_contacts_by_their_q(self) -> None:
        board, (invite,) = call(DESK)
        lines = ("Contact: <sip:a@10.0.0.31>;q=0.2, <sip:b@10.0.0.32>;q=0.8",)
        board.receive(response(invite.message, 300, lines=lines), LENKA)
        first = board.sent()[-1]
        assert first.to == ("10.0.0.32", 5060)
        board.receive(response(first.message, 486), ("10.0.0.32", 5060))
        assert board.sent()[-1].to == ("10.0.0.31", 5060)

    def test_nobody_is_tried_twice(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 302, lines=(f"Contact: <{DESK}>",)), LENKA)
        assert board.statuses() == [302]

    @pytest.mark.parametrize("contact", ["mailto:a@b.example", "sips:a@10.0.0.9", "<<nonsense"])
    def test_what_cannot_be_called_is_left_to_the_caller(self, contact: str) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 302, lines=(f"Contact: {contact}",)), LENKA)
        assert board.statuses() == [302]

    @pytest.mark.parametrize(
        "contact", ["sip:a@10.0.0.9;transport=tcp", "sip:a@224.0.0.1", "sip:a@no.example"]
    )
    def test_nor_does_what_nothing_can_be_sent_to(self, contact: str) -> None:
        """It was not tried, so it is no failure of ours (§16.7 step 4)."""
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 302, lines=(f"Contact: <{contact}>",)), LENKA)
        for lookup in board.lookups:
            board.resolve(lookup, None)
        (answer,) = board.answers()
        assert (answer.status, answer.message.get("contact")) == (302, f"<{contact}>")

    def test_one_that_can_be_called_is(self) -> None:
        board, (invite,) = call(DESK)
        lines = ("Contact: <sip:a@10.0.0.9;transport=tcp>;q=0.9, <sip:peter@10.0.0.13>;q=0.1",)
        board.receive(response(invite.message, 302, lines=lines), LENKA)
        second = board.sent()[-1]
        board.receive(response(second.message, 486), PETER)
        assert board.statuses() == [486]

    def test_turned_off_by_a_setting(self) -> None:
        board, (invite,) = call(DESK, recurse=False)
        lines = ("Contact: <sip:peter@10.0.0.13>",)
        board.receive(response(invite.message, 302, lines=lines), LENKA)
        (answer,) = board.answers()
        assert (answer.status, answer.message.get("contact")) == (302, "<sip:peter@10.0.0.13>")

    def test_its_failure_is_told_not_the_redirection(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 302, lines=("Contact: <sip:peter@10.0.0.13>",)), LENKA)
        second = board.sent()[-1]
        board.receive(response(second.message, 486), PETER)
        assert board.statuses() == [486]

    def test_not_followed_after_the_caller_hung_up(self) -> None:
        board, (invite,) = call(DESK)
        board.receive(response(invite.message, 180), LENKA)
        hang_up(board)
        board.receive(response(invite.message, 302, lines=("Contact: <sip:peter@10.0.0.13>",)), LENKA)
        assert PETER not in [sent.to for sent in board.sent()]


class TestBreadth:
    """RFC 5393 §5: however a request is forked, the whole tree has no more branches than it may have at once."""

    def test_branches_share_it(self) -> None:
        board, sent = call(*(f"sip:l@10.0.1.{number}" for number in range(1, 8)))
        assert [each.message.get("max-breadth") for each in sent] == ["8"] * 7

    def test_one_alone_has_the_whole_which_goes_without_saying(self) -> None:
        board, (sent,) = call(DESK)
        assert sent.message.get("max-breadth") is None

    def test_who_finds_no_place_waits(self) -> None:
        board = Board()
        board.bind("lenka", *(f"sip:l@10.0.1.{number}" for number in range(1, 6)))
        board.receive(request("INVITE", CALLEE, lines=("Max-Breadth: 2",)), LUKAS)
        first = board.sent()
        assert [each.message.get("max-breadth") for each in first] == ["1", "1"]
        for each in first:
            board.receive(response(each.message, 486), each.to)
        assert len([each for each in board.sent() if each.message.method == "INVITE"]) == 2

    def test_a_tree_of_users_who_are_users_costs_nobody_more_than_sixty(self) -> None:
        """Contacts that lead back to us, in a circle, and fifty of a victim."""
        board = Board(max_forks=200)
        users = [f"u{number}" for number in range(12)]
        for user in users:
            aliases = [f"sip:{other}@10.0.0.1" for other in users]
            board.bind(user, *aliases, *(f"sip:v{number}{user}@192.0.2.7" for number in range(50)))
        board.receive(request("MESSAGE", "sip:u0@10.0.0.1"), LUKAS)
        assert len(board.sent()) <= 60
        board.advance(40)
        assert len(board.sent()) <= 10 * 40

    def test_what_comes_back_has_no_more_targets_than_breadth(self) -> None:
        board = Board()
        board.bind("lenka", *(f"sip:l@10.0.1.{number}" for number in range(5)))
        raw = request("MESSAGE", CALLEE, lines=("Max-Breadth: 1",))
        raw = raw.replace(b"\r\nVia", b"\r\nVia: SIP/2.0/UDP 10.7.7.7;branch=z9hG4bKp\r\nVia", 1)
        board.receive(
            raw.replace(LUKAS[0].encode() + b":5060;branch=", b"10.0.0.1:5060;branch=z9hG4bKsb0.t.h"), PETER
        )
        (sent,) = board.sent()
        board.receive(response(sent.message, 404), sent.to)
        assert board.statuses() == [404]


def test_a_copy_that_no_datagram_holds_is_not_sent() -> None:
    """The other targets get theirs; alone it would be a 513."""
    board = Board()
    board.bind("lenka", f"sip:lenka@10.0.0.22:5070;x={'x' * 400}", "sip:lenka@10.0.0.12:5060")
    raw = request("INVITE", "sip:lenka@10.0.0.1", body=b"0" * 65_000)
    board.receive(raw, LUKAS)
    (sent,) = board.sent()
    assert sent.to == LENKA
    board.receive(response(request_head(sent), 486), LENKA)
    assert board.statuses() == [100, 486]


def request_head(sent: Sent) -> Message:
    """The request without its body."""
    head, _, body = sent.raw.partition(b"\r\n\r\n")
    return parse_message(head.replace(b"Content-Length: %d" % len(body), b"Content-Length: 0") + b"\r\n\r\n")
