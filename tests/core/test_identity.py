"""What only trusted senders may say of who calls, and how a phone is to ring (RFC 3325)."""

import pytest
from playbook import LENKA, LUKAS, Board, request, response

CALLEE = "sip:lenka@10.0.0.1"
ASSERTED = (
    "P-Asserted-Identity: <sip:boss@10.0.0.1>",
    "P-Preferred-Identity: <sip:boss@10.0.0.1>",
    'Remote-Party-ID: "Boss" <sip:boss@10.0.0.1>;party=calling',
    "Call-Info: <sip:10.0.0.1>;answer-after=0",
    "Alert-Info: <http://10.0.0.1>;info=alert-autoanswer",
    "Alert-Info: info=Auto Answer",
)
HARMLESS = ("Alert-Info: <urn:alert:source:internal>", "Call-Info: <http://10.0.0.1/logo.png>;purpose=icon")


def make_board(**more: object) -> Board:
    board = Board(**more)  # type: ignore[arg-type]
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    return board


@pytest.mark.parametrize("line", ASSERTED[:5])
def test_is_taken_out_of_what_others_send(line: str) -> None:
    board = make_board()
    board.receive(request("INVITE", CALLEE, lines=(line, *HARMLESS)), LUKAS)
    raw = board.sent()[0].raw.decode()
    assert line not in raw
    assert all(other in raw for other in HARMLESS)


@pytest.mark.parametrize("line", ASSERTED[:5])
def test_passes_from_trusted_networks(line: str) -> None:
    board = make_board(trusted=("10.0.0.11/32",))
    board.receive(request("INVITE", CALLEE, lines=(line,)), LUKAS)
    assert line in board.sent()[0].raw.decode()


@pytest.mark.parametrize("line", ASSERTED[:5])
def test_passes_where_the_operator_says_so(line: str) -> None:
    board = make_board(keeps_identity=True)
    board.receive(request("INVITE", CALLEE, lines=(line,)), LUKAS)
    assert line in board.sent()[0].raw.decode()


def test_is_taken_out_of_responses_too() -> None:
    board = make_board()
    board.receive(request("INVITE", CALLEE), LUKAS)
    answer = response(board.sent()[0].message, 180, lines=(ASSERTED[0], "X-After: 1"))
    board.receive(answer, LENKA)
    ringing = board.answers()[-1].raw
    assert b"P-Asserted" not in ringing
    assert b"\r\nX-After: 1\r\n" in ringing
