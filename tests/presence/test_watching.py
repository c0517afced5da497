"""Subscriptions: made, refreshed, told, ended (RFC 6665)."""

import pytest
from presence.asking import CONTACT, LENKA_AOR, Desk, ask, states

from switchboard.presence.core import AFTER_A_RESTORE, RESTORED
from switchboard.presence.reception import Request
from switchboard.presence.subscription import RESERVED
from switchboard.presence.watching import GAP_S, MOST_FAILURES, RESUMED_A_SECOND, RETRY_S
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_the_answer_makes_a_dialog(desk: Desk) -> None:
    lines = ("Event: presence", "Record-Route: <sip:a;lr>, <sip:b;lr>", "Record-Route: <sip:c;lr>")
    answer = desk.take(ask("SUBSCRIBE", "lenka", *lines))
    assert dict(answer.headers)["Contact"] == "<sip:lenka@10.0.0.1:5060>"
    assert dict(answer.headers)["Expires"] == "3600"
    assert [value for name, value in answer.headers if name == "Record-Route"] == [
        "<sip:a;lr>, <sip:b;lr>",
        "<sip:c;lr>",
    ]
    (notify,) = desk.notifies()
    assert notify.uri == "sip:lukas@10.0.0.11:5060;x=1"
    assert notify.values("route") == ["<sip:a;lr>", "<sip:b;lr>", "<sip:c;lr>"]
    assert (notify.from_tag, notify.to_tag, notify.call_id) == (answer.to_tag, "from-1", "call-1")
    assert (notify.cseq, notify.get("event")) == ((1, "NOTIFY"), "presence")
    assert notify.get("subscription-state") == "active;expires=3600"
    assert notify.get("contact") == "<sip:lenka@here.invalid>"


def test_news_are_told_once(desk: Desk) -> None:
    desk.subscribe()
    desk.notifies()
    desk.bind("lenka", "sip:lenka@10.0.0.12")
    (notify,) = desk.notifies()
    assert b"<basic>open</basic>" in notify.body
    desk.bind("lenka", "sip:lenka@10.0.0.12", "sip:lenka@10.0.0.13")
    assert desk.notifies() == []


def test_the_latest_state_wins(desk: Desk) -> None:
    desk.subscribe()
    desk.notifies(wait_s=GAP_S / 4)
    for contacts in (("sip:lenka@10.0.0.12",), (), ("sip:lenka@10.0.0.12",)):
        desk.bind("lenka", *contacts)
        assert desk.notifies(wait_s=GAP_S / 4) == []
    assert desk.core.watching.next_deadline() == pytest.approx(desk.at)
    desk.at += GAP_S / 4
    (notify,) = desk.notifies()
    assert b"<basic>open</basic>" in notify.body


def test_one_notify_at_a_time(desk: Desk) -> None:
    desk.subscribe()
    (first,) = desk.core.watching.take_due(desk.at, 9)
    desk.bind("lenka", "sip:lenka@10.0.0.12")
    desk.at += 5
    assert desk.core.watching.take_due(desk.at, 9) == []
    desk.core.watching.answered(b"sbp.other 1", 200, False, desk.at)
    desk.core.watching.answered(first.token, 200, False, desk.at)
    assert len(desk.notifies()) == 1


def test_a_refresh_keeps_the_dialog(desk: Desk) -> None:
    tag = desk.subscribe()
    desk.notifies()
    request = ask("SUBSCRIBE", "lenka", "Event: presence", "Expires: 99999", to_tag=tag, cseq=2)
    answer = desk.take(request)
    assert (answer.status, answer.to_tag, dict(answer.headers)["Expires"]) == (200, tag, "7200")
    (notify,) = desk.notifies()
    assert (notify.cseq[0], notify.get("subscription-state")) == (2, "active;expires=7200")
    old = ask("SUBSCRIBE", "lenka", "Event: presence", to_tag=tag, cseq=1)
    assert desk.take(old).status == 500


