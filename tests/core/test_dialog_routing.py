"""Where the requests of a dialog go: along its flows, whatever anybody claims or registers."""

from dataclasses import dataclass

import pytest
from playbook import LENKA, LUKAS, PETER, Board, Sent, own_route, request, response

from switchboard.auth.failures import Failures
from switchboard.core.commands import Lookup
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop

CALLEE = "sip:lenka@10.0.0.1"
AT_LENKA = "sip:lenka@10.0.0.12:5060"
AT_LUKAS = "sip:lukas@10.0.0.11:5060"
FOREIGN = "sip:somebody@192.0.2.7:5080"
STRANGER = "sip:stranger@elsewhere.example"
NAT = ("198.51.100.9", 40123)
PRIVATE = "192.168.1.5"


@pytest.fixture
def board() -> Board:
    board = Board()
    board.bind("lukas", AT_LUKAS)
    board.bind("lenka", AT_LENKA)
    return board


@dataclass
class Call:
    """A dialog as its two sides know it, from the INVITE and its 200."""

    board: Board
    invite: Message
    accepted: Message
    caller: Hop
    callee: Hop

    def by_caller(self, method: str, target: str, source: Hop = ("", 0)) -> Sent | None:
        """What leaves when the caller sends a request within the dialog to `target`; None if nothing does."""
        routes = self.accepted.values("record-route")[::-1]
        return self._send(method, target, source or self.caller, routes, ("From", "To"))

    def by_callee(self, method: str, target: str, source: Hop = ("", 0)) -> Sent | None:
        routes = self.invite.values("record-route")
        return self._send(method, target, source or self.callee, routes, ("To", "From"))

    def _send(
        self, method: str, target: str, source: Hop, routes: list[str], names: tuple[str, str]
    ) -> Sent | None:
        source = source if source[0] else (self.caller if names[0] == "From" else self.callee)
        self.board.sent(), self.board.answers()
        number = len(self.board.events) + len(self.board.lookups) + hash((method, target, source)) % 10**6
        head = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {source[0]}:{source[1]};branch=z9hG4bKd{number};rport",
            f"From: {self.accepted.get(names[0])}",
            f"To: {self.accepted.get(names[1])}",
            f"Call-ID: {self.accepted.call_id}",
            f"CSeq: 7 {method}",
            "Max-Forwards: 70",
            *(f"Route: {route}" for route in routes),
            f"Contact: <{AT_LUKAS}>",
        ]
        self.board.receive("\r\n".join(head).encode() + b"\r\n\r\n", source)
        sent = self.board.sent()
        return sent[0] if sent else None


def place(
    board: Board,
    *,
    caller: str = "sip:lukas@10.0.0.1",
    source: Hop = LUKAS,
    via: Hop | None = None,
    contact: str = AT_LUKAS,
    answered_by: str = AT_LENKA,
    callee: Hop = LENKA,
    uri: str = CALLEE,
    above: tuple[str, ...] = (),
) -> Call:
    """A call that was answered. `above`: Record-Routes of proxies between us and the callee."""
    raw = request("INVITE", uri, caller=caller, source=via or source, lines=(f"Contact: <{contact}>",))
    board.receive(raw, source)
    invite = board.sent()[0]
    assert invite.to == callee
    answer = response(invite.message, 200, lines=(f"Contact: <{answered_by}>",))
    for value in reversed(above):
        answer = answer.replace(
            b"Record-Route: ", b"Record-Route: " + value.encode() + b"\r\nRecord-Route: ", 1
        )
    board.receive(answer, callee)
    return Call(board, invite.message, board.answers()[-1].message, source, callee)


def hop(sent: Sent | None) -> Hop | None:
    return sent.to if sent else None


