"""Whose requests go through, while users need a password (RFC 3261 §22.3)."""

import re

import pytest
from auth.answering import answer
from auth.authenticators import LIFETIME_S, PASSWORDS, make_authenticator
from playbook import KEY, LENKA, LUKAS, PETER, Board, Sent, own_route, request, response

from switchboard.auth.failures import Failure, Failures, Reason
from switchboard.auth.users import Users
from switchboard.core.commands import Lookup
from switchboard.core.dial_plan import DialPlan, Rule, pattern_of
from switchboard.core.trunks import Trunk, Trunks
from switchboard.sip.message import parse_message

CALLEE = "sip:lenka@10.0.0.1"
CONTACT = "sip:lenka@10.0.0.12:5060"
FOREIGN = "sip:somebody@192.0.2.7:5080"
STRANGER = "sip:stranger@elsewhere.example"
ALLOW = "Allow: " + ", ".join(f"X-METHOD-{number}" for number in range(20))
"""Phones say so much that a whole challenge is no longer."""


def make_board(**more: object) -> Board:
    failures = Failures()
    users = more.pop("known", None)
    authenticator = make_authenticator(
        failures, users=users if isinstance(users, Users) else None, trusted=("10.0.0.99/32",)
    )
    board = Board(authenticator=authenticator, failures=failures, **more)  # type: ignore[arg-type]
    board.bind("lukas", "sip:lukas@10.0.0.11")
    board.bind("lenka", CONTACT)
    return board


def make_outside() -> Board:
    """With a trunk for all, and numbers that only the class of lukas may call."""
    way = ("sip:10.9.0.1;trunk=p",)
    rules = (
        Rule("out", pattern_of("0*"), uris=way),
        Rule("dear", pattern_of("8*"), uris=way, classes=frozenset({"bosses"})),
    )
    trunk = Trunk("p", "sip:10.9.0.1", "voip.example", "481", callers={"lukas": "+1", "lenka": "+2"})
    trunks = Trunks(KEY, {"p": trunk}, lambda _: "secret")
    return make_board(dial_plan=DialPlan(rules, classes={"lukas": "bosses"}), trunks=trunks)


@pytest.fixture
def board() -> Board:
    return make_board()


def challenge(board: Board) -> Sent:
    """The only answer so far, which asks for a password."""
    (answered,) = board.answers()
    assert answered.status == 407
    return answered


def with_password(
    board: Board,
    method: str,
    uri: str,
    *,
    user: str = "lukas",
    password: str = "",
    number: int = 0,
    lines: tuple[str, ...] = (),
    **more: object,
) -> bytes:
    """What a phone sends that was asked for its password."""
    first = request(method, uri, lines=(*lines, ALLOW), branch="z9hG4bKask", **more)  # type: ignore[arg-type]
    board.receive(first, LUKAS)
    asked = challenge(board).message.values("proxy-authenticate")
    texts = [value for value in re.split(r"(?=Digest )", ",".join(asked)) if value]
    shown = answer(texts[number], user, password or PASSWORDS.get(user, ""), method, uri)
    lines += (f"Proxy-Authorization: {shown}",)
    return request(method, uri, cseq=2, branch="z9hG4bKshow", lines=lines, **more)  # type: ignore[arg-type]


