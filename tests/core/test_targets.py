"""The target set (RFC 3261 §16.5) and who may call where."""

import pytest
from playbook import LENKA, LUKAS, PETER, Board, request

from switchboard.auth.failures import Failure, Reason
from switchboard.core.target import Target, by_priority
from switchboard.sip.uri import SipUri

FOREIGN = "sip:somebody@192.0.2.7:5080"
STRANGER = "sip:stranger@elsewhere.example"


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    board.bind("gone")
    return board


def test_request_uri_becomes_the_contact_with_its_parameters(board: Board) -> None:
    contact = "sip:Anna.B@10.0.0.14:5070;transport=UDP;ob;line=a%20b"
    board.bind("anna", contact)
    board.receive(request("MESSAGE", "sip:anna@10.0.0.1"), LUKAS)
    assert board.sent()[0].message.uri == contact


def test_what_a_request_uri_may_not_have_is_left_out(board: Board) -> None:
    """§19.1.1, table 1: no header fields, no method parameter."""
    board.bind("anna", "sip:anna@10.0.0.14;method=INVITE;x=1?Subject=hi")
    board.receive(request("MESSAGE", "sip:anna@10.0.0.1"), LUKAS)
    assert board.sent()[0].message.uri == "sip:anna@10.0.0.14;x=1"


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        ("sip:nobody@10.0.0.1", 404),
        ("sip:gone@10.0.0.1", 480),
        ("sip:10.0.0.1", 404),
        ("sip:NOBODY@pbx.example", 404),
    ],
)
def test_no_target(board: Board, uri: str, status: int) -> None:
    board.receive(request("INVITE", uri), LUKAS)
    assert board.statuses() == [status]


def test_an_expired_binding_is_no_target(board: Board) -> None:
    board.bind("anna", "sip:anna@10.0.0.14", expires_at=1.0)
    board.receive(request("MESSAGE", "sip:anna@10.0.0.1"), LUKAS)
    assert board.statuses() == [480]


def test_contacts_beyond_sip_are_not_called(board: Board) -> None:
    board.bind("anna", "mailto:anna@example.com")
    board.receive(request("MESSAGE", "sip:anna@10.0.0.1"), LUKAS)
    assert board.statuses() == [480]


@pytest.mark.parametrize("host", ["10.0.0.1", "127.0.0.1", "pbx.example", "PBX.example.", "10.0.0.1:5060"])
def test_a_user_is_called_under_any_of_our_names(board: Board, host: str) -> None:
    board.receive(request("MESSAGE", f"sip:%6Cenka@{host};conf-id=EKK"), LUKAS)
    assert board.sent()[0].to == LENKA


def test_another_port_of_our_address_is_somebody_else(board: Board) -> None:
    board.receive(request("MESSAGE", "sip:lenka@10.0.0.1:5099"), LUKAS)
    assert board.sent()[0].to == ("10.0.0.1", 5099)


class TestForeignDomains:
    def test_relayed_for_a_registered_user(self, board: Board) -> None:
        board.receive(request("INVITE", FOREIGN), LUKAS)
        assert board.sent()[0].to == ("192.0.2.7", 5080)

    @pytest.mark.parametrize(
        ("caller", "source"),
        [
            ("sip:mallory@evil.example", PETER),
            ("sip:mallory@10.0.0.1", PETER),
            ("sip:lukas@10.0.0.1", PETER),
            ("sip:gone@10.0.0.1", PETER),
        ],
    )
    def test_refused_for_others(self, board: Board, caller: str, source: tuple[str, int]) -> None:
        board.receive(request("INVITE", FOREIGN, caller=caller), source)
        assert board.statuses() == [403]
        assert not board.sent()

    def test_a_route_to_us_does_not_open_the_relay(self, board: Board) -> None:
        lines = ("Route: <sip:10.0.0.1;lr>, <sip:192.0.2.7;lr>",)
        board.receive(request("INVITE", FOREIGN, caller="sip:m@evil.example", lines=lines), PETER)
        assert board.statuses() == [403]

    def test_nor_does_a_route_past_a_user_of_ours(self, board: Board) -> None:
        lines = ("Route: <sip:192.0.2.7;lr>",)
        board.receive(
            request("MESSAGE", "sip:lenka@10.0.0.1", caller="sip:m@evil.example", lines=lines), PETER
        )
        assert board.statuses() == [403]
        assert not board.sent()

    def test_a_registered_user_may_route_around(self, board: Board) -> None:
        lines = ("Route: <sip:192.0.2.7;lr>",)
        board.receive(request("OPTIONS", "sip:10.0.0.1", lines=lines), LUKAS)
        assert board.sent()[0].to == ("192.0.2.7", 5060)

    def test_opened_by_a_setting(self) -> None:
        board = Board(open_relay=True)
        board.receive(request("INVITE", FOREIGN, caller="sip:mallory@evil.example"), PETER)
        assert board.sent()[0].to == ("192.0.2.7", 5080)

    def test_a_registered_contact_is_reached_by_whoever_was_admitted(self, board: Board) -> None:
        contact = "sip:lenka@10.0.0.12:5060"
        board.receive(request("BYE", contact, caller=STRANGER, to_tag="t"), PETER)
        assert board.sent()[0].to == LENKA

    def test_a_trusted_gateway_reaches_whom_it_likes(self) -> None:
        board = Board(trusted=("10.0.0.13/32",))
        board.receive(request("INVITE", FOREIGN, caller=STRANGER), PETER)
        assert board.sent()[0].to == ("192.0.2.7", 5080)

    def test_refusals_are_noted(self, board: Board) -> None:
        board.receive(request("INVITE", FOREIGN, caller="sip:lenka@10.0.0.1"), PETER)
        assert board.failures.take() == [Failure(PETER[0], "lenka", "INVITE", Reason.FORBIDDEN_RELAY)]


