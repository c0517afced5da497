"""Lets the core take whatever comes, and looks whether it did what a proxy may; for fuzzers and their finds.

An input is a row of datagrams with SEPARATOR between them. The first byte of each chooses its sender.
"""

from contextlib import suppress

from playbook import HOST, LENKA, LUKAS, PETER, PORT, Board, request, response
from registrar.registers import Desk

from switchboard.core.domains import OwnDomains
from switchboard.sip.dispatch import REGISTRAR, DatagramKind, Dispatcher, classify, strip_empty_lines
from switchboard.sip.errors import ParseError
from switchboard.sip.message import Message, parse_message

SEPARATOR = b"\n--\n"
MOST = 12
"""Datagrams of one input."""
_SENDERS = (LUKAS, LENKA, PETER, (HOST, PORT))
_DISPATCHER = Dispatcher(range(3), OwnDomains([HOST], ["pbx.example"], PORT).owns)


class Harm(Exception):
    """The core did what it never may; the text says what."""


def take(data: bytes) -> None:
    """Play the input; any exception is a find."""
    board = Board(open_relay=True, fragile=False)
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
    desk = Desk()
    for piece in data.split(SEPARATOR)[:MOST]:
        _receive(board, desk, piece[1:], _SENDERS[(piece or b"\0")[0] % len(_SENDERS)])
        _check(board)
    board.advance(300)
    _check(board)
    if board.proxy.env.layer.servers or board.proxy.env.layer.clients:
        raise Harm("transactions are left")


def _receive(board: Board, desk: Desk, raw: bytes, source: tuple[str, int]) -> None:
    if classify(raw) is not DatagramKind.MESSAGE:
        return
    raw = strip_empty_lines(raw)
    try:
        message = parse_message(raw)
    except ParseError:
        message = None
    if message and _DISPATCHER.target(raw, message.index.tobytes()) == REGISTRAR:
        with suppress(ParseError):
            parse_message(bytes(desk.send(raw, source).raw))
        return
    board.receive(raw, source)
    while board.lookups:
        board.resolve(board.lookups.pop(), PETER if len(raw) % 2 else None)


def _check(board: Board) -> None:
    """What left was made of what came: it can be parsed again, and went to somebody."""
    for sent in (*board.sent(), *board.answers()):
        if not 0 < sent.to[1] < 65536:
            raise Harm(f"sent to port {sent.to[1]}: {sent.raw!r}")
        try:
            _read(parse_message(sent.raw))
        except ParseError as error:
            if not sent.raw.startswith(b"SIP/2.0 "):  # an answer repeats what of a broken request can be read
                raise Harm(f"{error}: {sent.raw!r}") from error


def _read(message: Message) -> None:
    _ = message.via, message.cseq, message.call_id, message.from_tag, message.to_tag, message.body


def seeds() -> list[bytes]:
    """Calls as they should be: what the fuzzer changes."""
    board = Board(open_relay=True, fragile=False)
    board.bind("lenka", f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
    invite = request("INVITE", f"sip:lenka@{HOST}")
    board.receive(invite, LUKAS)
    (forwarded,) = board.sent()
    ring, answer, busy, moved = (
        b"\1" + response(forwarded.message, status, lines=(f"Contact: <sip:lenka@{LENKA[0]}>",))
        for status in (180, 200, 486, 302)
    )
    first = b"\0" + invite
    ack, bye, cancel, options = (
        b"\0" + request(method, f"sip:lenka@{HOST}", to_tag="to-1" if method in ("ACK", "BYE") else "")
        for method in ("ACK", "BYE", "CANCEL", "OPTIONS")
    )
    register = b"\0" + request(
        "REGISTER", "sip:127.0.0.1", lines=("Contact: <sip:a@10.0.0.11>;q=0.5", "Expires: 60")
    )
    scripts = (
        [first, ring, answer, ack, bye],
        [first, ring, cancel, busy],
        [first, moved, ack],
        [options],
        [register],
    )
    return [SEPARATOR.join(script) for script in scripts]
