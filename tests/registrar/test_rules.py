"""The registrar's rules: RFC 3261 §10.3 step by step, RFC 3327."""

import pytest
from registrar.registers import NOW_AT, Desk, register

from switchboard.registrar.binding import WIRE_FIELDS, Binding
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.user_table import pack_records, users_in
from switchboard.sip.message import Message, parse_message

A, B = "sip:lukas@10.0.0.9:5060", "sip:lukas@10.0.0.8"


def listed(response: Message) -> list[str]:
    assert response.status == 200, response.reason
    return response.all("contact")


def test_add_is_answered_with_the_binding() -> None:
    response = Desk().send(register(f"<{A}>"))
    assert listed(response) == [f"<{A}>;expires=3600"]
    assert response.get("date") == "Tue, 14 Nov 2023 22:13:20 GMT"


def test_response_mirrors_the_request() -> None:
    response = Desk().send(register(f"<{A}>", cseq=7, branch="z9hG4bKx", sent_by="10.0.0.9:5070"))
    assert response.get("via") == "SIP/2.0/UDP 10.0.0.9:5070;rport=5060;branch=z9hG4bKx;received=10.0.0.9"
    assert (response.call_id, response.cseq, response.from_tag) == ("call-1", (7, "REGISTER"), "a")
    assert len(response.to_tag) == 8


def test_query_lists_and_changes_nothing() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>"))
    number = desk.store.number
    assert listed(desk.send(register())) == [f"<{A}>;expires=3600"]
    assert desk.store.number == number


def test_query_of_an_unknown_user_does_not_make_it_known() -> None:
    desk = Desk()
    assert listed(desk.send(register(user="nobody"))) == []
    assert desk.store.snapshot() == (0, {})


def test_expires_counts_down() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>;expires=600"))
    desk.now_at += 100.3
    assert listed(desk.send(register())) == [f"<{A}>;expires=500"]


def test_last_half_second_is_not_zero() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>;expires=600"))
    desk.now_at += 599.9
    assert listed(desk.send(register())) == [f"<{A}>;expires=1"]


def test_expired_bindings_are_gone_and_purged() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>;expires=60", f"<{B}>;expires=600"))
    desk.now_at += 60
    assert desk.contacts() == [B]
    assert len(desk.store.bindings("lukas")) == 2
    with desk.store.batch() as change:
        assert not desk.registrar.purge(desk.now_at, 100)
    assert [each.contact for each in users_in(pack_records(change.records))["lukas"]] == [B]
    assert desk.store.expired_users(desk.now_at, 100) == ([], False)


def test_many_that_have_expired_are_purged_some_at_a_time() -> None:
    desk = Desk()
    with desk.store.batch():
        for number in range(1000):
            desk.store.put(f"user{number}", [Binding(f"sip:{number}@h", 1.0, desk.now_at)])
    sizes, more = [], True
    while more:
        with desk.store.batch() as change:
            more = desk.registrar.purge(desk.now_at, 50)
        sizes.append(len(change.records))
    assert sum(sizes) == 1000
    assert max(sizes) < 100
    assert desk.store.count() == (0, 0)


def test_bindings_are_in_the_order_of_their_refreshing() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>;expires=200", f"<{B}>;expires=200"))
    response = desk.send(register(f"<{A}>;expires=500"))
    assert desk.contacts() == [B, A]
    assert listed(response) == [f"<{A}>;expires=500", f"<{B}>;expires=200"], "its own first"


@pytest.mark.parametrize(
    "spelling",
    [
        "sip:lukas@10.0.0.9:5060",
        "SIP:%6Cukas@10.0.0.9:5060",
        "sip:lukas@10.0.0.9:5060;ob",
    ],
)
def test_equivalent_uri_is_the_same_contact(spelling: str) -> None:
    desk = Desk()
    desk.send(register(f"<{A}>"))
    assert listed(desk.send(register(f"<{spelling}>"))) == [f"<{spelling}>;expires=3600"]


def test_other_scheme_is_kept_and_compared_by_text() -> None:
    desk = Desk()
    desk.send(
        register("<mailto:lukas@example.org>;q=0.1", "<tel:+421900123456>", "<mailto:Lukas@example.org>")
    )
    assert desk.contacts() == [
        "mailto:lukas@example.org",
        "tel:+421900123456",
        "mailto:Lukas@example.org",
    ]
    desk.send(register("<mailto:lukas@example.org>;expires=0"))
    assert desk.contacts() == ["tel:+421900123456", "mailto:Lukas@example.org"]


