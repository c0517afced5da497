"""The transaction layer: who gets which message, and when transactions are forgotten."""

import pytest
from flows import udp
from playbook import request

from switchboard.core.client_transaction import (
    ClientTransaction,
    InviteClientTransaction,
    NonInviteClientTransaction,
)
from switchboard.core.commands import Reader, TransactionEffects
from switchboard.core.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerState,
    ServerTransaction,
)
from switchboard.core.timers import TimerValues, Waiting
from switchboard.core.transactions import A_SECOND, ADDRESSES, Repetitions, TransactionLayer
from switchboard.sip.dispatch import server_key
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message

VICTIM, PHONE = "192.0.2.7", "10.0.0.11"


def test_an_address_that_is_silent_gets_some_a_second() -> None:
    repetitions = Repetitions()
    allowed = [repetitions.allows(VICTIM, 100.0 + number / 1000) for number in range(3 * A_SECOND)]
    assert allowed == [True] * A_SECOND + [False] * (2 * A_SECOND)
    assert repetitions.withheld == 2 * A_SECOND
    assert repetitions.allows(PHONE, 100.5)
    assert repetitions.allows(VICTIM, 101.0)


def test_who_has_answered_is_repeated_to_as_often_as_it_takes() -> None:
    repetitions = Repetitions()
    repetitions.answered(PHONE)
    assert all(repetitions.allows(PHONE, 100.0) for _ in range(100))


def test_few_are_remembered() -> None:
    repetitions = Repetitions()
    repetitions.answered(PHONE)
    for number in range(2 * ADDRESSES + 1):
        repetitions.answered(f"host-{number}")
    assert not all(repetitions.allows(PHONE, 100.0) for _ in range(A_SECOND + 1))


FLOW = udp("192.0.2.9", 5060, "192.0.2.1")
BRANCH = "z9hG4bKsb0.t1.x"


@pytest.fixture
def layer() -> TransactionLayer:
    return TransactionLayer(TimerValues())


def open_server(layer: TransactionLayer, raw: bytes) -> ServerTransaction:
    message = parse_message(raw)
    return layer.open_server(server_key(message, message.via), FLOW, Reader("", ""))


def find_server(layer: TransactionLayer, raw: bytes, method: str = "") -> ServerTransaction | None:
    message = parse_message(raw)
    return layer.find_server(server_key(message, message.via, method))


def open_client(
    layer: TransactionLayer, method: str, branch: str = BRANCH, now: float = 0.0
) -> ClientTransaction:
    raw = request(method, "sip:b@h", branch=branch)
    return layer.open_client(branch, method, FLOW, raw, f"user of {method}", TransactionEffects(now))


def response(status: int, method: str, branch: str = BRANCH, sent_by: str = "h") -> Message:
    fields = f"From: <sip:a@h>\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\r\n"
    return parse_message(
        f"SIP/2.0 {status} x\r\nVia: SIP/2.0/UDP {sent_by};branch={branch}\r\n{fields}".encode()
    )


def pass_time(layer: TransactionLayer, now: float) -> list[object]:
    return list(layer.handle_timer(TransactionEffects(now)))


def test_server_transactions_are_found(layer: TransactionLayer) -> None:
    invite = open_server(layer, request("INVITE", "sip:b@h"))
    cancel = open_server(layer, request("CANCEL", "sip:b@h"))
    info = open_server(layer, request("INFO", "sip:b@h", branch="z9hG4bKa2"))
    assert isinstance(invite, InviteServerTransaction)
    assert isinstance(cancel, NonInviteServerTransaction)
    assert find_server(layer, request("INVITE", "sip:b@h")) is invite
    assert find_server(layer, request("ACK", "sip:b@h", to_tag="t")) is invite
    assert find_server(layer, request("CANCEL", "sip:b@h")) is cancel
    assert find_server(layer, request("CANCEL", "sip:b@h"), "INVITE") is invite
    assert find_server(layer, request("INFO", "sip:b@h", branch="z9hG4bKa2")) is info
    assert find_server(layer, request("INFO", "sip:b@h")) is None
    assert find_server(layer, request("INVITE", "sip:b@h", source=("10.0.0.99", 5060))) is None


def test_open_server_says_nothing_by_itself(layer: TransactionLayer) -> None:
    assert open_server(layer, request("INVITE", "sip:b@h")).state == ServerState.PROCEEDING
    assert open_server(layer, request("INFO", "sip:b@h")).state == ServerState.TRYING
    assert layer.next_deadline() is None


def test_client_transaction_sends_at_once(layer: TransactionLayer) -> None:
    effects = TransactionEffects(7.0)
    raw = request("INVITE", "sip:b@h", branch=BRANCH)
    client = layer.open_client(BRANCH, "INVITE", FLOW, raw, "user", effects)
    assert isinstance(client, InviteClientTransaction)
    assert effects.requests == [(FLOW, raw)]
    assert client.user == "user"
    assert layer.next_deadline() == 7.5


