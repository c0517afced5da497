"""Calls of phones on TCP, TLS and WebSockets, with one another and with phones on UDP (RFC 3261 §18, 5658, 5626)."""

from itertools import product

import pytest
from mixed_call import NAMED, PORTS, Call, Phone, connection, lenka, lukas
from playbook import EPOCH, HOST, KEY, PORT, Board, Sent, request, response

from switchboard.core.commands import Lookup
from switchboard.core.gruu import Gruus
from switchboard.core.native import IS_COMPILED
from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import pack_users
from switchboard.sip.address import uri_in
from switchboard.sip.flow import NAMES, TCP, TLS, UDP, WS, WSS, Flow, is_reliable
from switchboard.sip.uri import SipUri

INSTANCE = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
MIXES = [
    pytest.param(*both, id=" to ".join(NAMES[each] for each in both)) for both in product(PORTS, repeat=2)
]
STREAMS = [pytest.param(each, id=NAMES[each]) for each in (TCP, TLS, WS, WSS)]
DIALLED = [pytest.param(each, id=NAMES[each]) for each in (TCP, TLS)]


@pytest.mark.parametrize("merges", [False, True])
@pytest.mark.parametrize(("one", "other"), MIXES)
def test_a_call_over_any_two_transports(one: int, other: int, merges: bool) -> None:
    call = Call(lukas(one), lenka(other), merges=merges)
    call.up()
    ack = call.sent_to(call.callee)
    assert ack.line == f"ACK {call.callee.contact} SIP/2.0"
    for method, sender in product(("INVITE", "UPDATE", "INFO", "REFER", "BYE"), (call.caller, call.callee)):
        call.within(method, sender)
        receiver = call.callee if sender is call.caller else call.caller
        sent = call.sent_to(receiver)
        assert sent.line == f"{method} {receiver.contact} SIP/2.0"
        call.board.answers()
        call.board.receive(response(sent.message, 200), receiver.flow)
        (ok,) = call.board.answers()
        assert (ok.flow, ok.status) == (sender.flow, 200)


def native_call(caller: Phone, callee: Phone, *, merges: bool = False) -> Call:
    """A call that is up, at a board with an engine."""
    call = Call(caller, callee, merges=merges)
    call.board = Board(transports=PORTS, fragile=False, native=True)
    call.caller.register(call.board)
    call.callee.register(call.board)
    call.up()
    return call


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
@pytest.mark.parametrize("merges", [False, True])
@pytest.mark.parametrize(("one", "other"), MIXES)
def test_a_plain_call_over_any_two_transports_is_the_engines(one: int, other: int, merges: bool) -> None:
    call = native_call(lukas(one), lenka(other), merges=merges)
    for method, sender in (("INVITE", call.callee), ("BYE", call.caller)):
        call.board.sent()
        call.within(method, sender)
        receiver = call.callee if sender is call.caller else call.caller
        call.board.receive(response(call.sent_to(receiver).message, 200), receiver.flow)
    stats = call.board.core.stats()
    assert (stats["plain"], stats["odd"], stats["handed_over"]) == (8, 0, 0)


@pytest.mark.parametrize(("one", "other"), MIXES)
def test_each_side_routes_to_us_over_its_own_transport(one: int, other: int) -> None:
    call = Call(lukas(one), lenka(other))
    call.up()
    outer, inner = call.routes["lenka"][0], call.routes["lukas"][0]
    assert outer.startswith(call.callee.route)
    assert inner.startswith(call.caller.route)
    assert len(call.routes["lenka"]) == (1 if call.caller.route == call.callee.route else 2)
    assert not call.board.sent()[0].message.values("route"), "both of them are ours"


@pytest.mark.parametrize(("one", "other"), MIXES)
def test_what_ends_a_call_before_it_begins(one: int, other: int) -> None:
    call = Call(lukas(one), lenka(other))
    invite = call.invite()
    call.answer(invite, 180)
    raw = request("CANCEL", f"sip:lenka@{HOST}", source=call.caller.flow)
    call.board.receive(raw, call.caller.flow)
    cancel = call.sent_to(call.callee)
    assert cancel.line.startswith("CANCEL ")
    assert cancel.branch == invite.branch
    call.board.answers()
    call.board.receive(response(cancel.message, 200), call.callee.flow)
    call.board.receive(response(invite.message, 487), call.callee.flow)
    assert call.sent_to(call.callee).line.startswith("ACK ")
    (answer,) = call.board.answers()
    assert (answer.flow, answer.status) == (call.caller.flow, 487)


