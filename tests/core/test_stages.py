"""Calls that obey the rules of users and groups. Each also with a crash after every step."""

import pytest
from playbook import LENKA, LUKAS, PETER, Board, Sent, request, response

from switchboard.core.call_rules import Group, StaticRules, UserRules
from switchboard.core.dial_plan import DialPlan, Rule, pattern_of
from switchboard.sip.respond import Hop

CALLER = ("10.0.0.99", 5060)
CALLEE = "sip:lenka@10.0.0.1"
HOMES = {"lenka": LENKA, "lukas": LUKAS, "peter": PETER}


def board_with(
    rules: dict[str, UserRules], *groups: Group, absent: tuple[str, ...] = (), **more: object
) -> Board:
    board = Board(rules=StaticRules(rules, groups), **more)  # type: ignore[arg-type]
    for user, (host, port) in HOMES.items():
        if user not in absent:
            board.bind(user, f"sip:{user}@{host}:{port}")
    return board


def call(board: Board, uri: str = CALLEE, *lines: str) -> list[Sent]:
    """Somebody calls; what was sent to phones."""
    return call_again(board, 1, uri, *lines)


def call_again(board: Board, number: int, uri: str = CALLEE, *lines: str) -> list[Sent]:
    """The same for another call."""
    branch, call_id, caller = f"z9hG4bKa{number}", f"call-{number}", "sip:eva@elsewhere.example"
    invite = request("INVITE", uri, source=CALLER, branch=branch, call_id=call_id, caller=caller, lines=lines)
    board.receive(invite, CALLER)
    return invites(board)


def invites(board: Board) -> list[Sent]:
    return [sent for sent in board.sent() if sent.message.method == "INVITE"]


def methods(board: Board) -> list[tuple[str, Hop]]:
    return [(sent.message.method, sent.to) for sent in board.sent()]


def answer(board: Board, sent: Sent, status: int, tag: str = "to-1") -> None:
    board.receive(response(sent.message, status, tag=tag), sent.to)


def forwards(board: Board) -> list[tuple[object, ...]]:
    return [event.details for event in board.events if event.kind == "forwarded"]


def history(sent: Sent) -> list[str]:
    return sent.message.values("history-info")


def test_busy() -> None:
    board = board_with({"lenka": UserRules(busy="lukas")})
    (first,) = call(board)
    assert first.to == LENKA
    assert history(first) == []
    answer(board, first, 486)
    (second,) = invites(board)
    assert (second.to, second.message.uri) == (LUKAS, "sip:lukas@10.0.0.11:5060")
    assert board.statuses() == [100, 181]
    assert forwards(board) == [("lenka", "lukas", "busy", 0)]
    answer(board, second, 200)
    assert board.statuses() == [200]


def test_lamps_are_told_whom_it_leads_to() -> None:
    group = Group("office", ("lukas", "peter"), "all")
    board = board_with({"lenka": UserRules(busy="group:office")}, group)
    (first,) = call(board)
    answer(board, first, 486)
    at_lukas, _ = invites(board)
    answer(board, at_lukas, 200)
    assert [each.users for each in board.led] == [
        ("lenka",),
        ("lukas", "group:office", "peter"),
        ("lukas", "group:office"),
    ]
    assert {each.call_id for each in board.led} == {"call-1"}


def test_each_group_by_which_a_member_is_called_has_a_lamp() -> None:
    """Of the inner group only while its members ring, or if one of them has answered."""
    inner, night = Group("inner", ("peter",), "turn"), Group("night", ("peter",))
    office = Group("office", ("lukas", "group:inner", "lenka"), "turn", then="group:night")
    board = board_with({}, office, inner, night)
    for status in (486, 486, 200):
        (sent,) = call(board, "sip:office@10.0.0.1") if status == 486 and not board.led else invites(board)
        answer(board, sent, status)
    assert [each.users for each in board.led] == [
        ("lukas", "group:office"),
        ("peter", "group:inner", "group:office"),
        ("lenka", "group:office"),
        ("lenka", "group:office"),
    ]
    assert forwards(board) == [("group:office", "lenka", "taken", 0)]


