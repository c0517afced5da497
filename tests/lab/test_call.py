import pytest
from lab.identities import identity

from switchboard.lab.call import heading, rung
from switchboard.lab.phone import Seen
from switchboard.sip.message import Message, parse_message

INVITE = parse_message(identity("anna").invite("sip:boris@pbx.test"))
RINGING = parse_message(identity("boris").respond(INVITE, 180).replace(b"Ringing", "Zvoní".encode()))


@pytest.mark.parametrize(
    ("user", "sent", "message", "expected"),
    [
        ("anna", True, INVITE, "  1.500  │────────── INVITE ──────────▶│" + " " * 29 + "│"),
        ("boris", False, INVITE, "  1.500  │" + " " * 29 + "│────────── INVITE ──────────▶│"),
        ("boris", True, RINGING, "  1.500  │" + " " * 29 + "│◀──────── 180 Zvoní ─────────│"),
        ("anna", False, RINGING, "  1.500  │◀──────── 180 Zvoní ─────────│" + " " * 29 + "│"),
    ],
)
def test_arrows(user: str, sent: bool, message: Message, expected: str) -> None:
    assert rung(Seen(11.5, user, sent, message), "anna", 10.0) == expected


def test_a_long_phrase_is_cut() -> None:
    long = parse_message(identity("boris").respond(INVITE, 180).replace(b"Ringing", b"R" * 80))
    line = rung(Seen(0.0, "anna", False, long), "anna", 0.0)
    assert len(line) == len(rung(Seen(0.0, "anna", False, INVITE), "anna", 0.0)) <= 80


def test_heading_names_the_three() -> None:
    assert heading("anna", "boris").split() == ["anna", "switchboard", "boris"]
    assert len(heading("anna", "boris")) <= 80
