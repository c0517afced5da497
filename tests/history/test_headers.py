"""What is said of header fields."""

import pytest

from switchboard.history.headers import describe


@pytest.mark.parametrize("name", ["Via", "via", "v"])
def test_any_spelling_is_known(name: str) -> None:
    note = describe(name)
    assert note is not None
    assert (note.rfc, note.section) == (3261, "20.42")
    assert note.url == "https://www.rfc-editor.org/rfc/rfc3261#section-20.42"


def test_what_is_not_known_is_not_explained() -> None:
    assert describe("X-Odd") is None
