"""The dial plan: whom numbers mean, who may dial what, and where it leads (RFC 3966)."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from playbook import LENKA, LUKAS, Board, request, response

from switchboard.core.commands import Lookup
from switchboard.core.dial_plan import (
    DialPlan,
    Lead,
    Rule,
    Step,
    number_of,
    numbers_of,
    pattern_of,
    sip_of_tel,
)
from switchboard.core.e164 import normal_form

GATEWAY, SPARE = "sip:gw.example", "sip:192.0.2.77"
HOP = ("192.0.2.9", 5060)
PLAN = DialPlan(
    rules=(
        Rule("abroad", pattern_of("00*"), strip=2, prepend="+", uris=(GATEWAY,), classes=frozenset({"boss"})),
        Rule("mobile", pattern_of("09XXXXXXXX"), strip=1, prepend="+421", uris=(f"{GATEWAY};transport=tcp",)),
        Rule("no premium", pattern_of("0900*"), status=603),
        Rule("door", pattern_of("99"), user="lenka"),
    ),
    emergency=frozenset({"112"}),
    emergency_uris=(GATEWAY, SPARE),
    numbers={"101": "lenka", "+421255500101": "lenka"},
    classes={"lukas": "boss"},
)


def known(name: str) -> bool:
    return name in ("lenka", "112", "200")


@pytest.mark.parametrize(
    ("dialled", "caller", "lead"),
    [
        (
            "112",
            "",
            Lead(uris=("sip:112@gw.example;user=phone", "sip:112@192.0.2.77;user=phone"), rule="emergency"),
        ),
        ("101", "", Lead(user="lenka", rule="numbers")),
        ("+421-2-555.00(101)", "", Lead(user="lenka", rule="numbers")),
        ("+421255500101;phone-context=+421", "", Lead(user="lenka", rule="numbers")),
        ("200;npdi;rn=+421905", "", Lead(user="200")),
        (
            "112;phone-context=pbx.example",
            "",
            Lead(uris=("sip:112@gw.example;user=phone", "sip:112@192.0.2.77;user=phone"), rule="emergency"),
        ),
        ("lenka", "", Lead(user="lenka")),
        ("200", "", Lead(user="200")),
        (
            "0905123456",
            "",
            Lead(uris=("sip:+421905123456@gw.example;transport=tcp;user=phone",), rule="mobile"),
        ),
        ("0900", "", Lead(status=603, rule="no premium")),
        ("0033123", "lukas", Lead(uris=("sip:+33123@gw.example;user=phone",), rule="abroad")),
        ("0033123", "anna", Lead(status=403, rule="rules")),
        ("0033123", "", Lead(status=403, rule="rules")),
        ("99", "", Lead(user="lenka", rule="door")),
        ("98", "", Lead(user="98")),
        ("nobody", "", Lead(user="nobody")),
    ],
)
def test_where_it_leads(dialled: str, caller: str, lead: Lead) -> None:
    assert PLAN.find(dialled, caller, known) == lead


def test_each_step_is_told() -> None:
    steps: list[Step] = []
    PLAN.find("0905123456", "anna", known, steps)
    assert steps == [
        Step("abroad", "does not fit"),
        Step("mobile", "sip:+421905123456@gw.example;transport=tcp;user=phone"),
    ]


@pytest.mark.parametrize(
    ("pattern", "fits", "does_not"),
    [
        ("0*", ["0", "0905", "0+"], ["", "1"]),
        ("XXX", ["101", "999"], ["10", "1011", "10a"]),
        ("[1-3]X", ["10", "39"], ["40", "1"]),
        ("[135]", ["1", "5"], ["2", "13"]),
        ("+421X*", ["+4219", "+42190"], ["4219", "+421"]),
        ("#1", ["#1"], ["1"]),
    ],
)
def test_patterns(pattern: str, fits: list[str], does_not: list[str]) -> None:
    assert all(pattern_of(pattern).fullmatch(each) for each in fits)
    assert not any(pattern_of(pattern).fullmatch(each) for each in does_not)


@pytest.mark.parametrize("text", ["", "a", "0**", "[", "[]", "[1-", "(0)", "0.*", "\\d", "[3-12-]", "[5-1]"])
def test_what_is_no_pattern(text: str) -> None:
    with pytest.raises(ValueError, match="is no pattern"):
        pattern_of(text)


@given(st.text())
def test_any_text_may_be_dialled(text: str) -> None:
    lead = PLAN.find(text, text, known)
    assert (lead.user != "") + bool(lead.uris) + (lead.status != 0) == (1 if text else 0)
    sip_of_tel(text, "10.0.0.1")


@given(st.text(alphabet="0123456789X[]-+*#"))
def test_a_pattern_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        pattern_of(text).fullmatch("0905")


def test_a_number_has_one_owner() -> None:
    assert numbers_of({"lenka": ["1-01"], "lukas": ["102"]}) == {"101": "lenka", "102": "lukas"}
    with pytest.raises(ValueError, match="of lenka and of lukas"):
        numbers_of({"lenka": ["101"], "lukas": ["1.01"]})
    with pytest.raises(ValueError, match="no number"):
        numbers_of({"lenka": ["front desk"]})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tel:101", "sip:101@h;user=phone"),
        ("TEL:+421-905.123;phone-context=x", "sip:+421905123@h;user=phone"),
        ("tel:", "tel:"),
        ("tel:x", "tel:x"),
        ("sip:101@x", "sip:101@x"),
    ],
)
def test_tel(text: str, expected: str) -> None:
    assert sip_of_tel(text, "h") == expected


def test_a_number_is_no_longer_than_a_number() -> None:
    assert number_of("1" * 65) == ""


def dial(uri: str, **more: object) -> Board:
    board = Board(dial_plan=PLAN, **more)  # type: ignore[arg-type]
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
    board.bind("lukas", f"sip:lukas@{LUKAS[0]}:{LUKAS[1]}")
    board.receive(request("INVITE", uri), LUKAS)
    return board


@pytest.mark.parametrize("uri", ["sip:101@10.0.0.1", "sip:lenka@10.0.0.1", "tel:1-01", "sip:99@10.0.0.1"])
def test_a_number_calls_its_user(uri: str) -> None:
    board = dial(uri)
    (sent,) = board.sent()
    assert (sent.to, sent.message.uri) == (LENKA, f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
    board.receive(response(sent.message, 200), LENKA)
    assert board.statuses() == [100, 200]


@pytest.mark.parametrize(
    ("dialled", "lookup", "uri"),
    [
        (
            "0905123456",
            Lookup("gw.example", None, 2, is_named=True),
            "sip:+421905123456@gw.example;transport=tcp;user=phone",
        ),
        ("112", Lookup("gw.example", None), "sip:112@gw.example;user=phone"),
    ],
)
def test_a_call_to_the_outside(dialled: str, lookup: Lookup, uri: str) -> None:
    board = dial(f"sip:{dialled}@10.0.0.1", transports={1: 5060, 2: 5060})
    assert board.lookups == [lookup]
    board.resolve(lookup, HOP)
    (sent,) = board.sent()
    assert (sent.to, sent.message.uri) == (HOP, uri)
    assert "To: <sip:" in sent.message.raw.decode(), "what was dialled stays there"


def test_strangers_do_not_call_at_our_cost() -> None:
    board = Board(dial_plan=PLAN)
    for number in ("112", "0905123456"):
        raw = request("INVITE", f"sip:{number}@10.0.0.1", branch=f"z9hG4bK{number}", call_id=number)
        board.receive(raw, ("10.0.0.99", 5060))
    assert board.statuses() == [403, 403]
    assert not board.lookups


def test_who_may_not_hears_so() -> None:
    board = Board(dial_plan=PLAN)
    board.bind("anna", "sip:anna@10.0.0.13")
    raw = request("INVITE", "sip:0033123@10.0.0.1").replace(b"sip:lukas@", b"sip:anna@")
    board.receive(raw, ("10.0.0.13", 5060))
    assert board.statuses()[-1] == 403
    assert not board.lookups


def test_the_class_is_that_of_who_calls_and_not_of_who_says_so() -> None:
    """From says lukas, who may; the request comes from elsewhere than his phone."""
    board = Board(dial_plan=PLAN, open_relay=True)
    board.bind("lukas", f"sip:lukas@{LUKAS[0]}:{LUKAS[1]}")
    board.receive(request("INVITE", "sip:0033123@10.0.0.1"), ("10.0.0.99", 5060))
    assert board.statuses()[-1] == 403


@pytest.mark.parametrize(
    ("status", "goes_on"), [(500, True), (503, True), (486, False), (404, False), (603, False)]
)
def test_the_next_gateway_gets_what_the_first_one_could_not_do(status: int, goes_on: bool) -> None:
    """Who is busy or unknown at the other end is that by every gateway."""
    board = dial("sip:112@10.0.0.1")
    board.resolve(Lookup("gw.example", None), HOP)
    (first,) = board.sent()
    board.receive(response(first.message, status), HOP)
    others = [sent for sent in board.sent() if sent.message.method == "INVITE"]
    assert [sent.to for sent in others] == ([("192.0.2.77", 5060)] if goes_on else [])
    assert board.statuses() == ([100] if goes_on else [100, status])


def test_the_next_gateway_where_nobody_is() -> None:
    board = dial("sip:112@10.0.0.1")
    board.resolve(Lookup("gw.example", None), None)
    (spare,) = board.sent()
    board.receive(response(spare.message, 486), spare.to)
    assert board.statuses() == [100, 486]


SLOVAK = DialPlan(
    rules=(Rule("mobile", pattern_of("+4219XXXXXXXX"), uris=(GATEWAY,), classes=frozenset({"boss"})),),
    emergency=frozenset({"112"}),
    emergency_uris=(GATEWAY,),
    numbers=numbers_of({"lenka": ["101", "02 5550 0101"], "lukas": ["+421255500102"]}, normal_form("SK")),
    classes={"lukas": "boss"},
    normal=normal_form("SK"),
)


@pytest.mark.parametrize(
    ("dialled", "lead"),
    [
        ("0905 123 456", Lead(uris=("sip:+421905123456@gw.example;user=phone",), rule="mobile")),
        ("00421905123456", Lead(uris=("sip:+421905123456@gw.example;user=phone",), rule="mobile")),
        ("+421 (905) 123-456", Lead(uris=("sip:+421905123456@gw.example;user=phone",), rule="mobile")),
        ("0255500101", Lead(user="lenka", rule="numbers")),
        ("+421255500101", Lead(user="lenka", rule="numbers")),
        ("00421 2 555 00 102", Lead(user="lukas", rule="numbers")),
        ("101", Lead(user="lenka", rule="numbers")),
        ("112", Lead(uris=("sip:112@gw.example;user=phone",), rule="emergency")),
        ("200", Lead(user="200")),
        ("0900", Lead(user="0900")),
    ],
)
def test_one_number_however_it_is_written(dialled: str, lead: Lead) -> None:
    assert SLOVAK.find(dialled, "lukas", known) == lead


def test_who_calls_may_be_named_by_number() -> None:
    assert SLOVAK.find("0905123456", "0255500102", known).uris
    assert SLOVAK.find("0905123456", "101", known).status == 403


def test_the_form_of_the_country_is_a_step() -> None:
    steps: list[Step] = []
    SLOVAK.find("0905 123 456", "lukas", known, steps)
    assert steps[0] == Step("country", "+421905123456")


def test_a_user_may_be_named_by_the_whole_number() -> None:
    assert SLOVAK.find("0911 222 333", "", "+421911222333".__eq__) == Lead(user="+421911222333")


def test_a_number_in_two_forms_has_one_owner() -> None:
    with pytest.raises(ValueError, match="of lenka and of lukas"):
        numbers_of({"lenka": ["0255500101"], "lukas": ["+421255500101"]}, normal_form("SK"))
