"""ICMP errors for what was sent (RFC 3261 §16.9, §17.1.4, §18.4)."""

import pytest
from playbook import HOST, LENKA, LENKA_TABLET, LUKAS, Board, Sent, request, response

CALLEE = "sip:lenka@10.0.0.1"
DESK = "sip:lenka@10.0.0.12:5060"
TABLET = "sip:lenka@10.0.0.22:5070"


def ask(method: str, *contacts: str) -> tuple[Board, list[Sent]]:
    """A board on which lukas has sent a request to lenka at `contacts`; what was sent to them."""
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", *contacts)
    board.receive(request(method, CALLEE), LUKAS)
    board.answers()
    return board, board.sent()


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE", "FOO"])
def test_the_sender_hears_at_once(method: str) -> None:
    """500 for the 503 that it is (§16.7 step 6), also where a time-out would be silence (RFC 4320 §4.2)."""
    board, (sent,) = ask(method, DESK)
    board.lose(sent)
    (answer,) = board.answers()
    assert (answer.to, answer.status) == (LUKAS, 500)
    assert board.proxy.counters["undeliverable"] == 1
    board.advance(100)
    assert not board.sent()
    assert not board.answers() or method == "INVITE", "but for what repeats the answer to an INVITE"


def test_what_is_sent_elsewhere_instead_counts_as_one_more_place() -> None:
    """Whoever registers may name 60 closed ports of a host, and forge the sources of his REGISTERs."""
    board = Board(max_forks=60)
    board.bind(
        "lenka", *(f"sip:x@10.0.0.66:{7000 + number}" for number in range(40)), source="10.0.0.67:9000"
    )
    board.receive(request("MESSAGE", CALLEE), LUKAS)
    sent = board.sent()
    for each in sent:
        board.lose(each)
    assert (len(sent), len(board.sent())) == (40, 20)


def test_the_record_says_that_we_could_not() -> None:
    board, (sent,) = ask("INVITE", DESK)
    board.lose(sent)
    assert [(event.kind, event.details) for event in board.events[1:]] == [("failed", (500, "switchboard"))]


def test_the_other_phone_rings_on() -> None:
    board, (desk, tablet) = ask("INVITE", DESK, TABLET)
    board.receive(response(tablet.message, 180), LENKA_TABLET)
    board.lose(desk)
    assert board.statuses() == [180]
    board.receive(response(tablet.message, 200), LENKA_TABLET)
    assert board.statuses() == [200]
    assert not board.sent(), "nothing is cancelled where nobody is"


def test_the_answer_of_the_other_phone_is_better() -> None:
    board, (desk, tablet) = ask("INVITE", DESK, TABLET)
    board.lose(desk)
    board.receive(response(tablet.message, 486), LENKA_TABLET)
    assert board.statuses() == [486]


def test_the_next_target_is_tried_at_once() -> None:
    board, (desk,) = ask("INVITE", DESK, f"{TABLET};q=0.5")
    board.lose(desk)
    (tablet,) = board.sent()
    assert tablet.to == LENKA_TABLET
    board.receive(response(tablet.message, 200), LENKA_TABLET)
    assert board.statuses() == [200]


@pytest.mark.parametrize("status", [100, 180, 183])
def test_who_has_answered_is_there(status: int) -> None:
    board, (sent,) = ask("INVITE", DESK)
    board.receive(response(sent.message, status), LENKA)
    board.answers()
    board.lose(sent)
    assert not board.answers()
    assert board.proxy.counters["undeliverable_ignored"] == 1
    board.receive(response(sent.message, 200), LENKA)
    assert board.statuses() == [200]


@pytest.mark.parametrize("status", [200, 486])
def test_what_is_over_stays_so(status: int) -> None:
    board, (sent,) = ask("INVITE", DESK)
    board.receive(response(sent.message, status), LENKA)
    assert board.statuses() == [status]
    board.sent()
    board.lose(sent)
    assert not board.answers()
    assert board.proxy.counters["undeliverable_ignored"] == 1


@pytest.mark.parametrize("to", [LENKA_TABLET, (LENKA[0], 5061), (HOST, LENKA[1]), ("no address", 5060)])
def test_an_error_for_another_place_is_none_of_it(to: tuple[str, int]) -> None:
    board, (sent,) = ask("INVITE", DESK)
    board.lose(sent, to=to)
    assert not board.answers()
    assert board.proxy.counters["undeliverable_ignored"] == 1


@pytest.mark.parametrize(
    "forged",
    [
        lambda raw: raw.replace(b"z9hG4bKsb0.t", b"z9hG4bKsb0.u"),
        lambda raw: raw.replace(b"INVITE", b"FOO", 1),
        lambda raw: raw.replace(b"INVITE", b"CANCEL", 1),
        lambda raw: raw.replace(b"Via: SIP/2.0/UDP 10.0.0.1", b"Va: SIP/2.0/UDP 10.0.0.1"),
        lambda _: b"",
        lambda _: b"SIP/2.0 200 OK\r\n\r\n",
    ],
)
def test_what_quotes_another_request_ends_nothing(forged: object) -> None:
    board, (sent,) = ask("INVITE", DESK)
    board.lose(Sent(sent.to, forged(sent.raw)))  # type: ignore[operator]
    assert not board.answers()
    assert board.proxy.counters["undeliverable_ignored"] == 1


