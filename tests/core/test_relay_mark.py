import pytest

from switchboard.core.relay_mark import Mark, read_mark, write_mark
from switchboard.media.engine import Engine

KEY, OTHER = bytes(32), bytes(31) + b"\1"
ENGINE = Engine("127.0.0.1", 2223).sum
MARKS = [Mark(ENGINE, *kind) for kind in ((False, False, False), (True, False, False), (False, True, True))]


@pytest.mark.parametrize("mark", MARKS)
def test_each_side_reads_it_as_it_sees_the_dialog(mark: Mark) -> None:
    text = write_mark(mark, KEY, "call-1", "a")
    assert read_mark(text, KEY, "call-1", "a", "b") == mark
    assert read_mark(text, KEY, "call-1", "b", "a") == mark.turned
    assert mark.turned.turned == mark


@pytest.mark.parametrize(
    ("key", "call_id", "tags"),
    [
        (OTHER, "call-1", ("a", "b")),
        (KEY, "call-2", ("a", "b")),
        (KEY, "call-1", ("c", "b")),
        (KEY, "call-1", ("", "")),
    ],
)
def test_that_of_another_dialog_says_nothing(key: bytes, call_id: str, tags: tuple[str, str]) -> None:
    text = write_mark(MARKS[0], KEY, "call-1", "a")
    assert read_mark(text, key, call_id, *tags) is None


def test_a_forged_one_says_nothing() -> None:
    text = write_mark(MARKS[0], KEY, "call-1", "a")
    for at in range(len(text) - 1):
        forged = text[:at] + ("B" if text[at] == "A" else "A") + text[at + 1 :]
        assert read_mark(forged, KEY, "call-1", "a", "b") is None


@pytest.mark.parametrize("text", ["", "=", "AAAA", "é", "A" * 11 + "!", "A" * 400, "-_" * 8])
def test_rubbish_says_nothing(text: str) -> None:
    assert read_mark(text, KEY, "call-1", "a", "b") is None