@pytest.mark.parametrize(
    ("status", "goes_on"), [(486, True), (600, True), (603, False), (404, False), (500, False)]
)
def test_only_who_is_busy_is_busy(status: int, goes_on: bool) -> None:
    board = board_with({"lenka": UserRules(busy="lukas")})
    (first,) = call(board)
    answer(board, first, status)
    assert bool(invites(board)) is goes_on
    assert board.statuses() == ([100, 181] if goes_on else [100, status])


def test_one_of_two_phones_is_busy_and_the_other_one_rings_on() -> None:
    board = board_with({"lenka": UserRules(busy="lukas")})
    board.bind("lenka", "sip:lenka@10.0.0.12", "sip:lenka@10.0.0.22:5070")
    desk, tablet = call(board)
    answer(board, desk, 486)
    assert invites(board) == []
    answer(board, tablet, 486)
    assert [sent.to for sent in invites(board)] == [LUKAS]


def test_no_answer() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=15)})
    (first,) = call(board)
    answer(board, first, 180)
    board.advance(14.9)
    assert board.sent() == []
    board.advance(0.2)
    sent = board.sent()
    assert sorted((each.message.method, each.to) for each in sent) == [("CANCEL", LENKA), ("INVITE", LUKAS)]
    (cancel,) = (each for each in sent if each.message.method == "CANCEL")
    assert cancel.message.get("reason") == 'SIP;cause=408;text="Not answered in time"'
    answer(board, first, 487)
    (second,) = (each for each in sent if each.message.method == "INVITE")
    answer(board, second, 180, "l")
    answer(board, second, 200, "l")
    assert board.statuses() == [100, 180, 181, 180, 200]
    assert forwards(board) == [("lenka", "lukas", "no_answer", 15)]
    board.advance(400)
    assert not board.log


def test_who_says_nothing_at_all_is_cancelled_when_he_does() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=5)})
    (first,) = call(board)
    board.advance(5.1)
    assert {sent.to for sent in invites(board)} == {LENKA, LUKAS}  # repeated to the one
    answer(board, first, 180)
    assert methods(board) == [("CANCEL", LENKA)]
    assert 180 not in board.statuses()


def test_a_late_200_that_crosses_the_forward_wins() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=5)})
    (first,) = call(board)
    answer(board, first, 180)
    board.advance(5.1)
    (second,) = invites(board)
    answer(board, second, 180, "l")
    answer(board, first, 200)
    assert methods(board) == [("CANCEL", LUKAS)]
    answer(board, second, 487, "l")
    assert board.statuses() == [100, 180, 181, 180, 200]


def test_a_200_behind_another_one_is_passed_on_for_the_caller_to_end() -> None:
    """RFC 3261 §16.7 step 5, §13.2.2.4."""
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=5)})
    (first,) = call(board)
    answer(board, first, 180)
    board.advance(5.1)
    (second,) = invites(board)
    answer(board, second, 200, "l")
    answer(board, first, 200, "late")
    finals = [each for each in board.answers() if each.status == 200]
    assert [each.message.to_tag for each in finals] == ["l", "late"]


def test_a_late_refusal_does_not_end_the_next_stage() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=5)})
    (first,) = call(board)
    answer(board, first, 180)
    board.advance(5.1)
    (second,) = invites(board)
    answer(board, first, 603)
    assert methods(board) == [("ACK", LENKA)]
    answer(board, second, 200, "l")
    assert board.statuses() == [100, 180, 181, 200]


def test_not_registered() -> None:
    board = board_with({"lenka": UserRules(unregistered="lukas")}, absent=("lenka",))
    assert [sent.to for sent in call(board)] == [LUKAS]
    assert forwards(board) == [("lenka", "lukas", "unregistered", 0)]


def test_who_is_not_registered_does_not_answer_either() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas")}, absent=("lenka",))
    assert [sent.to for sent in call(board)] == [LUKAS]


def test_nobody_is_there_and_nobody_else_either() -> None:
    board = board_with({"lenka": UserRules(unregistered="lukas")}, absent=("lenka", "lukas"))
    assert call(board) == []
    assert board.statuses() == [100, 181, 480]


