"""The compiled reader of URIs against the reference: it reads the same, or leaves the text to it."""

import pytest
from compiled import needs_compiled_core
from hypothesis import given
from hypothesis import strategies as st
from sip.test_uri import CANONICAL, MALFORMED, NO_HOST, ODD, uris

from switchboard.sip import address, uri

pytestmark = needs_compiled_core

OCTETS = "".join(map(chr, (*range(0x21), *range(0x7F, 0x81), 0x17E))) + '";:@<>[]?=%.,a0-9\\'
edits = st.lists(st.tuples(st.integers(0, 80), st.integers(0, 2), st.text(OCTETS, max_size=2)), max_size=3)
texts = st.one_of(
    st.sampled_from([*CANONICAL, *MALFORMED, *NO_HOST, *[odd[0] for odd in ODD]]), uris.map(str)
)


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    """A URI with some places written over."""
    text = draw(texts)
    for at, removed, written in draw(edits):
        text = text[:at] + written + text[at + removed :]
    return text


@given(spoilt())
def test_a_uri_is_read_alike(text: str) -> None:
    read = uri.read_uri(text)
    assert read is None or parts(uri.SipUri(*read)) == parts(uri.parse_uri_in_python(text))


@given(spoilt().map(lambda text: f"<{text}>") | spoilt())
def test_an_address_is_read_alike(text: str) -> None:
    read = address.read_bracketed(text)
    assert read is None or read == address.NameAddr.parse(text).uri


@pytest.mark.parametrize("text", ["sip:h", "sip:u@10.0.0.1:5060;lr", "sip:u@Host.example;x=y;lr"])
def test_plain_uris_are_not_left_to_the_reference(text: str) -> None:
    assert uri.read_uri(text) is not None
    assert address.read_bracketed(f"<{text}>") == text


def parts(found: uri.SipUri) -> list[object]:
    """All that a URI tells."""
    return [getattr(found, name) for name in (*uri._PARTS, "username", "address_of_record")]