class TestBehindAddressTranslation:
    @pytest.fixture
    def board(self) -> Board:
        board = Board()
        board.bind("lukas", "sip:lukas@10.0.0.11")
        board.bind("anna", "sip:anna@192.168.1.5:5060", next_hop="203.0.113.9:40123")
        return board

    def test_reached_where_it_registered_from(self, board: Board) -> None:
        board.receive(request("MESSAGE", "sip:anna@10.0.0.1"), LUKAS)
        (sent,) = board.sent()
        assert sent.to == ("203.0.113.9", 40123)
        assert sent.message.uri == "sip:anna@192.168.1.5:5060"

    def test_also_within_a_dialog(self, board: Board) -> None:
        lines = ("Route: <sip:10.0.0.1:5060;lr>",)
        board.receive(request("BYE", "sip:anna@192.168.1.5:5060", to_tag="t", lines=lines), LUKAS)
        assert board.sent()[0].to == ("203.0.113.9", 40123)


def test_path_becomes_route(board: Board) -> None:
    """RFC 3327 §5.3: the stored Path is pushed as Route, and the first of it gets the request."""
    board.bind("anna", "sip:anna@192.168.1.5", path=("<sip:10.0.0.50;lr>", "<sip:10.0.0.51;lr>"))
    board.receive(request("MESSAGE", "sip:anna@10.0.0.1"), LUKAS)
    (sent,) = board.sent()
    assert sent.to == ("10.0.0.50", 5060)
    assert sent.message.values("route") == ["<sip:10.0.0.50;lr>", "<sip:10.0.0.51;lr>"]
    assert sent.message.uri == "sip:anna@192.168.1.5"


class TestOurselves:
    def test_options(self, board: Board) -> None:
        board.receive(request("OPTIONS", "sip:10.0.0.1:5060"), LUKAS)
        (answer,) = board.answers()
        assert answer.status == 200
        assert {"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER"} <= set(
            answer.message.values("allow")
        )
        assert answer.message.to_tag

    def test_options_are_answered_briefly_and_to_whom_asked(self, board: Board) -> None:
        """The address may be forged: it gets no more than it sent, whatever Via says."""
        raw = request("OPTIONS", "sip:10.0.0.1:5060").replace(b";rport", b";maddr=203.0.113.5")
        for number in range(100):
            board.receive(raw.replace(b"z9hG4bKa1", b"z9hG4bK%d" % number), PETER)
        answers = board.answers()
        assert {answer.to for answer in answers} == {PETER}
        assert sum(len(answer.raw) - len(raw) for answer in answers) <= 4096
        assert board.proxy.env.layer.server_count == 0

    @pytest.mark.parametrize("event", ["message-summary", "as-feature-event", "reg"])
    def test_who_subscribes_to_itself_hears_that_we_keep_no_events(self, board: Board, event: str) -> None:
        """RFC 6665 §4.2.1.1: the phone's own phones would only get it back."""
        board.receive(request("SUBSCRIBE", "sip:lukas@10.0.0.1", lines=(f"Event: {event}",)), LUKAS)
        (answer,) = board.answers()
        assert (answer.status, answer.message.get("allow-events")) == (489, "refer")

    def test_a_subscription_to_another_user_passes(self, board: Board) -> None:
        board.receive(request("SUBSCRIBE", "sip:lenka@10.0.0.1", lines=("Event: dialog",)), LUKAS)
        assert board.sent()[0].to == LENKA

    def test_unknown_extensions_are_refused(self, board: Board) -> None:
        """§8.2.2.3: here the switchboard is the user agent server."""
        board.receive(request("OPTIONS", "sip:10.0.0.1", lines=("Require: foo, bar",)), LUKAS)
        (answer,) = board.answers()
        assert (answer.status, answer.message.get("unsupported")) == (420, "foo, bar")

    @pytest.mark.parametrize("uri", ["sip:10.0.0.1", "sip:lukas@10.0.0.1", "sip:gone@10.0.0.1"])
    def test_publish_that_nobody_handles(self, board: Board, uri: str) -> None:
        """RFC 3903 §6: 489, also for one's own address-of-record: we keep no event state."""
        board.receive(request("PUBLISH", uri, lines=("Event: presence",)), LUKAS)
        assert board.statuses() == [489]

    def test_publish_to_another_user_passes(self, board: Board) -> None:
        board.receive(request("PUBLISH", "sip:lenka@10.0.0.1", lines=("Event: presence",)), LUKAS)
        assert board.sent()[0].to == LENKA


def test_by_priority_groups_equal_q() -> None:
    uri = SipUri.parse("sip:a@b")
    targets = [Target(str(n), uri, q) for n, q in enumerate((0.5, 1.0, 0.1, 1.0))]
    assert [[t.text for t in group] for group in by_priority(targets)] == [["1", "3"], ["0"], ["2"]]
