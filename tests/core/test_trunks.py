"""Calls by a trunk: challenged, masked, led back, and the provider's own calls; also with a crash at each step."""

import re
from dataclasses import replace

import pytest
from auth.authenticators import make_authenticator
from playbook import KEY, LENKA, LUKAS, Board, Sent, request, response

from switchboard.auth.digest import SHA256, Credentials, challenge, make_ha1
from switchboard.core.call_rules import StaticRules, UserRules
from switchboard.core.dial_plan import DialPlan, Rule, pattern_of
from switchboard.core.domains import parse_networks
from switchboard.core.e164 import normal_form, same
from switchboard.core.trunk_masks import LARGEST
from switchboard.core.trunks import ASSERTED, NONE, Trunk, Trunks, token_of
from switchboard.sip.message import Message

PROVIDER, OTHER = ("10.9.0.1", 5060), ("10.9.0.2", 5060)
TRUNK = Trunk(
    "p",
    "sip:10.9.0.1",
    "voip.example",
    "481",
    caller="+4212555",
    callers={"lenka": "+42125551"},
    numbers={"42125551": "lenka", "4212555": "lukas"},
)
SPARE = Trunk("q", "sip:10.9.0.2", "q.example", "482")
PASSWORD = "secret"
TOKEN = f"sip:{token_of(KEY, 'p')}@10.0.0.1:5060"
CONTACT = "Contact: <sip:900@10.9.0.1>"


def board_with(trunk: Trunk = TRUNK, password: str = PASSWORD, country: str = "", **more: object) -> Board:
    ways = ("sip:10.9.0.1;trunk=p", "sip:10.9.0.2;trunk=q")
    plan = DialPlan((Rule("out", pattern_of("0*"), 1, "+421", ways),))
    board = Board(dial_plan=plan, **more)  # type: ignore[arg-type]
    made = Trunks(
        KEY, {"p": trunk, "q": SPARE}, lambda _: password, normal_form(country) if country else same
    )
    board.trunks = made
    board.__post_init__()
    board.bind("lukas", "sip:lukas@10.0.0.1:5060".replace("10.0.0.1", LUKAS[0]))
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:5060")
    board.advance(0.1)
    return board


@pytest.fixture
def board() -> Board:
    return board_with()


def only(sent: list[Sent]) -> Sent:
    assert len(sent) == 1, [each.line for each in sent]
    return sent[0]


def dial(board: Board) -> Sent:
    lines = (f"Contact: <sip:lukas@{LUKAS[0]}>",)
    board.receive(request("INVITE", "sip:0905@10.0.0.1", lines=lines, cseq=7), LUKAS)
    return only(board.sent())


def asks(nonce: str, *, stale: bool = False) -> str:
    return "Proxy-Authenticate: " + challenge("voip", nonce, SHA256, stale=stale)


def challenged(board: Board, invite: Sent, nonce: str = "n1", *, stale: bool = False) -> Sent:
    """The provider asks for a password: the INVITE that answers it."""
    board.receive(response(invite.message, 407, lines=(asks(nonce, stale=stale),)), PROVIDER)
    ack, again = board.sent()
    assert ack.line.startswith("ACK ")
    assert ack.message.cseq[0] == invite.message.cseq[0]
    return again


def shown(message: Message) -> Credentials:
    credentials = Credentials.parse(message.get("proxy-authorization") or "")
    assert credentials.uri == message.uri
    assert credentials.response == credentials.expected(
        make_ha1(SHA256, "481", "voip", PASSWORD), message.method
    )
    return credentials


