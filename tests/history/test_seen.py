"""The message at a message that is only kept."""

import pytest
from history.wire import CALL_ID, request, response
from hypothesis import given
from hypothesis import strategies as st

from switchboard.history.seen import call_id_of, method_of, status_of


@pytest.mark.parametrize(
    ("raw", "call_id"),
    [
        (request("INVITE"), CALL_ID),
        (b"X\r\ni : short \r\n", "short"),
        (b"X\r\nCALL-ID:\tb\r\n", "b"),
        (b"X\r\nX-Call-ID: b\r\n", ""),
        (b"", ""),
    ],
)
def test_call_id(raw: bytes, call_id: str) -> None:
    assert call_id_of(raw) == call_id


def test_requests_and_responses() -> None:
    assert (method_of(request("BYE")), status_of(request("BYE"))) == ("BYE", (0, ""))
    raw = response(486, "Obsadené", method="INVITE")
    assert (method_of(raw), status_of(raw)) == ("INVITE", (486, "Obsadené"))


@given(st.binary(max_size=200))
def test_any_bytes(raw: bytes) -> None:
    assert isinstance(call_id_of(raw) + method_of(raw) + status_of(raw)[1], str)