@pytest.mark.parametrize(
    "contacts",
    [
        (f"<{A}>", f"<{B}>"),
        (f"<{A}> , <{B}>",),
        (f'"Novak, Jan <sip:x@h>;expires=0 \\"J\\"" <{A}>, Home <{B}>',),
        (A, f"{B} "),
    ],
)
def test_several_contacts(contacts: tuple[str, ...]) -> None:
    desk = Desk()
    assert len(listed(desk.send(register(*contacts)))) == 2
    assert desk.contacts() == [A, B]


@pytest.mark.parametrize(
    ("params", "returned"),
    [
        (';flag;methods="INVITE";+sip.ice', ""),
        (
            ';reg-id=1;flag;+sip.instance="<urn:uuid:0,1>";q=0.50',
            ';q=0.5;+sip.instance="<urn:uuid:0,1>";reg-id=1',
        ),
        (";+SIP.Instance=x;Q=1.000", ';q=1;+sip.instance="x"'),
        (";q=0.001", ";q=0.001"),
        (";reg-id=one", ""),
        (";+sip.instance", ""),
    ],
)
def test_parameters_are_returned_that_belong_to_a_binding(params: str, returned: str) -> None:
    uri = "sip:lukas@[2001:db8::1]:5080;transport=udp;ob?x=y"
    response = Desk().send(register(f"<{uri}>;expires=100{params}"))
    assert listed(response) == [f"<{uri}>{returned};expires=100"]


@pytest.mark.parametrize(
    ("contact", "header", "granted"),
    [
        ("", "", 3600),
        (";expires=300", "Expires: 900", 300),
        ("", "Expires: 900", 900),
        ("", "Expires: 7201", 7200),
        (";expires=99999999999999999999999", "", 7200),
        (";expires=" + "9" * 5000, "", 7200),
        (";expires=soon", "Expires: 900", 3600),
        (';expires="300"', "", 300),
        (";expires", "", 3600),
        (";expires=", "Expires: 900", 900),
        ("", "Expires: -1", 3600),
        ("", "Expires: Tue, 14 Nov 2023", 3600),
        ("", "Expires: ٣", 3600),
        (";expires=60", "", 60),
    ],
)
def test_granted_expiry(contact: str, header: str, granted: int) -> None:
    response = Desk().send(register(f"<{A}>{contact}", extra=header))
    assert listed(response) == [f"<{A}>;expires={granted}"]


def test_default_expiry_is_the_policys() -> None:
    assert listed(Desk(RegistrarPolicy(default_expires=120)).send(register(f"<{A}>"))) == [
        f"<{A}>;expires=120"
    ]


@pytest.mark.parametrize("expires", [1, 59])
def test_too_brief_is_423_and_nothing_is_applied(expires: int) -> None:
    desk = Desk()
    response = desk.send(register(f"<{B}>", f"<{A}>;expires={expires}"))
    assert (response.status, response.get("min-expires")) == (423, "60")
    assert desk.contacts() == []


def test_an_hour_is_never_too_brief() -> None:
    desk = Desk(RegistrarPolicy(min_expires=5000, default_expires=6000))
    assert desk.send(register(f"<{A}>;expires=3599")).status == 423
    assert listed(desk.send(register(f"<{A}>;expires=3600"))) == [f"<{A}>;expires=3600"]


@pytest.mark.parametrize(
    ("contact", "header"),
    [(f"<{A}>;expires=0", ""), (f"<{A}>", "Expires: 0"), (f"<{A}>;expires=0", "Expires: 9")],
)
def test_remove_one(contact: str, header: str) -> None:
    desk = Desk()
    desk.send(register(f"<{A}>", f"<{B}>"))
    assert listed(desk.send(register(contact, extra=header))) == [f"<{B}>;expires=3600"]


def test_remove_what_is_not_bound() -> None:
    desk = Desk()
    assert listed(desk.send(register(f"<{A}>;expires=0"))) == []
    assert desk.store.snapshot() == (0, {})


def test_user_goes_with_the_last_binding() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>"))
    assert listed(desk.send(register(f"<{A}>;expires=0"))) == []
    assert desk.store.snapshot() == (2, {})
    assert desk.store.table.was_bound("lukas")


def test_star_removes_all() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>", f"<{B}>", call_id="other"))
    assert listed(desk.send(register("*", extra="Expires: 0"))) == []
    assert desk.contacts() == []