def test_always() -> None:
    board = board_with({"lenka": UserRules(always="lukas")})
    (sent,) = call(board)
    assert sent.to == LUKAS
    assert board.statuses() == [100, 181]
    assert history(sent) == [
        "<sip:lenka@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1",
        "<sip:lukas@10.0.0.1>;index=1.1;mp=1",
        "<sip:lukas@10.0.0.11:5060>;index=1.1.1;rc=1.1",
    ]


def test_to_whom_calls_are_forwarded_may_call_who_forwards() -> None:
    board = board_with({"lenka": UserRules(always="lukas")})
    board.receive(request("INVITE", CALLEE), LUKAS)
    assert [sent.to for sent in board.sent()] == [LENKA]


@pytest.mark.parametrize("status", [480, 603])
def test_do_not_disturb(status: int) -> None:
    board = board_with({"lenka": UserRules(dnd=True)}, dnd_status=status)
    assert call(board) == []
    (trying, refusal) = board.answers()
    assert (trying.status, refusal.line) == (100, f"SIP/2.0 {status} Do Not Disturb")
    assert refusal.message.get("warning") == '399 switchboard "Do Not Disturb"'
    assert [event.kind for event in board.events] == ["invite", "failed"]


def test_do_not_disturb_is_busy_for_who_says_what_then() -> None:
    board = board_with({"lenka": UserRules(dnd=True, busy="lukas")})
    assert [sent.to for sent in call(board)] == [LUKAS]
    assert forwards(board) == [("lenka", "lukas", "dnd", 0)]


def test_texts_do_not_obey_rules_of_calls() -> None:
    board = board_with({"lenka": UserRules(dnd=True, always="lukas")})
    board.receive(request("MESSAGE", CALLEE), PETER)
    assert [sent.to for sent in board.sent()] == [LENKA]


def test_what_takes_the_place_of_a_call_is_no_new_one() -> None:
    board = board_with({"lenka": UserRules(dnd=True)})
    assert [sent.to for sent in call(board, CALLEE, "Replaces: a@b;to-tag=1;from-tag=2")] == [LENKA]


def test_three_stages() -> None:
    rules = {"lenka": UserRules(busy="lukas"), "lukas": UserRules(no_answer="peter", after_s=3)}
    board = board_with(rules)
    (first,) = call(board)
    answer(board, first, 486)
    (second,) = invites(board)
    answer(board, second, 180, "l")
    board.advance(3.1)
    (third,) = invites(board)
    assert third.to == PETER
    assert history(third) == [
        "<sip:lenka@10.0.0.1?Reason=SIP%3Bcause%3D486>;index=1",
        "<sip:lukas@10.0.0.1?Reason=SIP%3Bcause%3D408>;index=1.1;mp=1",
        "<sip:peter@10.0.0.1>;index=1.1.1;mp=1.1",
        "<sip:peter@10.0.0.13:5060>;index=1.1.1.1;rc=1.1.1",
    ]
    answer(board, third, 486, "p")
    assert board.statuses() == [100, 181, 180, 181, 486]
    assert forwards(board) == [("lenka", "lukas", "busy", 0), ("lukas", "peter", "no_answer", 3)]


def test_busy_in_a_circle_is_busy() -> None:
    board = board_with({"lenka": UserRules(busy="lukas"), "lukas": UserRules(busy="lenka")})
    (first,) = call(board)
    answer(board, first, 486)
    (second,) = invites(board)
    answer(board, second, 486, "l")
    assert board.statuses() == [100, 181, 486]
    assert forwards(board) == [("lenka", "lukas", "busy", 0), ("lukas", "lenka", "busy", 0)]


def test_always_in_a_circle_is_told_in_words() -> None:
    board = board_with({"lenka": UserRules(always="lukas"), "lukas": UserRules(always="lenka")})
    assert call(board) == []
    assert board.answers()[-1].line == "SIP/2.0 482 Call Forwarding Loop: lenka, lukas, lenka"


