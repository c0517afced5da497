"""From frames of REGISTERs to their answers: the compiled way does what the reference does."""

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import pytest
from compiled import needs_compiled_core
from flows import packed
from hypothesis import given, settings
from hypothesis import strategies as st
from registrar.registers import KEY, NOW_AT, connection, is_own, register

from switchboard.bus import frames
from switchboard.codec import CodecError, pack, unpack
from switchboard.core.gruu import Gruus
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.rules import Registrar
from switchboard.registrar.sqlite import SqliteStore
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, TCP, TLS, WS, WSS
from switchboard.sip.message import parse_message
from switchboard.sip.scan import scan
from switchboard.workers.reception import (
    MOST_TOLD,
    RECEIVED_HEAD,
    TOLD_AGAIN_S,
    Reception,
    ReceptionInPython,
    make_reception,
)

POLICY = RegistrarPolicy(max_contacts=3)
FLOW = packed("10.0.0.9", 5060, "10.0.0.1")
STREAMS = (TCP, TLS, WS, WSS)
UUID = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff"
PHONE = f'+sip.instance="<{UUID}>"'


class Desk:
    """A reception with a store in memory; `now` is time since the beginning, too."""

    def __init__(self, *, in_python: bool) -> None:
        self.store = SqliteStore(":memory:")
        self.bound: list[tuple[str, bytes]] = []
        registrar = Registrar(
            self.store,
            is_own,
            POLICY,
            b"secret",
            gruus=Gruus(KEY),
            bound=lambda *each: self.bound.append(each),
        )
        self.reception = ReceptionInPython(registrar, 32.0) if in_python else make_reception(registrar, 32.0)
        self.now = 0.0

    def take(self, *items: Any) -> list[Any]:
        """The answers to one frame, unpacked."""
        frame = frames.pack("sip.received", items)
        with self.store.batch() as change:
            answers = self.reception.take(frame, len(RECEIVED_HEAD), self.now, NOW_AT + self.now)
        self.changed = change.records
        return list(map(unpack, answers))

    def seen(self) -> object:
        return (
            self.changed,
            self.store.snapshot(),
            self.reception.take_sources(),
            self.reception.take_stamp(),
            self.reception.stats(),
            self.bound,
        )

    def plain(self) -> int:
        """How many were answered in compiled code."""
        assert isinstance(self.reception, Reception)
        return self.reception.replied + self.reception.retransmissions


def item(raw: bytes, flow: bytes = FLOW) -> list[bytes]:
    return [flow, scan(raw), raw]


@needs_compiled_core
@pytest.mark.parametrize(
    "contact",
    [
        "<sip:lukas@10.0.0.9:5060>",
        "<sip:lukas@10.0.0.9>;expires=60",
        "<sip:lukas@10.0.0.9;transport=udp;ob>;q=0.5",
        f'<sip:10.0.0.9:5062>;{PHONE};reg-id=1;methods="INVITE,ACK"',
        "<sip:lukas@k3x9.invalid;transport=ws>;expires=300",
        '"Lukas N." <sip:lukas@host.test:5070>;expires=7200;audio',
        "<sip:lukas@192.168.1.5:5060;line=abc>",
        "<sip:lukas@[2001:db8::1]:5060>",
        "",
    ],
)
@pytest.mark.parametrize(
    "extra",
    [
        "",
        "Expires: 600",
        "User-Agent: phone 1.0\nAccept-Language: sk, en;q=0.5",
        "Supported: path, outbound",
    ],
)
@pytest.mark.parametrize(
    "flow",
    [FLOW, packed("2001:db8::7", 40000), *(connection(1, each) for each in STREAMS)],
    ids=["UDP", "UDP6", *(NAMES[each] for each in STREAMS)],
)
def test_what_user_agents_send_is_plain(contact: str, extra: str, flow: bytes) -> None:
    contacts = [contact] if contact else []
    raws = [
        register(*contacts, extra=extra),
        register(*contacts, extra=extra),
        register(*contacts, extra=extra, sent_by="phone.test"),
    ]
    raws += [raws[0].replace(b";rport", b"")] if b"\x0a\0\0\x09" in flow else []
    found = []
    for in_python in (True, False):
        desk = Desk(in_python=in_python)
        answers = desk.take(*[item(raw, flow) for raw in raws])
        assert [parse_message(answer[1]).status for answer in answers] == [200] * len(raws)
        found.append((answers, desk.seen()))
    assert found[0] == found[1]
    assert desk.plain() == len(raws)