def ringing_cancelled(transport: int) -> tuple[Call, Sent, Sent]:
    """A call whose callee rings, and whose caller gives up; its INVITE and CANCEL."""
    call = Call(lukas(UDP), lenka(transport))
    invite = call.invite()
    call.answer(invite, 180)
    call.board.receive(request("CANCEL", f"sip:lenka@{HOST}", source=call.caller.flow), call.caller.flow)
    (cancel,) = call.board.sent()
    assert (cancel.line[:7], cancel.flow) == ("CANCEL ", call.callee.flow)
    call.board.answers()
    return call, invite, cancel


@pytest.mark.parametrize("transport", STREAMS)
def test_a_phone_that_rings_and_is_gone_keeps_no_caller_waiting(transport: int) -> None:
    call, _, cancel = ringing_cancelled(transport)
    call.board.lose(cancel)
    assert call.board.statuses() == [487]
    assert not call.board.sent()


@pytest.mark.parametrize("transport", STREAMS)
def test_a_phone_that_rings_and_has_come_back_hears_the_cancel(transport: int) -> None:
    call, invite, cancel = ringing_cancelled(transport)
    call.callee.number = 7
    call.callee.register(call.board)
    call.board.lose(cancel)
    again = call.sent_to(call.callee)
    assert (again.line, again.branch) == (cancel.line, invite.branch)
    call.board.receive(response(invite.message, 487), call.callee.flow)
    assert call.board.statuses() == [487]


@pytest.mark.parametrize("transport", STREAMS)
def test_a_cancel_is_sent_to_no_connection_twice(transport: int) -> None:
    call, _, cancel = ringing_cancelled(transport)
    call.callee.number = 7
    call.callee.register(call.board)
    call.board.lose(cancel)
    call.board.lose(call.sent_to(call.callee))
    assert not call.board.sent()
    assert call.board.statuses() == [487]


@pytest.mark.parametrize(("one", "other"), MIXES)
def test_a_refusal_and_a_message(one: int, other: int) -> None:
    call = Call(lukas(one), lenka(other))
    invite = call.invite()
    call.answer(invite, 486)
    assert call.sent_to(call.callee).line.startswith("ACK ")
    raw = request("MESSAGE", f"sip:lenka@{HOST}", source=call.caller.flow, branch="z9hG4bKm", cseq=2)
    call.board.receive(raw, call.caller.flow)
    message = call.sent_to(call.callee)
    call.board.receive(response(message.message, 200), call.callee.flow)
    assert [each.flow for each in call.board.answers()] == [call.caller.flow]


@pytest.mark.parametrize("transport", STREAMS)
def test_nothing_is_repeated(transport: int) -> None:
    """§17.1.1.2, §17.1.2.2, §17.2.1: no timers A, E and G."""
    call = Call(lukas(transport), lenka(transport))
    call.invite()
    message = request("MESSAGE", f"sip:lenka@{HOST}", source=call.caller.flow, branch="z9hG4bKm", cseq=2)
    call.board.receive(message, call.caller.flow)
    call.board.sent()
    call.board.answers()
    call.board.advance(31.9)
    assert not call.board.sent()
    assert call.board.statuses() == [100], "of the MESSAGE, as RFC 4320 has it"
    call.board.advance(0.2)
    assert call.board.statuses() == [408]
    call.board.advance(31.0)
    assert not call.board.answers()


@pytest.mark.parametrize("transport", STREAMS)
def test_the_same_call_is_repeated_over_udp(transport: int) -> None:
    call = Call(lukas(transport), lenka(UDP))
    call.invite()
    call.board.advance(1.0)
    assert [each.flow for each in call.board.sent()] == [call.callee.flow]


@pytest.mark.parametrize("transport", STREAMS)
def test_an_invitation_to_a_connection_that_is_gone(transport: int) -> None:
    """It goes to the Contact, if that can be; the caller hears that the callee is not there now."""
    call = Call(lukas(UDP), lenka(transport))
    invite = call.invite()
    call.board.answers()
    call.board.lose(invite)
    if transport in (TCP, TLS):
        (again,) = call.board.sent()
        assert again.flow == Flow(transport, HOST, "10.0.0.12", 5060)
        assert again.line == invite.line
        call.board.lose(again)
    assert not call.board.sent()
    assert call.board.statuses() == [480]


