"""XML that strangers send, and that is written."""

import pytest

from switchboard.presence.xml import (
    DEEPEST,
    MOST_BYTES,
    MOST_ELEMENTS,
    XmlError,
    attribute,
    read_xml,
    text_for,
)
from switchboard.presence.xml import write_element as write

BOMB = b'<!DOCTYPE a [<!ENTITY b "bb"><!ENTITY c "&b;&b;">]><a>&c;</a>'
EXTERNAL = b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'


@pytest.mark.parametrize("octets", [
    BOMB, EXTERNAL, b"", b"<a>", b"<a></b>", b"<a>&b;</a>", b"<a b=1/>", b"\xff\xfe<",
    b'<?xml version="1.0" encoding="x"?><a/>',
    b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1), b"<a>" + b"<b/>" * MOST_ELEMENTS + b"</a>",
    b"<a>" + b" " * MOST_BYTES + b"</a>", b"<a>\xff</a>", b"<a>\x01</a>",
])  # fmt: skip
def test_what_is_not_read(octets: bytes) -> None:
    with pytest.raises(XmlError):
        read_xml(octets)


@pytest.mark.parametrize("text", [
    '<a b="1">x<c/>y</a>', '<a xmlns="urn:a"><b xmlns=""><c xmlns="urn:a" xmlns:d="urn:d" d:e="f"/></b></a>',
    "<a>&lt;&amp;&gt;</a>", '<a b="&quot;&amp;&lt;"/>', "<é>ň</é>",
    '<a xmlns="urn:a" xmlns:b="urn:a" b:c="1"><d/></a>',
])  # fmt: skip
def test_what_is_written_says_the_same(text: str) -> None:
    def flat(octets: str) -> list[object]:
        return [(each.tag, each.attrib, each.text, each.tail) for each in read_xml(octets.encode()).iter()]

    assert flat(write(read_xml(text.encode()), {})) == flat(text)
    assert flat(f'<r xmlns="urn:a">{write(read_xml(text.encode()), {"urn:a": ""})}</r>')[1:] == flat(text)


def test_what_xml_cannot_say() -> None:
    assert (text_for("a\x00\udcffb<"), attribute('a"\x1b')) == ("a??b&lt;", "'a\"?'")


def test_an_id_is_replaced() -> None:
    assert write(read_xml(b'<a id="1"><b id="1"/></a>'), {}, "2") == '<a id="2"><b id="1"/></a>'


def test_attributes_count_as_elements() -> None:
    names = " ".join(f'xmlns:a{each}="{each}" a{each}:b=""' for each in range(1000))
    with pytest.raises(XmlError):
        read_xml(f"<r><e {names}/></r>".encode())
