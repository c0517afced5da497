"""Contact and Expires of a REGISTER; what becomes of them is in test_registrar.py."""

import pytest
from location.registers import register

from switchboard.location.contacts import (
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
        ("", 3600),
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
    "contact", ['"x <sip:a@h>', "<sip:a@h>,", "sip:a@h?x=y", "<sip:a@h>;q", "<sip:a@h>;;"]
)
def test_malformed(contact: str) -> None:
    with pytest.raises(ParseError) as caught:
        requested_contacts(parse_message(register(contact)))
    assert caught.value.header == "Contact"
