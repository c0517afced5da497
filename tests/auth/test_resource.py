"""Whether credentials name the resource that is asked for (RFC 7616 §3.4.6)."""

import pytest

from switchboard.auth.resource import names_same
from switchboard.core.domains import OwnDomains

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
