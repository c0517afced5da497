"""Requests to one instance of a user: GRUUs (RFC 5627 §5.4, §6), and several flows of an instance (RFC 5626 §5.3)."""

import pytest
from playbook import HOST, KEY, LUKAS, Board, request, response

from switchboard.core.gruu import Gruus
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import pack_users
from switchboard.sip.flow import TCP, TLS, UDP, WS, Flow, connection_of
from switchboard.sip.uri import SipUri

GRUUS = Gruus(KEY)
ONE, OTHER = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "urn:uuid:00000000-7dec-11d0-a765-00a0c91e6bf6"
AOR = SipUri.parse(f"sip:lenka@{HOST}")
PUBLIC = GRUUS.public(AOR, ONE)
DESK, SOFTPHONE = ("10.0.0.12", 5060), ("10.0.0.13", 5060)


def temporary(call_id: str = "r1", instance: str = ONE) -> str:
    return GRUUS.temporary(AOR, instance, call_id, "d")


def params(instance: str, reg_id: str = "") -> str:
    return f';+sip.instance="<{instance}>"' + (f";reg-id={reg_id}" if reg_id else "")


def connection(number: int, transport: int = TCP, host: str = "10.0.0.12") -> Flow:
    return Flow(transport, HOST, host, 40000 + number, connection_of(0, number.to_bytes(8, "big")))


@pytest.fixture
def board() -> Board:
    board = Board(transports={UDP: 5060, TCP: 5060, WS: 5080})
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("gone")
    board.bind("lenka", "sip:lenka@10.0.0.12", params=params(ONE), call_id="r1")
    both = board.replica.lookup("lenka", 0.0)
    board.bind("lenka", "sip:lenka@10.0.0.13", params=params(OTHER), call_id="r2")
    rebind(board, both + board.replica.lookup("lenka", 0.0))
    return board


def rebind(board: Board, bindings: list[Binding]) -> None:
    """All bindings of lenka."""
    board.replica.apply(board.replica.number + 1, pack_users({"lenka": bindings}))


def reached(board: Board, uri: str, method: str = "MESSAGE") -> list[tuple[tuple[str, int], str]]:
    board.receive(request(method, uri), LUKAS)
    return [(sent.to, sent.message.uri) for sent in board.sent()]


def test_all_instances_are_reached_by_the_address_of_record(board: Board) -> None:
    assert len(reached(board, f"sip:lenka@{HOST}", "INVITE")) == 2


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "REFER", "OPTIONS", "SUBSCRIBE"])
@pytest.mark.parametrize("uri", [PUBLIC, PUBLIC.upper().replace("SIP:LENKA", "sip:lenka"), temporary()])
def test_a_gruu_leads_to_its_instance_alone(board: Board, uri: str, method: str) -> None:
    assert reached(board, uri, method) == [(DESK, "sip:lenka@10.0.0.12")]


def test_the_other_instance_has_its_own(board: Board) -> None:
    assert reached(board, GRUUS.public(AOR, OTHER)) == [(SOFTPHONE, "sip:lenka@10.0.0.13")]
    assert reached(board, temporary("r2", OTHER), "INFO") == [(SOFTPHONE, "sip:lenka@10.0.0.13")]


@pytest.mark.parametrize(
    ("uri", "status"),
    [
        (GRUUS.public(AOR, "urn:uuid:1"), 480),
        (GRUUS.public(SipUri.parse(f"sip:gone@{HOST}"), ONE), 480),
        (GRUUS.public(SipUri.parse(f"sip:nobody@{HOST}"), ONE), 404),
        (f"sip:lenka@{HOST};gr", 404),
        (f"sip:tgruu.AAAA@{HOST};gr", 404),
        (temporary("older registration"), 404),
        (temporary(instance="urn:uuid:1"), 404),
        (Gruus(b"x" * 32).temporary(AOR, ONE, "r1", "d"), 404),
    ],
)
def test_who_is_not_there(board: Board, uri: str, status: int) -> None:
    board.receive(request("INVITE", uri), LUKAS)
    assert board.statuses() == [status]


def test_before_bindings_are_known_nobody_is_unknown(board: Board) -> None:
    board.replica.is_loaded = False
    board.receive(request("INVITE", GRUUS.public(AOR, "urn:uuid:1")), LUKAS)
    assert board.statuses() == [503]