@pytest.mark.parametrize(
    ("event", "to_tag", "sender", "call_id", "status"),
    [
        ("presence", "sbp.x", "lukas", "call-1", 481),
        ("dialog", "", "lukas", "call-1", 481),
        ("presence;id=2", "", "lukas", "call-1", 481),
        ("presence", "", "lukas", "call-2", 481),
        ("presence", "", "peter", "call-1", 403),
        ("winfo", "", "lukas", "call-1", 489),
    ],
)
def test_only_its_own_dialog_refreshes_it(
    desk: Desk, event: str, to_tag: str, sender: str, call_id: str, status: int
) -> None:
    tag = to_tag or desk.subscribe()
    lines = (f"Event: {event}",)
    request = ask("SUBSCRIBE", "lenka", *lines, to_tag=tag, cseq=2, sender=sender, call_id=call_id)
    assert desk.take(request).status == status


def test_the_end_is_told(desk: Desk) -> None:
    tag = desk.subscribe()
    desk.notifies()
    desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", "Expires: 0", to_tag=tag, cseq=2))
    notifies = desk.notifies()
    assert states(notifies) == ["terminated;reason=timeout"]
    assert b"<presence" in notifies[0].body
    assert desk.core.watching.subscriptions == {}
    again = ask("SUBSCRIBE", "lenka", "Event: presence", to_tag=tag, cseq=3)
    assert desk.take(again).status == 481


def test_the_end_is_told_though_a_notify_is_under_way(desk: Desk) -> None:
    tag = desk.subscribe()
    (first,) = desk.core.watching.take_due(desk.at, 9)
    desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", "Expires: 0", to_tag=tag, cseq=2))
    desk.core.watching.answered(first.token, 200, False, desk.at)
    desk.at += 1
    assert states(desk.notifies()) == ["terminated;reason=timeout"]
    assert desk.core.watching.subscriptions == {}


def test_a_look_is_no_subscription(desk: Desk) -> None:
    desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", "Expires: 0"))
    assert states(desk.notifies()) == ["terminated;reason=timeout"]
    assert desk.core.watching.subscriptions == {}


def test_what_is_not_refreshed_ends(desk: Desk) -> None:
    tag = desk.subscribe("lenka", "presence", "Expires: 60")
    desk.notifies(wait_s=50)
    desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", "Expires: 60", to_tag=tag, cseq=2))
    desk.notifies(wait_s=50)
    assert states(desk.notifies(wait_s=20)) == []
    assert states(desk.notifies()) == ["terminated;reason=timeout"]


def test_an_operator_ends_one(desk: Desk) -> None:
    tag = desk.subscribe()
    desk.notifies()
    assert desk.core.watching.end(tag, "deactivated", desk.at)
    assert not desk.core.watching.end(tag, "deactivated", desk.at)
    assert states(desk.notifies()) == ["terminated;reason=deactivated"]


@pytest.mark.parametrize(("status", "is_own", "stays"), [
    (481, False, False), (404, False, False), (489, False, False),
    (500, False, True), (401, False, True), (480, True, True), (408, True, True),
])  # fmt: skip
def test_answers_that_end_it(desk: Desk, status: int, is_own: bool, stays: bool) -> None:
    desk.subscribe()
    desk.notifies(status, is_own)
    assert bool(desk.core.watching.subscriptions) is stays


def test_nobody_answers_for_long(desk: Desk) -> None:
    desk.subscribe()
    for number in range(1, MOST_FAILURES + 1):
        assert len(desk.core.watching.subscriptions) == 1
        desk.bind("lenka", *(["sip:lenka@10.0.0.12"] if number % 2 else []))
        assert len(desk.notifies(408, True, RETRY_S * number)) == 1
    assert desk.core.watching.subscriptions == {}


@pytest.mark.parametrize("status", [408, 503])
def test_what_nobody_got_is_told_again(desk: Desk, status: int) -> None:
    """A phone whose network was away for a moment has a lamp that is right all the same."""
    desk.bind("lukas", "sip:lukas@10.0.0.11")
    desk.subscribe()
    desk.notifies()
    desk.bind("lenka", "sip:lenka@10.0.0.12")
    ways = 2 if status == 503 else 1
    assert [len(desk.notifies(status, True)) for _ in range(ways)] == [1] * ways
    assert desk.notifies() == []
    desk.at += RETRY_S
    (notify,) = desk.notifies()
    assert b"open" in notify.body
    assert desk.core.watching.subscriptions


def test_a_router_that_died_makes_it_ask_again(desk: Desk) -> None:
    desk.subscribe()
    assert [len(desk.notifies(0, True)) for _ in range(MOST_FAILURES)] == [1] * MOST_FAILURES
    assert desk.core.watching.subscriptions == {}