users = st.sampled_from(["lukas", "eva", "l%75kas", "ž", "nobody@elsewhere", ""])
contacts = st.lists(
    st.builds(
        "{}{}".format,
        st.sampled_from(
            [
                "<sip:lukas@10.0.0.9:5060>",
                "<sip:lukas@10.0.0.9>",
                "<sip:lukas@10.0.0.8:5060;ob>",
                "<sip:lukas@10.0.0.8:5060;x=1>",
                "<sip:l%75kas@10.0.0.9>",
                "<SIP:lukas@10.0.0.9>",
                "<sip:eva@h:05060>",
                "<sip:eva@[2001:DB8::1]>",
                "<sip:eva@[2001:db8::1]>",
                "<sip:eva@10.0.0.9:0>",
                "<sip:nowhere.invalid>",
                "<sips:eva@h>",
                "<sip:lukas@127.0.0.1;gr=urn:x:1>",
                "<sip:lukas@10.0.0.9;GR>",
                "<tel:123>",
                "sip:eva@10.0.0.9",
                '"ž" <sip:eva@h.test?x=1>',
                "<sip:eva@h.test:99999>",
                "*",
                "<bad",
                "",
            ]
        ),
        st.sampled_from(
            [
                "",
                ";expires=0",
                ";expires=61",
                ";expires=30",
                ";expires=99999999999",
                ";expires=x",
                ";expires",
                ";q;reg-id;+sip.instance",
                ";q=0.5",
                ";q=.5",
                ";q=1.000",
                ";q=0.0",
                ";q=0.123;expires=100",
                ";q=1.5",
                ";q=0.",
                f";{PHONE}",
                f";{PHONE.upper()}",
                f";{PHONE};reg-id=1",
                f";{PHONE};reg-id=2;q=0.25",
                f";reg-id=1;{PHONE};expires=0",
                ';+sip.instance="<a>"',
                ";+sip.instance=a",
                ';+sip.instance="a"',
                ';flag;other="x;y"',
                "; q = 0.5",
                ";Q=0.5",
                ";q=0.5;q=0.6",
            ]
        ),
    ),
    max_size=2,
)
extras = st.sampled_from(
    [
        "",
        "",
        "",
        "Expires: 0",
        "Expires: 600",
        'Expires: "90"',
        "Expires: now",
        "Path: <sip:p;lr>",
        "Require: path",
    ]
    + [
        "Require: gruu",
        "User-Agent: ž",
        "User-Agent: " + "x" * 250,
        "Accept-Language: sk",
        "Route: <sip:x;lr>",
    ]
    + ["Supported: gruu", "Supported: path, OUTBOUND", "Supported: a\nSupported: Gruu", "Supported: 100rel"]
    + ["Supported: outbound\nVia: SIP/2.0/UDP 10.0.0.7"]
    + ["Via: SIP/2.0/UDP 10.0.0.7;branch=z9hG4bKbelow", "User-Agent: one\nUser-Agent: two"]
)
sent_bys = st.sampled_from(
    [
        "10.0.0.9:5060",
        "10.0.0.8",
        "[2001:DB8::7]:5",
        "[2001:db8::7]",
        "Phone.test",
        "h:0",
        "h;received=1.1.1.1",
    ]
)
flows = st.sampled_from(
    [
        FLOW,
        packed("10.0.0.9", 40000),
        packed("2001:db8::7", 5),
        packed("::ffff:10.0.0.9", 5),
        packed("fe80::1%eth0", 5),
        connection(1),
        connection(2),
    ]
)
tos = st.sampled_from(
    [None, None, None, "<sip:lukas@switchboard.test;x=y>", "<sip:lukas@127.0.0.1>;tag=b", "<bad"]
)