@pytest.mark.parametrize(
    ("star", "header"), [("*;expires=0", ""), ("<*>", "Expires: 0"), ("<*>;expires=0", "")]
)
def test_star_as_some_spell_it(star: str, header: str) -> None:
    desk = Desk()
    desk.send(register(f"<{A}>"))
    assert listed(desk.send(register(star, extra=header, call_id="other"))) == []


@pytest.mark.parametrize(
    ("contacts", "header"),
    [
        (("*",), ""),
        (("*",), "Expires: 600"),
        (("*",), "Expires: none"),
        (("*", f"<{A}>"), "Expires: 0"),
        ((f"<{A}>, *",), "Expires: 0"),
        (("*", "*"), "Expires: 0"),
        (("*;expires=600",), "Expires: 0"),
    ],
)
def test_star_otherwise_is_400(contacts: tuple[str, ...], header: str) -> None:
    desk = Desk()
    desk.send(register(f"<{A}>"))
    assert desk.send(register(*contacts, extra=header)).status == 400
    assert desk.contacts() == [A]


@pytest.mark.parametrize("cseq", [49, 50])
@pytest.mark.parametrize(
    ("contact", "header"), [(f"<{A}>;expires=0", ""), ("*", "Expires: 0"), (f"<{A}>", "")]
)
def test_cseq_must_rise_within_a_call_id(cseq: int, contact: str, header: str) -> None:
    desk = Desk()
    desk.send(register(f"<{A}>;expires=100", cseq=50))
    assert desk.send(register(contact, cseq=cseq, extra=header)).status == 500
    assert [(each.contact, each.expires_at) for each in desk.bindings()] == [(A, NOW_AT + 100)]


def test_out_of_order_for_one_contact_applies_none() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>", cseq=50))
    assert desk.send(register(f"<{B}>", f"<{A}>", cseq=40)).status == 500
    assert desk.contacts() == [A]


def test_lower_cseq_is_no_matter_for_other_contacts_or_call_ids() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>", cseq=50))
    assert desk.send(register(f"<{B}>", cseq=40)).status == 200
    assert desk.send(register(f"<{A}>", cseq=1, call_id="after-restart")).status == 200
    assert [(each.contact, each.call_id) for each in desk.bindings()] == [(B, "call-1"), (A, "after-restart")]


def test_retransmission_is_recognised_by_its_branch() -> None:
    desk = Desk()
    again = register(f"<{A}>;expires=600", cseq=50, branch="z9hG4bKsame")
    first = desk.send(again)
    desk.now_at += 10
    second = desk.send(again)
    assert listed(second) == [f"<{A}>;expires=590"]
    assert second.to_tag == first.to_tag


@pytest.mark.parametrize("contact", ["<sip:x@h", "bob", "<sip:x @h>", "<sip:>", '<sip:x@h>;y="'])
def test_malformed_contact_is_400_and_names_it(contact: str) -> None:
    desk = Desk()
    response = desk.send(register(f"<{B}>", contact))
    assert response.status == 400
    assert "Contact" in response.reason
    assert desk.contacts() == []


@pytest.mark.parametrize(
    ("param", "q"),
    [
        ("", 1.0),
        (";q=0.7", 0.7),
        (";Q=1.000", 1.0),
        (";q=0", 0.0),
        (";q=0.", 0),
        (";q=.5", 0.5),
        (";q=high", 1.0),
    ],
)
def test_q(param: str, q: float) -> None:
    desk = Desk()
    desk.send(register(f"<{A}>{param}"))
    assert desk.bindings()[0].q == q


def test_bytes_that_are_no_text_are_kept_and_come_back() -> None:
    desk = Desk()
    response = desk.send(register('"\udcff" <sip:\udcfc@10.0.0.9>;+sip.instance="\udcfe"', call_id="\udcfd"))
    assert listed(response) == ['<sip:\udcfc@10.0.0.9>;+sip.instance="\udcfe";expires=3600']
    assert desk.bindings()[0].call_id == "\udcfd"


@pytest.mark.parametrize(
    ("to", "status"),
    [
        ("<sip:lukas@elsewhere.invalid>", 404),
        ("<sip:switchboard.test>", 404),
        ("<sip:switchboard.test:5060>", 404),
        ("<tel:+421900>", 404),
        ("<sip:lukas@switchboard.test", 400),
        ('"Lukas <sip:lukas@switchboard.test>', 400),
        ("<sip:lu kas@switchboard.test>", 400),
        ("<sip:lukas@switch..board>", 404),
    ],
)
def test_address_of_record(to: str, status: int) -> None:
    desk = Desk()
    assert desk.send(register(f"<{A}>", to=to)).status == status
    assert desk.store.snapshot() == (0, {})