@pytest.mark.parametrize("transport", STREAMS)
def test_a_dialog_whose_connection_is_gone_goes_on_over_the_present_one(transport: int) -> None:
    call = Call(lukas(UDP), lenka(transport))
    call.up()
    call.board.sent()
    before = call.callee.flow
    call.callee.number = 7
    call.callee.register(call.board)
    call.within("BYE", call.caller)
    (bye,) = call.board.sent()
    assert bye.flow == before
    call.board.lose(bye)
    again = call.sent_to(call.callee)
    call.board.answers()
    call.board.receive(response(again.message, 200), call.callee.flow)
    assert call.board.statuses() == [200]


@pytest.mark.parametrize("transport", STREAMS)
@pytest.mark.parametrize("others", [1, 2])
def test_a_phone_that_has_come_back_is_told_from_the_other_phones_of_its_user(
    transport: int, others: int
) -> None:
    """By its host and transport: a phone of another host or transport is never taken for it."""
    call = Call(lukas(UDP), lenka(transport))
    call.up()
    call.board.sent()
    back = Phone("lenka", "10.0.0.12", transport, 7)
    tablets = [Phone("lenka", f"10.0.0.{50 + each}", transport, 20 + each) for each in range(others)]
    bindings = [
        Binding(
            f"sip:lenka@k{each.number}.invalid",
            q=1.0,
            expires_at=EPOCH + 1e6,
            source=f"{each.host}:{each.flow.port}",
            flow=each.flow.pack(),
        )
        for each in (*tablets, back)
    ]
    call.board.replica.apply(call.board.replica.number + 1, pack_users({"lenka": bindings}))
    call.within("BYE", call.caller)
    call.board.lose(call.board.sent()[0])
    assert [each.flow for each in call.board.sent()] == [back.flow]


@pytest.mark.parametrize("transport", STREAMS)
def test_an_ack_takes_the_connection_that_is_there(transport: int) -> None:
    call = Call(lukas(UDP), lenka(transport))
    invite = call.invite()
    ok = call.answer(invite)
    call.routes["lukas"] = ok.message.values("record-route")[::-1]
    call.callee.number = 7
    call.callee.register(call.board)
    call.within("ACK", call.caller)
    call.sent_to(call.callee)


@pytest.mark.parametrize("transport", STREAMS)
def test_a_dialog_without_any_way_is_told_so(transport: int) -> None:
    """RFC 5626 §11.5; never a look-up of `.invalid`."""
    call = Call(lukas(UDP), lenka(transport))
    call.up()
    call.board.sent()
    call.board.bind("lenka")
    call.within("BYE", call.caller)
    while sent := call.board.sent():
        call.board.lose(sent[0])
    assert call.board.statuses()[-1] == 430
    assert not call.board.lookups


@pytest.mark.parametrize("transport", STREAMS)
def test_another_users_binding_is_no_way(transport: int) -> None:
    call = Call(lukas(UDP), lenka(transport))
    call.up()
    call.board.sent()
    call.board.bind("lenka")
    Phone("peter", "10.0.0.12", transport, 9).register(call.board)
    call.within("BYE", call.caller)
    flows = []
    while sent := call.board.sent():
        flows.append(sent[0].flow)
        call.board.lose(sent[0])
    assert connection(9, transport, "10.0.0.12") not in flows
    assert flows[0] == call.callee.flow


def test_what_was_answered_is_not_sent_elsewhere() -> None:
    call = Call(lukas(UDP), lenka(TCP))
    invite = call.invite()
    call.answer(invite, 180)
    call.board.lose(invite)
    assert not call.board.sent()
    assert call.board.proxy.counters["undeliverable_ignored"] == 1


def test_another_connection_that_is_gone_ends_nothing() -> None:
    call = Call(lukas(UDP), lenka(TCP))
    invite = call.invite()
    call.board.answers()
    call.board.lose(Sent(invite.to, invite.raw, connection(9, TCP, "10.0.0.12")._replace(port=invite.to[1])))
    call.board.lose(Sent(invite.to, invite.raw, call.callee.flow._replace(transport=TLS)))
    assert not call.board.answers()