class TestAFlow:
    def test_leads_each_side_to_the_other(self, board: Board) -> None:
        call = place(board)
        for method in ("ACK", "BYE", "INFO"):
            assert hop(call.by_caller(method, AT_LENKA)) == LENKA
        assert hop(call.by_callee("BYE", AT_LUKAS)) == LUKAS

    def test_is_sealed_from_the_first_request_on(self, board: Board) -> None:
        """The Record-Route of a plain response is the callee's copy (§16.7 step 8 allows more than it wants)."""
        call = place(board)
        assert call.invite.values("record-route") == call.accepted.values("record-route")

    def test_is_sealed_anew_where_the_callee_is_elsewhere(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE, lines=(f"Contact: <{AT_LUKAS}>",)), LUKAS)
        invite = board.sent()[0].message
        for status in (180, 200):
            board.receive(response(invite, status, lines=("Contact: <sip:x@10.0.0.33>",)), LENKA)
        _, ringing, accepted = [answer.message.values("record-route") for answer in board.answers()]
        assert ringing == accepted != invite.values("record-route")

    def test_is_followed_whoever_registers_the_same_contact(self, board: Board) -> None:
        """A user who says to be reached at another's contact, from elsewhere."""
        call = place(board)
        board.bind("mallory", AT_LENKA, AT_LUKAS, next_hop="10.0.0.66:5060", source="10.0.0.66:5060")
        assert hop(call.by_caller("ACK", AT_LENKA)) == LENKA
        assert hop(call.by_caller("INVITE", AT_LENKA)) == LENKA
        assert hop(call.by_callee("BYE", AT_LUKAS)) == LUKAS

    def test_outlives_the_registration(self, board: Board) -> None:
        call = place(board)
        board.bind("lenka")
        board.bind("lukas")
        assert hop(call.by_caller("BYE", AT_LENKA)) == LENKA
        assert hop(call.by_callee("BYE", AT_LUKAS)) == LUKAS

    def test_leaves_from_the_address_at_which_the_other_side_knows_us(self) -> None:
        board = Board()
        raw = request(
            "INVITE", "sip:x@10.0.0.12", source=(PRIVATE, 5060), lines=(f"Contact: <sip:a@{PRIVATE}>",)
        )
        board.bind("a", f"sip:a@{PRIVATE}", next_hop="198.51.100.9:40123", source="198.51.100.9:40123")
        board.receive(raw.replace(b"sip:lukas", b"sip:a"), NAT, local="127.0.0.1")
        routes = board.sent()[0].message.values("record-route")
        bye = request(
            "BYE", f"sip:a@{PRIVATE}", to_tag="from-1", lines=tuple(f"Route: {each}" for each in routes)
        )
        board.receive(bye.replace(b";tag=from-1\r\nTo", b";tag=to-1\r\nTo"), LENKA)
        assert b"Via: SIP/2.0/UDP 127.0.0.1:5060;branch=" in board.sent()[0].raw


class TestBehindAddressTranslation:
    @pytest.mark.parametrize("user", ["lukas@", "mod_sofia@", ""])
    @pytest.mark.parametrize("caller", ["sip:lukas@10.0.0.1", STRANGER])
    def test_a_caller_is_reached_where_its_requests_come_from(
        self, board: Board, user: str, caller: str
    ) -> None:
        contact = f"sip:{user}{PRIVATE}:5060"
        call = place(board, caller=caller, source=NAT, via=(PRIVATE, 5060), contact=contact)
        assert hop(call.by_callee("BYE", contact)) == NAT
        assert hop(call.by_callee("BYE", f"sip:other@{PRIVATE};x=1")) == NAT

    @pytest.mark.parametrize(
        "answered", [f"sip:s@{PRIVATE}", f"sip:4711@{PRIVATE};ob", f"sip:{PRIVATE}:5070"]
    )
    def test_a_callee_is_reached_where_it_registered_from(self, board: Board, answered: str) -> None:
        board.bind("lenka", f"sip:s@{PRIVATE}", next_hop="198.51.100.9:40123", source="198.51.100.9:40123")
        call = place(board, answered_by=answered, callee=NAT)
        assert hop(call.by_caller("ACK", answered)) == NAT
        assert hop(call.by_caller("BYE", answered)) == NAT

    def test_a_phone_that_has_registered_from_another_address_since(self, board: Board) -> None:
        """Its translator has given it another port, or its line another address; its Contact is what it was."""
        contact = f"sip:lukas@{PRIVATE}:5060"
        board.bind("lukas", contact, next_hop="198.51.100.9:40123", source="198.51.100.9:40123")
        call = place(board, source=NAT, via=(PRIVATE, 5060), contact=contact)
        board.bind("lukas", contact, next_hop="198.51.100.77:555", source="198.51.100.77:555")
        board.bind("mallory", contact, next_hop="198.51.100.66:666", source="198.51.100.66:666")
        assert hop(call.by_callee("BYE", contact)) == ("198.51.100.77", 555)
        board.bind("lukas")
        assert hop(call.by_callee("INFO", contact)) == NAT

    def test_a_phone_that_learns_where_it_is_seen(self, board: Board) -> None:
        """It names that in its next target refresh."""
        board.bind("lenka", f"sip:s@{PRIVATE}", next_hop="198.51.100.9:40123", source="198.51.100.9:40123")
        call = place(board, caller=STRANGER, source=PETER, answered_by=f"sip:s@{PRIVATE}", callee=NAT)
        assert hop(call.by_caller("BYE", "sip:s@198.51.100.9:40123")) == NAT

    def test_two_with_the_same_private_contact_are_two(self, board: Board) -> None:
        other = ("198.51.100.10", 50000)
        for user, (host, port) in (("lenka", NAT), ("peter", other)):
            board.bind(user, f"sip:s@{PRIVATE}", next_hop=f"{host}:{port}", source=f"{host}:{port}")
        call = place(board, answered_by=f"sip:s@{PRIVATE}", callee=NAT)
        assert hop(call.by_caller("BYE", f"sip:s@{PRIVATE}")) == NAT

    def test_a_name_that_only_its_network_knows(self, board: Board) -> None:
        contact = "sip:lukas@phone7.lan"
        call = place(board, source=NAT, via=("phone7.lan", 5060), contact=contact)
        assert call.by_callee("BYE", contact) is None
        board.resolve(Lookup("phone7.lan", None), None)
        sent = board.sent()
        assert board.fragile or [each.to for each in sent] == [NAT]