class TestUsers:
    @pytest.mark.parametrize("number", [0, 1])
    @pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "SUBSCRIBE", "OPTIONS"])
    def test_pass_when_they_show_their_password(self, board: Board, method: str, number: int) -> None:
        board.receive(with_password(board, method, CALLEE, number=number), LUKAS)
        (sent,) = board.sent()
        assert (sent.to, sent.message.method) == (LENKA, method)
        assert board.failures.take() == []

    @pytest.mark.parametrize("method", ["INVITE", "MESSAGE"])
    def test_are_the_engines_once_they_are_admitted(self, board: Board, method: str) -> None:
        raw = with_password(board, method, CALLEE)
        plain = board.core.stats().get("plain")
        board.receive(raw, LUKAS)
        board.receive(response(board.sent()[0].message, 200, lines=(f"Contact: <{CONTACT}>",)), LENKA)
        if plain is not None and not board.fragile:
            assert board.core.stats()["plain"] == plain + 2
        assert board.statuses()[-1] == 200

    @pytest.mark.parametrize("more", ["x=", "x=;y", f"x={900 * 'x'}"])
    def test_prove_once_who_they_are_where_a_mask_is_odd(self, more: str) -> None:
        """A proof that was used may not be used again: what the engine leaves to the reference it has not judged."""
        board = make_outside()
        raw = with_password(board, "INVITE", "sip:0905@10.0.0.1")
        board.receive(raw.replace(b";tag=from-1", f";{more};tag=from-1".encode()), LUKAS)
        assert board.sent()[0].message.from_uri == "sip:+1@voip.example"

    @pytest.mark.parametrize(
        ("user", "far"), [("lukas", "sip:+1@voip.example"), ("lenka", "sip:+2@voip.example")]
    )
    def test_call_outside_as_who_they_have_proved_to_be(self, user: str, far: str) -> None:
        """The number that the provider is told is that of the credentials' user, and the class is, too."""
        board = make_outside()
        source = LUKAS if user == "lukas" else LENKA
        more = {"user": user, "caller": f"sip:{user}@10.0.0.1"}
        raw = with_password(board, "INVITE", "sip:0905@10.0.0.1", **more)  # type: ignore[arg-type]
        board.receive(raw, source)
        (sent,) = board.sent()
        assert (sent.to, sent.message.from_uri) == (("10.9.0.1", 5060), far)
        assert sent.message.get("proxy-authorization") is None
        board.answers()
        raw = with_password(board, "INVITE", "sip:8905@10.0.0.1", call_id="dear", **more)  # type: ignore[arg-type]
        board.receive(raw.replace(b"z9hG4bKshow", b"z9hG4bKdear"), source)
        assert len(board.sent()) == (user == "lukas")

    def test_nobody_else_calls_outside(self) -> None:
        board = make_outside()
        board.receive(with_password(board, "INVITE", "sip:0905@10.0.0.1"), LUKAS)
        assert len(board.sent()) == 1
        board.answers()
        raw = with_password(board, "INVITE", "sip:0905@10.0.0.1", password="wrong", call_id="call-2")
        board.receive(raw.replace(b"z9hG4bKshow", b"z9hG4bKtwo"), LUKAS)
        assert (board.sent(), board.statuses()[-1]) == ([], 407)

    def test_who_fails_the_proof_is_asked_again(self, board: Board) -> None:
        raw = with_password(board, "INVITE", CALLEE, password="wrong")
        board.receive(raw, LUKAS)
        assert board.statuses() == [407]
        assert (board.sent(), [failure.reason for failure in board.failures.take()]) == (
            [],
            [Reason.WRONG_PASSWORD],
        )

    def test_our_credentials_stay_here_and_others_go_on(self, board: Board) -> None:
        theirs = 'Proxy-Authorization: Digest username="a",realm="else",nonce="n",uri="u",response="r"'
        ours = 'Authorization: Digest username="a",realm="pbx.example",nonce="n",uri="u",response="r"'
        board.receive(with_password(board, "INVITE", CALLEE, lines=(theirs, ours)), LUKAS)
        (sent,) = board.sent()
        assert sent.message.all("proxy-authorization") == [theirs.partition(": ")[2]]
        assert sent.message.all("authorization") == []
        assert sent.message.get("call-id") == "call-1"

    def test_are_asked_without_state_and_their_ack_ends_here(self, board: Board) -> None:
        board.receive(request("INVITE", CALLEE), LUKAS)
        asked = challenge(board)
        board.receive(request("INVITE", CALLEE), LUKAS)
        again = challenge(board)
        assert asked.message.to_tag == again.message.to_tag != ""
        assert asked.message.all("proxy-authenticate") != again.message.all("proxy-authenticate")
        board.receive(request("ACK", CALLEE, to_tag=asked.message.to_tag), LUKAS)
        board.advance(40)
        assert (board.sent(), board.answers()) == ([], [])
        assert board.proxy.env.layer.server_count == 0
        assert board.kinds() == []

    def test_retransmissions_are_no_replays(self, board: Board) -> None:
        raw = with_password(board, "INVITE", CALLEE)
        board.receive(raw, LUKAS)
        board.receive(raw, LUKAS)
        assert board.statuses() == [100, 100]
        assert board.failures.take() == []

    def test_a_replay_is_asked_for_another_nonce(self, board: Board) -> None:
        raw = with_password(board, "INVITE", CALLEE)
        board.receive(raw, LUKAS)
        board.answers()
        first = board.requests[0].branch
        board.receive(raw.replace(b"z9hG4bKshow", b"z9hG4bKnext"), PETER)
        assert b"stale=true" in challenge(board).raw
        assert board.failures.take() == []
        assert board.failures.count == 0
        assert [sent.branch for sent in board.sent()] == [first]
        assert board.authenticator is not None
        assert board.authenticator.repeated == 1

    def test_an_old_nonce_is_stale_and_no_failure(self, board: Board) -> None:
        raw = with_password(board, "INVITE", CALLEE)
        board.advance(LIFETIME_S + 1)
        board.receive(raw, LUKAS)
        assert b"stale=true" in challenge(board).raw
        assert board.failures.take() == []

    @pytest.mark.parametrize(
        ("user", "password", "reason"),
        [("lukas", "wrong", Reason.WRONG_PASSWORD), ("nobody", "wrong", Reason.UNKNOWN_USER)],
    )
    def test_who_shows_a_wrong_one_is_asked_again(
        self, board: Board, user: str, password: str, reason: Reason
    ) -> None:
        board.receive(with_password(board, "INVITE", CALLEE, user=user, password=password), LUKAS)
        assert b"stale" not in challenge(board).raw
        assert board.failures.take() == [Failure(LUKAS[0], user, "INVITE", reason, algorithm="SHA-256")]
        assert not board.sent()

    def test_call_under_their_own_name_only(self, board: Board) -> None:
        raw = with_password(board, "INVITE", CALLEE, caller="sip:lenka@10.0.0.1")
        board.receive(raw, LUKAS)
        assert board.statuses() == [403]
        assert board.failures.take() == [
            Failure(LUKAS[0], "lukas", "INVITE", Reason.NOT_OWN_FROM, algorithm="SHA-256")
        ]
        assert not board.sent()

    def test_be_it_at_the_address_that_they_send_from(self, board: Board) -> None:
        """Some user agents name no domain of ours in From."""
        board.receive(with_password(board, "INVITE", CALLEE, caller=f"sip:lukas@{LUKAS[0]}"), LUKAS)
        assert board.sent()[0].to == LENKA
        board.answers()
        for caller in (f"sip:lenka@{LUKAS[0]}", "sip:lukas@10.0.0.99"):
            board.receive(with_password(board, "MESSAGE", CALLEE, caller=caller, call_id=caller), LUKAS)
            assert board.statuses() == [403]

    def test_or_under_none(self, board: Board) -> None:
        board.receive(with_password(board, "INVITE", CALLEE, caller="sip:anonymous@anonymous.invalid"), LUKAS)
        assert board.sent()[0].to == LENKA

    def test_reach_foreign_domains_wherever_they_are(self, board: Board) -> None:
        board.receive(with_password(board, "INVITE", FOREIGN, source=PETER), PETER)
        assert board.sent()[0].to == ("192.0.2.7", 5080)

    def test_cannot_be_told_while_nobody_knows_them(self) -> None:
        board = make_board(known=Users("pbx.example"))
        board.receive(request("INVITE", CALLEE), LUKAS)
        (answered,) = board.answers()
        assert (answered.status, answered.message.get("retry-after")) == (503, "5")

    def test_are_named_to_trusted_peers_if_asked_for(self) -> None:
        board = make_board(asserted_domain="pbx.example", trusted=("10.0.0.99/32",))
        board.receive(with_password(board, "INVITE", "sip:1@10.0.0.99"), LUKAS)
        assert board.sent()[0].message.all("p-asserted-identity") == ["<sip:lukas@pbx.example>"]
        board.answers()
        board.receive(request("MESSAGE", CALLEE, call_id="call-2"), ("10.0.0.99", 5060))
        assert board.sent()[0].message.all("p-asserted-identity") == []


