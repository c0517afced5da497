"""Bindings and their form on the bus."""

import pytest

from switchboard.bus import frames
from switchboard.registrar.binding import WIRE_FIELDS, Binding
from switchboard.sip.flow import TCP, TLS, UDP, Flow

BINDING = Binding(
    "sip:a@h:5070",
    0.5,
    99.5,
    "[::1]:5",
    ("<sip:p;lr>",),
    ";x",
    "call",
    3,
    "UA",
    "[2001:db8::7]:5060",
    "z9hG4bKx",
)


def test_wire_form_has_all() -> None:
    _, record = frames.unpack(frames.pack("x", BINDING.to_wire()))
    restored = Binding.from_wire(record)
    assert restored == BINDING
    assert restored.path == ("<sip:p;lr>",)


def test_map_names_the_wire_form() -> None:
    found = BINDING.to_map()
    assert tuple(found) == (*WIRE_FIELDS[:-2], "transport", "connection")
    assert (found["contact_uri"], found["expires_at"], found["source"]) == (
        "sip:a@h:5070",
        99.5,
        "[2001:db8::7]:5060",
    )


@pytest.mark.parametrize(
    ("contact", "other", "expected"),
    [
        ("sip:a@h", "sip:a@H", True),
        ("sip:a@h", "sip:A@h", False),
        ("tel:1", "tel:1", True),
        ("tel:1", "TEL:1", False),
        ("sip:a@h", "mailto:a@h", False),
    ],
)
def test_matches(contact: str, other: str, expected: bool) -> None:
    assert Binding(contact, 1.0, 0.0).matches(other) is expected


def test_hosts() -> None:
    assert BINDING.source_host == "2001:db8::7"
    assert BINDING.contact_uri is not None
    assert BINDING.contact_uri.port == 5070
    assert Binding("tel:1", 1.0, 0.0).contact_uri is None


FLOW = Flow(TLS, "192.0.2.1", "192.0.2.9", 40000, b"\0serial 8").pack()


def test_a_flow_is_the_last_of_the_wire_form() -> None:
    binding = BINDING._replace(flow=FLOW)
    assert binding.to_wire() == [*BINDING.to_wire(), FLOW]
    assert Binding.from_wire(binding.to_wire()) == binding


def test_the_wire_form_without_a_flow_is_the_one_of_old() -> None:
    assert len(BINDING.to_wire()) == len(WIRE_FIELDS) - 2
    assert Binding.from_wire(BINDING.to_wire()).flow == b""


def test_people_see_the_transport() -> None:
    assert BINDING.to_map()["transport"] == "UDP"
    assert BINDING._replace(flow=FLOW).to_map()["transport"] == "TLS"
    assert "flow" not in BINDING.to_map()


def test_people_see_whether_the_connection_is_there() -> None:
    closed = Flow(TCP, "", "192.0.2.9", 5060).pack()
    assert BINDING.to_map()["connection"] == ""
    assert BINDING._replace(flow=FLOW).to_map()["connection"] == "open"
    assert BINDING._replace(flow=closed).to_map()["connection"] == "closed"


def test_the_transport_is_that_of_the_flow() -> None:
    assert BINDING.transport == UDP
    assert BINDING._replace(flow=Flow(TCP, "", "h", 1).pack()).transport == TCP