class TestAGateway:
    @pytest.mark.parametrize("host", ["10.0.0.13", "10.0.0.131", "10.0.0.1331"])
    def test_is_reached_at_the_address_of_its_contact(self, board: Board, host: str) -> None:
        """Not compared as text: 10.0.0.13 stands in 10.0.0.131."""
        if host.endswith("1331"):
            host = "10.0.0.3"
        contact = f"sip:gw@{host}:5062"
        call = place(board, caller=STRANGER, source=PETER, contact=contact)
        assert hop(call.by_callee("BYE", contact)) == (host, 5062)

    def test_reaches_a_callee_who_answers_from_another_host(self, board: Board) -> None:
        call = place(board, caller=STRANGER, source=PETER, answered_by="sip:conf@10.0.0.33:5070")
        assert hop(call.by_caller("ACK", "sip:conf@10.0.0.33:5070")) == ("10.0.0.33", 5070)
        assert hop(call.by_caller("BYE", "sip:conf@10.0.0.33:5070")) == ("10.0.0.33", 5070)

    def test_is_followed_by_the_user_when_it_moves(self, board: Board) -> None:
        call = place(board, caller=STRANGER, source=PETER, contact="sip:gw@10.0.0.13")
        assert hop(call.by_callee("BYE", "sip:gw@10.0.0.44")) == ("10.0.0.44", 5060)
        assert hop(call.by_callee("BYE", "sip:gw@10.0.0.13:5099", source=("10.0.0.77", 5))) == (
            "10.0.0.13",
            5099,
        )

    def test_may_not_lead_us_elsewhere_itself(self, board: Board) -> None:
        call = place(board, caller=STRANGER, source=PETER)
        for target in (FOREIGN, "sip:x@10.0.0.44"):
            assert call.by_caller("INVITE", target) is None
            assert call.by_caller("ACK", target) is None
        assert board.failures.take() == []  # a phone that was moved is no attacker

    def test_follows_a_user_to_a_contact_that_is_registered_now(self, board: Board) -> None:
        call = place(board, caller=STRANGER, source=PETER)
        board.bind(
            "lenka", f"sip:lenka@{PRIVATE}", next_hop="198.51.100.9:40123", source="198.51.100.9:40123"
        )
        board.bind("mallory", FOREIGN)
        board.failures = Failures()
        assert hop(call.by_caller("BYE", f"sip:lenka@{PRIVATE}:5060")) == NAT