@pytest.mark.parametrize("transport", DIALLED)
def test_a_contact_may_ask_for_a_connection(transport: int) -> None:
    """`transport=` in a binding of UDP: a new connection to there (RFC 3263 §4.1)."""
    board = Board(transports=PORTS)
    board.bind("lenka", f"sip:lenka@10.0.0.12{NAMED[transport]}")
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    (sent,) = board.sent()
    assert sent.flow == Flow(transport, HOST, "10.0.0.12", 5061 if transport == TLS else 5060)


@pytest.mark.parametrize("transport", DIALLED)
def test_a_name_is_looked_up_for_its_transport(transport: int) -> None:
    board = Board(transports=PORTS)
    board.bind("lenka", f"sip:lenka@phone.example{NAMED[transport]}")
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    (lookup,) = board.lookups
    assert lookup == Lookup("phone.example", None, transport, is_named=transport != UDP)
    board.resolve(lookup, ("10.0.0.12", 5070))
    assert [each.flow for each in board.sent()] == [Flow(transport, HOST, "10.0.0.12", 5070)]


def test_a_redirection_may_name_a_transport() -> None:
    call = Call(lukas(TCP), lenka(UDP))
    invite = call.invite()
    moved = response(invite.message, 302, lines=("Contact: <sip:lenka@10.0.0.22;transport=tcp>",))
    call.board.receive(moved, call.callee.flow)
    ack, again = call.board.sent()
    assert ack.flow == call.callee.flow
    assert again.flow == Flow(TCP, HOST, "10.0.0.22", 5060)


@pytest.mark.parametrize("transport", STREAMS)
def test_a_refusal_that_is_handed_on_twice_is_acknowledged_twice(transport: int) -> None:
    """Router and edge-stream were killed together, and the ACK was on its way between them."""
    call = Call(lukas(transport), lenka(transport))
    invite = call.invite()
    refusal = response(invite.message, 486)
    for _ in range(2):
        call.board.receive(refusal, call.callee.flow)
        assert call.sent_to(call.callee).line.startswith("ACK ")
        call.board.advance(2.4)
    assert call.board.statuses() == [100, 486]
    call.board.advance(0.2)
    call.board.receive(refusal, call.callee.flow)
    assert not call.board.sent()


def test_who_was_on_our_machine_is_not_there_now() -> None:
    board = Board(transports=PORTS)
    closed = Flow(TCP, HOST, HOST, 5070)
    board.bind("lenka", f"sip:lenka@{HOST}:5070;transport=tcp", flow=closed.pack(), source=f"{HOST}:5070")
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    assert board.statuses() == [100, 480]


def test_who_is_on_our_machine_is_reached_over_its_connection() -> None:
    board = Board(transports=PORTS)
    callee = Phone("lenka", HOST, TCP, 2)
    callee.register(board)
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    assert [each.flow for each in board.sent()] == [callee.flow]


@pytest.mark.parametrize("host", [HOST, "127.0.0.1", "127.8.8.8", "[::1]"])
def test_other_services_of_our_machine_are_never_dialled(host: str) -> None:
    board = Board(transports=PORTS)
    board.bind("lenka", f"sip:lenka@{host}:6379;transport=tcp", source="")
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    assert board.statuses() == [100, 500]
    assert not board.sent()


def test_a_browser_is_never_dialled() -> None:
    board = Board(transports=PORTS)
    board.bind("lenka", "sip:lenka@10.0.0.12;transport=ws")
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    assert board.statuses() == [100, 500]
    assert not board.sent()


@pytest.mark.parametrize("transport", [TCP, TLS, WS])
def test_what_is_off_is_not_used(transport: int) -> None:
    board = Board()
    board.bind("lenka", f"sip:lenka@10.0.0.12{NAMED[transport]}")
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    assert board.statuses() == [100, 500]