class TestStrangers:
    @pytest.mark.parametrize("target", [CALLEE, CONTACT, FOREIGN, "sip:nobody@10.0.0.1", "sip:10.0.0.1"])
    def test_hear_the_same_whomever_they_call(self, board: Board, target: str) -> None:
        board.receive(request("INVITE", target, caller=STRANGER), PETER)
        challenge(board)
        assert not board.sent()

    def test_may_call_users_where_the_operator_says_so(self) -> None:
        board = make_board(strangers=True)
        board.receive(request("INVITE", CALLEE, caller=STRANGER), PETER)
        assert board.sent()[0].to == LENKA

    @pytest.mark.parametrize(
        ("target", "caller"), [(FOREIGN, STRANGER), (CALLEE, "sip:lukas@10.0.0.1"), (CONTACT, STRANGER)]
    )
    def test_but_nobody_else_and_not_as_users(self, target: str, caller: str) -> None:
        board = make_board(strangers=True)
        board.receive(request("INVITE", target, caller=caller), PETER)
        challenge(board)
        assert not board.sent()

    def test_may_ask_whether_we_are_there(self, board: Board) -> None:
        board.receive(request("OPTIONS", "sip:10.0.0.1", caller=STRANGER), PETER)
        assert board.statuses() == [200]

    def test_are_no_probes_though_they_say_so(self, board: Board) -> None:
        asked = request("OPTIONS", "sip:10.0.0.1", caller=STRANGER, call_id="switchboard-probe-1")
        board.receive(asked, PETER)
        assert "probes" not in board.core.stats()
        board.receive(asked.replace(b"z9hG4bK", b"z9hG4bKx"), ("10.0.0.1", 40000))
        assert board.core.stats()["probes"] == 1

    def test_are_believed_in_networks_that_are_trusted(self, board: Board) -> None:
        board.receive(request("INVITE", FOREIGN, caller=STRANGER), ("10.0.0.99", 5060))
        assert board.sent()[0].to == ("192.0.2.7", 5080)

    def test_gain_nothing_by_a_tag(self, board: Board) -> None:
        for route in ("<sip:10.0.0.1;lr>", own_route("sip:x@192.0.2.7")):
            lines = (f"Route: {route}",)
            board.receive(
                request(
                    "MESSAGE", CALLEE, caller=STRANGER, to_tag="t", lines=lines, branch=f"z9hG4bK{len(route)}"
                ),
                PETER,
            )
            challenge(board)
        assert not board.sent()