class TestAStranger:
    """Who knows a seal, since it is of a call of his, and sends as the other side with it."""

    @pytest.mark.parametrize("contact", [FOREIGN, "sip:4711@gateway.example"])
    def test_is_not_brought_to_where_he_says_to_be_reached(self, board: Board, contact: str) -> None:
        call = place(board, caller=STRANGER, source=PETER, contact=contact)
        assert call.by_callee("INVITE", contact, source=PETER) is None
        assert not board.lookups
        assert board.statuses()[-1] == 403
        assert call.by_callee("BYE", contact) or board.lookups

    def test_nor_if_he_was_called(self, board: Board) -> None:
        call = place(board, uri=FOREIGN, callee=("192.0.2.7", 5080), answered_by="sip:x@192.0.2.99")
        assert call.by_caller("INVITE", "sip:x@192.0.2.99", source=("192.0.2.7", 5080)) is None
        assert hop(call.by_caller("BYE", "sip:x@192.0.2.99")) == ("192.0.2.99", 5060)

    @pytest.mark.parametrize(
        "uri", ["sip:lenka@10.0.0.1;maddr=192.0.2.7", "sip:lenka@10.0.0.1:5060;maddr=x.example"]
    )
    def test_is_not_brought_elsewhere_by_a_maddr(self, board: Board, uri: str) -> None:
        call = place(board, caller=STRANGER, source=PETER)
        assert call.by_caller("INVITE", uri) is None
        assert not board.lookups

    def test_is_not_brought_to_a_neighbour_behind_one_address_translator(self, board: Board) -> None:
        board.bind("lenka", f"sip:s@{PRIVATE}", next_hop="198.51.100.9:40123", source="198.51.100.9:40123")
        call = place(board, caller=STRANGER, source=PETER, answered_by=f"sip:s@{PRIVATE}", callee=NAT)
        assert call.by_caller("INVITE", "sip:peter@198.51.100.9:41000") is None


def test_another_spelling_of_an_address_is_the_same_address(board: Board) -> None:
    at_lenka = ("2001:db8::12", 5060)
    board.bind("lenka", "sip:lenka@[2001:db8::12]:5060", source="[2001:db8::12]:5060")
    call = place(
        board, caller=STRANGER, source=PETER, answered_by="sip:lenka@[2001:db8::12]", callee=at_lenka
    )
    assert hop(call.by_caller("INFO", "sip:lenka@[2001:DB8:0::12]")) == at_lenka
    assert hop(call.by_caller("BYE", "sip:lenka@[2001:DB8:0::12]:6000")) == ("2001:db8::12", 6000)


class TestBehindAnotherProxy:
    def test_its_record_route_is_where_the_flow_leads(self, board: Board) -> None:
        call = place(board, above=("<sip:10.0.0.50;lr>", "<sip:10.0.0.51:5070;lr;x=1>"))
        sent = call.by_caller("BYE", "sip:x@192.0.2.99")
        assert sent is not None
        assert sent.to == ("10.0.0.51", 5070)
        assert sent.message.values("route") == ["<sip:10.0.0.51:5070;lr;x=1>", "<sip:10.0.0.50;lr>"]

    @pytest.mark.parametrize("record", ["<sip:p.example;transport=tls;lr>", "<sips:p.example;lr>"])
    def test_whose_transport_we_do_not_speak(self, board: Board, record: str) -> None:
        call = place(board, above=(record,))
        for method in ("ACK", "BYE"):
            assert hop(call.by_caller(method, "sip:x@192.0.2.99")) == LENKA

    def test_and_the_one_before_us(self, board: Board) -> None:
        record = "Record-Route: <sip:10.0.0.60;lr>"
        lines = (record, "Contact: <sip:x@192.0.2.99>")
        board.receive(request("INVITE", CALLEE, lines=lines, source=("10.0.0.60", 5060)), ("10.0.0.60", 5060))
        invite = board.sent()[0].message
        routes = tuple(f"Route: {value}" for value in invite.values("record-route"))
        bye = request("BYE", "sip:x@192.0.2.99", to_tag="from-1", lines=routes)
        board.receive(bye.replace(b";tag=from-1\r\nTo", b";tag=to-1\r\nTo"), LENKA)
        assert board.sent()[0].to == ("10.0.0.60", 5060)