def test_a_chain_without_end_ends() -> None:
    rules = {f"u{number}": UserRules(always=f"u{number + 1}") for number in range(100)}
    board = board_with({"lenka": UserRules(always="u0"), **rules})
    assert call(board) == []
    assert board.answers()[-1].line == "SIP/2.0 482 Too Many Forwards"


def test_a_rule_that_changes_while_it_rings_is_for_the_next_call() -> None:
    rules = {"lenka": UserRules(busy="lukas")}
    board = board_with(rules)
    (first,) = call(board)
    rules["lenka"] = UserRules(busy="peter")
    answer(board, first, 486)
    assert [sent.to for sent in invites(board)] == [LUKAS]


def test_a_rule_that_changes_is_heard_of_by_the_engine() -> None:
    rules: dict[str, UserRules] = {"peter": UserRules(dnd=True)}
    board = board_with(rules)
    (first,) = call(board)
    answer(board, first, 486)
    board.answers()
    rules["lenka"] = UserRules(always="lukas")
    board._step(lambda core: core.bindings_changed(["lenka"]))
    assert [sent.to for sent in call_again(board, 2)] == [LUKAS]


def test_a_call_to_a_user_without_rules_is_the_engines() -> None:
    board = board_with({"peter": UserRules(dnd=True)}, Group("office", ("lenka",)))
    (sent,) = call(board)
    assert sent.to == LENKA
    if board.core.engine is not None:
        stats = board.core.stats()
        assert stats["odd"] == 0
        assert board.fragile or stats["plain"] == 1


def test_the_caller_gives_up_at_the_second_stage() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=5)})
    (first,) = call(board)
    answer(board, first, 180)
    board.advance(5.1)
    (second,) = invites(board)
    answer(board, second, 180, "l")
    board.receive(request("CANCEL", CALLEE, source=CALLER, caller="sip:eva@elsewhere.example"), CALLER)
    assert methods(board) == [("CANCEL", LUKAS)]
    answer(board, first, 487)
    answer(board, second, 487, "l")
    assert board.statuses() == [100, 180, 181, 180, 200, 487]
    board.advance(400)
    assert invites(board) == []
    assert not board.log


def test_the_caller_gives_up_between_stages() -> None:
    """The name of where the call goes on is looked up yet."""
    board = board_with({"lenka": UserRules(busy="sip:eva@other.example")})
    (first,) = call(board)
    answer(board, first, 486)
    assert [lookup.host for lookup in board.lookups] == ["other.example"]
    board.receive(request("CANCEL", CALLEE, source=CALLER, caller="sip:eva@elsewhere.example"), CALLER)
    board.resolve(board.lookups[0], ("192.0.2.9", 5060))
    assert invites(board) == []
    assert board.statuses() == [100, 181, 200, 487]


def test_the_time_of_a_stage_does_not_begin_anew_at_a_crash() -> None:
    board = board_with({"lenka": UserRules(no_answer="lukas", after_s=10)})
    (first,) = call(board)
    answer(board, first, 180)
    board.advance(6)
    board.crash()
    board.sent()
    board.advance(4.1)
    assert [sent.to for sent in invites(board)] == [LUKAS]


def test_an_old_unit_without_stages_goes_on() -> None:
    board = board_with({"peter": UserRules(dnd=True)})
    (first,) = call(board)
    board.crash()
    answer(board, first, 200)
    assert board.statuses() == [100, 200]