class TestDialogs:
    def test_a_whole_call_is_asked_for_a_password_once(self, board: Board) -> None:
        board.receive(with_password(board, "INVITE", CALLEE), LUKAS)
        (invite,) = board.sent()
        board.receive(response(invite.message, 200), LENKA)
        (_, accepted) = board.answers()
        (route,) = accepted.message.values("record-route")
        lines = (f"Route: {route}",)
        board.receive(request("ACK", CONTACT, branch="z9hG4bKa", cseq=2, to_tag="to-1", lines=lines), LUKAS)
        board.receive(request("BYE", CONTACT, branch="z9hG4bKb", cseq=3, to_tag="to-1", lines=lines), LUKAS)
        assert [sent.message.method for sent in board.sent()] == ["ACK", "BYE"]
        assert board.answers() == []

    def test_the_callee_too_may_end_it(self, board: Board) -> None:
        board.receive(with_password(board, "INVITE", CALLEE), LUKAS)
        (route,) = board.sent()[0].message.values("record-route")
        board.answers()
        bye = request(
            "BYE",
            "sip:lukas@10.0.0.11",
            source=LENKA,
            caller="sip:lenka@10.0.0.1",
            to_tag="from-1",
            lines=(f"Route: {route}",),
        ).replace(b";tag=from-1\r\nTo", b";tag=to-1\r\nTo")
        board.receive(bye, LENKA)
        assert board.sent()[0].to == LUKAS

    @pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "REFER", "SUBSCRIBE", "UPDATE"])
    def test_nothing_begins_elsewhere_by_the_seal_of_a_call_that_was_made_once(
        self, board: Board, method: str
    ) -> None:
        """Whoever was a user then would place calls for ever, and without a record."""
        board.receive(with_password(board, "INVITE", CALLEE), LUKAS)
        answer = response(board.sent()[0].message, 200, lines=(f"Contact: <{CONTACT}>",))
        board.receive(answer, LENKA)
        (route,) = board.answers()[-1].message.values("record-route")
        for target in (FOREIGN, "sip:1@10.0.0.99:5060"):
            branch = f"z9hG4bK{target[-2:]}"
            lines = (f"Route: {route}", ALLOW)
            raw = request(method, target, cseq=3, to_tag="t", branch=branch, lines=lines)
            board.receive(raw, LUKAS)
            challenge(board)
        assert not board.sent()

    @pytest.mark.parametrize("source", [(LUKAS[0], 5099), PETER])
    def test_a_cancel_from_elsewhere_ends_nothing(self, board: Board, source: tuple[str, int]) -> None:
        """Whoever has seen the Via could send it (§9.1)."""
        raw = with_password(board, "INVITE", CALLEE)
        board.receive(raw, LUKAS)
        board.receive(response(board.sent()[0].message, 180), LENKA)
        board.answers()
        board.receive(request("CANCEL", CALLEE, branch="z9hG4bKshow", cseq=2), source)
        assert board.statuses() == [481]
        assert not board.sent()
        board.receive(request("CANCEL", CALLEE, branch="z9hG4bKshow", cseq=2), LUKAS)
        assert 200 in board.statuses(), "the caller's own is no repetition of it"
        assert board.sent()[0].message.method == "CANCEL"

    def test_but_one_with_the_credentials_of_its_invite_does(self, board: Board) -> None:
        raw = with_password(board, "INVITE", CALLEE)
        board.receive(raw, LUKAS)
        board.receive(response(board.sent()[0].message, 180), LENKA)
        shown = f"Proxy-Authorization: {parse_message(raw).get('proxy-authorization')}"
        board.receive(request("CANCEL", CALLEE, branch="z9hG4bKshow", cseq=2, lines=(shown,)), PETER)
        assert board.sent()[0].message.method == "CANCEL"

    def test_a_cancel_is_never_asked(self, board: Board) -> None:
        board.receive(with_password(board, "INVITE", CALLEE), LUKAS)
        board.receive(response(board.sent()[0].message, 180), LENKA)
        board.answers()
        board.receive(request("CANCEL", CALLEE, branch="z9hG4bKshow", cseq=2), LUKAS)
        assert board.statuses()[0] == 200
        assert board.sent()[0].message.method == "CANCEL"

    def test_a_user_who_is_reached_at_another_user_is_resolved_here(self, board: Board) -> None:
        board.bind("group", CALLEE, "sip:group@10.0.0.1", "sip:nobody@pbx.example")
        board.receive(with_password(board, "INVITE", "sip:group@10.0.0.1"), LUKAS)
        assert [sent.to for sent in board.sent()] == [LENKA]

    def test_an_ack_without_a_route_passes_that_fits_an_invite(self) -> None:
        """A stranger's user agent goes past Record-Route, and yet sends to us."""
        board = make_board(strangers=True, fragile=False)  # it is not written ahead
        board.receive(request("INVITE", CALLEE, caller=STRANGER), PETER)
        answer = response(board.sent()[0].message, 200, lines=(f"Contact: <{CONTACT};x=1>",))
        board.receive(answer, LENKA)
        there = f"{CONTACT};x=1"
        for target, call_id, reached in (
            (there, "call-2", []),
            (there, "call-1", [LENKA]),
            (there, "call-1", []),
        ):
            ack = request("ACK", target, caller=STRANGER, to_tag="to-1", branch="z9hG4bKack", call_id=call_id)
            board.receive(ack, PETER)
            assert [sent.to for sent in board.sent()] == reached

    def test_but_to_nobody_else(self) -> None:
        board = make_board(strangers=True)
        board.receive(request("INVITE", CALLEE, caller=STRANGER), PETER)
        board.receive(response(board.sent()[0].message, 200, lines=(f"Contact: <{CONTACT}>",)), LENKA)
        board.receive(request("ACK", FOREIGN, caller=STRANGER, to_tag="to-1", branch="z9hG4bKack"), PETER)
        assert not board.sent()

    def test_a_bye_without_a_route_passes_between_registered_phones(self, board: Board) -> None:
        board.receive(request("BYE", CONTACT, to_tag="t", branch="z9hG4bK1"), LUKAS)
        assert not board.sent()  # To names nobody of ours
        bye = request("BYE", CONTACT, to_tag="t").replace(
            b"To: <sip:lenka@10.0.0.12:5060>", b"To: <sip:lenka@10.0.0.1>"
        )
        board.receive(bye, PETER)
        assert not board.sent()  # from elsewhere than From is registered
        board.receive(bye.replace(b"z9hG4bKa1", b"z9hG4bKa2"), LUKAS)
        assert board.sent()[0].to == LENKA
        board.receive(bye.replace(b"BYE", b"INFO").replace(b"z9hG4bKa1", b"z9hG4bKa3"), LUKAS)
        assert not board.sent()


