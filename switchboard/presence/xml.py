"""XML as event packages need it: received documents are read without trust, ours are written by hand.

No document with a DTD is read, so there are no entities to expand; size, depth, and the number of elements and
attributes are bounded.
"""

import re
from collections.abc import Mapping
from itertools import count
from typing import Final
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers.expat import ExpatError, ParserCreate
from xml.sax.saxutils import escape, quoteattr

HEAD: Final = b'<?xml version="1.0" encoding="UTF-8"?>\n'
MOST_BYTES: Final = 32_768
MOST_ELEMENTS: Final = 1_000
"""And attributes."""
DEEPEST: Final = 32
_SEPARATOR: Final = "}"
_FORBIDDEN: Final = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # XML 1.0 §2.2
)


class XmlError(ValueError):
    """The octets are no document that is read."""


class _Reader:
    """Builds the tree of one document, element by element."""

    def __init__(self) -> None:
        self._builder = TreeBuilder()
        self._depth = self._count = 0

    def read(self, octets: bytes) -> Element:
        parser = ParserCreate(namespace_separator=_SEPARATOR)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._refuse_dtd
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._builder.data
        parser.Parse(octets, True)
        return self._builder.close()

    def _refuse_dtd(self, *_: object) -> None:
        raise XmlError("it has a DTD")

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        self._count += 1 + len(attributes)
        if self._depth > DEEPEST or self._count > MOST_ELEMENTS:
            raise XmlError("it has too many elements or attributes")
        self._builder.start(_clark(name), {_clark(each): value for each, value in attributes.items()})

    def _end(self, name: str) -> None:
        self._depth -= 1
        self._builder.end(_clark(name))


def _clark(name: str) -> str:
    """The name as ElementTree has it: {namespace}local."""
    return "{" + name if _SEPARATOR in name else name


def read_xml(octets: bytes) -> Element:
    """The root of a document (untrusted). XmlError."""
    if len(octets) > MOST_BYTES:
        raise XmlError("it is too long")
    try:
        return _Reader().read(octets)
    except (ExpatError, UnicodeError, LookupError, ValueError) as error:
        raise error if isinstance(error, XmlError) else XmlError(str(error)) from error


def text_for(value: str) -> str:
    """The value as character data."""
    return escape(_allowed(value))


def attribute(value: str) -> str:
    """The value as that of an attribute, with its quotes."""
    return quoteattr(_allowed(value))


def _allowed(value: str) -> str:
    """Without what XML cannot say: octets that were no text become question marks."""
    return _FORBIDDEN.sub("?", value)


def write_element(element: Element, prefixes: Mapping[str, str], identifier: str = "") -> str:
    """The element as text, which stands where the namespaces in `prefixes` ("" for the default one) are declared.

    Others are declared where they are used. `identifier`: another value for its attribute `id`.
    """
    known = dict(prefixes)
    declared: list[str] = []
    name = _qualified(element.tag, known, declared)
    attributes = [
        f" {_qualified(key, known, declared, True)}={attribute(identifier if identifier and key == 'id' else value)}"
        for key, value in element.attrib.items()
    ]
    start = f"{name}{''.join(declared)}{''.join(attributes)}"
    inner = text_for(element.text or "") + "".join(
        write_element(child, known) + text_for(child.tail or "") for child in element
    )
    return f"<{start}>{inner}</{name}>" if inner else f"<{start}/>"


def _qualified(name: str, known: dict[str, str], declared: list[str], is_attribute: bool = False) -> str:
    namespace, _, local = name[1:].rpartition("}") if name[:1] == "{" else ("", "", name)
    if not namespace:
        if not is_attribute and "" in known.values():
            for each in [each for each, prefix in known.items() if not prefix]:
                del known[each]
            declared.append(' xmlns=""')
        return local
    if namespace == "http://www.w3.org/XML/1998/namespace":
        return f"xml:{local}"
    prefix = known.get(namespace)
    if prefix is None or (is_attribute and not prefix):
        prefix = next(name for number in count(len(known)) if (name := f"n{number}") not in known.values())
        known[namespace] = prefix
        declared.append(f" xmlns:{prefix}={quoteattr(namespace)}")
    return f"{prefix}:{local}" if prefix else local