def item_of(raw: bytes, rport: bool, flow: bytes) -> list[bytes]:
    raw = raw if rport else raw.replace(b";rport", b"")
    try:
        return item(raw, flow)
    except ParseError:
        return [flow, b"", raw]


def requests_of(
    contacts: Any, users: Any, tos: Any, extras: Any, sent_bys: Any, branches: Any, flows: Any
) -> Any:
    """A strategy of items of sip.received."""
    return st.builds(
        item_of,
        st.builds(
            lambda contacts, **parts: register(*contacts, **parts),
            contacts,
            user=users,
            to=tos,
            extra=extras,
            sent_by=sent_bys,
            cseq=st.sampled_from([1, 2, 3, 3, 4, 2**31]),
            branch=branches,
            call_id=st.sampled_from(["one", "two", "two@h", "ž"]),
        ),
        st.booleans(),
        flows,
    )


odd_branches = st.sampled_from(["z9hG4bKa", "z9hG4bKA", "z9hG4bKb", "z9hG4bKc", "old", "z9hG4bK"])
branches = st.integers(0, 30).map("z9hG4bK{}".format)
requests = requests_of(contacts, users, tos, extras, sent_bys, odd_branches | branches, flows)
plain_requests = requests_of(
    st.lists(
        st.builds(
            "<sip:{}>{}".format,
            st.sampled_from(
                ["lukas@10.0.0.9:5060", "lukas@10.0.0.8", "eva@h.test;ob", "lukas@10.0.0.7:5062;x=1"]
            ),
            st.sampled_from(
                ["", "", ";expires=0", ";expires=90", ";q=0.5", f";{PHONE};reg-id=1", f";{PHONE}"]
                + [f";{PHONE.replace('ff', 'fe')}", f";{PHONE};expires=0", ";flag;expires=61"]
            ),
        ),
        max_size=1,
    ),
    st.sampled_from(["lukas", "lukas", "eva"]),
    st.none(),
    st.sampled_from(
        ["", "", "Expires: 0", "Expires: 600", "User-Agent: one", "Accept-Language: sk"]
        + ["Supported: outbound", "Supported: path,outbound"]
    ),
    st.sampled_from(["10.0.0.9:5060", "10.0.0.8", "phone.test", "[2001:db8::7]:5"]),
    branches,
    st.sampled_from([FLOW, packed("10.0.0.8", 40000), packed("2001:db8::7", 5)])
    | st.builds(connection, st.integers(1, 3), st.sampled_from(STREAMS)),
)


@needs_compiled_core
@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.lists(
                plain_requests
                | plain_requests
                | requests
                | st.sampled_from([1.5, [b"no flow", b"index", b"raw"], None, []]),
                max_size=8,
            ),
            st.sampled_from([0.0, 0.4, 31.0, 61.0]),
        ),
        max_size=6,
    )
)
def test_twins_answer_alike(rounds: Sequence[tuple[list[Any], float]]) -> None:
    desks = Desk(in_python=True), Desk(in_python=False)
    for items, pause in rounds:
        expected, found = (desk.take(*items) for desk in desks)
        assert found == expected
        one, other = (desk.seen() for desk in desks)
        assert one == other
        for desk in desks:
            desk.now += pause


