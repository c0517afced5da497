"""Presence as a document (RFC 3863, RFC 4479), composed of what a user's phones have published.

All tuples and notes are told; of persons only those of the latest publication, as many watchers show the first one.
A document has to fit into a NOTIFY: publications that are too old for that are left out.
What is in them stays as it was published. IDs that two publications have in common get another spelling. Of a user of
whom nothing is published the registration tells whether he is there.
"""

from collections.abc import Callable, Iterable, Iterator
from operator import itemgetter
from typing import Any, Final, Protocol
from xml.etree.ElementTree import Element

from switchboard.presence.xml import HEAD, XmlError, attribute, read_xml, text_for, write_element

CONTENT_TYPE: Final = "application/pidf+xml"
MOST_TOLD: Final = 40_000
"""Octets of elements in one document."""
PIDF: Final = "urn:ietf:params:xml:ns:pidf"
DATA_MODEL: Final = "urn:ietf:params:xml:ns:pidf:data-model"
PREFIXES: Final = {PIDF: "", DATA_MODEL: "dm", "urn:ietf:params:xml:ns:pidf:rpid": "rpid"}
_ROOT: Final = f"{{{PIDF}}}presence"
_TUPLE, _NOTE, _STATUS = f"{{{PIDF}}}tuple", f"{{{PIDF}}}note", f"{{{PIDF}}}status"
_BASIC: Final = f"{_STATUS}/{{{PIDF}}}basic"
_PERSON: Final = f"{{{DATA_MODEL}}}person"
_DECLARED: Final = "".join(
    f" xmlns{':' * bool(prefix)}{prefix}={attribute(namespace)}" for namespace, prefix in PREFIXES.items()
)


def read_pidf(octets: bytes) -> Iterable[Element]:
    """The elements in a document (untrusted). XmlError."""
    root = read_xml(octets)
    if root.tag != _ROOT:
        raise XmlError("it is no PIDF")
    for each in root:
        if each.tag == _TUPLE and (not each.get("id") or each.find(_STATUS) is None):
            raise XmlError("a tuple needs an id and a status")
    return root


class Published(Protocol):
    """A publication."""

    @property
    def serial(self) -> str: ...
    @property
    def elements(self) -> list[Element]: ...
    @property
    def size(self) -> int: ...


class Presence:
    """The package `presence` (RFC 3856). `published`: a user's publications, the latest first."""

    name = "presence"
    content_type = CONTENT_TYPE
    lasts_s = 3600
    is_private = False

    def __init__(
        self, published: Callable[[str], list[Any]], is_registered: Callable[[str, float], bool]
    ) -> None:
        self._published = published
        self._is_registered = is_registered

    def state(self, user: str, at: float) -> tuple[str, ...]:
        """The elements as text; of a user of whom nothing is published, one word."""
        published = list(_that_fit(self._published(user)))
        if published:
            return tuple(compose(published))
        return ("open" if self._is_registered(user, at) else "closed",)

    def body(self, entity: str, state: tuple[str, ...], version: int) -> bytes:  # noqa: ARG002
        """The document."""
        inner = state
        if state in (("open",), ("closed",)):
            status = f"<status><basic>{state[0]}</basic></status>"
            inner = (f'<tuple id="registration">{status}<contact>{text_for(entity)}</contact></tuple>',)
        head = f"<presence{_DECLARED} entity={attribute(entity)}>"
        return HEAD + "\n".join((head, *inner, "</presence>\n")).encode()


def size_of(elements: Iterable[Element]) -> int:
    """Octets that these elements take in a document; of names that were declared once, each has its own then."""
    return sum(len(write_element(each, PREFIXES).encode()) for each in elements)


def _that_fit(published: Iterable[Published]) -> Iterator[Published]:
    left = MOST_TOLD
    for each in published:
        left -= each.size
        if left >= 0:
            yield each


def compose(published: Iterable[Published]) -> list[str]:
    """One document's elements, in the order of the schema: tuples, notes, others.

    Tuples that are open come first: some watchers look at no other one.
    """
    tuples: list[tuple[bool, str]] = []
    notes: list[str] = []
    others: list[str] = []
    ids: set[str] = set()
    has_person = False
    for publication in published:
        for element, identifier in _named(publication, ids):
            text = write_element(element, PREFIXES, identifier)
            if element.tag == _TUPLE:
                tuples.append((not _is_open(element), text))
            elif element.tag == _NOTE:
                notes.append(text)
            elif element.tag != _PERSON or not has_person:
                others.append(text)
        has_person = has_person or any(each.tag == _PERSON for each in publication.elements)
    tuples.sort(key=itemgetter(0))
    return [*(text for _, text in tuples), *notes, *others]


def _is_open(its_tuple: Element) -> bool:
    return its_tuple.findtext(_BASIC, "").strip() == "open"


def _named(publication: Published, ids: set[str]) -> Iterator[tuple[Element, str]]:
    """The elements, with an ID that no other one has, if they have one."""
    for place, element in enumerate(publication.elements):
        identifier = element.get("id", "")
        if identifier in ids:
            identifier = f"{identifier}-{publication.serial}{place}"
        if identifier:
            ids.add(identifier)
        yield element, identifier