def test_the_quote_may_end_behind_our_via() -> None:
    board, (sent,) = ask("INVITE", DESK)
    end = sent.raw.index(sent.branch.encode()) + len(sent.branch)
    board.lose(sent, octets=end)
    assert not board.answers()
    board.lose(sent, octets=end + 1)
    assert board.statuses() == [500]


def test_a_second_error_is_too_late() -> None:
    """Also that of a copy which was sent before."""
    board, (sent,) = ask("INVITE", DESK)
    board.advance(0.6)
    for _ in range(2):
        board.lose(sent)
    assert board.statuses() == [500]
    assert board.proxy.counters["undeliverable_ignored"] == 1


def test_a_copy_may_be_lost_later() -> None:
    """The phone went away before it could answer."""
    board, (sent,) = ask("MESSAGE", DESK)
    board.advance(3)
    assert board.sent()
    board.lose(sent)
    assert 500 in board.statuses()
    board.advance(100)
    assert not board.sent()


def test_the_ack_of_a_refusal_ends_nothing() -> None:
    board, (desk, tablet) = ask("INVITE", DESK, TABLET)
    board.receive(response(desk.message, 486), LENKA)
    (ack,) = board.sent()
    assert (ack.branch, ack.message.method) == (desk.branch, "ACK")
    board.lose(ack)
    board.receive(response(tablet.message, 200), LENKA_TABLET)
    assert board.statuses() == [200]


def test_the_ack_of_an_answer_ends_nothing() -> None:
    board, (sent,) = ask("INVITE", DESK)
    board.receive(response(sent.message, 200), LENKA)
    board.receive(
        request("ACK", DESK, branch="z9hG4bKa2", to_tag="to-1", lines=("Route: <sip:10.0.0.1:5060;lr>",)),
        LUKAS,
    )
    (ack,) = board.sent()
    board.lose(ack)
    assert board.statuses() == [200]
    assert board.kinds() == ["invite", "answered"]


def test_a_lost_cancel_just_ends() -> None:
    """The INVITE, which was answered, waits on."""
    board, (sent,) = ask("INVITE", DESK)
    board.receive(response(sent.message, 180), LENKA)
    board.receive(request("CANCEL", CALLEE), LUKAS)
    (cancel,) = board.sent()
    assert cancel.message.method == "CANCEL"
    board.answers()
    board.lose(cancel)
    board.advance(20)
    assert not board.sent()
    assert not board.answers()
    board.receive(response(sent.message, 487), LENKA)
    assert board.statuses() == [487]


def test_a_call_given_up_and_lost_is_487() -> None:
    """Its CANCEL waits for a provisional response, which will not come."""
    board, (sent,) = ask("INVITE", DESK)
    board.receive(request("CANCEL", CALLEE), LUKAS)
    assert board.statuses() == [200]
    board.lose(sent)
    assert board.statuses() == [487]
    assert board.events[-1].details == (487, "caller")


def test_an_answered_call_does_not_mind_the_phone_that_is_lost() -> None:
    board, (desk, tablet) = ask("INVITE", DESK, TABLET)
    board.receive(response(tablet.message, 200), LENKA_TABLET)
    board.lose(desk)
    assert board.statuses() == [200]
    board.advance(100)
    assert not board.sent()
    assert board.proxy.env.layer.client_count == 0


def test_a_contact_where_nobody_is_leads_to_where_the_phone_registered_from() -> None:
    """Its Contact was private, its Via was not, so nothing told that it is behind address translation."""
    board = Board()
    board.bind("lenka", "sip:lenka@10.9.9.9:5060", source="10.0.0.12:40000")
    board.receive(request("INVITE", "sip:lenka@10.0.0.1"), LUKAS)
    (first,) = board.sent()
    board.lose(first)
    (second,) = board.sent()
    assert (first.to, second.to) == (("10.9.9.9", 5060), ("10.0.0.12", 40000))
    assert first.branch != second.branch
    board.lose(second)
    assert board.statuses() == [100, 500]


def test_the_second_places_to_try_are_part_of_what_one_request_may_cost() -> None:
    """50 contacts where nobody is, registered from one address: it gets what 60 leave, not 50 more (RFC 5393)."""
    board = Board()
    board.bind("lenka", *(f"sip:lenka{number}@10.0.0.13:9" for number in range(50)), source="10.0.0.12:5060")
    board.receive(request("MESSAGE", CALLEE), LUKAS)
    first = board.sent()
    for sent in first:
        board.lose(sent)
    second = board.sent()
    assert {sent.to for sent in second} == {LENKA}
    assert len(first) + len(second) == 60


def test_another_port_of_the_same_host_may_be_anybody() -> None:
    """Who registers for others sends from a port of its own: it is none of their phones."""
    board, (sent,) = ask("INVITE", "sip:lenka@10.0.0.12:6060")
    board.lose(sent)
    assert not board.sent()
    assert board.statuses() == [500]
