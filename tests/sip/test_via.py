"""Via: RFC 3261 §20.42, RFC 3581, RFC 4475, RFC 5118."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.sip.errors import ParseError
from switchboard.sip.via import Via

CANONICAL = [
    "SIP/2.0/UDP 127.0.0.1",
    "SIP/2.0/UDP pc33.atlanta.com:5060;branch=z9hG4bK776asdhds",
    "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK-.!%66*_+`'~",
    "SIP/2.0/UDP 10.0.0.1:5060;rport=1;received=192.0.2.1",
    "SIP/2.0/UNKNOWN t4.example.com;branch=x",
    "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8::9:255];branch=z9hG4bKas3-111",
    "SIP/2.0/UDP [2001:db8::9:1]:5060;received=2001:db8::9:255",
    "SIP/2.0/UDP [2001:db8::9:1];received=[2001:db8:::192.0.2.1]",
    "SIP/7.0/UDP h;branch=x",
    'SIP/2.0/TCP h;x="a;b,c"',
]

OTHERWISE = [
    ("SIP  /   2.0\n /UDP 127.0.0.1 : 5060 ; branch = x", "SIP/2.0/UDP 127.0.0.1:5060;branch=x"),
    (
        "sip / 2.0 / udp  192.168.255.111   ; Branch=\r\n z9hG4bK30239",
        "SIP/2.0/UDP 192.168.255.111;branch=z9hG4bK30239",
    ),
    ("SIP/2.0/UDP EXAMPLE.com:05060 ", "SIP/2.0/UDP example.com:5060"),
]

MALFORMED = [
    "",
    "SIP/2.0/UDP",
    "SIP/2.0 127.0.0.1",
    "SIP/2.0/UDP127.0.0.1",
    "SIP/2.0/UDP phone 1",
    ";",
    "SIP/2.0/UDP 127.0.0.1,",
    "complete nonsense",
    "SIP/2.0/UDP :5070",
    "SIP/2.0/UDP ;branch=x",
    "SIP/2.0/UDP [::1;branch=x",
    "SIP/2.0/UDP ::1]",
]

ODD = [
    # text, host, port, branch
    ("SIP/2.0/UDP 127.0.0.1:5;;", "127.0.0.1", 5, ""),
    ("SIP/2.0/UDP h;branch=;received=;ttl=;=x", "h", None, ""),
    ("SIP/2.0/UDP h;branch=a;branch=b", "h", None, "a"),
    ('SIP/2.0/UDP h;x="a;branch=b', "h", None, "b"),
    ('SIP/2.0/UDP h;x="a;branch=b";branch=c', "h", None, "c"),
    ('SIP/2.0/UDP h;branch="a;b";x', "h", None, '"a;b"'),
    ('SIP/2.0/UDP h;branch=z"1', "h", None, 'z"1'),
    ("SIP/2.0/UDP h;i=a==;branch=z/=@:{(|?&<>\udcff", "h", None, "z/=@:{(|?&<>\udcff"),
    ("SIP/2.0/UDP h:;alias=[::1]", "h", None, ""),
    ("SIP/2.0/UDP h:99999", "h:99999", None, ""),
    ("SIP/2.0/UDP a..b:5070", "a..b", 5070, ""),
    ("SIP/2.0/UDP -phone:5070", "-phone", 5070, ""),
    ("SIP/2.0/UDP 1.2.3", "1.2.3", None, ""),
    ("SIP/2.0/UDP 10.0.0.15070", "10.0.0.15070", None, ""),
    ("SIP/2.0/UDP 2001:db8::1", "2001:db8::1", None, ""),
    ("SIP/2.0/UDP [::1;rport", "[::1", None, ""),
    ("SIP/2.0/UDP [fe80::1%eth0]:5070", "[fe80::1%eth0]", 5070, ""),
    ("SIP/2.0/UDP (null):5070;rport", "(null)", 5070, ""),
    ("SIP/2.0/UDP :5070;rport", "", 5070, ""),
    ("SIP/2.0/UDP ;rport", "", None, ""),
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_survives(text: str) -> None:
    assert str(Via.parse(text)) == text


@pytest.mark.parametrize(("text", "expected"), OTHERWISE)
def test_otherwise_spelled(text: str, expected: str) -> None:
    assert str(Via.parse(text)) == expected


@pytest.mark.parametrize(("text", "host", "port", "branch"), ODD)
def test_odd_spellings_are_read(text: str, host: str, port: int | None, branch: str) -> None:
    via = Via.parse(text)
    assert (via.host, via.port, via.branch) == (host, port, branch)


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        Via.parse(text)
    assert (caught.value.status, caught.value.header) == (400, "Via")


def test_components() -> None:
    via = Via.parse("SIP/2.0/udp Host.Example:5062;rport;branch=z9hG4bKa")
    assert via == Via("UDP", "host.example", 5062, (("rport", None), ("branch", "z9hG4bKa")))
    assert (via.param("rport"), via.param("received"), via.branch) == ("", None, "z9hG4bKa")
    assert via.sent_by == "host.example:5062"


def test_without_branch_or_port() -> None:
    via = Via.parse("SIP/2.0/UDP [::1]")
    assert (via.branch, via.sent_by) == ("", "[::1]")


tokens = st.text(st.sampled_from("aZ09-.!%*_+`'~"), min_size=1, max_size=8)
vias = st.builds(
    Via,
    st.sampled_from(["UDP", "TCP", "X-1"]),
    st.sampled_from(["h", "a.b-c.example", "127.0.0.1", "[::1]"]),
    st.none() | st.integers(0, 65535),
    st.dictionaries(tokens.map(str.lower), st.none() | tokens).map(lambda found: tuple(found.items())),
    st.just("SIP/2.0"),
)


@given(vias)
def test_round_trip(via: Via) -> None:
    assert Via.parse(str(via)) == via


@given(st.text().map(lambda text: "SIP/2.0/UDP h" + text))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        via = Via.parse(text)
    except ParseError:
        return
    assert Via.parse(str(via)) == via
