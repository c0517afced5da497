"""Whose fault a 400 is."""

import pytest
from history.wire import LUKAS, Wire, request, response

from switchboard.history.glance import Glance
from switchboard.history.malformed import at_fault


@pytest.mark.parametrize(
    ("agent", "status", "warning", "sentence"),
    [
        (
            "User-Agent: Acme 7\r\n",
            400,
            'Warning: 399 switchboard "Malformed Contact"\r\n',
            "Acme 7 at 10.0.0.2:5060 sent a malformed INVITE: Malformed Contact. That phone is to blame.",
        ),
        (
            "",
            400,
            'Warning: 399 switchboard "Malformed CSeq"\r\n',
            "The phone at 10.0.0.2:5060 sent a malformed INVITE: Malformed CSeq. That phone is to blame.",
        ),
        ("", 400, 'Warning: 399 phone.example "Malformed Contact"\r\n', ""),
        ("", 403, 'Warning: 399 switchboard "Malformed Contact"\r\n', ""),
        ("", 400, "", ""),
    ],
)
def test_at_fault(agent: str, status: int, warning: str, sentence: str) -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE", extra=agent))
    wire.leaves(LUKAS, response(status, "Phrase", extra=warning))
    assert list(at_fault([Glance.of(seen) for seen in wire.seen])) == ([sentence] if sentence else [])
