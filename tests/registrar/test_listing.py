"""Which bindings are listed, and how pages are followed."""

from typing import Any

import pytest
from registrar.registers import connection

from switchboard.registrar.binding import Binding
from switchboard.registrar.listing import Wanted, doubt_of, read_pages, transport_told, way_of

BOUND = Binding("sip:lukas@10.0.0.9:5060;ob", 1.0, 9e9, user_agent="Linphone/5", source="10.0.0.9:5060")
BOUND_6 = BOUND._replace(source="[2001:db8::7]:5060")


@pytest.mark.parametrize(
    ("wanted", "user", "fits"),
    [
        (Wanted(), "lukas", True),
        (Wanted(user="lukas"), "Lukas", True),
        (Wanted(user="lukas"), "lukas2", False),
        (Wanted(user="49*"), "4930", True),
        (Wanted(user="4?"), "4930", False),
        (Wanted("*98"), "*98", True),
        (Wanted("*98"), "198", False),
    ],
)
def test_users(wanted: Wanted, user: str, fits: bool) -> None:
    assert wanted.takes(user) is fits


@pytest.mark.parametrize(
    ("wanted", "binding", "fits"),
    [
        (Wanted(), BOUND, True),
        (Wanted(contact="10.0.0.9:5060"), BOUND, True),
        (Wanted(contact="10.0.0.8"), BOUND, False),
        (Wanted(agent="linphone"), BOUND, True),
        (Wanted(agent="l*5"), BOUND, True),
        (Wanted(agent="snom"), BOUND, False),
        (Wanted(source="10.0.0.9"), BOUND, True),
        (Wanted(source="10.0.0.9:5060"), BOUND, True),
        (Wanted(source="10.0.0.9:5061"), BOUND, False),
        (Wanted(source="10.0.0"), BOUND, False),
        (Wanted(source="10.0.*"), BOUND, True),
        (Wanted(source="10.0.0.0/28"), BOUND, True),
        (Wanted(source="10.0.0.16/28"), BOUND, False),
        (Wanted(source="2001:db8::/32"), BOUND_6, True),
        (Wanted(source="2001:db8::7"), BOUND_6, True),
        (Wanted(source="10.0.0.0/8"), BOUND_6, False),
        (Wanted(contact="lukas", agent="snom"), BOUND, False),
    ],
)
def test_bindings(wanted: Wanted, binding: Binding, fits: bool) -> None:
    assert wanted.matches(binding) is fits
    assert Wanted.from_wire(wanted.to_wire()) == wanted


@pytest.mark.parametrize("found", [None, [], {"user": 1}, {"colour": "red"}, {1: "x"}])
def test_what_are_no_patterns(found: object) -> None:
    with pytest.raises(ValueError, match="patterns"):
        Wanted.from_wire(found)


def test_pages_are_followed_and_nobody_is_told_twice() -> None:
    """Not even where the registrar was another one in the middle."""
    pages: list[Any] = [
        ["one", [["a", [1]], ["b", [2]]], 3],
        ["two", [["a", [1]], ["c", [3]]], 5],
        ["two", [["d", [4]]], 0],
    ]
    asked: list[Any] = []

    def ask(body: object) -> Any:
        asked.append(body)
        return pages[len(asked) - 1]

    wanted = Wanted(agent="x")
    told: list[Any] = [*read_pages(ask, wanted)]
    assert told == [("a", [1]), ("b", [2]), ("c", [3]), ("d", [4])]
    assert asked == [[life, at, wanted.to_wire()] for life, at in [("", 0), ("one", 3), ("two", 5)]]


@pytest.mark.parametrize(
    ("contact", "source", "doubt"),
    [
        ("sip:a@10.0.0.9:5060", "10.0.0.9:40000", ""),
        ("sip:a@10.0.0.9", "10.0.0.8:5060", "contact names 10.0.0.9"),
        ("sip:a@0.0.0.0", "10.0.0.8:5060", "contact names 0.0.0.0, where nobody is"),
        ("sip:a@127.0.0.1", "10.0.0.8:5060", "contact names 127.0.0.1, where nobody is"),
        ("sip:a@127.0.0.1", "127.0.0.2:5060", "contact names 127.0.0.1"),
        ("sip:a@[::1]", "[2001:db8::7]:5060", "contact names ::1, where nobody is"),
        ("sip:a@x.invalid", "10.0.0.8:5060", "contact names x.invalid, where nobody is"),
        ("sip:a@phone.office.test", "10.0.0.8:5060", ""),
        ("mailto:a@b", "10.0.0.8:5060", ""),
        ("sip:a@10.0.0.9", "", ""),
    ],
)
def test_contacts_that_are_odd(contact: str, source: str, doubt: str) -> None:
    assert doubt_of(contact, source, "") == doubt_of(contact, source, "closed") == doubt
    assert doubt_of(contact, source, "open") == ""


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"transport": "TCP", "connection": "open"}, "TCP"),
        ({"transport": "TCP", "connection": "closed"}, "TCP, closed"),
        ({"transport": "UDP", "connection": ""}, "UDP"),
        ({}, "UDP"),
    ],
)
def test_how_a_phone_is_reached(found: dict[str, str], told: str) -> None:
    assert transport_told(*way_of(found)) == told


@pytest.mark.parametrize(
    ("pattern", "fits"), [("tcp", True), ("T*", True), ("tls", False), ("udp", False), ("", True)]
)
def test_bindings_of_a_transport(pattern: str, fits: bool) -> None:
    assert Wanted(transport=pattern).matches(Binding("sip:a@h", 1.0, 0.0, flow=connection(1))) is fits


def test_only_patterns_that_are_there_are_asked_for() -> None:
    assert Wanted(user="a*").to_wire() == {"user": "a*"}