def answered(board: Board) -> tuple[Sent, Message]:
    """The second INVITE, and the 200 that the phone gets."""
    invite = challenged(board, dial(board))
    board.answers()
    board.receive(response(invite.message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    return invite, only(board.answers()).message


def within(method: str, accepted: Message, number: int) -> bytes:
    """A request of the phone within the dialog."""
    raw = request(
        method,
        "sip:900@10.9.0.1",
        branch=f"z9hG4bK{method}{number}",
        caller="sip:lukas@10.0.0.1",
        cseq=number,
        to_tag="far",
        lines=tuple(f"Route: {each}" for each in accepted.values("record-route")[::-1]),
    )
    return raw.replace(b"To: <sip:900@10.9.0.1>", b"To: <sip:0905@10.0.0.1>")


def test_what_the_provider_sees_and_what_the_phone_sees(board: Board) -> None:
    first = dial(board)
    assert first.to == PROVIDER
    assert first.message.uri == "sip:+421905@10.9.0.1;user=phone"
    assert first.message.from_uri == "sip:+4212555@voip.example"
    assert first.message.to_uri == "sip:+421905@voip.example"
    assert first.message.cseq == (4, "INVITE")
    board.answers()
    second = challenged(board, first)
    assert second.message.cseq == (5, "INVITE")
    assert second.branch != first.branch
    assert shown(second.message).nonce == "n1"
    assert board.answers() == []  # the phone hears nothing of it
    board.receive(response(second.message, 180, tag="far"), PROVIDER)
    ringing = only(board.answers()).message
    assert (ringing.cseq, ringing.from_uri) == ((7, "INVITE"), "sip:lukas@10.0.0.1")
    assert (ringing.to_uri, ringing.to_tag) == ("sip:0905@10.0.0.1", "far")
    board.receive(response(second.message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    accepted = only(board.answers()).message
    assert accepted.cseq == (7, "INVITE")
    assert "lukas" not in second.message.values("record-route")[0]


def test_requests_within_the_dialog_go_on_counting(board: Board) -> None:
    invite, accepted = answered(board)
    board.receive(within("ACK", accepted, 7), LUKAS)
    ack = only(board.sent())
    assert (ack.to, ack.message.cseq) == (PROVIDER, (5, "ACK"))
    assert (ack.message.from_uri, ack.message.to_uri) == (invite.message.from_uri, invite.message.to_uri)
    board.receive(within("BYE", accepted, 8), LUKAS)
    bye = only(board.sent())
    assert (bye.to, bye.message.cseq) == (PROVIDER, (8, "BYE"))
    board.receive(response(bye.message, 200, tag="far"), PROVIDER)
    ended = only(board.answers()).message
    assert (ended.cseq, ended.from_uri, ended.to_uri) == (
        (8, "BYE"),
        "sip:lukas@10.0.0.1",
        "sip:0905@10.0.0.1",
    )
    assert board.kinds()[-1] == "bye"


def test_a_bye_that_is_challenged_is_answered(board: Board) -> None:
    _, accepted = answered(board)
    board.receive(within("BYE", accepted, 8), LUKAS)
    bye = only(board.sent())
    board.receive(response(bye.message, 407, tag="far", lines=(asks("n2"),)), PROVIDER)
    again = only(board.sent())
    assert (again.message.method, again.message.cseq[0]) == ("BYE", 9)
    assert shown(again.message).nonce == "n2"
    board.receive(response(again.message, 200, tag="far"), PROVIDER)
    assert only(board.answers()).message.cseq == (8, "BYE")


def test_a_re_invite_that_is_challenged_is_acknowledged_by_its_number(board: Board) -> None:
    _, accepted = answered(board)
    raw = within("INVITE", accepted, 8).replace(
        b"CSeq:", f"Contact: <sip:lukas@{LUKAS[0]}>\r\nCSeq:".encode()
    )
    board.receive(raw, LUKAS)
    again = challenged(board, only(board.sent()), "n2")
    assert again.message.cseq == (9, "INVITE")
    board.answers()
    board.receive(response(again.message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    contact = only(board.answers()).message.get("contact") or ""
    raw = within("ACK", accepted, 8).replace(b"ACK sip:900@10.9.0.1", f"ACK {contact[1:-1]}".encode())
    board.receive(raw, LUKAS)
    ack = only(board.sent())
    assert (ack.to, ack.message.cseq, ack.message.uri) == (PROVIDER, (9, "ACK"), "sip:900@10.9.0.1")
    raw = within("BYE", accepted, 9).replace(b"BYE sip:900@10.9.0.1", f"BYE {contact[1:-1]}".encode())
    board.receive(raw, LUKAS)
    assert only(board.sent()).message.cseq == (12, "BYE")


def test_a_bye_of_the_provider_is_led_back(board: Board) -> None:
    invite, _ = answered(board)
    sides = invite.message
    raw = request(
        "BYE",
        f"sip:lukas@{LUKAS[0]}",
        branch="z9hG4bKfar",
        source=PROVIDER,
        cseq=1,
        lines=tuple(f"Route: {each}" for each in sides.values("record-route")),
    )
    raw = raw.replace(b"From: <sip:lukas@10.0.0.1>;tag=from-1", f"From: <{sides.to_uri}>;tag=far".encode())
    raw = raw.replace(f"To: <sip:lukas@{LUKAS[0]}>".encode(), f"To: {sides.get('from')}".encode())
    board.receive(raw, PROVIDER)
    bye = only(board.sent())
    assert (bye.to, bye.message.cseq) == (LUKAS, (1, "BYE"))
    assert (bye.message.from_uri, bye.message.from_tag) == ("sip:0905@10.0.0.1", "far")
    assert (bye.message.to_uri, bye.message.to_tag) == ("sip:lukas@10.0.0.1", "from-1")
    board.receive(response(bye.message, 200), LUKAS)
    ended = only(board.answers())
    assert ended.to == PROVIDER
    assert (ended.message.from_uri, ended.message.to_uri) == (sides.to_uri, sides.from_uri)


def test_a_cancel_has_the_number_of_its_invite(board: Board) -> None:
    invite = challenged(board, dial(board))
    board.receive(response(invite.message, 180, tag="far"), PROVIDER)
    board.receive(request("CANCEL", "sip:0905@10.0.0.1", caller="sip:lukas@10.0.0.1", cseq=7), LUKAS)
    cancel = only(board.sent())
    assert (cancel.message.method, cancel.message.cseq[0], cancel.branch) == ("CANCEL", 5, invite.branch)
    board.receive(response(invite.message, 487, tag="far"), PROVIDER)
    assert board.statuses()[-1] == 487


def test_a_password_that_is_not_taken_ends_in_words_and_the_next_trunk_is_tried(board: Board) -> None:
    invite = challenged(board, dial(board))
    board.receive(response(invite.message, 407, lines=(asks("n2"),)), PROVIDER)
    _, spare = board.sent()
    assert (spare.to, spare.message.from_uri) == (OTHER, "sip:482@q.example")
    board.receive(response(spare.message, 503), OTHER)
    final = board.answers()[-1]
    assert final.status == 502
    assert b"Trunk p Does Not Take Our Password" in final.raw
    assert final.message.get("proxy-authenticate") is None


def test_a_provider_that_finds_each_nonce_stale_gets_two_answers(board: Board) -> None:
    invite = challenged(board, dial(board))
    invite = challenged(board, invite, "n2", stale=True)
    assert invite.message.cseq[0] == 6
    board.receive(response(invite.message, 407, lines=(asks("n3", stale=True),)), PROVIDER)
    assert [each.to for each in board.sent()] == [PROVIDER, OTHER]


@pytest.mark.parametrize(
    ("password", "line", "words"),
    [
        ("", asks("n1"), b"Trunk p Wants A Password"),
        (PASSWORD, "Proxy-Authenticate: Basic realm=x", b"Trunk p Asks For What We Cannot Prove"),
    ],
)
def test_what_cannot_be_answered_is_told(password: str, line: str, words: bytes) -> None:
    board = board_with(password=password)
    invite = dial(board)
    board.receive(response(invite.message, 407, lines=(line,)), PROVIDER)
    spare = board.sent()[-1]
    board.receive(response(spare.message, 503), OTHER)
    assert words in board.answers()[-1].raw


def test_a_provider_that_is_busy_makes_it_the_next_ones_turn(board: Board) -> None:
    board.receive(response(dial(board).message, 503), PROVIDER)
    assert board.sent()[-1].to == OTHER


def test_who_is_busy_is_busy_by_every_trunk(board: Board) -> None:
    board.receive(response(dial(board).message, 486), PROVIDER)
    assert [each.line[:3] for each in board.sent()] == ["ACK"]
    final = board.answers()[-1]
    assert (final.status, final.message.cseq[0]) == (486, 7)


@pytest.mark.parametrize(
    ("identity", "sender", "asserted"),
    [
        (ASSERTED, "sip:481@voip.example", "<sip:+4212555@voip.example>"),
        (NONE, "sip:lukas@10.0.0.1", None),
    ],
)
def test_other_ways_to_say_who_calls(identity: str, sender: str, asserted: str | None) -> None:
    board = board_with(replace(TRUNK, identity=identity))
    invite = dial(board)
    assert invite.message.from_uri == sender
    assert invite.message.get("p-asserted-identity") == asserted


def test_a_prack_names_the_number_that_the_provider_knows(board: Board) -> None:
    _, accepted = answered(board)
    raw = within("PRACK", accepted, 8).replace(b"CSeq: 8 PRACK", b"CSeq: 8 PRACK\r\nRAck: 1 7 INVITE")
    board.receive(raw, LUKAS)
    assert only(board.sent()).message.get("rack") == "1 5 INVITE"


def test_names_of_any_length_are_undone_and_the_ack_has_the_number_of_its_invite(board: Board) -> None:
    raw = request("INVITE", "sip:0905@10.0.0.1", cseq=7, caller=f"sip:lukas@10.0.0.1;x={'x' * 2000}")
    board.receive(raw, LUKAS)
    invite = challenged(board, only(board.sent()))
    board.answers()
    board.receive(response(invite.message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    accepted = only(board.answers()).message
    board.receive(within("ACK", accepted, 7), LUKAS)
    assert only(board.sent()).message.cseq == (5, "ACK")


@pytest.mark.parametrize(("number", "seen"), [(0, 0), (6, 0), (2**29 + 7, LARGEST), (2**31 - 1, LARGEST)])
def test_a_number_that_cannot_be_spread_stays_a_number(board: Board, number: int, seen: int) -> None:
    """The provider refuses the one that is too low; it got one below 0, which no one can read, and the call stayed."""
    _, accepted = answered(board)
    board.receive(within("BYE", accepted, number), LUKAS)
    bye = only(board.sent())
    assert bye.message.cseq == (seen, "BYE")
    board.receive(response(bye.message, 407, tag="far", lines=(asks("n2"),)), PROVIDER)
    again = only(board.sent())
    assert again.message.cseq == (seen + 1, "BYE")
    board.receive(response(again.message, 500, tag="far"), PROVIDER)
    assert only(board.answers()).message.cseq == (number, "BYE")


def test_a_mask_of_another_dialog_is_none(board: Board) -> None:
    """Whoever has a Route of ours cannot use it in another dialog: nobody else is to have our password proved."""
    _, accepted = answered(board)
    board.receive(within("BYE", accepted, 8).replace(b"call-1", b"call-2"), LUKAS)
    sent = only(board.sent()).message
    assert (sent.cseq[0], sent.from_uri) == (8, "sip:lukas@10.0.0.1")


def test_nobody_but_the_provider_gets_a_proof_within_a_dialog(board: Board) -> None:
    _, accepted = answered(board)
    elsewhere = ("10.0.0.66", 5060)
    raw = within("INFO", accepted, 8).replace(b"INFO sip:900@10.9.0.1", b"INFO sip:900@10.0.0.66")
    board.receive(raw, LUKAS)
    info = only(board.sent())
    assert info.to == elsewhere
    board.receive(response(info.message, 407, tag="far", lines=(asks("n"),)), elsewhere)
    assert not board.sent()


def call_in(
    board: Board,
    uri: str = TOKEN,
    source: tuple[str, int] = PROVIDER,
    method: str = "INVITE",
    to: str = "sip:+42125551@voip.example",
) -> None:
    raw = request(method, uri, source=source, caller="sip:0900@voip.example", lines=(CONTACT,))
    board.receive(raw.replace(f"To: <{uri}>".encode(), f"To: <{to}>".encode()), source)


def test_a_call_of_the_provider_goes_to_whose_number_it_is(board: Board) -> None:
    call_in(board)
    assert only(board.sent()).message.uri == f"sip:lenka@{LENKA[0]}:5060"
    assert board.events[0].details == ("sip:0900@voip.example", "sip:+42125551@voip.example")


def test_the_number_may_be_the_request_uri(board: Board) -> None:
    call_in(board, "sip:+4212555@10.0.0.1", to="sip:anybody@10.0.0.1")
    assert only(board.sent()).message.uri == f"sip:lukas@{LUKAS[0]}:5060"


def test_a_number_is_found_in_any_form() -> None:
    board = board_with(replace(TRUNK, numbers={"+421255500101": "lenka"}), country="SK")
    for number in ("+421255500101", "421255500101", "0255500101", "00421255500101"):
        call_in(board, to=f"sip:{number}@voip.example")
        assert only(board.sent()).message.uri == f"sip:lenka@{LENKA[0]}:5060"
        board = board_with(replace(TRUNK, numbers={"0255500101": "lenka"}), country="SK")


def test_another_number_is_nobodys() -> None:
    board = board_with()
    call_in(board, to="sip:+1@voip.example")
    assert not board.sent()
    assert board.statuses() == [404]
    board = board_with(replace(TRUNK, numbers={"*": "lenka"}))
    call_in(board, to="sip:+1@voip.example")
    assert only(board.sent()).message.uri == f"sip:lenka@{LENKA[0]}:5060"


def test_nobody_else_uses_that_way(board: Board) -> None:
    call_in(board, source=("10.6.6.6", 5060))
    assert not board.sent()
    assert board.statuses() == [403]


def test_networks_of_the_provider_besides_its_name() -> None:
    board = board_with(replace(TRUNK, sources=parse_networks(["10.6.6.0/24"])))
    call_in(board, source=("10.6.6.6", 5060))
    assert only(board.sent()).message.uri == f"sip:lenka@{LENKA[0]}:5060"


def test_the_provider_may_begin_nothing_else(board: Board) -> None:
    call_in(board, method="OPTIONS")
    assert board.statuses() == [200]
    call_in(board, method="REFER")
    assert board.statuses() == [405]
    call_in(board, "sip:0905@10.0.0.1")
    assert not board.sent()
    assert board.statuses() == [403]


def test_a_name_has_to_be_known_before_its_provider_calls() -> None:
    board = board_with(replace(TRUNK, uri="sip:voip.example"))
    board.twin, board.fragile = None, False
    call_in(board)
    assert board.statuses() == [503]
    board.resolve(board.lookups[0], PROVIDER)
    call_in(board, source=("10.6.6.6", 5060))
    assert board.statuses() == [403]


def forwarding(trunk: Trunk = TRUNK) -> Board:
    """Lenka's calls go to her mobile phone, by the trunk."""
    board = board_with(trunk)
    board.rules = StaticRules({"lenka": UserRules(no_answer="0905", after_s=5)})
    board.__post_init__()
    board.bind("lukas", f"sip:lukas@{LUKAS[0]}:5060")
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:5060")
    board.advance(0.1)
    return board


def test_a_call_that_is_forwarded_goes_out_by_the_trunk() -> None:
    board = forwarding()
    board.receive(request("INVITE", "sip:lenka@10.0.0.1", cseq=7), LUKAS)
    board.receive(response(only(board.sent()).message, 180, tag="l"), LENKA)
    board.advance(5.1)
    invite = next(each for each in board.sent() if each.to == PROVIDER)
    assert invite.message.uri == "sip:+421905@10.9.0.1;user=phone"
    second = challenged(board, invite)
    assert len(second.message.values("history-info")) == 2
    board.answers()
    board.receive(response(second.message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    accepted = only(board.answers()).message
    assert (accepted.status, accepted.cseq) == (200, (7, "INVITE"))
    assert accepted.to_uri == "sip:lenka@10.0.0.1"


def test_a_call_of_the_provider_is_forwarded_out_again() -> None:
    board = forwarding()
    lines = (f"Contact: <sip:0907@{PROVIDER[0]}>",)
    raw = request("INVITE", TOKEN, source=PROVIDER, caller="sip:0907@voip.example", lines=lines)
    board.receive(raw.replace(f"To: <{TOKEN}>".encode(), b"To: <sip:+42125551@voip.example>"), PROVIDER)
    first = only(board.sent())
    assert first.to == LENKA
    board.receive(response(first.message, 180, tag="l"), LENKA)
    board.advance(5.1)
    invite = next(each for each in board.sent() if each.to == PROVIDER)
    assert token_of(KEY, "p") not in " ".join(invite.message.values("history-info"))
    second = challenged(board, invite)
    board.answers()
    board.receive(response(second.message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    accepted = only(board.answers()).message
    assert (accepted.status, accepted.cseq) == (200, (1, "INVITE"))
    assert accepted.from_uri == "sip:0907@voip.example"
    assert accepted.to_uri == "sip:+42125551@voip.example"


def test_a_forward_goes_by_a_trunk_and_tells_nothing_of_its_name() -> None:
    board = board_with(rules=StaticRules({"lenka": UserRules(always="0905")}))
    lines = (f"Contact: <sip:lukas@{LUKAS[0]}>",)
    board.receive(request("INVITE", "sip:lenka@10.0.0.1", lines=lines, cseq=7), LUKAS)
    invite = only(board.sent())
    assert (invite.to, invite.message.uri) == (PROVIDER, "sip:+421905@10.9.0.1;user=phone")
    assert invite.message.cseq == (4, "INVITE")
    assert "trunk" not in (invite.message.get("history-info") or "")
    board.receive(response(challenged(board, invite).message, 200, tag="far", lines=(CONTACT,)), PROVIDER)
    assert board.answers()[-1].message.cseq == (7, "INVITE")


def test_a_text_goes_by_a_trunk(board: Board) -> None:
    board.receive(request("MESSAGE", "sip:0905@10.0.0.1", cseq=3, body=b"hello"), LUKAS)
    sent = only(board.sent())
    assert (sent.message.cseq, sent.message.from_uri) == ((4, "MESSAGE"), "sip:+4212555@voip.example")
    board.receive(response(sent.message, 407, lines=(asks("n"),)), PROVIDER)
    again = only(board.sent())
    assert (again.message.cseq[0], again.message.body) == (5, b"hello")
    board.receive(response(again.message, 202), PROVIDER)
    final = board.answers()[-1].message
    assert (final.status, final.cseq, final.from_uri) == (202, (3, "MESSAGE"), "sip:lukas@10.0.0.1")


@pytest.mark.parametrize("token", [b"A" * 20, b"-_" * 60, b"A" * 1200, "é".encode(), b"\xff" * 20, b""])
def test_a_forged_mask_changes_nothing(board: Board, token: bytes) -> None:
    _, accepted = answered(board)
    forged = re.sub(rb";st=[A-Za-z0-9_-]+", b";st=" + token, within("BYE", accepted, 8))
    board.receive(forged, LUKAS)
    sent = only(board.sent()).message
    assert (sent.cseq[0], sent.from_uri) == (8, "sip:lukas@10.0.0.1")


def test_where_users_need_a_password_the_provider_needs_none() -> None:
    board = board_with(authenticator=make_authenticator())
    call_in(board)
    invite = only(board.sent())
    board.receive(
        response(invite.message, 200, tag="here", lines=(f"Contact: <sip:lenka@{LENKA[0]}>",)), LENKA
    )
    accepted = board.answers()[-1].message
    for method, number in (("ACK", 1), ("BYE", 2)):
        raw = request(
            method,
            f"sip:lenka@{LENKA[0]}",
            branch=f"z9hG4bK{method}",
            source=PROVIDER,
            caller="sip:0900@voip.example",
            cseq=number,
            to_tag="here",
            lines=tuple(f"Route: {each}" for each in accepted.values("record-route")[::-1]),
        )
        board.receive(raw, PROVIDER)
        assert only(board.sent()).to == LENKA


def test_where_users_need_a_password_nobody_else_calls_by_a_trunk() -> None:
    board = board_with(authenticator=make_authenticator())
    board.receive(request("INVITE", "sip:0905@10.0.0.1"), LUKAS)
    assert not board.sent()
    assert board.statuses() == [407]
    call_in(board, source=("10.6.6.6", 5060))
    assert board.statuses() == [403]


SAID = (
    "P-Asserted-Identity: <sip:+421907@voip.example>",
    "P-Preferred-Identity: <sip:somebody@voip.example>",
    'Alert-Info: <http://h>;info="alert-autoanswer"',
)


@pytest.mark.parametrize(
    ("trusts", "more", "is_told"),
    [
        (False, (), False),
        (True, (), True),
        (True, ("Privacy: id",), False),
        (True, ("Privacy: header;ID;critical",), False),
        (True, ("Privacy: none",), True),
    ],
)
def test_who_calls_is_told_by_a_provider_that_is_believed(
    trusts: bool, more: tuple[str, ...], is_told: bool
) -> None:
    board = board_with(replace(TRUNK, trusts_identity=trusts))
    uri = "sip:+42125551@10.0.0.1"
    board.receive(
        request("INVITE", uri, source=PROVIDER, lines=(CONTACT, *SAID, *more), call_id="in"), PROVIDER
    )
    invite = only(board.sent()).message
    assert invite.get("p-asserted-identity") == ("<sip:+421907@voip.example>" if is_told else None)
    assert (invite.get("p-preferred-identity"), invite.get("alert-info")) == (None, None)
    answer = response(invite, 180, lines=SAID[:1])
    board.receive(answer, LENKA)
    assert board.answers()[-1].message.get("p-asserted-identity") is None


def test_nobody_else_is_believed_who_calls() -> None:
    board = board_with(replace(TRUNK, trusts_identity=True))
    board.receive(request("INVITE", "sip:lenka@10.0.0.1", lines=SAID, call_id="in"), LUKAS)
    assert only(board.sent()).message.get("p-asserted-identity") is None