@pytest.mark.parametrize(
    "caller",
    [
        "sip:lukas@10.0.0.1:5999",
        "sip:lukas@10.0.0.1.",
        "sip:lukas@PBX.example.:5070",
        "sip:lukas@[::ffff:10.0.0.1]",
        "sip:lukas@10.0.0.01",
        "sip:lukas@10.0.0.1.@evil.example",
        "tel:+421900123456",
        "sip:lukas@10.0.0.1%20",
        "lukas",
    ],
)
def test_a_stranger_is_never_one_of_us(caller: str) -> None:
    board = make_board(strangers=True)
    board.receive(request("MESSAGE", CALLEE, caller=caller, lines=(ALLOW,)), PETER)
    assert [answer.status for answer in board.answers()] in ([407], [400])
    assert not board.sent()


def test_a_challenge_goes_back_and_nowhere_else(board: Board) -> None:
    """Whoever is named by maddr has asked for nothing."""
    raw = request("INVITE", CALLEE).replace(b";rport", b";maddr=203.0.113.5")
    board.receive(raw, LUKAS)
    assert challenge(board).to == LUKAS


def test_short_requests_are_not_challenged_without_end(board: Board) -> None:
    for number in range(100):
        board.receive(request("MESSAGE", CALLEE, call_id=f"call-{number}"), PETER)
    assert 5 < len(board.answers()) < 50