class TestWhoeverMakesOneUp:
    @pytest.mark.parametrize(
        "route",
        [
            "<sip:10.0.0.1:5060;lr>",
            "<sip:10.0.0.1:5060;lr;sb=0123456789abcdefr012345>",
            "<sip:10.0.0.1:5060;lr;sb=\xe4>",
            "<sip:10.0.0.1:5060;lr;sb>",
            own_route("sip:x@192.0.2.8"),
            own_route(FOREIGN, call_id="another"),
            own_route(FOREIGN, tag="another"),
            own_route(FOREIGN, key=b"x" * 32),
            own_route("sip:x@192.0.2.8", may_follow=True),
            own_route("sip:x@192.0.2.8") + ", <sip:192.0.2.7;lr>",
        ],
    )
    def test_is_led_nowhere(self, board: Board, route: str) -> None:
        lines = (f"Route: {route}",)
        board.receive(request("BYE", FOREIGN, caller=STRANGER, to_tag="t", lines=lines), PETER)
        board.receive(request("ACK", FOREIGN, caller=STRANGER, to_tag="t", lines=lines), PETER)
        assert not board.sent()
        assert board.statuses() in ([403], [400])

    def test_a_good_one_leads(self, board: Board) -> None:
        lines = (f"Route: {own_route(FOREIGN)}",)
        board.receive(request("BYE", FOREIGN, caller=STRANGER, to_tag="t", lines=lines), PETER)
        assert board.sent()[0].to == ("192.0.2.7", 5080)


@pytest.mark.parametrize(
    "answered",
    [
        "sip:@10.0.0.12",
        "sips:lenka@10.0.0.12",
        "sip:lenka@10.0.0.12;transport=tcp",
        "tel:+421900123456",
        "sip:lenka@10.0.0.12?Replaces=x",
        "urn:uuid:1",
    ],
)
def test_whatever_the_callee_wrote_comes_back_to_it(board: Board, answered: str) -> None:
    """§12.2.1.1: a response that we let through makes a dialog, and its requests have this URI."""
    call = place(board, answered_by=answered)
    for method in ("ACK", "BYE"):
        sent = call.by_caller(method, answered)
        assert sent is not None
        assert (sent.to, sent.message.uri) == (LENKA, answered)


@pytest.mark.parametrize(
    "contact",
    [
        "sip:x@0.0.0.0",
        "sip:x@255.255.255.255:5060",
        "sip:x@224.0.1.75",
        "sip:x@127.0.1.1",
        "sip:x@127.0.0.1",
        "sip:x@localhost:5070",
        "sip:x@[::1]",
        "sip:x@10.0.0.99:0",
        "sip:x@10.0.0.99;maddr=224.0.1.75",
        "sip:x@phone.example;transport=ws",
        "sips:x@phone.example",
        "sip:mod_sofia@10.0.0.1:5060",
        "sip:x@[::]",
    ],
)
def test_who_names_where_nobody_can_be_is_reached_where_it_is(board: Board, contact: str) -> None:
    """A response with a Contact to which nothing can be sent has made a call all the same."""
    call = place(board, contact=contact, answered_by=contact)
    for method in ("ACK", "BYE", "INVITE"):
        assert hop(call.by_caller(method, contact)) == LENKA
    assert hop(call.by_callee("BYE", contact)) == LUKAS


def test_a_notify_makes_a_dialog_of_its_own(board: Board) -> None:
    """RFC 6665 §4.4.1: of a fork's second notifier the subscriber knows by its NOTIFY alone."""
    lines = (f"Contact: <{AT_LUKAS}>", "Event: dialog")
    board.receive(request("SUBSCRIBE", CALLEE, lines=lines), LUKAS)
    routes = board.sent()[0].message.values("record-route")
    notify = request(
        "NOTIFY", AT_LUKAS, source=LENKA, to_tag="from-1", caller=CALLEE,
        lines=(*(f"Route: {route}" for route in routes), f"Contact: <{AT_LENKA}>", "Event: dialog"),
    ).replace(b";tag=from-1\r\nTo", b";tag=notifier\r\nTo")  # fmt: skip
    board.receive(notify, LENKA)
    (came,) = board.sent()
    assert came.to == LUKAS
    (route,) = came.message.values("record-route")
    refresh = request("SUBSCRIBE", AT_LENKA, to_tag="notifier", cseq=9, lines=(f"Route: {route}",))
    board.receive(refresh.replace(b"z9hG4bKa1", b"z9hG4bKa2"), LUKAS)
    assert board.sent()[0].to == LENKA
