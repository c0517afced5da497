"""SIP URIs: RFC 3261 §19.1 and §25.1, RFC 4475, RFC 5118."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri, is_sip

CANONICAL = [
    "sip:127.0.0.1",
    "sip:bob@biloxi.com",
    "sips:bob@biloxi.com:5061",
    "sip:bob:secret@biloxi.com;transport=tcp;lr?to=sip:bob%40biloxi.com&subject=a",
    "sip:bob:@biloxi.com",
    "sip:a@under_score.example.",
    "sip:a@3com.example",
    "sip:a@h:0",
    "sip:caller@[2001:db8::1]",
    "sip:u@[2001:db8::10:5070]",
    "sip:u@[2001:db8::10]:5070",
    "sip:u@[2001:db8:::192.0.2.1]",
    "sip:u@h;maddr=[2001:db8::1];x=a/b:c&d+e$f",
    "sip:sips%3Auser%40example.com@example.net",
    "sip:I%20have%20spaces@example.net",
    "sip:+358-555-1234567;postd=pp22@foo.com;user=phone",
    "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@ex.com",
    "sip:" + "long" * 500 + "@example.com;" + "p" * 500 + "=" + "v" * 500,
]

MALFORMED = [
    "",
    "sip",
    "sip:",
    "sip:a b@c",
    " sip:a@b",
    "sip: a@b",
    "sip:a@b ",
    "sip:a@b\n",
    "sip:a\x00b@c",
    "sip:a\x7fb@c",
    "sip:a@b;x=a\tb",
    "sip:a@b;x=<1>",
    "<sip:a@b>",
    "*",
]

ODD = [
    # text, user, host, port, what has a name among the parameters, headers
    ("sip:@host", "", "host", None, {}, ""),
    ("sip::pw@host", "", "host", None, {}, ""),
    ("sip:a@b@c", "a@b", "c", None, {}, ""),
    ("sip:a@b@c;x=d@e", "a@b", "c", None, {"x": "d@e"}, ""),
    ("sip:a@b;x=c@d", "a", "b", None, {"x": "c@d"}, ""),
    ("sip:a@b?x=c@d", "a", "b", None, {}, "x=c@d"),
    ("sip:host;x=a@", None, "host", None, {"x": "a@"}, ""),
    ("sip:ž@c", "ž", "c", None, {}, ""),
    ("sip:\udcfc@c", "\udcfc", "c", None, {}, ""),
    ("sip:a#b@c", "a#b", "c", None, {}, ""),
    ('sip:a|`\\"[]{}^b@c', 'a|`\\"[]{}^b', "c", None, {}, ""),
    ("sip:a%4@b", "a%4", "b", None, {}, ""),
    ("sip:a%zz@b", "a%zz", "b", None, {}, ""),
    ("sip:a%@b", "a%", "b", None, {}, ""),
    ("sip:a:p#w@b", "a", "b", None, {}, ""),
    ("sip:a@b:", "a", "b", None, {}, ""),
    ("sip:a@b:05060", "a", "b", 5060, {}, ""),
    ("sip:a@b;", "a", "b", None, {}, ""),
    ("sip:a@b;;x", "a", "b", None, {"x": ""}, ""),
    ("sip:a@b;=x;y", "a", "b", None, {"y": ""}, ""),
    ("sip:a@b;x=", "a", "b", None, {"x": ""}, ""),
    ("sip:a@b;x=a=b;y=50%;z=|,", "a", "b", None, {"x": "a=b", "y": "50%", "z": "|,"}, ""),
    ('sip:a@b;x="c+d="', "a", "b", None, {"x": '"c+d="'}, ""),
    ("sip:a@b;lr=1;LR=2", "a", "b", None, {"lr": "1"}, ""),
    ("sip:a@b?", "a", "b", None, {}, ""),
    ("sip:a@b?x", "a", "b", None, {}, "x"),
    ("sip:a@b;y?x=1&", "a", "b", None, {"y": ""}, "x=1&"),
]

NO_HOST = [
    "sip:a@",
    "sip:;x",
    "sip:a@a..b",
    "sip:a@.b",
    "sip:a@-b",
    "sip:a@b-",
    "sip:a@b-.c",
    "sip:a@1.2.3",
    "sip:a@256.1.1.1",
    "sip:a@010.1.1.1",
    "sip:a@1.2.3.4.5",
    "sip:a@1.2.3.4.",
    "sip:a@" + "x" * 300,
    "sip:2001:db8::10",
    "sip:a@::1",
    "sip:a@[::1",
    "sip:a@::1]",
    "sip:a@[::1%lo]",
    "sip:a@[127.0.0.1]",
    "sip:a@[2001:db8::10",
    "sip:a@[1::2::3]",
    "sip:a@[]",
    "sip:a@(null)",
    "sip:a@b:x",
    "sip:a@b:-1",
    "sip:a@b:65536",
    "sip:a@b:99999",
    "sip:a@b:" + "9" * 5000,
    "sip:a@b:٣",
    "sip:a@ž.example",
]

EQUIVALENT = [
    ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
    ("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"),
    (
        "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
        "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
    ),
    (
        "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
        "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
    ),
    ("SIP:a@b", "sip:a@B"),
    ("sip:a@b:05060", "sip:a@b:5060"),
    ("sip:a%3bb@c", "sip:a%3Bb@c"),
    ("sip:a@[2001:DB8::1]", "sip:a@[2001:db8:0:0::1]"),
    ("sip:a@b;l%72", "sip:a@b;lr"),
]

DIFFERENT = [
    ("SIP:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
    ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
    ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
    ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
    ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
    ("sip:bob@biloxi.com", "sip:biloxi.com"),
    ("sip:bob@biloxi.com", "sip:bob:pw@biloxi.com"),
    ("sip:a@b;user=phone", "sip:a@b"),
    ("sip:a@b;ttl=1", "sip:a@b"),
    ("sip:a@b;method=INVITE", "sip:a@b"),
    ("sip:a@b;maddr=1.2.3.4", "sip:a@b"),
    ("sip:a@b;x=1", "sip:a@b;x=2"),
    ("sip:a;b@c", "sip:a%3Bb@c"),
    ("sip:%2541@c", "sip:A@c"),
    ("sip:a@[::1]", "sip:a@[::2]"),
    ("sip:a@[zz]", "sip:a@[yy]"),
    ("sip:a@b;x=1;x=2", "sip:a@b;x=2"),
]

USERNAMES = [
    ("sip:127.0.0.1", ""),
    ("sip:lukas@h", "lukas"),
    ("sip:%6cukas:pw@h", "lukas"),
    ("sip:sips%3Auser%40example.com@h", "sips:user@example.com"),
    ("sip:%C5%BE@h", "ž"),
    ("sip:null-%00-null@h", "null-\0-null"),
    ("sip:%ff%61@h", "%FFa"),
    ("sip:\udcff%61@h", "%FFa"),
    ("sip:%c5\udcbe@h", "ž"),
    ("sip:ž%ff@h", "%C5%BE%FF"),
    ("sip:n%234@h", "n#4"),
    ("sip:n#4@h", "n#4"),
    ("sip:100%@h", "100%"),
    ("sip:@h", ""),
]


@pytest.mark.parametrize("text", CANONICAL)
def test_canonical_text_survives(text: str) -> None:
    assert str(SipUri.parse(text)) == text


def test_components() -> None:
    uri = SipUri.parse("SIPS:Bob:pw@EXAMPLE.com:5061;Transport=TCP;lr?Subject=x")
    params = (("transport", "TCP"), ("lr", None))
    assert uri == SipUri("sips", "Bob", "pw", "example.com", 5061, params, "Subject=x")


@pytest.mark.parametrize(("text", "user", "host", "port", "params", "headers"), ODD)
def test_odd_spellings_are_carried(
    text: str, user: str | None, host: str, port: int | None, params: dict[str, str], headers: str
) -> None:
    uri = SipUri.parse(text)
    assert str(uri) == text
    assert (uri.user, uri.host, uri.port, uri.headers, uri.has_host) == (user, host, port, headers, True)
    assert {name: uri.param(name) for name, _ in uri.params} == params


@pytest.mark.parametrize("text", NO_HOST)
def test_what_is_no_host_is_carried_and_told_from_one(text: str) -> None:
    uri = SipUri.parse(text)
    assert (str(uri), uri.has_host) == (text, False)
    assert uri.equivalent(SipUri.parse(str(uri)))
    assert not uri.replace(host="h", has_host=True).equivalent(uri)


@pytest.mark.parametrize("text", MALFORMED)
def test_malformed_is_400(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        SipUri.parse(text)
    assert caught.value.status == 400


@pytest.mark.parametrize("text", ["mailto:a@b", "tel:+421900", "nobodyKnowsThisScheme:totallyopaquecontent"])
def test_another_scheme_is_416(text: str) -> None:
    with pytest.raises(ParseError) as caught:
        SipUri.parse(text)
    assert caught.value.status == 416


@pytest.mark.parametrize(("one", "other"), EQUIVALENT)
def test_equivalent(one: str, other: str) -> None:
    assert SipUri.parse(one).equivalent(SipUri.parse(other))
    assert SipUri.parse(other).equivalent(SipUri.parse(one))


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different(one: str, other: str) -> None:
    assert not SipUri.parse(one).equivalent(SipUri.parse(other))
    assert not SipUri.parse(other).equivalent(SipUri.parse(one))


@pytest.mark.parametrize(("text", "username"), USERNAMES)
def test_username_is_unescaped(text: str, username: str) -> None:
    assert SipUri.parse(text).username == username


@pytest.mark.parametrize(("text", "address"), [("sip:a@[::1]:5", "::1"), ("sip:a@h", "h")])
def test_address_has_no_brackets(text: str, address: str) -> None:
    assert SipUri.parse(text).address == address


def test_param_and_without_params() -> None:
    uri = SipUri.parse("sip:h;transport=udp;lr;x=1")
    assert (uri.param("transport"), uri.param("lr"), uri.param("ttl")) == ("udp", "", None)
    assert str(uri.without_params("lr", "x")) == "sip:h;transport=udp"


@pytest.mark.parametrize(
    ("text", "expected"), [("sip:x", True), ("SIPS:x", True), ("tel:1", False), ("sip", False), ("", False)]
)
def test_is_sip(text: str, expected: bool) -> None:
    assert is_sip(text) is expected


LETTERS = string.ascii_lowercase + string.digits
words = st.text(LETTERS, min_size=1, max_size=8).map(lambda word: "x" + word)
users = st.none() | st.lists(
    st.sampled_from([*"abcXYZ019-_.!~*'()&=+$,;?/", "%20", "%3A", "%c5%be"]), min_size=1
).map("".join)
hosts = words | st.ip_addresses(v=4).map(str) | st.ip_addresses(v=6).map(lambda address: f"[{address}]")
params = st.dictionaries(words, st.none() | words, max_size=3).map(lambda found: tuple(found.items()))
uris = st.builds(
    SipUri,
    st.sampled_from(["sip", "sips"]),
    users,
    st.none(),
    hosts,
    st.none() | st.integers(0, 65535),
    params,
    st.just("") | words.map(lambda word: f"{word}=1"),
)


@given(uris)
def test_round_trip(uri: SipUri) -> None:
    assert SipUri.parse(str(uri)) == uri
    assert uri.equivalent(SipUri.parse(str(uri)))


@given(st.text() | st.text().map(lambda text: "sip:" + text))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        uri = SipUri.parse(text)
    except ParseError:
        return
    assert SipUri.parse(str(uri)) == uri
    assert str(uri) == text
