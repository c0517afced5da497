"""Digest authentication on the wire (RFC 7616, RFC 8760)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.auth.digest import (
    MD5,
    SHA256,
    Credentials,
    challenge,
    make_ha1,
    names_same,
    realm_of,
)
from switchboard.core.domains import OwnDomains
from switchboard.sip.errors import ParseError

RFC_7616 = (
    'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", algorithm={algorithm}, '
    'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, '
    'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, response="{response}", '
    'opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS"'
)
"""§3.9.1."""
RFC_2617 = (
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", '
    'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", '
    'response="6629fae49393a05397450978507c4ef1", opaque="5ccc069c403ebaf9f0171e9517f40e41"'
)
"""§3.5."""

SHORT = 'Digest username="a", realm="r", nonce="n", uri=sip:h:5060, response="r"'


@pytest.mark.parametrize(
    ("text", "password"),
    [
        (
            RFC_7616.format(
                algorithm="MD5",
                response="8ca523f5e9506fed4657c9700eebdbec",
            ),
            "Circle of Life",
        ),
        (
            RFC_7616.format(
                algorithm="SHA-256",
                response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
            ),
            "Circle of Life",
        ),
        (RFC_2617, "Circle Of Life"),
    ],
)
def test_the_examples_of_the_rfcs(text: str, password: str) -> None:
    shown = Credentials.parse(text)
    ha1 = make_ha1(shown.algorithm, shown.username, shown.realm, password)
    assert shown.expected(ha1, "GET") == shown.response
    assert shown.expected(ha1, "PUT") != shown.response
    assert shown.nonce_count == 1


def test_an_old_user_agent_knows_no_qop() -> None:
    """RFC 2069's sum, which RFC 3261 §22.4 wants to be understood."""
    text = 'Digest username="a", realm="b", nonce="c", uri="sip:d", response="e"'
    shown = Credentials.parse(text)
    assert (shown.algorithm, shown.nonce_count) == (MD5, None)
    ha1 = "f9964732b94a6ec2657a0e371af91ba1"
    assert shown.expected(ha1, "REGISTER") == "169647c0096a9521d65b06d4ca5f8a43"


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ('digest\tusername="a b, c=d",realm="", nonce=x , uri="u",\r\n response=r', "username", "a b, c=d"),
        (f"{SHORT}, algorithm=md5", "algorithm", MD5),
        (f"{SHORT}, algorithm=md5", "uri", "sip:h:5060"),
        (f'{SHORT}, algorithm="sha-256"', "algorithm", SHA256),
        (f"{SHORT}, algorithm=X", "algorithm", "X"),
        (f'{SHORT}, QOP="AUTH", nc=zz', "qop", "auth"),
        (f'{SHORT}, qop = "auth" , nc = "00000002"', "nc", "00000002"),
        (f"{SHORT}, algorithm=SHA-256, algorithm=MD5, qop=x", "algorithm", SHA256),
        (f'Digest ,, opaque, stale="false", x=,{SHORT[7:]},,', "username", "a"),
        (f'{SHORT}, opaque="" , username="b",', "username", "a"),
        (f"{SHORT},qop", "qop", ""),
    ],
)
def test_what_is_understood(text: str, field: str, value: str) -> None:
    assert getattr(Credentials.parse(text), field) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Digest",
        "Digest ",
        "Basic dXNlcjpwYXNz",
        'Digest username="a", realm="r", nonce="n", uri="u"',
        'Digest username="a, realm="r", nonce="n", uri="u", response="r"',
        'Digest username="a" realm="r", nonce="n", uri="u", response="r"',
        'Digest username="a", realm="r", nonce="n", uri="u", response="r", =',
    ],
)
def test_what_is_not(text: str) -> None:
    with pytest.raises(ParseError):
        Credentials.parse(text)
    assert realm_of(text) == ""


@pytest.mark.parametrize(
    ("nc", "count"), [("0000001F", 31), ("1", 1), ("", 0), ("-0000001", 0), ("000000001", 0)]
)
def test_the_nonce_count(nc: str, count: int) -> None:
    text = f'Digest username="a", realm="r", nonce="n", uri="u", response="r", qop=auth, nc="{nc}"'
    assert Credentials.parse(text).nonce_count == count


def test_a_challenge() -> None:
    assert challenge("pbx", "abc", SHA256, stale=False) == (
        'Digest realm="pbx", nonce="abc", qop="auth", algorithm=SHA-256'
    )
    assert challenge("pbx", "abc", MD5, stale=True).endswith('qop="auth", stale=true, algorithm=MD5')


@given(st.text(max_size=200))
def test_anything_is_parsed_or_refused(text: str) -> None:
    try:
        shown = Credentials.parse("Digest " + text)
    except ParseError:
        return
    shown.expected("0" * 32, "INVITE")
    assert shown.nonce_count is None or shown.nonce_count >= 0


