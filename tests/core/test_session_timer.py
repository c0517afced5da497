"""Session-Expires in a 2xx (RFC 4028 §4)."""

import pytest
from playbook import request, response

from switchboard.core.session_timer import session_expires_s
from switchboard.sip.message import parse_message


@pytest.mark.parametrize(
    ("line", "session_s"),
    [
        ("Session-Expires: 1800;refresher=uac", 1800),
        ("x: 600", 600),
        ("SESSION-EXPIRES :\r\n 4000 ; refresher=uas", 4000),
        ("Session-Expires: 1", 90),
        ("Session-Expires: 0", 90),
        ("Session-Expires: 999999999", 999_999_999),
        ("Session-Expires: 9999999999", 0),
        ("Session-Expires: soon", 0),
        ("Session-Expires:", 0),
        ("X-Session-Expires: 1800", 0),
    ],
)
def test_seconds(line: str, session_s: int) -> None:
    answer = response(parse_message(request("INVITE", "sip:lenka@10.0.0.1")), 200, lines=(line,))
    assert session_expires_s(parse_message(answer)) == session_s
