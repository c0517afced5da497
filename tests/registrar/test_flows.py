"""Registrations over connections: what is reached over which flow, and who takes whose place (RFC 5626)."""

import pytest
from registrar.registers import SOURCE, Desk, connection, register

from switchboard.sip.flow import TCP, WS, WSS
from switchboard.sip.message import Message, parse_message

PHONE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
OTHER = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEE00>"'
OUTBOUND = "Supported: path, outbound"
BROWSER = "<sip:k3l2@a1b2c3.invalid;transport=ws>"


def over(desk: Desk, serial: int, *contacts: str, call_id: str = "call-1", extra: str = "") -> Message:
    """The answer to a REGISTER over the connection with that number."""
    return desk.send(register(*contacts, call_id=call_id, extra=extra), flow=connection(serial))


def flows(desk: Desk) -> list[tuple[str, bytes]]:
    return [(binding.contact, binding.flow) for binding in desk.bindings()]


@pytest.mark.parametrize("transport", [TCP, WS, WSS])
@pytest.mark.parametrize(
    "contact",
    [
        BROWSER[1:-1],
        "sip:lukas@127.0.0.1:5060;transport=tcp",
        "sip:lukas@10.0.0.9:1;transport=tcp",
        "sip:lukas@phone.test;transport=ws",
        "sip:lukas@10.0.0.8",
        "sips:lukas@10.0.0.8",
    ],
)
def test_whatever_its_contact_says_a_phone_is_bound_to_its_connection(contact: str, transport: int) -> None:
    desk, flow = Desk(), connection(1, transport)
    answer = desk.send(register(f"<{contact}>"), flow=flow)
    assert answer.all("contact") == [f"<{contact}>;expires=3600"]
    assert flows(desk) == [(contact, flow)]


def test_a_datagram_binds_no_connection() -> None:
    desk = Desk()
    desk.send(register("<sip:lukas@10.0.0.9>"))
    assert flows(desk) == [("sip:lukas@10.0.0.9", b"")]


@pytest.mark.parametrize("extra", ["Path: <sip:edge.test;lr;ob>", "Via: SIP/2.0/TCP 10.0.0.7"])
def test_the_connection_of_a_proxy_is_not_the_phones(extra: str) -> None:
    desk = Desk()
    assert over(desk, 1, "<sip:lukas@10.0.0.9>", extra=extra).status == 200
    assert flows(desk) == [("sip:lukas@10.0.0.9", b"")]


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ((BROWSER, "call-1"), (BROWSER, "call-1"), True),
        ((BROWSER, "call-1"), (BROWSER, "call-2"), True),
        (("<sip:a@h:1;transport=tcp>", "call-1"), ("<sip:a@h:2;transport=tcp>", "call-1"), True),
        (("<sip:a@h:1;transport=tcp>", "call-1"), ("<sip:a@h:2;transport=tcp>", "call-2"), False),
        ((f"<sip:a@h:1>;{PHONE}", "call-1"), (f"<sip:a@h:2>;{PHONE}", "call-2"), True),
        ((f"<sip:a@h:1>;{PHONE};reg-id=1", "call-1"), (f"<sip:a@h:1>;{PHONE};reg-id=1", "call-2"), True),
        ((f"<sip:a@h:1>;{PHONE};reg-id=1", "call-1"), (f"<sip:a@h:1>;{PHONE};reg-id=2", "call-1"), False),
        ((f"<sip:a@127.0.0.1>;{PHONE}", "call-1"), (f"<sip:a@127.0.0.1>;{OTHER}", "call-2"), False),
        ((f"<sip:a@h:1>;{PHONE}", "call-1"), ("<sip:a@h:2>", "call-1"), False),
    ],
)
def test_who_comes_back_over_another_connection_has_that_one(
    before: tuple[str, str], after: tuple[str, str], *, again: bool
) -> None:
    desk = Desk()
    for number, (contact, call_id) in enumerate((before, after), 1):
        assert over(desk, number, contact, call_id=call_id).status == 200
    expected = [connection(2)] if again else [connection(1), connection(2)]
    assert [flow for _, flow in flows(desk)] == expected


def test_a_phone_that_goes_over_to_datagrams_has_no_connection() -> None:
    desk = Desk()
    over(desk, 1, f"<sip:a@10.0.0.9;transport=tcp>;{PHONE}")
    desk.send(register(f"<sip:a@10.0.0.9>;{PHONE}"))
    assert flows(desk) == [("sip:a@10.0.0.9", b"")]


def test_a_late_request_over_the_old_connection_changes_nothing() -> None:
    desk = Desk()
    first = register(BROWSER, cseq=7)
    desk.send(register(BROWSER, cseq=8), flow=connection(2))
    assert desk.send(first, flow=connection(1)).status == 500
    assert flows(desk) == [(BROWSER[1:-1], connection(2))]


def test_both_contacts_of_a_phone_that_reconnected() -> None:
    """pjsua2 names the new contact, and the old one with expires=0, in one REGISTER."""
    desk = Desk()
    over(desk, 1, "<sip:a@10.0.0.9:40001;transport=TCP>")
    answer = over(
        desk, 2, "<sip:a@10.0.0.9:40002;transport=TCP>", "<sip:a@10.0.0.9:40001;transport=TCP>;expires=0"
    )
    assert answer.all("contact") == ["<sip:a@10.0.0.9:40002;transport=TCP>;expires=3600"]
    assert [flow for _, flow in flows(desk)] == [connection(2)]