@pytest.mark.parametrize("is_temporary", [False, True])
def test_a_gruu_as_the_contact_of_the_callee(board: Board, is_temporary: bool) -> None:
    """The dialog goes on with that instance, wherever it has registered since."""
    gruu = temporary() if is_temporary else PUBLIC
    board.receive(
        request("INVITE", PUBLIC, lines=("Contact: <sip:lukas@10.0.0.11>",)),
        LUKAS,
    )
    (invite,) = board.sent()
    board.answers()
    board.receive(response(invite.message, 200, lines=(f"Contact: <{gruu}>",)), DESK)
    (ok,) = board.answers()
    routes = tuple(f"Route: {route}" for route in ok.message.values("record-route")[::-1])
    board.receive(request("ACK", gruu, to_tag="to-1", lines=routes), LUKAS)
    (ack,) = board.sent()
    assert (ack.to, ack.message.uri) == (DESK, "sip:lenka@10.0.0.12")
    board.bind("lenka", "sip:lenka@10.0.0.14", params=params(ONE), call_id="r1")
    bye = request("BYE", gruu, to_tag="to-1", cseq=2, branch="z9hG4bKbye", lines=routes)
    board.receive(bye.replace(f"To: <{gruu}>".encode(), f"To: <sip:lenka@{HOST}>".encode()), LUKAS)
    (sent,) = board.sent()
    assert (sent.to, sent.message.uri) == (("10.0.0.14", 5060), "sip:lenka@10.0.0.14")


def callees_bye(board: Board, invite: bytes, contact: str) -> bytes:
    """Have the INVITE of a caller with this contact answered; return the BYE that the callee sends to it."""
    board.receive(invite, LUKAS)
    (sent,) = board.sent()
    board.answers()
    board.receive(response(sent.message, 200, lines=("Contact: <sip:lenka@10.0.0.13>",)), SOFTPHONE)
    board.answers()
    bye = request(
        "BYE",
        contact,
        source=SOFTPHONE,
        to_tag="from-1",
        cseq=9,
        branch="z9hG4bKbye",
        lines=tuple(f"Route: {route}" for route in sent.message.values("record-route")),
    )
    ends = (f"From: <sip:lukas@{HOST}>;tag=from-1", f"From: <sip:lenka@{HOST}>;tag=to-1")
    return bye.replace(ends[0].encode(), ends[1].encode())


def test_a_gruu_as_the_contact_of_the_caller(board: Board) -> None:
    mine = GRUUS.public(SipUri.parse(f"sip:lukas@{HOST}"), ONE)
    board.bind("lukas", "sip:lukas@10.0.0.11", params=params(ONE))
    invite = request("INVITE", GRUUS.public(AOR, OTHER), lines=(f"Contact: <{mine}>",))
    bye = callees_bye(board, invite, mine)
    board.receive(bye.replace(f"To: <{mine}>".encode(), f"To: <sip:lukas@{HOST}>".encode()), SOFTPHONE)
    (back,) = board.sent()
    assert (back.to, back.message.uri) == (LUKAS, "sip:lukas@10.0.0.11")


@pytest.mark.parametrize("flow", [connection(1), None])
def test_a_temporary_gruu_as_the_contact_of_a_caller_without_a_name(board: Board, flow: Flow | None) -> None:
    """The browser's way to hide who calls (RFC 3323, RFC 5627 §1): it expects requests at its registered contact."""
    fields = {"flow": flow.pack()} if flow else {"source": "10.0.0.12:5060"}
    contact = "sip:x7@abc.invalid;transport=tcp" if flow else "sip:lenka@10.0.0.12"
    board.bind("lenka", contact, params=params(ONE), call_id="r1", **fields)
    source, anonymous = flow or DESK, "sip:anonymous@anonymous.invalid"
    invite = request("INVITE", f"sip:lukas@{HOST}", source=source, caller=anonymous)
    board.receive(invite.replace(b"CSeq", f"Contact: <{temporary()}>\r\nCSeq".encode(), 1), source)
    (sent,) = board.sent()
    board.answers()
    board.receive(response(sent.message, 200, lines=("Contact: <sip:lukas@10.0.0.11>",)), LUKAS)
    board.answers()
    bye = request(
        "BYE",
        temporary(),
        to_tag="from-1",
        cseq=9,
        branch="z9hG4bKbye",
        lines=tuple(f"Route: {route}" for route in sent.message.values("record-route")),
    )
    bye = bye.replace(b"tag=from-1\r\nTo", b"tag=to-1\r\nTo").replace(
        f"To: <{temporary()}>".encode(), f"To: <{anonymous}>".encode()
    )
    board.receive(bye, LUKAS)
    (back,) = board.sent()
    assert back.message.uri == contact
    assert back.flow == flow if flow else back.to == DESK