def test_a_connection_that_is_gone_leads_to_the_binding(desk: Desk) -> None:
    tag = desk.subscribe()
    (first,) = desk.core.watching.take_due(desk.at, 9)
    assert first.flow
    desk.core.watching.answered(first.token, 430, True, desk.at)
    desk.at += 1
    (second,) = desk.core.watching.take_due(desk.at, 9)
    assert (second.flow, second.watcher) == (b"", "lukas")
    desk.core.watching.answered(second.token, 200, False, desk.at)
    desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", to_tag=tag, cseq=2))
    desk.at += 1
    (third,) = desk.core.watching.take_due(desk.at, 9)
    assert third.flow


def test_a_successor_goes_on(desk: Desk) -> None:
    tag = desk.subscribe("lenka", "presence;id=4")
    desk.keep()
    desk.notifies()
    later = desk.successor()
    (notify,) = later.notifies()
    assert (notify.cseq[0], notify.get("event")) == (RESERVED + 1, "presence;id=4")
    assert (notify.from_tag, notify.to_tag) == (tag, "from-1")
    later.keep()
    (notify,) = later.successor().notifies()
    assert notify.cseq[0] == 2 * RESERVED + 2


def test_what_cannot_be_read_is_left_out(desk: Desk) -> None:
    tag = desk.subscribe()
    desk.keep()
    desk.kept = {**desk.kept, "sx": b"\xc1", "sy": b"\x91\x01", "pz": b"\x01"}
    later = desk.successor()
    assert list(later.core.watching.subscriptions) == [tag]
    assert later.core.stats()["records_unreadable"] == 3


def test_names_stay_escaped(desk: Desk) -> None:
    answer = desk.take(ask("SUBSCRIBE", "a%20b", "Event: presence"))
    assert dict(answer.headers)["Contact"] == "<sip:a%20b@10.0.0.1:5060>"
    (notify,) = desk.notifies()
    assert notify.get("contact") == "<sip:a%20b@here.invalid>"


@pytest.mark.parametrize(
    ("to", "entity"), [("<sip:10.0.0.1>", "sip:10.0.0.1"), ("<tel:+421-905>", "tel:+421-905")]
)
def test_whom_to_does_not_name(desk: Desk, to: str, entity: str) -> None:
    """The Contact leads to who is watched."""
    asked = ask("SUBSCRIBE", "lenka", "Event: presence")
    raw = asked.message.raw.replace(b"To: <sip:lenka@10.0.0.1>", f"To: {to}".encode())
    answer = desk.take(Request(parse_message(raw), asked.flow, asked.sender, "a b"))
    assert (answer.status, dict(answer.headers)["Contact"]) == (200, "<sip:a%20b@10.0.0.1:5060>")
    (notify,) = desk.notifies()
    assert notify.get("contact") == "<sip:a%20b@here.invalid>"
    assert f'entity="{entity}"'.encode() in notify.body


def test_many_do_not_go_on_at_once(desk: Desk) -> None:
    for number in range(3 * RESUMED_A_SECOND):
        desk.subscribe(call_id=f"c{number}")
    desk.keep()
    later = desk.successor()
    assert len(later.notifies(wait_s=1.0)) == 1
    assert len(later.notifies(wait_s=1.0)) == RESUMED_A_SECOND


def test_a_request_that_a_predecessor_answered_makes_no_other(desk: Desk) -> None:
    tag = desk.subscribe()
    desk.keep()
    later = desk.successor()
    assert later.subscribe() == tag
    assert later.subscribe(cseq=2) != tag
    assert len(later.core.watching.subscriptions) == 1


def test_who_may_watch(desk: Desk) -> None:
    assert desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", sender="")).status == 403
    assert desk.take(ask("SUBSCRIBE", "lenka", "Event: reg")).status == 403
    assert Desk(everybody=True).subscribe(sender="")


@pytest.mark.parametrize(("lines", "status"), [
    (("Event: presence", "Expires: 59"), 423),
    (("Event: presence", "Accept: text/plain, application/sdp"), 406),
    (("Event: foo",), 489),
    ((), 489),
])  # fmt: skip
def test_refusals(desk: Desk, lines: tuple[str, ...], status: int) -> None:
    assert desk.take(ask("SUBSCRIBE", "lenka", *lines)).status == status
    assert desk.core.watching.subscriptions == {}