class TestSips:
    """RFC 5630."""

    @pytest.mark.parametrize(
        ("transport", "status"), [(UDP, 480), (TCP, 480), (TLS, 0), (WS, 480), (WSS, 0)], ids=NAMES.get
    )
    def test_only_secure_ways_are_taken(self, transport: int, status: int) -> None:
        board = Board(transports=PORTS)
        callee = lenka(transport)
        callee.register(board)
        board.receive(request("INVITE", f"sips:lenka@{HOST}"), lukas(TLS).flow)
        assert [each.flow for each in board.sent()] == ([] if status else [callee.flow])
        assert [each for each in board.statuses() if each > 100] == ([status] if status else [])

    def test_it_is_refused_where_nothing_is_secure(self) -> None:
        board = Board(transports={UDP: PORT, TCP: PORT})
        lenka(UDP).register(board)
        board.receive(request("INVITE", f"sips:lenka@{HOST}"), lukas(UDP).flow)
        assert board.statuses() == [416]

    @pytest.mark.parametrize(("transport", "named"), [(TLS, ""), (WSS, ";transport=ws")], ids=["TLS", "WSS"])
    def test_a_dialog_stays_secure(self, transport: int, named: str) -> None:
        """Our Record-Route is a `sips` URI, too (RFC 3261 §16.6 step 4)."""
        board = Board(transports=PORTS)
        caller, callee = lukas(transport), lenka(TLS)
        callee.register(board)
        lines = (f"Contact: <sips:lukas@10.0.0.11{named}>",)
        raw = request("INVITE", f"sips:lenka@{HOST}", source=caller.flow, lines=lines)
        board.receive(raw, caller.flow)
        (sent,) = board.sent()
        routes = sent.message.values("record-route")
        assert routes[0].startswith(f"<sips:{HOST}:5061;lr;sb=")
        assert routes[-1].startswith(f"<sips:{HOST}:{PORTS[transport]}{named};lr;sb=")
        bye = request(
            "BYE", "sips:lukas@10.0.0.11" + named, source=callee.flow, branch="z9hG4bKbye", to_tag="from-1",
            lines=tuple(f"Route: {route}" for route in routes),
        )  # fmt: skip
        board.receive(response(sent.message, 200, lines=(f"Contact: <{callee.contact}>",)), callee.flow)
        board.receive(bye.replace(b";tag=from-1\r\nTo", b";tag=to-1\r\nTo"), callee.flow)
        assert [each.flow for each in board.sent()] == [caller.flow]

    def test_a_contact_is_reached_over_tls(self) -> None:
        board = Board(transports=PORTS)
        board.bind("lenka", "sips:lenka@10.0.0.12")
        board.receive(request("INVITE", f"sips:lenka@{HOST}"), lukas(TLS).flow)
        (sent,) = board.sent()
        assert sent.flow == Flow(TLS, HOST, "10.0.0.12", 5061)
        assert sent.line == "INVITE sips:lenka@10.0.0.12 SIP/2.0"


class TestRepeating:
    """What a stream worker may have lost when it died (`RouterCore.repeat`)."""

    def repeat(self, board: Board, instance: int = 0) -> list[tuple[Flow | None, bytes]]:
        board.sent(), board.answers()
        board.repeat(instance)
        return [(each.flow, each.raw) for each in (*board.sent(), *board.answers())]

    def test_requests_without_an_answer(self) -> None:
        call = Call(lukas(UDP), lenka(TCP))
        invite = call.invite()
        assert self.repeat(call.board) == [(invite.flow, invite.raw)]
        assert self.repeat(call.board, instance=1) == []

    def test_what_was_answered_is_there(self) -> None:
        call = Call(lukas(UDP), lenka(TCP))
        call.answer(call.invite(), 180)
        assert self.repeat(call.board) == []

    @pytest.mark.parametrize("status", [180, 486])
    def test_answers_that_nothing_confirms(self, status: int) -> None:
        call = Call(lukas(TCP), lenka(UDP))
        answer = call.answer(call.invite(), status)
        call.board.sent()
        assert self.repeat(call.board) == [(answer.flow, answer.raw)]

    def test_the_answer_to_another_request(self) -> None:
        call = Call(lukas(TCP), lenka(UDP))
        raw = request("MESSAGE", f"sip:lenka@{HOST}", source=call.caller.flow)
        call.board.receive(raw, call.caller.flow)
        message = call.sent_to(call.callee)
        call.board.receive(response(message.message, 200), call.callee.flow)
        (ok,) = call.board.answers()
        assert self.repeat(call.board) == [(ok.flow, ok.raw)]
        call.board.advance(5.1)
        assert self.repeat(call.board) == []

    def test_nothing_of_udp(self) -> None:
        call = Call(lukas(UDP), lenka(UDP))
        call.invite()
        assert self.repeat(call.board) == []