def test_responses_find_their_transaction(layer: TransactionLayer) -> None:
    """By branch and CSeq method: a CANCEL's answer is not its INVITE's (§17.1.3)."""
    invite, cancel = open_client(layer, "INVITE"), open_client(layer, "CANCEL")
    assert isinstance(cancel, NonInviteClientTransaction)
    assert layer.receive_response(response(180, "INVITE"), TransactionEffects(0.1)) is invite
    assert layer.receive_response(response(200, "CANCEL"), TransactionEffects(0.1)) is cancel
    assert layer.receive_response(response(200, "INVITE"), TransactionEffects(0.1)) is invite


@pytest.mark.parametrize(
    ("status", "method", "branch"),
    [
        (200, "INFO", BRANCH),
        (200, "INVITE", BRANCH + "1"),
        (200, "INVITE", BRANCH.upper()),
        (200, "IN VITE", BRANCH),
    ],
)
def test_response_that_nobody_waits_for(
    layer: TransactionLayer, status: int, method: str, branch: str
) -> None:
    """RFC 6026 §8.9: it ends here."""
    open_client(layer, "INVITE")
    effects = TransactionEffects(0.1)
    assert layer.receive_response(response(status, method, branch), effects) is None
    assert (effects.requests, effects.responses) == ([], [])


def test_response_with_a_malformed_via(layer: TransactionLayer) -> None:
    with pytest.raises(ParseError):
        layer.receive_response(response(200, "INVITE", sent_by="two words"), TransactionEffects(0.0))


def test_retransmitted_final_response_is_absorbed(layer: TransactionLayer) -> None:
    invite = open_client(layer, "INVITE")
    first, second = TransactionEffects(0.1), TransactionEffects(0.2)
    assert layer.receive_response(response(486, "INVITE"), first) is invite
    assert layer.receive_response(response(486, "INVITE"), second) is None
    assert len(first.requests) == len(second.requests) == 1


def test_late_response(layer: TransactionLayer) -> None:
    """Behind the end of its transaction nothing is forwarded (RFC 4320 §4.3)."""
    open_client(layer, "INFO")
    pass_time(layer, 32.0)
    assert layer.receive_response(response(200, "INFO"), TransactionEffects(33.0)) is None


@pytest.mark.parametrize(("method", "until"), [("INVITE", 32.0), ("INFO", 32.0)])
def test_time_out_is_told_once(layer: TransactionLayer, method: str, until: float) -> None:
    client = open_client(layer, method)
    assert pass_time(layer, until - 0.001) == []
    assert pass_time(layer, until) == [client]
    assert not layer.clients
    assert pass_time(layer, until + 100) == []
    assert layer.next_deadline() is None


@pytest.mark.parametrize(
    ("method", "status", "until"), [("INVITE", 200, 32.1), ("INVITE", 486, 32.1), ("INFO", 200, 5.1)]
)
def test_client_transactions_are_forgotten(
    layer: TransactionLayer, method: str, status: int, until: float
) -> None:
    open_client(layer, method)
    layer.receive_response(response(status, method), TransactionEffects(0.1))
    assert pass_time(layer, until - 0.001) == []
    assert layer.clients
    assert pass_time(layer, until) == []
    assert not layer.clients


@pytest.mark.parametrize(("method", "status"), [("INVITE", 200), ("INVITE", 486), ("INFO", 200)])
def test_server_transactions_are_forgotten(layer: TransactionLayer, method: str, status: int) -> None:
    open_server(layer, request(method, "sip:b@h")).respond(status, b"raw", TransactionEffects(0.0))
    pass_time(layer, 31.999)
    assert layer.servers
    assert pass_time(layer, 32.0) == []
    assert not layer.servers


def test_timers_of_the_user(layer: TransactionLayer) -> None:
    """Timer C and its like come back to who armed them (§16.8)."""

    branch = Waiting()
    layer.timers.arm(branch, "C", 5.0)
    assert layer.next_deadline() == 5.0
    assert pass_time(layer, 5.0) == [(branch, "C")]


@pytest.mark.parametrize("method", ["INVITE", "CANCEL", "MESSAGE"])
@pytest.mark.parametrize(
    ("host", "port", "there"),
    [("192.0.2.9", 5060, True), ("192.0.2.9", 5061, False), ("192.0.2.1", 5060, False), ("?", 5060, False)],
)
def test_what_was_not_delivered_where_it_went_ends(
    layer: TransactionLayer, method: str, host: str, port: int, there: bool
) -> None:
    client = open_client(layer, method)
    effects = TransactionEffects(0.0)
    assert layer.fail((BRANCH, method), udp(host, port), effects) is (client if there else None)
    assert client.is_over is there
    assert layer.client_count == (not there)
    assert layer.fail((BRANCH, "FOO"), udp(host, port), effects) is None


def test_who_has_answered_is_not_lost(layer: TransactionLayer) -> None:
    open_client(layer, "INVITE")
    layer.receive_response(response(100, "INVITE"), TransactionEffects(0.0))
    assert layer.fail((BRANCH, "INVITE"), FLOW, TransactionEffects(0.0)) is None
    assert layer.client_count == 1