def test_but_those_from_where_a_user_is_registered_are(board: Board) -> None:
    for number in range(100):
        board.receive(request("MESSAGE", CALLEE, call_id=f"call-{number}"), LUKAS)
    assert len(board.answers()) == 100


@pytest.mark.parametrize("target", [CALLEE, CONTACT, FOREIGN])
def test_an_ack_that_nothing_leads_reaches_nobody(board: Board, target: str) -> None:
    """It is not asked for a password, so it goes only where the Route of its dialog leads."""
    board.receive(request("ACK", target, to_tag="made-up"), LUKAS)
    assert board.requests == board.responses == []
    assert board.proxy.counters["stray_acks"] == 1


def test_who_shares_a_phone_s_address_does_not_follow_for_it() -> None:
    """Behind one address translator: a stranger who was in a call with the phone, and knows its seal."""
    board = make_board(strangers=True)
    board.bind("lenka", "sip:s@192.168.1.5", next_hop="198.51.100.9:40123", source="198.51.100.9:40123")
    board.receive(request("INVITE", CALLEE, caller=STRANGER, lines=("Contact: <sip:a@10.0.0.13>",)), PETER)
    lines = tuple(f"Route: {route}" for route in board.sent()[0].message.values("record-route"))
    bye = request("BYE", FOREIGN, to_tag="from-1", caller=STRANGER, branch="z9hG4bKb", lines=lines)
    bye = bye.replace(b";tag=from-1\r\nTo", b";tag=to-1\r\nTo")
    board.receive(bye, ("198.51.100.9", 50000))
    assert board.statuses()[-1] == 407
    board.receive(bye.replace(b"z9hG4bKb", b"z9hG4bKc"), ("198.51.100.9", 40123))
    assert board.sent()[0].to == ("192.0.2.7", 5080)


