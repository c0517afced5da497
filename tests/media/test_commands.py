import pytest

from switchboard.media.bencode import Plain
from switchboard.media.commands import read_reply
from switchboard.media.engine import Engine

ENGINE = Engine("127.0.0.1", 2223)


def stream(kind: bytes, packets: int) -> Plain:
    return {b"flags": [kind, b"filled"], b"stats": {b"packets": packets}}


def test_an_offer_is_answered_by_sdp() -> None:
    told = read_reply({b"result": b"ok", b"sdp": b"v=0\r\n"}, ENGINE)
    assert (told.engine, told.sdp, told.error, told.figures) == (ENGINE, b"v=0\r\n", "", None)


def test_a_deleted_call_has_figures_of_each_side_without_rtcp() -> None:
    sides: dict[bytes, Plain] = {
        b"a": {b"medias": [{b"streams": [stream(b"RTP", 250), stream(b"RTCP", 7)]}]},
        b"b": {b"medias": [{b"streams": [stream(b"RTP", 3)]}, {b"streams": [stream(b"RTP", 4)]}]},
    }
    figures = read_reply({b"result": b"ok", b"tags": sides}, ENGINE).figures
    assert figures is not None
    assert (figures.of("a"), figures.of("b"), figures.of("c")) == (250, 7, 0)


def test_a_call_that_was_not_there() -> None:
    assert read_reply({b"result": b"ok", b"warning": b"Call-ID not found"}, ENGINE).knew_nothing


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        ({b"result": b"error", b"error-reason": b"Ran out of ports"}, "Ran out of ports"),
        ({b"result": b"load limit"}, "it answered 'load limit'"),
        ({}, "it answered ''"),
        ({b"error-reason": b"x\r\nContact: <sip:y>\x00"}, "x??Contact: <sip:y>?"),
        ({b"error-reason": b"x" * 1000}, "x" * 200),
        ([], "it answered no dictionary"),
        (7, "it answered no dictionary"),
    ],
)
def test_what_goes_wrong_is_told(reply: Plain, error: str) -> None:
    assert read_reply(reply, ENGINE).error == error


@pytest.mark.parametrize(
    "tags",
    [7, [b"a"], {b"a": 7}, {b"a": {b"medias": {b"x": 1}}}, {b"a": {b"medias": [7, {b"streams": [1, b"x"]}]}}],
)
def test_nonsense_in_figures_counts_nothing(tags: Plain) -> None:
    figures = read_reply({b"result": b"ok", b"tags": tags}, ENGINE).figures
    assert figures is None or figures.of("a") == 0


@pytest.mark.parametrize(("packets", "counted"), [(-5, 0), (2**53, 2**53), (2**64, 2**53), (10**21, 2**53)])
def test_numbers_that_no_engine_can_have_counted(packets: int, counted: int) -> None:
    """They have to fit into what is saved, into an event and into a header field."""
    streams: list[Plain] = [{b"flags": [b"RTP"], b"stats": {b"packets": packets}}] * 3
    tags: Plain = {b"a": {b"medias": [{b"streams": streams}]}}
    figures = read_reply({b"result": b"ok", b"tags": tags}, ENGINE).figures
    assert figures is not None
    assert figures.of("a") == counted
