"""Phrases put into packed items; both twins."""

import pytest
from compiled import needs_compiled_core
from flows import packed
from hypothesis import given
from hypothesis import strategies as st

from switchboard import codec
from switchboard.phrases.translate import Translator
from switchboard.transports.transport import CLASSES, Phrasing, PhrasingInPython

PHRASES = Translator("sk", {"anna": "de"})
FLOW = packed("10.0.0.1", 5060, "10.0.0.9")
BUSY = b"SIP/2.0 486 Busy Here\r\nCall-ID: x\r\n\r\n"
REQUEST = b"OPTIONS sip:a SIP/2.0\r\nCall-ID: x\r\n\r\n"
TWINS = pytest.mark.parametrize("kind", [Phrasing, PhrasingInPython])


def run_of(*items: list[object]) -> bytes:
    return b"".join(map(codec.pack, items))


@TWINS
def test_responses_get_their_phrase_and_requests_pass(kind: type[Phrasing]) -> None:
    by_class = [0] * CLASSES
    run = run_of([FLOW, REQUEST], [FLOW, BUSY, "anna", ""], [FLOW, BUSY, "", "hu"])
    german, hungarian = (BUSY.replace(b"Busy Here", phrase) for phrase in (b"Besetzt", b"Foglalt"))
    assert kind(PHRASES).rewrite(b"head" + run, 4, 3, by_class) == run_of(
        [FLOW, REQUEST], [FLOW, german], [FLOW, hungarian]
    )
    assert by_class == [0, 0, 0, 0, 2, 0, 0]


@TWINS
@pytest.mark.parametrize(
    "run",
    [
        run_of([FLOW, BUSY]),
        run_of([FLOW, BUSY], [FLOW, BUSY], [FLOW, BUSY]),
        run_of([FLOW, BUSY], [FLOW, BUSY, "anna"]),
        run_of([FLOW, BUSY], [b"no flow", BUSY]),
        run_of([FLOW, BUSY], ["text", BUSY]),
        run_of([FLOW, BUSY], [FLOW, "text"]),
        run_of([FLOW, BUSY], [FLOW, BUSY, "anna", None]),
        run_of([FLOW, BUSY], [FLOW, BUSY])[:-1],
        run_of([FLOW, BUSY])[:-1] + b"\xc1",
        b"",
    ],
)
def test_what_is_no_run_of_two_items_is_told(kind: type[Phrasing], run: bytes) -> None:
    by_class = [0] * CLASSES
    assert kind(PHRASES).rewrite(run, 0, 2, by_class) is None
    assert by_class == [0] * CLASSES
    assert kind(PHRASES).rewrite(run, len(run) + 1, 0, by_class) is None


LINES = st.sampled_from(
    [b"SIP/2.0 100 Trying", b"SIP/2.0 180 x", b"SIP/2.0 200 OK", b"SIP/2.0 200 \tok ", b"SIP/2.0 200 Yes"]
    + [b"SIP/2.0 183 ", b"SIP/2.0 486 Busy", b"sip/2.0 486 Busy", b"SIP/2.0 799 x", b"SIP/2.0 486", b"X", b""]
)
ENDS = st.sampled_from([b"\r\nX: y\r\n\r\n", b"\n\r\n", b"\r", b"", b"\r\n" + b"x" * 70_000])
READERS = st.tuples(st.sampled_from(["", "anna", "\udcff"]), st.sampled_from(["", "hu", "x" * 300]))
ITEMS = st.builds(
    lambda line, end, reader: [FLOW, line + end, *reader],
    LINES | st.binary(max_size=20),
    ENDS,
    READERS | st.just(()),
)


@needs_compiled_core
@given(st.lists(ITEMS, max_size=8))
def test_the_twins_agree(items: list[list[object]]) -> None:
    counts = [0] * CLASSES, [0] * CLASSES
    run = run_of(*items)
    compiled = Phrasing(PHRASES).rewrite(run, 0, len(items), counts[0])
    assert compiled == PhrasingInPython(PHRASES).rewrite(run, 0, len(items), counts[1])
    assert counts[0] == counts[1]