@needs_compiled_core
@pytest.mark.parametrize(
    ("contact", "extra", "flow"),
    [
        ("<sip:lukas@10.0.0.9>", "Via: SIP/2.0/TCP 10.0.0.7", connection(1)),
        (f"<sip:lukas@10.0.0.9>;{PHONE}", "Supported: path, Gruu", FLOW),
        (f"<sip:lukas@10.0.0.9>;{PHONE};reg-id=1", "Supported: Outbound", FLOW),
        (f"<sip:lukas@10.0.0.9>;{PHONE};reg-id=1", "Supported: outbound;x", FLOW),
        (f"<sip:lukas@10.0.0.9>;{PHONE};reg-id=1", "Via: SIP/2.0/UDP 10.0.0.7", FLOW),
        ("<sip:lukas@switchboard.test;gr=urn:x:1>", "", FLOW),
    ],
)
def test_proxies_and_gruus_are_the_references(contact: str, extra: str, flow: bytes) -> None:
    desk = Desk(in_python=False)
    assert len(desk.take(item(register(contact, extra=extra), flow))) == 1
    assert desk.plain() == 0


@needs_compiled_core
@pytest.mark.parametrize("extra", ["Supported: outbound, path", "Supported: 100rel"])
def test_an_instance_without_a_flow_is_plain(extra: str) -> None:
    desk = Desk(in_python=False)
    desk.take(item(register(f"<sip:lukas@10.0.0.9>;{PHONE}", extra=extra)))
    assert desk.plain() == 1


def test_an_answer_goes_back_over_the_connection_whatever_via_says() -> None:
    desk = Desk(in_python=True)
    raw = register("<sip:lukas@10.0.0.9>", sent_by="10.0.0.7:5060").replace(b";rport", b"")
    assert [answer[0] for answer in desk.take(item(raw, connection(1)))] == [connection(1)]


def test_a_request_that_comes_again_over_another_connection_is_answered_there() -> None:
    desk = Desk(in_python=True)
    raw = register("<sip:lukas@10.0.0.9>")
    answers = desk.take(item(raw, connection(1)), item(raw, connection(2)), item(raw, connection(1)))
    assert [answer[0] for answer in answers] == [connection(1), connection(2), connection(1)]
    assert desk.reception.stats()["retransmissions"] == 1


CONTACTS = [
    "<sip:lukas@10.0.0.9>",
    "<sip:lukas@10.0.0.9>;expires=0",
    "<sip:lukas@k3x9.invalid;transport=ws>",
    f"<sip:lukas@10.0.0.9>;{PHONE}",
    f"<sip:lukas@10.0.0.9>;{PHONE};reg-id=1",
    f"<sip:lukas@10.0.0.8>;{PHONE};reg-id=1",
    f"<sip:lukas@10.0.0.8>;{PHONE};expires=0",
    f"<sip:lukas@10.0.0.9>;{PHONE.replace('ff', 'fe')}",
]


@needs_compiled_core
@pytest.mark.parametrize("first", CONTACTS)
@pytest.mark.parametrize("second", CONTACTS)
@pytest.mark.parametrize("flow", [FLOW, connection(1), connection(2)], ids=["UDP", "same", "other"])
@pytest.mark.parametrize("call_id", ["one", "two"])
def test_what_takes_the_place_of_a_binding_with_a_flow(
    first: str, second: str, flow: bytes, call_id: str
) -> None:
    found = []
    for in_python in (True, False):
        desk = Desk(in_python=in_python)
        desk.take(item(register(first, call_id="one", cseq=1, branch="z9hG4bK1"), connection(1)))
        answers = desk.take(item(register(second, call_id=call_id, cseq=2, branch="z9hG4bK2"), flow))
        found.append((answers, desk.seen()))
    assert found[0] == found[1]
    assert desk.plain() == 2 or "10.0.0.9" in first + second