@pytest.mark.parametrize("uri", ["sip:alias@pbx.example;maddr=192.0.2.7", f"{CONTACT};maddr=192.0.2.7"])
def test_no_maddr_leads_a_stranger_elsewhere(uri: str) -> None:
    """Neither if the URI names a user of ours, nor if somebody is registered at it."""
    for board in (make_board(strangers=True), Board()):
        board.bind("lenka", CONTACT, "sip:alias@pbx.example")
        board.receive(request("INVITE", uri, caller=STRANGER), PETER)
        assert not board.sent()


@pytest.mark.parametrize("uri", ["sip:lukas@pbx.example", "sip:lukas@10.0.0.1:9", "tel:+421900123456"])
def test_a_stranger_within_a_call_of_his_does_not_become_one_of_us(uri: str) -> None:
    """He has a seal, and his phone call may be over: what he says in From is what it was."""
    board = make_board(strangers=True)
    board.receive(request("INVITE", CALLEE, caller=STRANGER, lines=("Contact: <sip:a@10.0.0.13>",)), PETER)
    lines = tuple(f"Route: {route}" for route in board.sent()[0].message.values("record-route"))
    board.answers()
    for caller, expected in ((uri, [407]), (STRANGER, [])):
        raw = request(
            "MESSAGE", CONTACT, to_tag="any", caller=caller, branch=f"z9hG4bK{len(caller)}", lines=lines
        )
        board.receive(raw, PETER)
        assert board.statuses() == expected
    assert [sent.message.method for sent in board.sent()] == ["MESSAGE"]


def test_names_are_looked_up_for_the_user_wherever_that_one_calls_from(board: Board) -> None:
    board.receive(with_password(board, "INVITE", "sip:somebody@elsewhere.example"), LUKAS)
    assert board.askers == ["lukas"]


class TestRegistrationsElsewhere:
    def test_are_noted_with_domain_and_port(self) -> None:
        failures = Failures()
        board = Board(failures=failures)
        agent = ("User-Agent: Acme 7",)
        board.receive(request("REGISTER", "sip:pbx.office.local:5070", lines=agent), PETER)
        assert board.statuses() == [403]
        (noted,) = failures.take()
        assert (noted.reason, noted.domain, noted.user_agent) == (
            Reason.FOREIGN_DOMAIN,
            "pbx.office.local:5070",
            "Acme 7",
        )
        assert failures.count == 1

    def test_are_no_attack_where_a_password_is_asked_for(self) -> None:
        failures = Failures()
        board = Board(authenticator=make_authenticator(failures), failures=failures)
        board.receive(request("REGISTER", "sip:pbx.office.local"), PETER)
        assert board.statuses() == [407]
        assert [each.reason for each in failures.take()] == [Reason.ASKED_ELSEWHERE]
        assert failures.count == 0

    def test_are_noted_when_they_come_to_nothing(self) -> None:
        failures = Failures()
        board = Board(failures=failures)
        board.bind("lukas", "sip:lukas@10.0.0.11")
        board.receive(request("REGISTER", "sip:pbx.office.local"), LUKAS)
        board.resolve(Lookup("pbx.office.local", None), None)
        assert board.statuses()[-1] == 500
        assert [each.reason for each in failures.take()] == [Reason.UNREACHED_DOMAIN]