_ODD_COMMAS = st.sampled_from([",", " , ", ",,", ",\t,", ", opaque=,", ",x,", ', username="second", '])
_BLANKS = st.sampled_from(["=", " = ", "= ", "\t="])
_PLAIN = {
    "username": "a",
    "realm": "r",
    "nonce": "n",
    "uri": "sip:h",
    "response": "0f",
    "qop": "auth",
    "nc": "00000002",
}


@given(st.permutations(list(_PLAIN)), st.data())
def test_odd_spellings_of_the_same_credentials(names: list[str], data: st.DataObject) -> None:
    """RFC 3261 §25.1 knows none of these; phones write them."""
    text = data.draw(st.sampled_from(["", ",", " ,, "]))
    for place, name in enumerate(names):
        quote = data.draw(st.sampled_from(['"', '"', ""]))
        comma = data.draw(_ODD_COMMAS if place >= names.index("username") else st.sampled_from([",", ",,"]))
        spelt, equals = data.draw(st.sampled_from([name, name.upper()])), data.draw(_BLANKS)
        text += f"{spelt}{equals}{quote}{_PLAIN[name]}{quote}{comma}"
    shown = Credentials.parse(f"Digest {text}")
    assert {name: getattr(shown, name) for name in _PLAIN} == _PLAIN
    assert shown.nonce_count == 2


_VALUE = st.text(st.characters(min_codepoint=32, exclude_characters='"\\\x7f'), max_size=20)


@given(_VALUE, _VALUE, _VALUE, _VALUE)
def test_what_is_written_is_read(username: str, realm: str, nonce: str, uri: str) -> None:
    text = f'Digest username="{username}", realm="{realm}", nonce="{nonce}", uri="{uri}", response="r"'
    shown = Credentials.parse(text)
    assert (shown.username, shown.realm, shown.nonce, shown.uri) == (username, realm, nonce, uri)


OWNS = OwnDomains(["10.0.0.1", "2001:db8::1", "127.0.0.1"], ["pbx.example"], 5070).owns
DOMAIN = [
    "sip:pbx.example", "sip:pbx.example:5060", "sip:pbx.example:5070", "SIP:PBX.Example.", "sips:pbx.example",
    "sip:10.0.0.1", "sip:[2001:DB8::1]:5070", "sip:pbx.example;transport=udp", "sip:pbx.example;x=",
    "<sip:pbx.example>", "pbx.example", "pbx.example:5070", "sip:localhost", "/", "sip:pbx.example?Subject=x",
]  # fmt: skip
LENKA = [
    "sip:lenka@pbx.example", "sip:%6cenka@10.0.0.1:5070;user=phone", "lenka@pbx.example",
    "<sip:lenka@pbx.example>",
]  # fmt: skip


@pytest.mark.parametrize("shown", [*DOMAIN, "sip:lukas@pbx.example"])
@pytest.mark.parametrize("uri", ["sip:pbx.example", "sip:10.0.0.1:5070;transport=udp"])
def test_our_domain(shown: str, uri: str) -> None:
    assert names_same(shown, uri, "lukas", OWNS)


@pytest.mark.parametrize("shown", [*LENKA, *DOMAIN])
@pytest.mark.parametrize("uri", ["sip:lenka@pbx.example", "sip:lenk%61@10.0.0.1:5070;transport=udp"])
def test_a_user_of_ours(shown: str, uri: str) -> None:
    assert names_same(shown, uri, "lukas", OWNS)


@pytest.mark.parametrize(
    ("shown", "uri"),
    [
        ("sip:peter@pbx.example", "sip:lenka@pbx.example"),
        ("sip:lukas@pbx.example", "sip:lenka@pbx.example"),
        ("sip:lenka@pbx.example", "sip:pbx.example"),
        ("sip:Lenka@pbx.example", "sip:lenka@pbx.example"),
        ("sip:pbx.example:5080", "sip:pbx.example"),
        ("sip:elsewhere.example", "sip:pbx.example"),
        ("sip:pbx.example", "sip:elsewhere.example"),
        ("/", "sip:lenka@elsewhere.example"),
        ("sip:elsewhere.example", "sip:lenka@elsewhere.example"),
        ("sip:lenka@elsewhere.example:5070", "sip:lenka@elsewhere.example"),
        ("tel:1", "sip:1@pbx.example"),
        ("", "sip:pbx.example"),
        ("sip:", "sip:pbx.example"),
        ("sip:@@@", "sip:pbx.example"),
    ],
)
def test_another(shown: str, uri: str) -> None:
    assert not names_same(shown, uri, "lukas", OWNS)


@pytest.mark.parametrize(
    ("shown", "uri"),
    [
        ("sip:lenka@Elsewhere.example;x=1", "sip:lenka@elsewhere.example"),
        ("tel:1", "tel:1"),
        ("sip:9901#1@pbx.example", "sip:9901%231@pbx.example"),
    ],
)
def test_the_same(shown: str, uri: str) -> None:
    assert names_same(shown, uri, "lukas", OWNS)
