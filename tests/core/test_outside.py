"""Calls by gateways and trunks in the engine: what it serves itself, what ends that, and that both decide the same."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playbook import EPOCH, HOST, KEY, LENKA, LUKAS, NAMES_LAST_S, Board, Sent, request, response
from stage import ANSWER_LINES, BOUNDS, LINES, Stage, play

from switchboard.auth.digest import MD5, SHA256, challenge
from switchboard.core.commands import Lookup, NextHop
from switchboard.core.dial_plan import DialPlan, Rule, pattern_of
from switchboard.core.native import IS_COMPILED
from switchboard.core.next_hops import ASIDE_S, SILENT_T1
from switchboard.core.trunk_masks import Mask, make_token
from switchboard.core.trunks import ASSERTED, NONE, Trunk, Trunks
from switchboard.sip.message import Message

PROVIDER, OTHER, GATEWAY = ("10.9.0.1", 5060), ("10.9.0.2", 5060), ("10.9.0.3", 5060)
ELSEWHERE = "sip:900@10.9.7.7:5070"
RULES = (
    Rule("out", pattern_of("0*"), 1, "+421", ("sip:10.9.0.1;trunk=p",)),
    Rule("spare", pattern_of("7*"), 0, "", ("sip:10.9.0.1;trunk=p", "sip:10.9.0.2;trunk=q")),
    Rule("dear", pattern_of("8*"), 0, "", ("sip:10.9.0.3",), classes=frozenset({"bosses"})),
    Rule("gateway", pattern_of("9*"), 0, "", ("sip:10.9.0.3",)),
    Rule("named", pattern_of("5*"), 0, "", ("sip:gateway.example",)),
    Rule("several", pattern_of("6*"), 0, "", ("sip:voip.example;trunk=n",)),
    Rule("refused", pattern_of("4*"), status=403),
)
NAME, HOPS = Lookup("voip.example", None), tuple(NextHop(*hop) for hop in (PROVIDER, OTHER, GATEWAY))
TRUNKS = {
    "p": Trunk("p", "sip:10.9.0.1", "voip.example", "481", caller="+4212555", callers={"lenka": "+42125551"}),
    "n": Trunk("n", "sip:10.9.0.1", "voip.example", "484"),
    "q": Trunk("q", "sip:10.9.0.2", "q.example", "482", identity=ASSERTED),
    "r": Trunk("r", "sip:10.9.0.4", "r.example", "483", identity=NONE),
}
CALLEES = (
    "0905",
    "0905123456",
    "9123",
    "7123",
    "lenka",
    "8123",
    "5123",
    "6123",
    "6123",
    "4123",
    "101",
    "112",
)
AT_PROVIDER = f"Contact: <sip:900@{PROVIDER[0]}:{PROVIDER[1]}>"
FAR_LINES = (
    (AT_PROVIDER,),
    (f"Contact: <{ELSEWHERE}>",),
    ("Contact: <sip:900@node7.voip.example>",),
    (AT_PROVIDER, "Session-Expires: 1800"),
    (f"Proxy-Authenticate: {challenge('voip', 'n1', MD5, stale=False)}", AT_PROVIDER),
    (f"WWW-Authenticate: {challenge('voip', 'n2', SHA256, stale=True)}",),
    *ANSWER_LINES,
)
PLAIN_LINES = ("Contact: <sip:lukas@10.0.0.11:5060>",)
KINDS = (0, 0, 2, 3, 4, 2, 3, 6, 7, 6, 7, 8, 9, 5, 12, 11, 10)
STEP = st.tuples(st.integers(0, len(KINDS) - 1), *(st.integers(0, most) for most in BOUNDS[1:]))


def board_of(**more: object) -> Board:
    plan = DialPlan(
        RULES,
        emergency=frozenset({"112"}),
        emergency_uris=("sip:10.9.0.3",),
        numbers={"101": "lenka"},
        classes={"lukas": "bosses"},
    )
    board = Board(dial_plan=plan, trunks=Trunks(KEY, TRUNKS, lambda _: "secret"), **more)  # type: ignore[arg-type]
    board.names = {NAME: HOPS}
    board.bind("lukas", f"sip:lukas@{LUKAS[0]}:5060")
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:5060")
    board.advance(0.1)
    return board


def dial(board: Board, number: str, **more: object) -> None:
    lines = (f"Contact: <sip:lukas@{LUKAS[0]}:5060>",)
    board.receive(request("INVITE", f"sip:{number}@{HOST}", lines=lines, cseq=7, **more), LUKAS)  # type: ignore[arg-type]


def within(method: str, accepted: Message, number: int, contact: str = "sip:900@10.9.0.1:5060") -> bytes:
    """A request of the phone within the dialog."""
    raw = request(
        method,
        contact,
        branch=f"z9hG4bK{method}{number}",
        cseq=number,
        to_tag="far",
        lines=tuple(f"Route: {each}" for each in accepted.values("record-route")[::-1]),
    )
    return raw.replace(f"To: <{contact}>".encode(), f"To: <{accepted.to_uri}>".encode())


def converse(board: Board, number: str, far: tuple[str, int], contact: str = "") -> Sent:
    """A whole call by the phone; returns what left of its INVITE. `contact`: of the other side, "" for `far`."""
    dial(board, number)
    invite = board.sent()[0]
    contact = contact or f"sip:900@{far[0]}:5060"
    lines = (f"Contact: <{contact}>",)
    for status in (180, 200):
        board.receive(response(invite.message, status, tag="far", lines=lines), far)
    accepted = board.answers()[-1].message
    assert (accepted.status, accepted.cseq) == (200, (7, "INVITE"))
    board.receive(within("ACK", accepted, 7, contact), LUKAS)
    board.receive(within("BYE", accepted, 8, contact), LUKAS)
    board.receive(response(board.sent()[-1].message, 200, tag="far"), far)
    assert board.kinds() == ["invite", "ringing", "answered", "bye"]
    return invite


def challenged(board: Board, invite: Sent, nonce: str = "n1", *, stale: bool = False) -> Sent:
    """The provider asks for a password; returns the INVITE that answers it."""
    line = f"Proxy-Authenticate: {challenge('voip', nonce, MD5, stale=stale)}"
    board.receive(response(invite.message, 407, tag="asked", lines=(line,)), PROVIDER)
    ack, again = board.sent()
    assert (ack.message.method, ack.message.cseq[0]) == ("ACK", invite.message.cseq[0])
    assert again.message.cseq[0] == invite.message.cseq[0] + 1
    assert again.message.get("proxy-authorization")
    return again


def shares(board: Board) -> tuple[float, float, float]:
    """Messages that the engine took, that were odd, and transactions that it gave away."""
    stats = board.core.stats()
    return stats["plain"], stats["odd"], stats["handed_over"]


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
@pytest.mark.parametrize(
    ("number", "far"), [("0905", PROVIDER), ("9123", GATEWAY), ("8123", GATEWAY), ("112", GATEWAY)]
)
def test_a_call_outside_is_the_engines(number: str, far: tuple[str, int]) -> None:
    board = board_of(fragile=False, native=True)
    converse(board, number, far)
    assert shares(board) == (6, 0, 0)


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
@pytest.mark.parametrize("contact", [ELSEWHERE, "sip:900@10.9.0.1:5070", "sip:10.9.7.7;transport=udp"])
def test_a_provider_that_names_another_address_than_the_one_called_is_the_engines(contact: str) -> None:
    board = board_of(fragile=False, native=True)
    converse(board, "0905", PROVIDER, contact)
    assert shares(board) == (6, 0, 0)


def test_a_stranger_is_not_brought_where_a_provider_says_to_be() -> None:
    """A claimed address gets requests of the dialog from where the phone was, and from nowhere else."""
    board = board_of()
    dial(board, "0905")
    board.receive(
        response(board.sent()[0].message, 200, tag="far", lines=(f"Contact: <{ELSEWHERE}>",)), PROVIDER
    )
    accepted = board.answers()[-1].message
    for source in (("10.6.6.6", 5060), LENKA, LUKAS, (LUKAS[0], 5099)):
        raw = within("INFO", accepted, 9 + source[1], ELSEWHERE).replace(
            b"z9hG4bK", b"z9hG4bK%d" % ord(source[0][-1])
        )
        board.receive(raw, source)
        went = [each.to for each in board.sent() if each.message.method == "INFO"]
        assert went == ([("10.9.7.7", 5070)] if source[0] == LUKAS[0] else [])


def known(board: Board, number: int = 0) -> Board:
    """A call by the named trunk was made and refused: it is known where the name leads."""
    dial(board, "6999", branch=f"z9hG4bKknown{number}", call_id=f"known-{number}")
    invite = board.sent()[-1]
    board.receive(response(invite.message, 486, tag="busy"), invite.to)
    board.sent(), board.answers()
    board.events.clear()
    return board


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
@pytest.mark.parametrize("contact", ["", ELSEWHERE])
def test_a_call_to_a_provider_by_name_is_the_engines(contact: str) -> None:
    board = known(board_of(fragile=False, native=True))
    plain, odd, handed_over = shares(board)
    converse(board, "6123", PROVIDER, contact)
    assert shares(board) == (plain + 6, odd, handed_over)


@pytest.mark.parametrize("way", ["lost", "503", "silent"])
def test_a_named_provider_that_fails_has_a_second_server(way: str) -> None:
    board = known(board_of())
    dial(board, "6123")
    first = board.sent()[0]
    assert first.to == PROVIDER
    if way == "lost":
        board.lose(first)
    elif way == "503":
        board.receive(response(first.message, 503), PROVIDER)
    else:
        board.advance(SILENT_T1 * 0.5 + 0.01)
    second = board.sent()[-1]
    assert (second.message.method, second.to) == ("INVITE", OTHER)
    board.receive(response(second.message, 503), OTHER)
    third = board.sent()[-1]
    assert third.to == GATEWAY
    board.receive(response(third.message, 404), GATEWAY)
    assert board.statuses()[-1] == 404


def test_a_challenged_call_to_a_named_provider_moves_on_when_that_has_too_much_to_do() -> None:
    board = known(board_of())
    dial(board, "6123")
    again = challenged(board, board.sent()[0])
    board.advance(SILENT_T1 * 0.5 + 0.01)
    assert {each.to for each in board.sent()} == {PROVIDER}
    board.receive(response(again.message, 503), PROVIDER)
    assert board.sent()[-1].to == OTHER


def test_a_named_provider_that_is_trying_is_waited_for() -> None:
    board = known(board_of())
    dial(board, "6123")
    board.receive(response(board.sent()[0].message, 100), PROVIDER)
    board.advance(4 * SILENT_T1 * 0.5)
    assert not board.sent()


def test_a_server_that_failed_is_left_out_for_a_while_and_then_tried_again() -> None:
    board = known(board_of(fragile=False))
    dial(board, "6123")
    board.receive(response(board.sent()[0].message, 503), PROVIDER)
    board.sent()
    for number, (pause, expected) in enumerate([(0.1, OTHER), (1.0, OTHER), (ASIDE_S, PROVIDER)]):
        board.advance(pause)
        board.sent()
        dial(board, "6123", branch=f"z9hG4bKn{number}", call_id=f"next-{number}")
        assert board.sent()[0].to == expected


def test_a_name_is_asked_for_again_when_its_answer_is_old() -> None:
    board, name = board_of(fragile=False), Lookup("gateway.example", None)
    board.names = {name: (NextHop(*OTHER),)}
    for number, (pause, expected) in enumerate([(0.1, OTHER), (NAMES_LAST_S - 1, OTHER), (2.0, GATEWAY)]):
        board.advance(pause)
        if expected == GATEWAY:
            board.names[name] = (NextHop(*GATEWAY),)
        board.sent()
        dial(board, "5123", branch=f"z9hG4bKn{number}", call_id=f"next-{number}")
        assert board.sent()[0].to == expected


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
def test_a_challenged_call_is_the_engines() -> None:
    board = board_of(fragile=False, native=True)
    dial(board, "0905")
    invite = challenged(board, challenged(board, board.sent()[0]), "n2", stale=True)
    board.receive(response(invite.message, 180, tag="far", lines=(AT_PROVIDER,)), PROVIDER)
    board.receive(response(invite.message, 200, tag="far", lines=(AT_PROVIDER,)), PROVIDER)
    accepted = board.answers()[-1].message
    board.receive(within("ACK", accepted, 7), LUKAS)
    assert board.sent()[-1].message.cseq == (6, "ACK")
    board.receive(within("BYE", accepted, 8), LUKAS)
    assert board.sent()[-1].message.cseq == (8, "BYE")
    assert shares(board) == (7, 0, 0)


def test_a_challenge_that_comes_again_is_acknowledged_again() -> None:
    board = board_of()
    dial(board, "0905")
    invite = board.sent()[0]
    again = challenged(board, invite)
    for tag in ("asked", "asked", "other"):
        board.receive(response(invite.message, 407, tag=tag), PROVIDER)
        (ack,) = board.sent()
        assert (ack.message.cseq, ack.message.to_tag) == ((4, "ACK"), tag)
    for status in (100, 180, 200):
        board.receive(response(invite.message, status, tag="late"), PROVIDER)
    assert not [each for each in board.answers() if each.status >= 180]
    board.receive(response(again.message, 486, tag="far"), PROVIDER)
    assert board.statuses()[-1] == 486


def test_a_challenged_call_that_nobody_answers_is_repeated_and_ends() -> None:
    board = board_of()
    dial(board, "0905")
    again = challenged(board, board.sent()[0])
    board.advance(0.6)
    assert [each.raw for each in board.sent()] == [again.raw]
    board.advance(40)
    assert board.statuses()[-1] == 408
    assert not [each for each in board.sent() if each.raw != again.raw]


def test_a_challenged_call_can_be_cancelled() -> None:
    board = board_of()
    dial(board, "0905")
    again = challenged(board, board.sent()[0])
    board.receive(response(again.message, 180, tag="far"), PROVIDER)
    board.receive(request("CANCEL", f"sip:0905@{HOST}", cseq=7), LUKAS)
    (cancel,) = board.sent()
    assert (cancel.message.cseq, cancel.branch) == ((5, "CANCEL"), again.branch)
    board.receive(response(again.message, 407, tag="far"), PROVIDER)
    assert board.statuses()[-1] == 487


def test_a_challenge_that_comes_after_the_cancel_is_not_answered() -> None:
    board = board_of()
    dial(board, "0905")
    invite = board.sent()[0]
    board.receive(request("CANCEL", f"sip:0905@{HOST}", cseq=7), LUKAS)
    line = f"Proxy-Authenticate: {challenge('voip', 'n1', MD5, stale=False)}"
    board.receive(response(invite.message, 407, tag="asked", lines=(line,)), PROVIDER)
    assert [each.message.method for each in board.sent()] == ["ACK"]
    assert board.statuses()[-1] == 487


def test_a_challenge_where_there_is_a_spare() -> None:
    board = board_of()
    dial(board, "7123")
    again = challenged(board, board.sent()[0])
    board.receive(response(again.message, 503), PROVIDER)
    assert [each.to for each in board.sent()] == [PROVIDER, OTHER]


def test_where_there_is_a_spare_the_reference_sees_the_final_response() -> None:
    board = board_of(fragile=False)
    converse(board, "7123", PROVIDER)
    assert not board.native or shares(board)[2] == 1


@pytest.mark.parametrize("status", [500, 503, 408, 486, 603])
def test_a_spare_gets_its_turn(status: int) -> None:
    board = board_of()
    dial(board, "7123")
    board.receive(response(board.sent()[0].message, status), PROVIDER)
    assert [each.to for each in board.sent()][1:] == ([OTHER] if status in (500, 503, 408) else [])


def test_a_cancelled_call_with_a_spare_goes_nowhere_else() -> None:
    board = board_of()
    dial(board, "7123")
    invite = board.sent()[0]
    board.receive(response(invite.message, 180), PROVIDER)
    raw = request("CANCEL", f"sip:7123@{HOST}", cseq=7)
    board.receive(raw, LUKAS)
    cancel = board.sent()[0]
    assert (cancel.message.method, cancel.message.cseq[0]) == ("CANCEL", invite.message.cseq[0])
    board.receive(response(invite.message, 503), PROVIDER)
    assert [each.message.method for each in board.sent()] == ["ACK"]


def test_who_has_gone_calls_nowhere() -> None:
    """What is remembered of a caller, and of a number, is forgotten with their bindings."""
    board = board_of()
    dial(board, "9123")
    assert board.sent()[0].to == GATEWAY
    board.bind("lukas")
    dial(board, "9123", branch="z9hG4bKb", call_id="call-2")
    assert (board.sent(), board.statuses()[-1]) == ([], 403)
    board.bind("lukas", f"sip:lukas@{LUKAS[0]}:5060")
    board.bind("9123", "sip:9123@10.0.0.12:5060")
    dial(board, "9123", branch="z9hG4bKc", call_id="call-3")
    assert board.sent()[0].to == LENKA


def test_a_binding_that_has_run_out_gives_no_right() -> None:
    board = board_of()
    board.bind("lukas", f"sip:lukas@{LUKAS[0]}:5060", expires_at=EPOCH + board.now + 5)
    dial(board, "9123")
    assert board.sent()[0].to == GATEWAY
    board.advance(6)
    board.sent()
    dial(board, "9123", branch="z9hG4bKb", call_id="call-2")
    assert not [each for each in board.sent() if b"call-2" in each.raw]


def test_only_their_class_calls_dear_numbers() -> None:
    board = board_of()
    dial(board, "8123")
    assert board.sent()[0].to == GATEWAY
    more = {"source": LENKA, "caller": f"sip:lenka@{HOST}", "branch": "z9hG4bKb", "call_id": "call-2"}
    board.receive(request("INVITE", f"sip:8123@{HOST}", **more), LENKA)  # type: ignore[arg-type]
    assert (board.sent(), board.statuses()[-1]) == ([], 403)


def test_nobody_calls_out_from_elsewhere_in_a_users_name() -> None:
    board = board_of()
    dial(board, "9123")
    board.sent()
    stranger = ("10.6.6.6", 5060)
    board.receive(
        request("INVITE", f"sip:9123@{HOST}", source=stranger, branch="z9hG4bKb", call_id="c2"), stranger
    )
    assert (board.sent(), board.statuses()[-1]) == ([], 403)


@pytest.mark.parametrize(
    "sender",
    [
        "<sip:lukas@10.0.0.1>;tag=from-1",
        '"Lukas N."   <sip:lukas@10.0.0.1>;tag=from-1',
        "Lukas<sip:lukas@10.0.0.1;x=1>;tag=from-1;a=b;c",
        "sip:lukas@10.0.0.1;tag=from-1;q",
        "<sip:lukas@10.0.0.1>;x=;tag=from-1",
        "<sip:lukas@10.0.0.1>;tag=from-1;x=",
        "  <sip:lukas@10.0.0.1> ; tag = from-1",
        '"\u013duko\u0161" <sip:lukas@10.0.0.1>;tag=from-1',
    ],
)
@pytest.mark.parametrize("name", ["From:", "f :"])
def test_names_in_any_spelling(sender: str, name: str) -> None:
    """The twin compares: what the provider sees, and what comes back."""
    board = board_of()
    raw = request("INVITE", f"sip:0905@{HOST}", lines=("Contact: <sip:lukas@10.0.0.11:5060>",))
    raw = raw.replace(b"From: <sip:lukas@10.0.0.1>;tag=from-1", f"{name} {sender}".encode())
    board.receive(raw, LUKAS)
    invite = board.sent()[0]
    assert invite.message.from_uri == "sip:+4212555@voip.example"
    board.receive(response(invite.message, 200, tag="far", lines=(AT_PROVIDER,)), PROVIDER)
    assert board.answers()[-1].message.from_uri.startswith("sip:lukas@10.0.0.1")


def test_masks_that_are_none_are_read_by_the_reference() -> None:
    """The same token, cut, changed, of another dialog, or with other fields; the twin compares."""
    board = board_of()
    dial(board, "0905")
    invite = board.sent()[0]
    board.receive(response(invite.message, 200, tag="far", lines=(AT_PROVIDER,)), PROVIDER)
    accepted = board.answers()[-1].message
    token = accepted.values("record-route")[0].partition(";st=")[2][:-1]
    odd = Mask("p", 6, 3, "sip:a@b", "sip:c@d", "sip:e@f", "sip:" + 300 * "g")
    others = (
        token[:-1],
        token[:-4],
        token[:10] + ("A" if token[10] != "A" else "B") + token[11:],
        token.upper(),
        "",
        token + "=",
        make_token(KEY, odd, "call-1", "from-1"),
        make_token(KEY, odd._replace(base=-1), "call-1", "from-1"),
        make_token(KEY, odd._replace(base=2**33), "call-1", "from-1"),
        make_token(KEY, odd, "call-1", "far"),
        make_token(KEY, odd, "call-2", "from-1"),
        make_token(b"x" * 32, odd, "call-1", "from-1"),
    )
    for number, other in enumerate(others):
        for method in ("BYE", "INFO", "ACK", "INVITE", "PRACK"):
            raw = within(method, accepted, 8 + number).replace(token.encode(), other.encode())
            board.receive(raw.replace(b"branch=z9hG4bK", b"branch=z9hG4bK%d" % number), LUKAS)
            board.answers()
            board.sent()


@pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=1, max_size=25))
def test_both_decide_the_same(steps: list[tuple[int, int, int, int]]) -> None:
    board = board_of()
    stage = Stage(
        board,
        callees=CALLEES,
        answer_lines=FAR_LINES,
        far=PROVIDER,
        follows_contact=True,
        lines=(PLAIN_LINES, PLAIN_LINES, PLAIN_LINES, *LINES[:5]),
    )
    play(board, [(KINDS[kind], *rest) for kind, *rest in steps], stage)