def test_somebody_elses_gruu_as_a_contact_leads_nobody_there(board: Board) -> None:
    """A dialog with a stranger's Contact of that kind stays on the flow of the stranger."""
    invite = request("INVITE", GRUUS.public(AOR, OTHER), lines=(f"Contact: <{PUBLIC}>",))
    board.receive(callees_bye(board, invite, PUBLIC), SOFTPHONE)
    assert [each.to for each in board.sent()] == [LUKAS]


def flows_of_one(board: Board, *flows: Flow, transport: str = "tcp", reg_ids: bool = True) -> None:
    """Lenka has these flows with the same instance, the last one refreshed last."""
    bindings: list[Binding] = []
    for number, flow in enumerate(flows, 1):
        board.bind(
            "lenka",
            f"sip:lenka@x{number}.invalid;transport={transport}",
            flow=flow.pack(),
            params=params(ONE, str(number) if reg_ids else ""),
        )
        bindings += board.replica.lookup("lenka", 0.0)
    rebind(board, bindings)


@pytest.mark.parametrize("uri", [f"sip:lenka@{HOST}", PUBLIC])
def test_the_flows_of_one_instance_are_tried_one_after_the_other(board: Board, uri: str) -> None:
    first, second = connection(1), connection(2)
    flows_of_one(board, first, second)
    board.receive(request("INVITE", uri), LUKAS)
    (sent,) = board.sent()
    assert sent.flow == second
    board.answers()
    board.lose(sent)
    (sent,) = board.sent()
    assert sent.flow == first
    board.lose(sent)
    assert board.sent() == []
    assert board.statuses() == [480]


def test_an_instance_that_answered_is_not_asked_over_its_other_flow(board: Board) -> None:
    flows_of_one(board, connection(1), connection(2))
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), LUKAS)
    (sent,) = board.sent()
    board.answers()
    board.receive(response(sent.message, 486), connection(2))
    assert [each.line.split()[0] for each in board.sent()] == ["ACK"]
    assert board.statuses() == [486]


@pytest.mark.parametrize("uri", [f"sips:lenka@{HOST}", PUBLIC.replace("sip:", "sips:")])
def test_of_the_flows_of_an_instance_sips_takes_the_secure_ones(uri: str) -> None:
    board = Board(transports={UDP: 5060, TCP: 5060, TLS: 5061})
    flows_of_one(board, connection(1), connection(2, TLS), connection(3))
    board.receive(request("INVITE", uri), connection(9, TLS, "10.0.0.11"))
    (sent,) = board.sent()
    assert sent.flow == connection(2, TLS)
    board.answers()
    board.lose(sent)
    assert board.sent() == []
    assert board.statuses() == [480]


def test_without_reg_id_contacts_of_an_instance_are_several_phones(board: Board) -> None:
    flows_of_one(board, connection(1), connection(2), reg_ids=False)
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), LUKAS)
    assert {each.flow for each in board.sent()} == {connection(1), connection(2)}


def test_phones_with_the_same_contact_are_several(board: Board) -> None:
    board.bind("lenka", *2 * ["sip:lenka@127.0.0.1;transport=tcp"], flow=connection(1).pack())
    one, other = board.replica.lookup("lenka", 0.0)
    rebind(board, [one, other._replace(flow=connection(2).pack())])
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), LUKAS)
    assert {each.flow for each in board.sent()} == {connection(1), connection(2)}


def test_of_two_edge_proxies_the_last_one_is_asked(board: Board) -> None:
    """RFC 5626 §1.1: the same contact, registered through each of them."""
    paths = [
        {"path": (f"<sip:10.0.0.2{number};lr;ob>",), "params": params(ONE, str(number))} for number in (1, 2)
    ]
    bindings = []
    for fields in paths:
        board.bind("lenka", "sip:lenka@10.0.0.12", **fields)
        bindings += board.replica.lookup("lenka", 0.0)
    rebind(board, bindings)
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), LUKAS)
    assert [each.to for each in board.sent()] == [("10.0.0.22", 5060)]


def test_two_flows_over_udp_are_not_forked_to(board: Board) -> None:
    board.bind("lenka", "sip:lenka@10.0.0.12", params=params(ONE, "1"))
    one = board.replica.lookup("lenka", 0.0)
    board.bind("lenka", "sip:lenka@10.0.0.13", params=params(ONE, "2"))
    rebind(board, [*one, *board.replica.lookup("lenka", 0.0)])
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), LUKAS)
    (sent,) = board.sent()
    assert sent.to == SOFTPHONE
    board.lose(sent)
    assert [each.to for each in board.sent()] == [DESK]
