"""Whose place a contact takes, and who goes when there is no room."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registrar.registers import Desk, register

from switchboard.registrar.binding import instance_of
from switchboard.registrar.contacts import RequestedContact
from switchboard.registrar.rebind import MOST_OCTETS, RegistrarPolicy, Update
from switchboard.sip.message import parse_message


@pytest.mark.parametrize(
    ("contact", "sent_by", "source", "next_hop"),
    [
        ("sip:a@(null)", "(null)", ("10.0.0.9", 5061), "10.0.0.9:5061"),
        ("sip:a@[fe80::1%4]:5060", "h", ("10.0.0.9", 5061), "10.0.0.9:5061"),
        ("sip:a@192.168.1.2:5060", "192.168.1.2:5060", ("203.0.113.7", 40000), "203.0.113.7:40000"),
        ("sip:a@192.168.1.2:9", "192.168.1.2", ("203.0.113.7", 40000), "203.0.113.7:40000"),
        ("sip:a@[fd00:0::1]", "[FD00::1]:5060", ("2001:db8::7", 5060), "[2001:db8::7]:5060"),
        ("sip:a@10.0.0.9:5060", "10.0.0.9:5060", ("10.0.0.9", 40000), ""),
        ("sip:a@[fd00::1]", "[fd00::1]", ("fd00:0::1", 5060), ""),
        ("sip:a@10.0.0.8:5060", "10.0.0.9:5060", ("10.0.0.9", 5060), ""),
        ("sip:a@10.0.0.8:5060", "10.0.0.9:5060", ("203.0.113.7", 5060), ""),
        ("sip:a@phone.test", "phone.test", ("203.0.113.7", 5060), ""),
        ("mailto:a@192.168.1.2", "192.168.1.2", ("203.0.113.7", 5060), ""),
    ],
)
def test_next_hop(contact: str, sent_by: str, source: tuple[str, int], next_hop: str) -> None:
    update = Update.of(parse_message(register(sent_by=sent_by)), source)
    assert update.binding(RequestedContact(contact, 1.0, 60, ""), 1.0).next_hop == next_hop


def test_binding_has_all_of_the_request() -> None:
    raw = register(call_id="c", cseq=4, branch="z9hG4bKb", extra="User-Agent: Linphone\nPath: <sip:p;lr>")
    binding = Update.of(parse_message(raw), ("10.0.0.9", 5070)).binding(
        RequestedContact("sip:a@h", 0.5, 60, ";q=0.5"), 99.0
    )
    assert binding.to_wire() == [
        "sip:a@h", 0.5, 99.0, "", ("<sip:p;lr>",), ";q=0.5", "c", 4, "Linphone", "10.0.0.9:5070",
        "z9hG4bKb",
    ]  # fmt: skip


def test_user_agent_is_made_text_and_short() -> None:
    raw = register(extra="User-Agent: \udcff" + "x" * 300)
    assert Update.of(parse_message(raw), ("h", 1)).user_agent == "?" + "x" * 199


def test_call_id_that_is_no_text_is_kept() -> None:
    assert Update.of(parse_message(register(call_id="a\udcff")), ("h", 1)).call_id == "a\udcff"


PHONE = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"'
OTHER = '+sip.instance="<urn:uuid:00000000-0000-1000-8000-AABBCCDDEE00>"'


def at(port: int, *params: str, expires: int | None = None) -> str:
    more = params if expires is None else (*params, f"expires={expires}")
    return ";".join((f"<sip:lukas@10.0.0.9:{port}>", *more))


def ports(desk: Desk) -> list[int]:
    return [int(contact.rpartition(":")[2]) for contact in desk.contacts()]


@pytest.mark.parametrize(
    ("before", "after", "is_same"),
    [
        ((PHONE,), (PHONE,), True),
        ((PHONE,), (PHONE.lower(),), True),
        ((PHONE, "reg-id=1"), ("reg-id=1", PHONE), True),
        ((PHONE, "q=0.5"), (PHONE, "q=0.7", "audio"), True),
        ((PHONE,), (PHONE, "reg-id=1"), False),
        ((PHONE, "reg-id=1"), (PHONE, "reg-id=2"), False),
        ((PHONE,), (OTHER,), False),
        ((PHONE,), (), False),
        ((), (), False),
        (("+sip.instance",), ("+sip.instance",), False),
        (('+sip.instance="<urn:gsma:imei:35-A>"',), ('+sip.instance="<urn:gsma:imei:35-a>"',), False),
        (("+sip.instance=x1",), ('+sip.instance="x1"',), True),
    ],
)
def test_an_instance_has_one_contact_for_each_flow(
    before: tuple[str, ...], after: tuple[str, ...], is_same: bool
) -> None:
    desk = Desk()
    desk.send(register(at(5060, *before), call_id="a"))
    assert desk.send(register(at(5070, *after), call_id="b")).status == 200
    assert ports(desk) == ([5070] if is_same else [5060, 5070])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        (";q=0.5", None),
        (';+sip.instance=""', None),
        (";+sip.instance=<urn:uuid:A-1>;reg-id=2", ("urn:uuid:a-1", "2")),
        (';q=1;+sip.instance="<URN:UUID:A-1>"', ("urn:uuid:a-1", "")),
        (';x=";+sip.instance=y";reg-id=0x', None),
        ("; +SIP.Instance = x ; Reg-ID=2; reg-id=3", ("x", "2")),
        (";+sip.instance=x;reg-id=one", ("x", "")),
        (';reg-id=3;methods="INVITE";+sip.instance="<urn:x:A;B>";audio', ("urn:x:A;B", "3")),
    ],
)
def test_instance_of(text: str, expected: tuple[str, str] | None) -> None:
    assert instance_of(text) == expected


@pytest.mark.parametrize("is_old_first", [True, False])
def test_a_phone_that_moved_names_both_contacts(is_old_first: bool) -> None:
    desk = Desk()
    desk.send(register(at(5060, PHONE)))
    contacts = [at(5060, PHONE, expires=0), at(5070, PHONE)]
    response = desk.send(register(*(contacts if is_old_first else reversed(contacts))))
    assert response.all("contact") == [at(5070, PHONE, expires=3600)]


def test_contacts_of_one_request_do_not_displace_each_other() -> None:
    """A phone may be reached at several addresses (RFC 3261 §10.2.1)."""
    desk = Desk()
    for _ in range(2):
        desk.send(register(at(5060, PHONE), at(5070, PHONE)))
        assert ports(desk) == [5060, 5070]


def test_a_removed_contact_leaves_another_one_of_the_instance() -> None:
    desk = Desk()
    desk.send(register(at(5070, PHONE)))
    desk.send(register(at(5060, PHONE, expires=0)))
    assert ports(desk) == [5070]


def test_phones_behind_one_address_stay_several() -> None:
    desk = Desk()
    for port in range(6000, 6005):
        desk.send(register(at(port), call_id=f"call-{port}"), ("192.0.2.1", port))
    assert ports(desk) == [6000, 6001, 6002, 6003, 6004]


def test_a_late_request_of_the_same_instance_changes_nothing() -> None:
    desk = Desk()
    desk.send(register(at(5070, PHONE), cseq=50))
    assert desk.send(register(at(5060, PHONE), cseq=49)).status == 500
    assert ports(desk) == [5070]


def test_the_one_that_was_refreshed_longest_ago_goes() -> None:
    desk = Desk(RegistrarPolicy(max_contacts=2))
    desk.send(register(at(1)))
    desk.send(register(at(2)))
    desk.send(register(at(1)))
    assert desk.send(register(at(3)), ("192.0.2.1", 7)).status == 200
    assert ports(desk) == [1, 3]
    (displaced,) = desk.registrar.take_displaced()
    assert (displaced.user, displaced.binding.contact, displaced.source) == (
        "lukas",
        "sip:lukas@10.0.0.9:2",
        ("192.0.2.1", 7),
    )
    assert (desk.registrar.displaced, desk.registrar.take_displaced()) == (1, [])


def test_a_request_with_more_contacts_than_one_may_have_is_refused() -> None:
    desk = Desk(RegistrarPolicy(max_contacts=2))
    desk.send(register(at(1)))
    assert desk.send(register(at(2), at(3), at(4))).status == 403
    assert desk.send(register(*(at(port) for port in range(9)))).status == 403
    assert ports(desk) == [1]
    assert desk.send(register(at(2), at(3), at(1, expires=0))).status == 200
    assert ports(desk) == [2, 3]


def test_a_lower_limit_holds_from_the_next_contact_on() -> None:
    desk = Desk()
    desk.send(register(*(at(port) for port in range(1, 6))))
    limited = Desk(RegistrarPolicy(max_contacts=2), desk.store)
    limited.send(register())
    limited.send(register(at(5, expires=0)))
    assert ports(limited) == [1, 2, 3, 4]
    limited.send(register(at(1)))
    assert ports(limited) == [4, 1]


def long_contact(number: int, octets: int) -> str:
    return f"<sip:{number}-{'x' * octets}@10.0.0.9>"


def test_contacts_that_one_answer_cannot_list_go_too() -> None:
    desk = Desk()
    for number in range(9):
        assert desk.send(register(long_contact(number, 5000))).status == 200
        assert sum(map(len, desk.contacts())) <= MOST_OCTETS
    assert [contact[4] for contact in desk.contacts()] == ["3", "4", "5", "6", "7", "8"]


@pytest.mark.parametrize(
    "raw",
    [
        register(*(long_contact(number, 5000) for number in range(9))),
        register("<sip:x@10.0.0.9>", extra="Via: SIP/2.0/UDP " + 64_700 * "h"),
        register("<sip:x@10.0.0.9>", extra=f"Supported: path\nPath: <sip:{40_000 * 'p'}@edge;lr>"),
    ],
    ids=["contacts", "Via", "Path"],
)
def test_what_no_datagram_can_answer_is_513_and_binds_nothing(raw: bytes) -> None:
    desk = Desk()
    desk.send(register(*(long_contact(number, 5000) for number in range(6)), call_id="before"))
    before = desk.bindings()
    assert desk.send(raw).status == 513
    assert desk.bindings() == before
    assert desk.registrar.take_displaced() == []


@st.composite
def requests(draw: st.DrawFn) -> list[list[tuple[int, int, int]]]:
    """REGISTERs: of each its contacts, by port, instance (0: none) and expiry."""
    contact = st.tuples(st.integers(1, 6), st.integers(0, 2), st.sampled_from([0, 600]))
    return draw(st.lists(st.lists(contact, min_size=1, max_size=3), max_size=8))


@given(requests())
def test_what_a_request_adds_is_bound_and_the_limit_holds(
    drawn: Sequence[Sequence[tuple[int, int, int]]],
) -> None:
    desk = Desk(RegistrarPolicy(max_contacts=3))
    for contacts in drawn:
        values = [
            at(port, *([f'+sip.instance="<urn:x:{instance}>"'] if instance else []), expires=expires)
            for port, instance, expires in contacts
        ]
        assert desk.send(register(*values)).status == 200
        last_said = {port: expires for port, _, expires in contacts}
        assert {port for port, expires in last_said.items() if expires} <= set(ports(desk))
        assert not {port for port, expires in last_said.items() if not expires} & set(ports(desk))
        assert len(ports(desk)) == len(set(ports(desk))) <= 3