class TestASuccessor:
    """Nobody else repeats what a router had decided, but not sent, when it was killed."""

    def repeated(self, board: Board) -> list[tuple[Flow | None, bytes]]:
        board.sent(), board.answers()
        return [(each.flow, each.raw) for each in (*board.crash(), *board.sent())]

    def test_requests_and_their_cancels(self) -> None:
        call = Call(lukas(UDP), lenka(TCP))
        invite = call.invite()
        assert (invite.flow, invite.raw) in self.repeated(call.board)
        call.answer(invite, 180)
        assert (invite.flow, invite.raw) not in self.repeated(call.board)
        call.board.receive(request("CANCEL", f"sip:lenka@{HOST}", source=call.caller.flow), call.caller.flow)
        cancel = call.sent_to(call.callee)
        assert (cancel.flow, cancel.raw) in self.repeated(call.board)
        call.board.advance(2.1)
        assert not self.repeated(call.board)

    def test_final_responses(self) -> None:
        call = Call(lukas(TCP), lenka(UDP))
        refused = call.answer(call.invite(), 486)
        assert (refused.flow, refused.raw) in self.repeated(call.board)


@pytest.mark.parametrize("transport", list(PORTS))
def test_a_request_that_comes_twice_is_answered_alike(transport: int) -> None:
    """A connection whose process died may hand it on twice."""
    call = Call(lukas(transport), lenka(UDP))
    raw = request("MESSAGE", f"sip:lenka@{HOST}", source=call.caller.flow)
    call.board.receive(raw, call.caller.flow)
    message = call.sent_to(call.callee)
    call.board.receive(response(message.message, 200), call.callee.flow)
    (ok,) = call.board.answers()
    call.board.receive(raw, call.caller.flow)
    assert not call.board.sent()
    assert [each.raw for each in call.board.answers()] == [ok.raw]


def test_a_next_proxy_named_by_a_route_is_reached_over_its_transport() -> None:
    board = Board(transports=PORTS, open_relay=True)
    lines = ("Route: <sip:10.0.0.9;transport=tcp;lr>",)
    board.receive(request("INVITE", "sip:x@example.org", lines=lines), lukas(UDP).flow)
    (sent,) = board.sent()
    assert sent.flow == Flow(TCP, HOST, "10.0.0.9", 5060)
    assert [uri_in(each) for each in sent.message.values("route")] == ["sip:10.0.0.9;transport=tcp;lr"]


def test_what_is_plain_stays_plain() -> None:
    board = Board(transports=PORTS, fragile=False)
    lenka(UDP).register(board)
    board.receive(request("INVITE", f"sip:lenka@{HOST}"), lukas(UDP).flow)
    (sent,) = board.sent()
    board.receive(response(sent.message, 200), lenka(UDP).flow)
    assert board.core.stats().get("odd", 0) == 0
    assert not is_reliable(UDP)


class Instance(Phone):
    """A phone that names its GRUU as its Contact, as browsers do."""

    @property
    def contact(self) -> str:
        return Gruus(KEY).public(SipUri.parse(f"sip:{self.user}@{HOST}"), INSTANCE)

    def register(self, board: Board, **more: object) -> None:
        instance = f';+sip.instance="<{INSTANCE}>"'
        bound = {"flow": self.flow.pack(), "source": f"{self.host}:{self.flow.port}", "params": instance}
        board.bind(self.user, f"sip:{self.user}@k3x9.invalid{NAMED[self.transport]}", **bound | more)


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
@pytest.mark.parametrize("one", STREAMS)
@pytest.mark.parametrize("other", STREAMS)
def test_a_call_of_phones_with_gruus_is_the_engines(one: int, other: int) -> None:
    call = native_call(Instance("lukas", "10.0.0.11", one, 1), Instance("lenka", "10.0.0.12", other, 2))
    for method, sender in (("INVITE", call.callee), ("BYE", call.caller)):
        call.board.sent()
        call.within(method, sender)
        receiver = call.callee if sender is call.caller else call.caller
        sent = call.sent_to(receiver)
        assert sent.line == f"{method} sip:{receiver.user}@k3x9.invalid{NAMED[receiver.transport]} SIP/2.0"
        call.board.receive(response(sent.message, 200), receiver.flow)
    stats = call.board.core.stats()
    assert (stats["plain"], stats["odd"], stats["handed_over"]) == (8, 0, 0)