@pytest.mark.parametrize(
    "to", ["sip:lukas@127.0.0.1", "<sip:%6Cukas@switchboard.test;transport=udp>", "L <sips:lukas@127.0.0.1>"]
)
def test_names_of_one_user(to: str) -> None:
    desk = Desk()
    assert desk.send(register(f"<{A}>", to=to)).status == 200
    assert desk.contacts("lukas") == [A]


def test_cseq_of_another_method_is_400() -> None:
    raw = register(f"<{A}>").replace(b" REGISTER\r\n", b" INVITE\r\n")
    assert Desk().send(raw).status == 400


@pytest.mark.parametrize(
    ("require", "unsupported"),
    [
        ("Require: path", None),
        ("Require: PATH , x-a\nRequire: x-b", "x-a, x-b"),
        ("Require: events", "events"),
    ],
)
def test_required_extensions(require: str, unsupported: str | None) -> None:
    desk = Desk()
    response = desk.send(register(f"<{A}>", extra=require))
    assert response.get("unsupported") == unsupported
    assert response.status == (420 if unsupported else 200)
    assert bool(desk.contacts()) is not bool(unsupported)


def test_a_contact_named_twice_counts_as_last_said() -> None:
    desk = Desk()
    assert listed(desk.send(register(f"<{A}>;q=0.1", f"<{A}>;q=0.2"))) == [f"<{A}>;q=0.2;expires=3600"]


PATH = "Path: <sip:edge.test;lr>\nPath: <sip:p2.test;lr>, <sip:p3.test;lr>"
PATHS = ["<sip:edge.test;lr>", "<sip:p2.test;lr>", "<sip:p3.test;lr>"]


@pytest.mark.parametrize(
    ("supported", "echoed"),
    [("Supported: gruu, Path", PATHS), ("k: path", PATHS), ("Supported: gruu", []), ("", [])],
)
def test_path_is_kept_and_echoed_to_who_supports_it(supported: str, echoed: list[str]) -> None:
    desk = Desk()
    response = desk.send(register(f"<{A}>", extra=f"{PATH}\n{supported}"))
    assert (response.status, response.all("path")) == (200, echoed)
    assert desk.bindings()[0].path == tuple(PATHS)


@pytest.mark.parametrize("path", ["<sip:a..b>", "<sip:a", "x"])
def test_malformed_path_is_400(path: str) -> None:
    desk = Desk()
    response = desk.send(register(f"<{A}>", extra=f"Path: {path}"))
    assert (response.status, "Path" in response.reason, desk.contacts()) == (400, True, [])


def test_compact_names() -> None:
    raw = register(f"<{A}>;expires=60")
    for long, short in (
        (b"Via", b"v"),
        (b"From", b"f"),
        (b"To", b"t"),
        (b"Call-ID", b"i"),
        (b"Contact", b"m"),
    ):
        raw = raw.replace(long + b":", short + b":")
    assert listed(Desk().send(raw)) == [f"<{A}>;expires=60"]


def test_answer_names_its_reader() -> None:
    desk = Desk()
    with desk.store.batch():
        process = desk.registrar.process
        known = process(parse_message(register(f"<{A}>")), ("10.0.0.9", 5060), NOW_AT)
        stranger = process(parse_message(register(to="<sip:x@y.invalid>")), ("10.0.0.9", 5060), NOW_AT)
    assert (known.user, stranger.user) == ("lukas", "")


def test_the_date_is_that_of_the_wall_clock() -> None:
    desk = Desk()
    desk.registrar.correction_s = 86_400.0
    response = desk.send(register(f"<{A}>"))
    assert response.get("date") == "Wed, 15 Nov 2023 22:13:20 GMT"
    assert listed(response) == [f"<{A}>;expires=3600"]


def test_a_binding_keeps_the_edge_of_several() -> None:
    """One that comes to another edge takes the place of the former."""
    desk = Desk(RegistrarPolicy(keeps_local=True))
    for cseq, local in enumerate(("10.0.0.1", "10.0.0.2"), 1):
        desk.send(register(f"<{A}>", cseq=cseq), local=local)
        assert [(each.contact, each.local) for each in desk.bindings()] == [(A, local)]
    assert len(desk.bindings()[0].to_wire()) == len(WIRE_FIELDS)
    assert Binding.from_wire(desk.bindings()[0].to_wire()) == desk.bindings()[0]


def test_of_one_edge_nothing_is_kept() -> None:
    desk = Desk()
    desk.send(register(f"<{A}>"), local="10.0.0.1")
    assert desk.bindings()[0].local == ""
