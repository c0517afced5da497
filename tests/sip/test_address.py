"""name-addr and lists of values: RFC 3261 §20.10, §25.1, RFC 4475."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.sip.address import NameAddr, split_values
from switchboard.sip.errors import ParseError

CANONICAL = [
    "<sip:bob@biloxi.com>",
    "Bob <sip:bob@biloxi.com>;tag=1",
    '"Novak, Jan <sip:x@127.0.0.9>;expires=0 \\"J\\"" <sip:j@h>;expires=120',
    "token1~` token2'+_ token3*%!.- <sip:a@h.com>;fromparam''~+*_!.-%=\"\\\u0440\";tag=_token~1'+`*%!-.",
    '"BEL:\\\x07 NUL:\\\x00 DEL:\\\x7f" <sip:a@b>',
    '<sip:a@b;transport=udp;lr?x=y>;q=0.5;+sip.instance="<urn:uuid:0>";reg-id=1',
    "Lukáš Novák <sip:lukas@h>",
    "<mailto:bob@biloxi.com>",
    "<sip:h>;received=[2001:db8::1]",
]

OTHERWISE = [
    ("sip:bob@h;tag=a", NameAddr("", "sip:bob@h", (("tag", "a"),))),
    ("sip:bob@h ;   tag    = 1918181833n", NameAddr("", "sip:bob@h", (("tag", "1918181833n"),))),
    (" \t<sip:bob@h> \r\n ; TAG = x ; Lr ", NameAddr("", "sip:bob@h", (("tag", "x"), ("lr", None)))),
    ('"Q \\"\\""<sip:a@b>', NameAddr('"Q \\"\\""', "sip:a@b")),
    ("A  B<sip:a@b>", NameAddr("A  B", "sip:a@b")),
    ("tel:+421900123456", NameAddr("", "tel:+421900123456")),
    (
        '"x" <sip:q@h> ; newparam =\r\n newvalue ;\r\n secondparam ; q = 0.33',
        NameAddr('"x"', "sip:q@h", (("newparam", "newvalue"), ("secondparam", None), ("q", "0.33"))),
    ),
]

ODD = [
    # text, display name, URI, tag
    ("<sip:a@b >", "", "sip:a@b", None),
    ("< sip:a@b>;tag=", "", "sip:a@b", ""),
    ("Bell, A. (home) & co/@#1 <sip:a@b>;tag=1", "Bell, A. (home) & co/@#1", "sip:a@b", "1"),
    ('Bob "the" B <sip:a@b>', 'Bob "the" B', "sip:a@b", None),
    ("sip:x <sip:a@b>", "sip:x", "sip:a@b", None),
    ("\udcfc <sip:a@b>", "\udcfc", "sip:a@b", None),
    ("Bob sip:bob@h;tag=1", "Bob", "sip:bob@h", "1"),
    ('"B;" sip:bob@h ;tag=1', '"B;"', "sip:bob@h", "1"),
    ("sip:user@h?Route=%3Csip:h%3E;tag=1", "", "sip:user@h?Route=%3Csip:h%3E", "1"),
    ("sip:a,b@h;tag=1", "", "sip:a,b@h", "1"),
    ("sip:a@b;+sip.instance=<urn:uuid:1>;tag=1", "", "sip:a@b", "1"),
    ("<sip:a@b>;+sip.instance=<urn:uuid:1>;tag=1", "", "sip:a@b", "1"),
    ('<sip:a@b;;x="y"?z#>;tag=1', "", 'sip:a@b;;x="y"?z#', "1"),
    ("<sip:a@b>;;x;=y;tag=1;", "", "sip:a@b", "1"),
    ("<sip:a@b>;tag=a;TAG=b", "", "sip:a@b", "a"),
    ("<sip:a@b>;tag=/=@:{(|?<>\udcff", "", "sip:a@b", "/=@:{(|?<>\udcff"),
    ('<sip:a@b>;tag=a"b;x', "", "sip:a@b", 'a"b'),
    ('<sip:a@b>;x="tag=2;tag=3";tag=1', "", "sip:a@b", "1"),
    ('<sip:a@b>;x="y;tag=1', "", "sip:a@b", "1"),
    ("<sip:a@b>;x=a b;y=(1);z=c=d;tag=1", "", "sip:a@b", "1"),
]

MALFORMED = [
    "",
    "*",
    "bob",
    "<>",
    "<bob>",
    "<sip:a@b",
    "sip:a@b>",
    "<sip:a@b>>",
    "<sip:a b@c>",
    "<sip:a\x00@b>",
    '"Mr. J. User <sip:j.user@example.com>',
    '"x\x01" <sip:a@b>',
    '"x\\" <sip:a@b>',
    "<sip:a@b> x",
    "a>b <sip:a@b>",
    "<unknown>",
    "<sip:a@b;x=<1>>",
    "<sip:a@b>,<sip:c@d>",
]

VALUES = [
    ("", [""]),
    ("a", ["a"]),
    (" a , b\t,\r\n c ", ["a", "b", "c"]),
    ("a,,b,", ["a", "", "b", ""]),
    ('"a, b" <sip:x,y@z>;q=1, <sip:c>', ['"a, b" <sip:x,y@z>;q=1', "<sip:c>"]),
    ('"<" <sip:a>, "\\"," <sip:b>', ['"<" <sip:a>', '"\\"," <sip:b>']),
    ('<sip:a>;x="1,2"', ['<sip:a>;x="1,2"']),
    ('a, "b, c', ["a", '"b, c']),
    ("a <b, c", ["a <b, c"]),
    ('"a\\"', ['"a\\"']),
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_survives(text: str) -> None:
    assert str(NameAddr.parse(text)) == text


@pytest.mark.parametrize(("text", "expected"), OTHERWISE)
def test_otherwise_spelled(text: str, expected: NameAddr) -> None:
    assert NameAddr.parse(text) == expected
    assert NameAddr.parse(str(expected)) == expected


@pytest.mark.parametrize(("text", "display", "uri", "tag"), ODD)
def test_odd_spellings_are_read(text: str, display: str, uri: str, tag: str | None) -> None:
    address = NameAddr.parse(text)
    assert (address.display, address.uri, address.param("tag")) == (display, uri, tag)


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed(text: str) -> None:
    with pytest.raises(ParseError):
        NameAddr.parse(text)


def test_param() -> None:
    address = NameAddr.parse("<sip:a@b;lr>;tag=x;flag")
    assert (address.param("tag"), address.param("flag"), address.param("lr")) == ("x", "", None)


@pytest.mark.parametrize(("text", "expected"), VALUES)
def test_split_values(text: str, expected: list[str]) -> None:
    assert split_values(text) == expected


quoted = st.lists(st.sampled_from([*"aZ ,;<>ž", '\\"', "\\\\"])).map(lambda parts: f'"{"".join(parts)}"')
params = st.dictionaries(st.sampled_from(["tag", "q", "+x.y"]), st.none() | st.just("1") | quoted)
addresses = st.builds(
    NameAddr,
    st.just("") | st.just("Bob B") | quoted,
    st.sampled_from(["sip:a@b", "sip:a,b@c;lr?x=y", "tel:1"]),
    params.map(lambda found: tuple(found.items())),
)


@given(st.lists(addresses, min_size=1, max_size=4))
def test_round_trip_of_a_list(given_addresses: list[NameAddr]) -> None:
    text = ", ".join(map(str, given_addresses))
    assert [NameAddr.parse(value) for value in split_values(text)] == given_addresses


@given(st.text(st.sampled_from('a:<>"\\;=, sip@')))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        found = [NameAddr.parse(value) for value in split_values(text)]
    except ParseError:
        return
    assert [NameAddr.parse(str(address)) for address in found] == found
