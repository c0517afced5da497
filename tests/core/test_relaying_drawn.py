"""Calls at random while engines answer, refuse, lose calls or say nothing: nothing is left behind, nothing crashes."""

import random
from collections.abc import Callable

import playbook
import pytest
import stage
from playbook import ENGINES, Board
from stage import BOUNDS, TRANSPORTS, Stage

from switchboard.media.commands import GONE, Ask, Figures, Told
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import with_body

TYPE = "Content-Type: application/sdp"
HOSTS = ("10.0.0.11", "10.0.0.12", "192.168.9.9", "0.0.0.0", "::1")
REST = ("", "m=application 9 TCP/BFCP *\r\n", "a=fingerprint:x\r\na=ice-ufrag:y\r\n")
OFFERING = ("INVITE", "UPDATE", "ACK")
SEEDS = range(15)
LAST_S = 120.0


class Drawn(Stage):
    """A stage on which most messages that may have SDP have some, and on which engines answer what they are asked."""

    def __init__(self, board: Board, drawn: random.Random) -> None:
        super().__init__(board)
        self._drawn = drawn

    def resolve(self) -> None:
        super().resolve()
        while any(each.token is not None for each in self.board.asks) and self._drawn.random() < 0.9:
            self.answer_engine()

    def answer_engine(self) -> None:
        """An engine answers the first question."""
        ask = next(each for each in self.board.asks if each.token is not None)
        self.board.relayed(told(ask, self._drawn))
        self.gather()
        super().resolve()


def told(ask: Ask, drawn: random.Random) -> Told:
    engine = ask.engines[0] if drawn.random() < 0.7 else drawn.choice(ENGINES)
    offer = ask.command.get("sdp", b"")
    if ask.command["command"] == "delete":
        return Told(engine, figures=Figures({"from-1": 3}))
    good = Told(engine, offer if isinstance(offer, bytes) else b"")
    bad = (Told(None, error="none"), Told(engine, error=GONE), Told(engine, error="No", lost=(ENGINES[0],)))
    return drawn.choice((good, good, good, *bad))


def with_sdp(drawn: random.Random, patch: pytest.MonkeyPatch) -> None:
    """Have most requests and responses that may have a body have one."""
    make_request, make_response = playbook.request, playbook.response

    def body() -> bytes:
        return f"v=0\r\nc=IN IP4 {drawn.choice(HOSTS)}\r\nm=audio 4000 RTP/AVP 0\r\n{drawn.choice(REST)}".encode()

    def described(raw: bytes, again: Callable[[tuple[str, ...]], bytes], lines: tuple[str, ...]) -> bytes:
        return with_body(parse_message(again((*lines, TYPE))), body()) if drawn.random() < 0.7 else raw

    def request(method: str, *rest: str, lines: tuple[str, ...] = (), **more: object) -> bytes:
        def make(all_lines: tuple[str, ...]) -> bytes:
            return make_request(method, *rest, lines=all_lines, **more)  # type: ignore[arg-type]

        raw = make(lines)
        return described(raw, make, lines) if method in OFFERING and b"\r\n folded" not in raw else raw

    def response(to: Message, status: int, *rest: str, lines: tuple[str, ...] = (), **more: str) -> bytes:
        def make(all_lines: tuple[str, ...]) -> bytes:
            return make_response(to, status, *rest, lines=all_lines, **more)

        has_sdp = to.method in OFFERING and 100 < status < 300
        return described(make(lines), make, lines) if has_sdp else make(lines)

    patch.setattr(stage, "request", request)
    patch.setattr(stage, "response", response)


@pytest.mark.parametrize("mode", ["always", "auto"])
@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_comes_in_whatever_order(monkeypatch: pytest.MonkeyPatch, mode: str, seed: int) -> None:
    drawn = random.Random(seed)
    with_sdp(drawn, monkeypatch)
    board = Board(relay_media=mode, **({"transports": TRANSPORTS} if seed % 2 else {}))  # type: ignore[arg-type]
    played = Drawn(board, drawn)
    for user, (host, port) in stage.PHONES.items():
        if drawn.random() < 0.3:
            board.bind(user, f"sip:{user}@192.168.3.4:{port}", next_hop=f"{host}:{port}")
        else:
            board.bind(user, f"sip:{user}@{host}:{port}")
    for _ in range(25):
        played.step(*(drawn.randint(0, bound) for bound in BOUNDS))
        played.resolve()
    for _ in range(6):
        while any(each.token is not None for each in board.asks):
            played.answer_engine()
        Stage.resolve(played)
        board.advance(LAST_S)
    assert not [key for key in board.log if key[:1] in b"UT"]
