"""REGISTERs as devices write them: taken, and the contact comes back and is called as it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from registrar.registers import Desk, register

from switchboard.codec import pack, unpack
from switchboard.registrar.binding import Binding
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import SqliteStore, read_snapshot

A = "sip:lukas@10.0.0.9:5060"
LATIN = "\udcfc"


def _listed(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


URIS = _listed(
    f"""{A};;x
    {A};x=a=b
    {A};transport=udp;transport=udp
    {A};x=a,b
    {A};x=
    {A};
    {A};pn=a|b
    {A};info="QUJD+0RF/0hJSktM0E4="
    {A};x=50%
    {A};x=a@b
    {A};x=(null)
    {A};x={LATIN}
    {A}?X=y
    sip:a#1@10.0.0.9
    sip:PBX#1000#a@10.0.0.9:5060
    sip:10.0.0.9
    sip:@10.0.0.9
    sip:a@10.0.0.9:0
    sip:a@pho_ne
    sip:a@[fe80::1%25eth0]
    sip:a@fe80::1
    sip:a@(null)
    sip:{LATIN}@10.0.0.9
    sip:ž@10.0.0.9"""
)
CONTACTS = _listed(
    f"""<{A}>;x=
    <{A}>;q=.5
    <{A}>;q=1.5
    <{A}>;q="0.5"
    <{A}>;q=0.12345
    <{A}>;q=
    <{A}>;q=-1
    <{A}>;expires="600"
    <{A}>;expires=-1
    <{A}>;expires=
    <{A}>;expires=soon
    <{A}>;x=a=b
    <{A}>;+sip.instance=<urn:uuid:1>
    "B" {A}
    "B{LATIN}" <{A}>
    Bob, A <{A}>
    B{LATIN} & (C) <{A}>
    < {A} >
    , <{A}>
    <{A}>,,
    {A};x=y
    {A};+sip.instance="<urn:gsma:imei:35-1>";audio"""
)
LINES = _listed(
    f"""Supported:
    Supported: ,outbound
    Supported: (null)
    Require:
    Require: ,
    Proxy-Require:
    Path:
    Path: ,
    Path: <sip:p.test;lr;;x=>
    Path: <sip:p.test;lr;x={LATIN}>
    Route: ,
    Expires:
    Expires: 600;x
    Accept:
    Allow:
    Content-Type:
    Date: ??
    Foo Bar: x
    X@y: 1"""
)


def _taken(desk: Desk, contact: str, **how: str) -> Binding:
    response = desk.send(register(contact, **how))  # type: ignore[arg-type]
    assert response.status == 200
    (binding,) = desk.bindings()
    assert any(value.startswith(f"<{binding.contact}>") for value in response.all("contact"))
    return binding


@pytest.mark.parametrize("uri", URIS)
def test_the_uri_stays_as_it_was_written(uri: str) -> None:
    desk = Desk()
    assert _taken(desk, f"<{uri}>;x=y").contact == uri
    assert desk.send(register(f"<{uri}>")).status == 200
    assert desk.contacts() == [uri]
    assert desk.send(register(f"<{uri}>;expires=0")).status == 200
    assert desk.contacts() == []


@pytest.mark.parametrize("contact", CONTACTS)
def test_odd_contacts(contact: str) -> None:
    assert _taken(Desk(), contact).contact == A


@pytest.mark.parametrize("line", LINES)
def test_odd_lines(line: str) -> None:
    assert _taken(Desk(), f"<{A}>", extra=line).contact == A


octets = st.sampled_from([*"aZ09-.!%*_+`'~/=@:{}()|?#&,$[]^\\\"", "%41", "ž", "\udcff", "\udc80"])
words = st.lists(octets, min_size=1, max_size=6).map("".join)


@given(words, words, words.filter(lambda word: not {'"', ",", "\\"} & set(word)))
def test_drawn_contacts_are_kept_to_the_octet(user: str, param: str, value: str) -> None:
    uri = f"sip:{user}@10.0.0.9;{param}"
    desk = Desk()
    binding = _taken(desk, f'<{uri}>;+sip.instance="{value}"', call_id=value)
    assert (binding.contact, binding.call_id) == (uri, value)
    assert binding.params == f';+sip.instance="{value}"'
    replica = Replica()
    replica.load(desk.store.snapshot())
    (found,) = replica.lookup("lukas", desk.now_at)
    assert found.contact == uri
    assert Binding.from_wire(unpack(pack(binding.to_wire()))) == binding


def test_octets_that_are_no_text_survive_a_restart(tmp_path: object) -> None:
    path = tmp_path / "location.db"  # type: ignore[operator]
    desk = Desk(store=SqliteStore(path))
    extra = f"Path: <sip:p.test;lr;x={LATIN}>"
    binding = _taken(
        desk, f"<sip:{LATIN}@10.0.0.9>;x={LATIN}", call_id=f"c{LATIN}", branch=f"b{LATIN}", extra=extra
    )
    desk.store.close()
    assert read_snapshot(path) == (1, {"lukas": [binding]})
    assert SqliteStore(path).bindings("lukas") == [binding]
    assert (binding.path, binding.branch) == ((f"<sip:p.test;lr;x={LATIN}>",), f"b{LATIN}")
    assert binding.to_map()["contact_uri"] == "sip:?@10.0.0.9"