class TestElsewhere:
    GATEWAY = Rule("out", pattern_of("0*"), uris=("sip:192.0.2.1",), classes=frozenset({"office"}))

    def test_a_number_goes_through_the_dial_plan_of_who_forwards(self) -> None:
        plan = DialPlan((self.GATEWAY,), classes={"lenka": "office"})
        board = board_with({"lenka": UserRules(always="0905123456")}, dial_plan=plan)
        (sent,) = call(board)
        assert (sent.to, sent.message.uri) == (("192.0.2.1", 5060), "sip:0905123456@192.0.2.1;user=phone")

    def test_who_may_not_dial_it_may_not_forward_to_it(self) -> None:
        plan = DialPlan((self.GATEWAY,), classes={"eva": "office"})
        board = board_with({"lenka": UserRules(always="0905123456")}, dial_plan=plan)
        assert call(board) == []
        assert board.answers()[-1].line == "SIP/2.0 403 Dial Plan: rules"

    def test_nobody_forwards_to_an_emergency_number(self) -> None:
        plan = DialPlan(emergency=frozenset({"112"}), emergency_uris=("sip:192.0.2.1",))
        board = board_with({"lenka": UserRules(always="112")}, dial_plan=plan)
        assert call(board) == []
        assert board.answers()[-1].line == "SIP/2.0 403 Forwarding To An Emergency Number Not Allowed"

    @pytest.mark.parametrize(
        ("users", "status"), [(None, 181), (("lenka",), 181), (("lukas",), 403), ((), 403)]
    )
    def test_another_domain(self, users: tuple[str, ...] | None, status: int) -> None:
        board = board_with({"lenka": UserRules(always="sip:eva@192.0.2.7")}, foreign_users=users)
        assert len(call(board)) == (status == 181)
        assert board.statuses() == [100, status]

    def test_the_dialog_of_a_stranger_with_who_was_called_elsewhere(self) -> None:
        board = board_with({"lenka": UserRules(always="sip:eva@192.0.2.7")})
        (sent,) = call(board)
        contact = "Contact: <sip:eva@192.0.2.7>"
        board.receive(response(sent.message, 200, tag="e", lines=(contact,)), sent.to)
        answered = board.answers()[-1].message
        routes = tuple(f"Route: {value}" for value in answered.values("record-route"))
        for number, method in enumerate(("ACK", "BYE"), 1):
            ending = request(
                method,
                "sip:eva@192.0.2.7",
                branch=f"z9hG4bKc{number}",
                cseq=number,
                lines=routes,
                source=CALLER,
                caller="sip:eva@elsewhere.example",
                to_tag="e",
            )
            board.receive(ending, CALLER)
        assert methods(board) == [("ACK", sent.to), ("BYE", sent.to)]

    def test_privacy_of_the_history(self) -> None:
        board = board_with({"lenka": UserRules(always="sip:eva@192.0.2.7")}, diverts=True)
        (sent,) = call(board, CALLEE, "Privacy: history")
        assert history(sent) == [
            "<sip:anonymous@anonymous.invalid?Reason=SIP%3Bcause%3D302>;index=1",
            "<sip:eva@192.0.2.7>;index=1.1;mp=1",
        ]
        assert sent.message.all("diversion") == [
            "<sip:lenka@10.0.0.1>;reason=unconditional;counter=1;privacy=full"
        ]

    def test_a_history_goes_on(self) -> None:
        board = board_with({"lenka": UserRules(always="lukas")})
        (sent,) = call(board, CALLEE, "History-Info: <sip:a@b.example>;index=1, <sip:c@b.example>;index=1.3")
        assert history(sent) == [
            "<sip:a@b.example>;index=1",
            "<sip:c@b.example>;index=1.3",
            "<sip:lenka@10.0.0.1?Reason=SIP%3Bcause%3D302>;index=1.3.1;np=1.3",
            "<sip:lukas@10.0.0.1>;index=1.3.1.1;mp=1.3.1",
            "<sip:lukas@10.0.0.11:5060>;index=1.3.1.1.1;rc=1.3.1.1",
        ]

    def test_who_requires_reliable_provisionals_hears_no_181(self) -> None:
        board = board_with({"lenka": UserRules(always="lukas")})
        call(board, CALLEE, "Require: 100rel")
        assert board.statuses() == [100]

    def test_a_redirection_within_a_stage(self) -> None:
        board = board_with({"lenka": UserRules(busy="lukas")})
        (first,) = call(board)
        board.receive(response(first.message, 302, lines=("Contact: <sip:peter@10.0.0.1>",)), LENKA)
        (second,) = invites(board)
        assert second.to == PETER
        answer(board, second, 486, "p")
        assert [sent.to for sent in invites(board)] == [LUKAS]


