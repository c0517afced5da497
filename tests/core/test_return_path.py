"""Nothing that the proxy answers itself goes anywhere but back (RFC 3261 §18.2.2, docs/SECURITY.md)."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import LUKAS, Board, request

_CLAIMS = st.lists(
    st.sampled_from(
        ["rport", "maddr=203.0.113.9", "received=203.0.113.9", "maddr=224.0.1.75", "x=", ";", "maddr"]
    ),
    max_size=4,
)


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "OPTIONS", "CANCEL", "BYE"])
@given(
    st.sampled_from(["10.0.0.11", "203.0.113.9", "h:0", "a..b"]), _CLAIMS, st.sampled_from(["", "nobody@"])
)
@settings(max_examples=40, deadline=None)
def test_no_third_host_gets_an_octet(method: str, host: str, claims: list[str], user: str) -> None:
    board = Board(fragile=False)
    via = ";".join([host, *claims])
    raw = request(method, f"sip:{user}10.0.0.1", lines=("X: " + 300 * "x",))
    board.receive(raw.replace(b"10.0.0.11:5060;", via.encode() + b";"), LUKAS)
    board.advance(40)
    assert all(answer.to[0] == LUKAS[0] for answer in board.answers())
    assert not board.sent()


def test_whatever_cannot_be_read_is_told_to_its_sender() -> None:
    board = Board(fragile=False)
    board.receive(
        request("INFO", "sip:10.0.0.1").replace(b"UDP 10.0.0.11:5060;", b"UDP 10.0.0.11 5060;"), LUKAS
    )
    (answer,) = board.answers()
    assert (answer.status, answer.to) == (400, LUKAS)
    assert board.proxy.counters["malformed_via"] == 1