def test_a_dead_port_is_kept_with_the_new_connection() -> None:
    """So pjsua2 does once a 200 requires outbound."""
    desk, contact = Desk(), f"<sip:a@10.0.0.9:40001;transport=TCP;ob>;reg-id=1;{PHONE}"
    for number in (1, 2):
        answer = over(desk, number, contact, extra=OUTBOUND)
        assert (answer.get("require"), answer.get("flow-timer")) == ("outbound", "120")
    assert [flow for _, flow in flows(desk)] == [connection(2)]


def test_one_instance_of_several_at_one_address_is_removed() -> None:
    desk = Desk()
    over(desk, 1, f"<sip:a@127.0.0.1>;{PHONE}", call_id="a")
    over(desk, 2, f"<sip:a@127.0.0.1>;{OTHER}", call_id="b")
    over(desk, 2, f"<sip:a@127.0.0.1>;{OTHER};expires=0", call_id="b")
    assert [flow for _, flow in flows(desk)] == [connection(1)]


@pytest.mark.parametrize("extra", ["", OUTBOUND])
@pytest.mark.parametrize("contact", [BROWSER, f"<sip:a@h>;{PHONE}", f"<sip:a@h>;{PHONE};reg-id=1", ""])
def test_an_answer_has_all_that_phones_wait_for(contact: str, extra: str) -> None:
    desk = Desk()
    over(desk, 1, "<sip:other@h>", call_id="other")
    raw = register(*filter(None, [contact]), extra=extra)
    with desk.store.batch():
        answer = desk.registrar.process(parse_message(raw), SOURCE, desk.now_at, connection(2))
    head = answer.response.split(b"\r\n")
    assert answer.response.endswith(b"\r\nContent-Length: 0\r\n\r\n")
    assert not any(line[:1] in (b" ", b"\t") for line in head)
    contacts = [line for line in head if line.startswith(b"Contact: ")]
    assert len(contacts) == 1 + bool(contact)
    assert all(b">" in line and b";expires=" in line for line in contacts)


def test_an_answer_is_not_folded_even_if_the_request_is() -> None:
    """Linphone ignores one whose CSeq is."""
    raw = register(BROWSER).replace(b"CSeq: ", b"CSeq:\r\n ").replace(b"Call-ID: ", b"Call-ID:\r\n\t")
    desk = Desk()
    with desk.store.batch():
        answer = desk.registrar.process(parse_message(raw), SOURCE, desk.now_at, connection(1))
    assert not any(line[:1] in (b" ", b"\t") for line in answer.response.split(b"\r\n"))
    assert b"\r\nCSeq: " in answer.response


FLOW_CONTACT = f"<sip:a@10.0.0.9>;{PHONE};reg-id=1"


@pytest.mark.parametrize(
    ("contact", "extra", "flow", "require", "timer"),
    [
        (FLOW_CONTACT, OUTBOUND, connection(1), "outbound", "120"),
        (FLOW_CONTACT, OUTBOUND, b"", "outbound", "25"),
        (FLOW_CONTACT, "Supported: OUTBOUND", b"", "outbound", "25"),
        (FLOW_CONTACT, "", connection(1), None, None),
        (f"<sip:a@h>;{PHONE}", OUTBOUND, connection(1), None, None),
        ("<sip:a@h>;reg-id=1", OUTBOUND, connection(1), None, None),
        (f"{FLOW_CONTACT};expires=0", OUTBOUND, connection(1), None, None),
        ("", OUTBOUND, connection(1), None, None),
        (FLOW_CONTACT, f"{OUTBOUND}\nPath: <sip:edge.test;lr;ob>", b"", "outbound", "25"),
        (
            FLOW_CONTACT,
            f"{OUTBOUND}\nVia: SIP/2.0/UDP 10.0.0.7\nPath: <sip:p.test;lr>, <sip:edge.test;lr;ob>",
            b"",
            "outbound",
            None,
        ),
    ],
)
def test_outbound_is_required_where_it_is_done(
    contact: str, extra: str, flow: bytes, require: str | None, timer: str | None
) -> None:
    answer = Desk().send(register(*filter(None, [contact]), extra=extra), flow=flow)
    assert (answer.status, answer.get("require"), answer.get("flow-timer")) == (200, require, timer)


BEHIND = "Via: SIP/2.0/UDP 10.0.0.7"


@pytest.mark.parametrize("extra", [BEHIND, "Path: <sip:edge.test;lr>", f"{BEHIND}\nPath: <sip:edge.test;lr>"])
def test_where_the_first_hop_keeps_no_flow_439_or_no_reg_id(extra: str) -> None:
    desk = Desk()
    answer = desk.send(register(FLOW_CONTACT, extra=f"{extra}\n{OUTBOUND}"))
    assert (answer.status, answer.reason) == (439, "First Hop Lacks Outbound Support")
    assert desk.bindings() == []
    answer = desk.send(register(FLOW_CONTACT, extra=extra))
    assert answer.all("contact") == [f"<sip:a@10.0.0.9>;{PHONE};expires=3600"]


def test_a_flow_has_one_contact() -> None:
    desk = Desk()
    assert desk.send(register(FLOW_CONTACT, f"<sip:b@h>;{PHONE}", extra=OUTBOUND)).status == 400
    assert desk.send(register(FLOW_CONTACT, "<sip:b@h>;expires=0", extra=OUTBOUND)).status == 200


@pytest.mark.parametrize(
    ("require", "status"), [("outbound", 200), ("gruu, path", 200), ("outbound, x", 420)]
)
def test_what_may_be_required(require: str, status: int) -> None:
    assert Desk().send(register(FLOW_CONTACT, extra=f"Require: {require}")).status == status
