"""Contact and Expires of a REGISTER; what becomes of them is in test_registrar.py."""

import pytest
from registrar.registers import register

from switchboard.registrar.contacts import (
    RequestedContact,
    parse_expires,
    removes_all,
    requested_contacts,
)
from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("0060", 60),
        ("4294967295", 2**32 - 1),
        ("4294967296", 2**32 - 1),
        ("9" * 10_000, 2**32 - 1),
        ("", None),
        ('"60"', 60),
        ("600;x", 3600),
        ("1.5", 3600),
        ("-1", 3600),
        ("²", 3600),
    ],
)
def test_parse_expires(text: str | None, seconds: int | None) -> None:
    assert parse_expires(text) == seconds


def test_requested_contacts() -> None:
    raw = register("X <sip:a@h;x>;expires=5;q=0.3, sip:b@h;y=z", "<tel:1>;expires=0", extra="Expires: 77")
    assert requested_contacts(parse_message(raw)) == [
        RequestedContact("sip:a@h;x", 0.3, 5, ";q=0.3"),
        RequestedContact("sip:b@h", 1.0, 77, ";y=z"),
        RequestedContact("tel:1", 1.0, 0, ""),
    ]


def test_query_has_none() -> None:
    request = parse_message(register())
    assert (requested_contacts(request), removes_all(request)) == ([], False)


@pytest.mark.parametrize(
    "contact",
    [
        '"x <sip:a@h>',
        "<sip:a b@h>",
        "sip:a@h>",
        "bob",
        '<sip:a@h>;x="',
        '<sip:a@h>;x="y", <sip:b@h>;z="',
        "<sip:a@h>;x=\x01",
    ],
)
def test_malformed(contact: str) -> None:
    with pytest.raises(ParseError) as caught:
        requested_contacts(parse_message(register(contact)))
    assert caught.value.header == "Contact"


@pytest.mark.parametrize(
    ("contact", "expected"),
    [
        (", <sip:a@h>,", RequestedContact("sip:a@h", 1.0, None, "")),
        ("< sip:a@h >;;", RequestedContact("sip:a@h", 1.0, None, "")),
        ("Bob, A <sip:a@h>", RequestedContact("sip:a@h", 1.0, None, "")),
        ('"B" sip:a@h;X=1', RequestedContact("sip:a@h", 1.0, None, ";X=1")),
        ("sip:a@h?x=y;expires=60", RequestedContact("sip:a@h?x=y", 1.0, 60, "")),
        ("<sip:a@h?x=y;>", RequestedContact("sip:a@h?x=y;", 1.0, None, "")),
        ('"\udcfc" <sip:\udcfc@h>;x=\udcff', RequestedContact("sip:\udcfc@h", 1.0, None, ";x=\udcff")),
        (
            "<sip:a@h;;x=a,b>;X=;y=a=b;+sip.instance=<urn:uuid:1>;Expires=60",
            RequestedContact("sip:a@h;;x=a,b", 1.0, 60, ";X=;y=a=b;+sip.instance=<urn:uuid:1>"),
        ),
        (
            'sip:a@h;+sip.instance="<urn:uuid:1;2>";expires="7"',
            RequestedContact("sip:a@h", 1.0, 7, ';+sip.instance="<urn:uuid:1;2>"'),
        ),
        ("<sip:a@h>;expires=", RequestedContact("sip:a@h", 1.0, None, "")),
        ("<sip:a@h>;expires=soon", RequestedContact("sip:a@h", 1.0, 3600, "")),
        ("<sip:a@h>;q=.5", RequestedContact("sip:a@h", 0.5, None, ";q=.5")),
        ('<sip:a@h>;q="0.5"', RequestedContact("sip:a@h", 0.5, None, ';q="0.5"')),
        ("<sip:a@h>;q=0.12345", RequestedContact("sip:a@h", 0.12345, None, ";q=0.12345")),
        ("<sip:a@h>;q=1.5", RequestedContact("sip:a@h", 1.0, None, ";q=1.5")),
        ("<sip:a@h>;q=-1", RequestedContact("sip:a@h", 1.0, None, ";q=-1")),
        ("<sip:a@h>;q=nan", RequestedContact("sip:a@h", 1.0, None, ";q=nan")),
        ("<sip:a@h>;q", RequestedContact("sip:a@h", 1.0, None, ";q")),
        ("<sip:a@h>;q=0.5;q=0.7", RequestedContact("sip:a@h", 0.5, None, ";q=0.5;q=0.7")),
    ],
)
def test_odd_spellings(contact: str, expected: RequestedContact) -> None:
    assert requested_contacts(parse_message(register(contact))) == [expected]
