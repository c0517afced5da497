"""No pattern repeats a group possessively: Python 3.11 before 3.11.5 matches that wrongly (python/cpython#106052)."""

import re
from pathlib import Path

import pytest

import switchboard
from switchboard.sip.address import NameAddr

_POSSESSIVE_GROUP = re.compile(r"\)(?:[*+?]|\{[0-9,]+\})\+")
SOURCES = sorted(Path(switchboard.__file__).parent.rglob("*.py"))


@pytest.mark.parametrize("text", [r"(?:ab?c)*+", r"(?:ab?c)++", r"(?:ab?c)?+", r"(?:ab?c){1,3}+"])
def test_such_a_pattern_is_found(text: str) -> None:
    assert _POSSESSIVE_GROUP.search(text)


def test_there_is_none() -> None:
    assert [path.name for path in SOURCES if _POSSESSIVE_GROUP.search(path.read_text())] == []


@pytest.mark.parametrize(
    "text", ["sip:lenka@192.0.2.1;tag=1", "Lenka  sip:lenka@192.0.2.1", '"L" sip:lenka@192.0.2.1']
)
def test_a_name_that_begins_like_a_word(text: str) -> None:
    assert NameAddr.parse(text).uri == "sip:lenka@192.0.2.1"