@pytest.mark.parametrize("in_python", [True, False])
def test_a_restart_and_a_failed_batch_leave_what_is_on_the_disk(in_python: bool) -> None:
    desk = Desk(in_python=in_python)
    desk.take(item(register("<sip:lukas@10.0.0.9>")))
    before = desk.store.snapshot()
    with suppress(ZeroDivisionError), desk.store.batch():
        frame = frames.pack("sip.received", [item(register("<sip:lukas@10.0.0.8>"))])
        assert desk.reception.take(frame, len(RECEIVED_HEAD), 0.0, NOW_AT)
        raise ZeroDivisionError
    assert desk.store.snapshot() == before
    desk.take(item(register("<sip:lukas@10.0.0.8>")))
    assert [each.contact for each in desk.store.bindings("lukas")] == [
        "sip:lukas@10.0.0.9",
        "sip:lukas@10.0.0.8",
    ]


@pytest.mark.parametrize("in_python", [True, False])
@pytest.mark.parametrize("body", [b"", pack(None), pack([[b"a"]])[:-1], b"\x92\xc0"])
def test_what_is_no_list_is_refused(in_python: bool, body: bytes) -> None:
    desk = Desk(in_python=in_python)
    with desk.store.batch(), pytest.raises(CodecError):
        desk.reception.take(RECEIVED_HEAD + body, len(RECEIVED_HEAD), 0.0, NOW_AT)


@pytest.mark.parametrize("in_python", [True, False])
def test_a_source_is_told_once_in_a_while(in_python: bool) -> None:
    desk = Desk(in_python=in_python)
    for _ in range(2):
        desk.take(item(register("<sip:lukas@10.0.0.9>")), item(register("<bad"), packed("10.0.0.8", 1)))
    assert desk.reception.take_sources() == [FLOW]
    desk.now = TOLD_AGAIN_S
    desk.take(item(register("<sip:lukas@10.0.0.9>")))
    assert desk.reception.take_sources() == [FLOW]


def test_sources_that_are_remembered_are_bounded() -> None:
    desk = Desk(in_python=True)
    assert isinstance(desk.reception, ReceptionInPython)
    for number in range(MOST_TOLD + 1):
        desk.reception.note_registered(b"%d" % number, 0.0)
    desk.reception.take_sources()
    desk.reception.note_registered(b"0", 1.0)
    assert desk.reception.take_sources() == [b"0"]


REGISTERS = [
    register("<sip:lukas@10.0.0.9:5060>;q=0.5;expires=90", extra="User-Agent: x\nAccept-Language: sk"),
    register(f'"A" <sip:lukas@10.0.0.8;ob>;{PHONE};reg-id=1', extra="Expires: 600"),
    register("<sip:eva@[2001:db8::1]:5>", user="eva"),
    register(f"<sip:lukas@10.0.0.9>;{PHONE};expires=0"),
    register(f"<sip:lukas@10.0.0.9>;{PHONE};reg-id=1", extra="Supported: path, outbound"),
    register(f"<sip:lukas@10.0.0.9;x=1>;{PHONE}", extra="Supported: replaces, gruu"),
]
PIECES = [
    b'"',
    b"<",
    b">",
    b";",
    b"=",
    b",",
    b"%41",
    b"\xc5\xbe",
    b"\0",
    b"\x0c",
    b" ",
    b":",
    b"@",
    b"[",
    b"]",
    b"1",
]
changes = st.tuples(
    st.sampled_from(REGISTERS),
    st.integers(9, 400),
    st.integers(0, 12),
    st.sampled_from(PIECES) | st.binary(max_size=2),
)


@needs_compiled_core
@settings(deadline=None)
@given(st.lists(changes, min_size=1, max_size=12))
def test_twins_answer_alike_whatever_is_damaged(drawn: Sequence[tuple[bytes, int, int, bytes]]) -> None:
    desks = Desk(in_python=True), Desk(in_python=False)
    for raw, at, cut, piece in drawn:
        damaged = item_of(raw[:at] + piece + raw[at + cut :], True, FLOW)
        expected, found = (desk.take(damaged) for desk in desks)
        assert found == expected
    one, other = (desk.seen() for desk in desks)
    assert one == other