class TestGroups:
    OFFICE = "sip:office@10.0.0.1"

    def office(
        self, way: str = "all", then: str = "", members: tuple[str, ...] = ("lenka", "lukas", "peter")
    ) -> Group:
        return Group("office", members, way, 10, then)

    def test_all_at_once(self) -> None:
        board = board_with({}, self.office())
        sent = call(board, self.OFFICE)
        assert [each.to for each in sent] == [LENKA, LUKAS, PETER]
        for each, tag in zip(sent, "abc", strict=True):
            answer(board, each, 180, tag)
        answer(board, sent[1], 200, "b")
        assert methods(board) == [("CANCEL", LENKA), ("CANCEL", PETER)]
        assert board.statuses() == [100, 180, 180, 180, 200]

    def test_who_declines_declines_for_himself(self) -> None:
        board = board_with({}, self.office())
        lenka, lukas, _ = call(board, self.OFFICE)
        answer(board, lenka, 603)
        assert methods(board) == [("ACK", LENKA)]
        answer(board, lukas, 200, "b")
        assert board.statuses() == [100, 200]

    def test_nobody_answers(self) -> None:
        board = board_with({}, self.office())
        sent = call(board, self.OFFICE)
        for each, tag in zip(sent, "abc", strict=True):
            answer(board, each, 180, tag)
        board.advance(10.1)
        assert methods(board) == [("CANCEL", LENKA), ("CANCEL", LUKAS), ("CANCEL", PETER)]
        assert board.statuses() == [100, 180, 180, 180, 480]

    def test_who_answers_when_the_call_has_failed_is_told_at_once(self) -> None:
        board = board_with({}, self.office(members=("lenka",)))
        (sent,) = call(board, self.OFFICE)
        answer(board, sent, 180)
        board.advance(10.1)
        assert methods(board) == [("CANCEL", LENKA)]
        assert board.statuses() == [100, 180, 480]
        late = response(sent.message, 200, lines=("Contact: <sip:lenka@10.0.0.12:5060>",))
        board.receive(late, LENKA)
        ack, bye = board.sent()
        assert [(each.message.method, each.to) for each in (ack, bye)] == [("ACK", LENKA), ("BYE", LENKA)]
        assert (ack.message.to_tag, bye.message.to_tag, bye.message.uri) == (
            "to-1",
            "to-1",
            "sip:lenka@10.0.0.12:5060",
        )
        assert ack.message.cseq[0] == sent.message.cseq[0] == bye.message.cseq[0] - 1
        assert not bye.message.all("route")
        board.receive(late, LENKA)
        assert methods(board) == [("ACK", LENKA)]
        board.receive(response(bye.message, 200), LENKA)
        assert board.statuses() == []
        assert [event.kind for event in board.events if event.kind == "answered"] == []

    def test_then(self) -> None:
        board = board_with({}, self.office(then="peter", members=("lenka", "lukas")))
        sent = call(board, self.OFFICE)
        for each, tag in zip(sent, "ab", strict=True):
            answer(board, each, 486, tag)
        assert [each.to for each in invites(board)] == [PETER]
        assert forwards(board) == [("group:office", "peter", "group", 10)]

    def test_in_turn(self) -> None:
        board = board_with({}, self.office("turn"))
        (lenka,) = call(board, self.OFFICE)
        answer(board, lenka, 486)
        (lukas,) = invites(board)
        answer(board, lukas, 180, "b")
        board.advance(10.1)
        (peter,) = invites(board)
        assert [each.to for each in (lenka, lukas, peter)] == [LENKA, LUKAS, PETER]
        answer(board, peter, 200, "c")
        assert board.statuses() == [100, 180, 200]

    def test_who_is_not_there_has_no_turn(self) -> None:
        board = board_with({}, self.office("turn"), absent=("lenka", "lukas"))
        assert [sent.to for sent in call(board, self.OFFICE)] == [PETER]

    def test_a_group_for_who_does_not_answer_leaves_him_out(self) -> None:
        board = board_with({"lenka": UserRules(no_answer="group:office", after_s=5)}, self.office())
        (first,) = call(board)
        answer(board, first, 180)
        board.advance(5.1)
        sent = invites(board)
        assert [each.to for each in sent] == [LUKAS, PETER]
        assert history(sent[0]) == [
            "<sip:lenka@10.0.0.1?Reason=SIP%3Bcause%3D408>;index=1",
            "<sip:office@10.0.0.1>;index=1.1;mp=1",
            "<sip:lukas@10.0.0.1>;index=1.1.1;mp=1.1",
            "<sip:lukas@10.0.0.11:5060>;index=1.1.1.1;rc=1.1.1",
        ]

    def test_groups_in_groups_that_close_a_circle(self) -> None:
        inner = Group("inner", ("peter", "group:office"))
        board = board_with({}, self.office(members=("lenka", "group:inner")), inner)
        assert [each.to for each in call(board, self.OFFICE)] == [LENKA, PETER]

    def test_members_who_do_not_want_to_be_disturbed_or_are_elsewhere(self) -> None:
        rules = {"lenka": UserRules(dnd=True), "lukas": UserRules(always="peter", busy="lenka")}
        board = board_with(rules, self.office())
        assert [each.to for each in call(board, self.OFFICE)] == [PETER]

    def test_nobody_can_be_called(self) -> None:
        board = board_with({"lenka": UserRules(dnd=True)}, self.office(members=("lenka",)))
        assert call(board, self.OFFICE) == []
        assert board.answers()[-1].line == "SIP/2.0 480 Nobody In The Group Can Be Called"

    def test_a_group_of_a_thousand_is_bounded(self) -> None:
        members = tuple(f"u{number}" for number in range(1000))
        board = board_with({}, self.office(members=members), max_forks=20)
        for number, user in enumerate(members):
            board.bind(user, f"sip:{user}@10.1.{number // 250}.{number % 250 + 1}:5060")
        assert len(call(board, self.OFFICE)) == 20
        assert board.core.stats()["members_left_out"] in (980, 0)  # a crash forgets what was counted

    def test_who_rings_at_the_same_time(self) -> None:
        board = board_with({"lenka": UserRules(also=("peter", "sip:mobile@192.0.2.5"))})
        sent = call(board)
        assert [each.to for each in sent] == [LENKA, PETER, ("192.0.2.5", 5060)]
        answer(board, sent[2], 200, "m")
        assert board.statuses() == [100, 200]

    def test_the_next_gateway_is_tried_while_the_others_ring(self) -> None:
        gateways = Rule("out", pattern_of("0*"), uris=("sip:192.0.2.1", "sip:192.0.2.2", "sip:192.0.2.3"))
        board = board_with({"lenka": UserRules(also=("0905",))}, dial_plan=DialPlan((gateways,)))
        desk, first = call(board)
        answer(board, desk, 180)
        answer(board, first, 503)
        (second,) = invites(board)
        assert second.to == ("192.0.2.2", 5060)
        answer(board, second, 486)
        assert invites(board) == []
        answer(board, desk, 200)
        assert board.statuses() == [100, 180, 200]

    def test_phones_with_another_q_ring_with_the_others(self) -> None:
        board = board_with({"lenka": UserRules(also=("peter",))})
        board.bind("lenka", "sip:lenka@10.0.0.12;q=0.5")
        assert [each.to for each in call(board)] == [LENKA, PETER]

    def test_the_last_stage_decides(self) -> None:
        """Lenka is busy everywhere (600); that is not what the caller hears of the group."""
        board = board_with({"lenka": UserRules(busy="lukas")})
        (first,) = call(board)
        answer(board, first, 600)
        (second,) = invites(board)
        answer(board, second, 480, "l")
        assert board.statuses() == [100, 181, 480]


@pytest.mark.parametrize("way", ["rotate", "idle"])
def test_the_turn_goes_round(way: str, fragile: bool) -> None:
    if fragile:
        pytest.skip("whose turn it is lives in the router's memory")
    board = board_with({}, Group("office", ("lenka", "lukas", "peter"), way))
    rung = []
    for number in range(4):
        (sent,) = call_again(board, number, "sip:office@10.0.0.1")
        rung.append(sent.to)
        answer(board, sent, 200)
        board.advance(1)
    assert rung == [LENKA, LUKAS, PETER, LENKA]
