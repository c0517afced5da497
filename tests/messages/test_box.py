"""Which texts wait for whom, and when they are tried."""

import pytest

from switchboard.messages.box import (
    AT_ONCE,
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    MOST_OCTETS,
    MOST_OF_STRANGERS,
    MOST_OF_USER,
    SETTLE_S,
    Box,
    Slip,
)


def slip(key: str, user: str = "lenka", sender: str = "sip:lukas@x", octets: int = 100) -> Slip:
    return Slip(key, user, 0.0, 1000.0, octets, sender)


def box_of(*keys: str) -> Box:
    box = Box()
    for key in keys:
        box.put(slip(key), 0.0)
    return box


def test_one_after_the_other_in_order() -> None:
    box = box_of("a", "b")
    assert box.next_deadline() == FIRST_PAUSE_S
    box.hurry("lenka", 5.0)
    assert (box.take_due(4.9), box.take_due(5.0), box.take_due(500.0)) == ([], ["a"], [])
    assert box.answered("a", 200, 6.0) is True
    assert box.remove("a") == "lenka"
    box.hurry("lenka", 6.0)
    assert box.take_due(6.0) == ["b"]
    box.remove("b")
    assert (len(box), box.octets, list(box.users), box.next_deadline()) == (0, 0, [], None)


@pytest.mark.parametrize(
    ("status", "is_delivered"),
    [
        (200, True),
        (202, True),
        (482, True),
        (415, False),
        (404, False),
        (603, False),
        (302, False),
        (513, False),
    ],
)
def test_what_ends_it(status: int, is_delivered: bool) -> None:
    box = box_of("a")
    box.take_due(FIRST_PAUSE_S)
    assert box.answered("a", status, 100.0) is is_delivered


@pytest.mark.parametrize("status", [0, 408, 430, 480, 486, 500, 503, 600])
def test_the_pause_grows_while_nobody_answers(status: int) -> None:
    box, now, pauses = box_of("a"), FIRST_PAUSE_S, []
    for _ in range(9):
        assert box.take_due(now) == ["a"]
        assert box.answered("a", status, now) is None
        due = box.next_deadline()
        assert due
        pauses.append(due - now)
        now = due
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (FIRST_PAUSE_S, LONGEST_PAUSE_S)


def test_who_registers_meanwhile_is_tried_right_after() -> None:
    box = box_of("a")
    box.take_due(FIRST_PAUSE_S)
    box.hurry("lenka", 70.0)
    box.answered("a", 408, 90.0)
    assert box.next_deadline() == 90.0 + SETTLE_S
    assert box.take_due(91.0) == ["a"]
    box.answered("a", 408, 100.0)
    assert box.next_deadline() == 100.0 + FIRST_PAUSE_S


def test_what_is_bounded() -> None:
    box = Box()
    for number in range(MOST_OF_STRANGERS):
        assert box.has_no_room("lenka", 1, "") == ""
        box.put(slip(f"s{number}", sender=""), 0.0)
    assert "Strangers" in box.has_no_room("lenka", 1, "")
    for number in range(MOST_OF_USER - MOST_OF_STRANGERS):
        assert box.has_no_room("lenka", 1, "sip:lukas@x") == ""
        box.put(slip(f"p{number}"), 0.0)
    assert "This User" in box.has_no_room("lenka", 1, "sip:lukas@x")
    assert box.has_no_room("lukas", 1, "sip:lukas@x") == ""
    assert "Wait Here" in box.has_no_room("lukas", MOST_OCTETS, "sip:lukas@x")
    box.remove("s0")
    assert box.has_no_room("lenka", 1, "") == ""


@pytest.mark.parametrize(("sender", "part"), [("", 0.25), ("sip:lukas@x", 0.1)])
def test_nobody_fills_the_places_of_others(monkeypatch: pytest.MonkeyPatch, sender: str, part: float) -> None:
    """Neither strangers together, to many users, nor one user who sends."""
    monkeypatch.setattr("switchboard.messages.box.MOST", 40)
    box = Box()
    for number in range(round(40 * part)):
        assert box.has_no_room(f"u{number}", 1, sender) == ""
        box.put(slip(str(number), f"u{number}", sender), 0.0)
    assert box.has_no_room("lenka", 1, sender).endswith("Wait Here")
    assert box.has_no_room("lenka", 1, "sip:eva@x") == ""
    assert box.of_strangers == (0 if sender else 10)
    box.remove("0")
    assert box.has_no_room("lenka", 1, sender) == ""
    assert box.has_no_room("lenka", round(MOST_OCTETS * part), sender).endswith("Wait Here")


def test_not_everything_is_under_way_at_once() -> None:
    box = Box()
    for number in range(AT_ONCE + 1):
        box.put(slip(str(number), user=str(number)), 0.0)
    first = box.take_due(FIRST_PAUSE_S)
    assert len(first) == AT_ONCE
    assert box.next_deadline() is None
    box.answered(first[0], 480, 70.0)
    (last,) = box.take_due(FIRST_PAUSE_S)
    assert last not in first


def test_what_is_over_and_what_is_listed() -> None:
    box = box_of("a", "b")
    assert (box.ended(999.0), box.ended(1000.0)) == ([], ["a", "b"])
    assert box.listing() == [("lenka", 2, 0.0, 200)]
    assert (box.count("lenka"), box.count("nobody"), box.keys("lenka")) == (2, 0, ["a", "b"])