@pytest.mark.parametrize("lines", [
    ("Expires: x",), ("Contact: *",), ("Contact: <sip:>",), ("Contact: " + "<sip:a@b" + "c" * 5000 + ">",),
    ("Contact: <tel:1>",), tuple(["Record-Route: <sip:10.0.0.1;lr;x=" + "y" * 999 + ">"] * 5),
])  # fmt: skip
def test_malformed(desk: Desk, lines: tuple[str, ...]) -> None:
    with pytest.raises(ParseError):
        desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", *lines))


def test_one_watcher_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.presence.watching.MOST_OF_ONE", 2)
    for number in range(2):
        desk.subscribe(call_id=f"c{number}")
    assert desk.take(ask("SUBSCRIBE", "lenka", "Event: presence", call_id="c3")).status == 503
    assert desk.subscribe(call_id="c3", sender="peter")


def test_a_package_that_is_gone(desk: Desk) -> None:
    desk.subscribe()
    desk.notifies()
    desk.keep()
    later = desk.successor()
    del later.core.packages["presence"]
    assert states(later.notifies()) == ["terminated;reason=noresource"]


def test_numbers_go_up_within_what_is_kept(desk: Desk) -> None:
    desk.subscribe()
    sent: list[Message] = []
    for number in range(RESERVED + 2):
        desk.bind("lenka", *([] if number % 2 else ["sip:lenka@10.0.0.12"]))
        sent += desk.notifies()
        desk.keep()
    assert [each.cseq[0] for each in sent] == list(range(1, RESERVED + 3))
    (kept,) = desk.successor().core.watching.subscriptions.values()
    assert kept.cseq >= RESERVED + 2


def test_what_is_listed(desk: Desk) -> None:
    desk.subscribe()
    (listed,) = desk.core.listed(0, 9, desk.at)
    assert (listed["watcher"], listed["user"], listed["package"]) == ("lukas", "lenka", "presence")
    assert listed["contact"] == CONTACT.partition("<")[2][:-1]
    assert LENKA_AOR in next(iter(desk.core.watching.subscriptions.values())).local


def test_what_is_not_known_yet_is_not_told(desk: Desk) -> None:
    """After a start a lamp stays as it is until it is known which calls there are."""
    desk.subscribe("lenka", "dialog")
    desk.subscribe("lenka", call_id="call-2")
    desk.notifies()
    desk.keep()
    later = desk.successor()
    watching = later.core.watching
    watching.held = "dialog"
    later.at += 1
    assert [each.get("event") for each in later.notifies()] == ["presence"]
    watching.changed("dialog", "lenka", later.at)
    assert later.notifies() == []
    watching.release(later.at)
    assert [each.get("event") for each in later.notifies()] == ["dialog"]
    watching.changed("dialog", "lenka", later.at)
    assert later.notifies() == []


def test_a_search_finds_some(desk: Desk) -> None:
    desk.subscribe("lenka", "dialog")
    for number in range(3):
        desk.subscribe("peter", "dialog", call_id=f"call-{number + 2}")
    desk.subscribe("Eva", sender="peter", call_id="call-9")

    def found(text: str, start: int = 0, most: int = 9) -> tuple[list[object], int, int]:
        some, matching, total = desk.core.find(text, start, most, desk.at)
        return [each["user"] for each in some], matching, total

    assert found("PETER") == (["peter", "peter", "peter", "Eva"], 4, 5)
    assert found("peter", 2, 1) == (["peter"], 4, 5)
    assert found("presence") == (["Eva"], 1, 5)
    assert found("", 4) == (["Eva"], 5, 5)
    assert found("nobody") == ([], 0, 5)


def test_after_a_restore_no_notify_has_a_number_that_the_phone_has_heard(desk: Desk) -> None:
    tag = desk.subscribe()
    desk.keep()
    desk.kept = {**desk.kept, RESTORED: b""}
    later = desk.successor()
    later.keep()
    assert later.kept[RESTORED] is None
    (notify,) = later.notifies()
    assert notify.cseq[0] == RESERVED + AFTER_A_RESTORE + 1
    later.keep()
    assert later.core.stats()["records_unreadable"] == 0
    (notify,) = later.successor().notifies()  # once only
    assert (notify.from_tag, notify.cseq[0]) == (tag, 2 * RESERVED + AFTER_A_RESTORE + 2)
