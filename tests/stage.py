"""A stage for calls at random: whatever comes in whatever order, at a board whose twin compares after every step."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from playbook import HOST, LENKA, LUKAS, PETER, PORT, Board, Sent, request, response

from switchboard.sip.errors import ParseError
from switchboard.sip.flow import TCP, TLS, UDP, WS, Flow, connection_of
from switchboard.sip.message import Message
from switchboard.sip.respond import Hop

PHONES = {"lukas": LUKAS, "lenka": LENKA, "peter": PETER}
LINES = (
    (),
    ("Contact: <sip:lukas@10.0.0.11:5060>",),
    ("Contact: <sip:lukas@10.0.0.11>;x=1", "Accept-Language: sk"),
    ("Contact: sip:lukas@10.0.0.11:5060", "Supported: timer"),
    ("Contact: <sip:lukas@10.0.0.99:5070;transport=udp>", "User-Agent: t"),
    ("Session-Expires: 1800;refresher=uac",),
    ("Proxy-Require: x",),
    ("P-Asserted-Identity: <sip:boss@10.0.0.1>",),
    ("Max-Breadth: 3",),
    ("Timestamp: 54",),
    ("Record-Route: <sip:10.0.0.77;lr>",),
    ("Reason: SIP;cause=200",),
    ("Via: SIP/2.0/UDP 10.0.0.44:5060;branch=z9hG4bKother", "Contact: <sip:lukas@10.0.0.11:5060>"),
    ("Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKsb0.t0-1.00000000",),
    (" folded: continuation",),
)
STATUSES = (100, 180, 183, 199, 200, 202, 300, 302, 401, 404, 407, 408, 481, 486, 487, 500, 503, 600, 603)
ANSWER_LINES = (
    (),
    ("Contact: <sip:lenka@10.0.0.12:5060>",),
    ("Contact: <sip:lenka@10.0.0.12>",),
    ("Contact: <sip:lenka@10.0.0.98:5060>",),
    ("Contact: <sip:somebody@10.0.0.12:5060;transport=udp>;expires=60",),
    ("Contact: <sip:10.0.0.12:5060@10.0.0.98>",),
    ("Contact: <sip:lenka@10.0.0.12:5060;MAddr=10.0.0.98>",),
    ("Contact: <sip:lenka@10.0.0.12:5060",),
    ("Contact: sip:lenka@10.0.0.12:5060;q=1", "Session-Expires: 60"),
    ("Session-Expires: 12345678901",),
    ("P-Asserted-Identity: <sip:boss@10.0.0.1>",),
    ("Contact: <sip:lenka@10.0.0.12;transport=tls>",),
    ("Contact: <sip:lenka@k3x9.invalid;transport=ws>",),
)
BINDINGS = (
    ("sip:lenka@10.0.0.12:5060",),
    ("sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.22:5070"),
    ("sip:lenka@10.0.0.12:5060;transport=tcp",),
    ("sip:lenka@phone.example",),
    ("sip:peter@10.0.0.1",),
    (),
    ("sip:lenka@10.0.0.12;transport=tls",),
    ("sip:lenka@k3x9.invalid;transport=ws",),
)
TRANSPORTS = {UDP: PORT, TCP: PORT, TLS: 5061, WS: 5080}
STREAMS = {
    LUKAS: Flow(TCP, HOST, LUKAS[0], 40001, connection_of(0, b"of lukas")),
    LENKA: Flow(WS, HOST, LENKA[0], 40002, connection_of(1, b"of lenka")),
    PETER: Flow(TLS, HOST, PETER[0], 40003, connection_of(0, b"of peter")),
}
"""The connections that phones have, where there are other transports than UDP."""
PAUSES = (0.01, 0.5, 1.1, 3.6, 5.1, 27.0, 33.0, 186.0)
BOUNDS = (12, 40, 20, 14)
"""The largest numbers that a step is made of: its kind, and three that choose among what there is."""


@dataclass
class Stage:
    """A board, and all that has come and gone.

    `far`: from where requests of callees come. `follows_contact`: requests to them go where their Contact is.
    """

    board: Board
    came: list[tuple[bytes, Hop | Flow]] = field(default_factory=list)
    requests: list[Sent] = field(default_factory=list)
    answers: list[Sent] = field(default_factory=list)
    callees: Sequence[str] = ("lenka", "lenka", "peter", "nobody")
    answer_lines: Sequence[tuple[str, ...]] = ANSWER_LINES
    far: Hop = LENKA
    follows_contact: bool = False
    lines: Sequence[tuple[str, ...]] = LINES

    def source(self, phone: Hop, number: int) -> Hop | Flow:
        """Where something comes from: of three, one over the phone's connection."""
        return STREAMS[phone] if TCP in self.board.transports and number % 3 == 1 else phone

    def receive(self, raw: bytes, source: Hop | Flow) -> None:
        self.board.now += 0.0013  # of what is due at the same instant either may come first
        self.came.append((raw, source))
        self.board.receive(raw, source)
        self.gather()

    def gather(self) -> None:
        self.requests += filter(_is_readable, self.board.sent())
        self.answers += filter(_is_readable, self.board.answers())

    def resolve(self) -> None:
        """Let the names be found that were asked for; no name is without an answer for long."""
        while self.board.lookups:
            self.board.resolve(self.board.lookups.pop(), LENKA)
            self.gather()

    def step(self, kind: int, one: int, two: int, three: int) -> None:
        """Take a step of this kind; the other numbers choose among what there is."""
        match kind:
            case 0 | 1:
                self.begin(one, two, three)
            case 2 | 3 | 4:
                self.answer(one, STATUSES[two % len(STATUSES)], three)
            case 5:
                if self.came:
                    self.receive(*self.came[-1 - one % len(self.came)])
            case 6 | 7:
                self.follow(one, two, three)
            case 8:
                self.cancel(one, two, three)
            case 9:
                self.board.advance(PAUSES[one % len(PAUSES)])
                self.gather()
            case 12:
                self.spoil(one, two, three)
            case 10:
                is_connected = self.source(LENKA, two) != LENKA
                flow = STREAMS[LENKA].pack() if is_connected else b""
                self.board.bind("lenka", *BINDINGS[one % len(BINDINGS)], flow=flow)
            case _:
                self.disturb(one, two)

    def spoil(self, one: int, two: int, three: int) -> None:
        """One octet of something that came before is another one, or gone."""
        if self.came:
            raw, source = self.came[-1 - one % len(self.came)]
            place = (37 * one + 11 * two + three) % len(raw)
            octets = (
                b"",
                b"\0",
                b"<",
                b";",
                b" ",
                b",",
                b'"',
                b"9",
                b"\xc3",
                b":",
                b"\r\n ",
                b"=",
                b"%",
                b"[",
                b"z",
            )
            self.receive(raw[:place] + octets[three] + raw[place + 1 :], source)

    def begin(self, one: int, two: int, three: int) -> None:
        method = ("INVITE", "INVITE", "INVITE", "MESSAGE", "OPTIONS", "SUBSCRIBE")[one % 6]
        callee = self.callees[two % len(self.callees)]
        number = len(self.came)
        source = self.source(LUKAS, one + two)
        raw = request(
            method,
            f"sip:{callee}@{HOST}",
            source=source,
            branch=f"z9hG4bK{'aA'[two % 2]}{number}",
            call_id=f"call-{number}",
            lines=self.lines[three % len(self.lines)],
            max_forwards=("70", "70", "", "1", "0", "007")[two % 6],
        )
        if three % 5 == 2:
            raw = raw.replace(b"From: <", 'From: "Ľuboš" <'.encode())
        if three % 4 == 3:  # as Linphone writes it
            uri = f"sip:{callee}@{HOST}"
            raw = raw.replace(f"To: <{uri}>".encode(), f"To: {uri}".encode())
        self.receive(raw.replace(b";rport", b"") if one % 5 == 4 else raw, source)

    def answer(self, one: int, status: int, three: int) -> None:
        if not self.requests:
            return
        sent = self.requests[-1 - one % len(self.requests)]
        if sent.message.method == "ACK":
            return
        tag = ("to-1", "to-1", "to-1", "", "to-2")[three % 5] if status > 100 else ""
        lines = self.answer_lines[three % len(self.answer_lines)]
        raw = response(sent.message, status, tag=tag, lines=lines)
        if three % 2:  # as some write it
            raw = (
                raw.replace(b"\r\nVia: ", b"\0", 1)
                .replace(b"\r\nVia: ", b" ,  ")
                .replace(b"\0", b"\r\nVia: ", 1)
            )
        self.receive(raw, sent.flow if sent.flow and sent.flow.connection else sent.to)

    def follow(self, one: int, two: int, three: int) -> None:
        """A request within a dialog, or an ACK, of one of both sides."""
        answered = [each.message for each in self.answers if each.message.to_tag]
        if not answered:
            return
        last = answered[-1 - one % len(answered)]
        method = ("ACK", "ACK", "BYE", "INVITE", "UPDATE", "INFO", "NOTIFY", "CANCEL")[two % 8]
        routes = tuple(f"Route: {value}" for value in last.values("record-route"))
        extra = self.lines[three % len(self.lines)] if two % 3 == 0 else ()
        by_caller = one % 3 != 2
        contact = last.get("contact") or ""
        uri = "sip:lenka@10.0.0.12:5060" if by_caller else "sip:lukas@10.0.0.11:5060"
        if by_caller and ("transport=" in contact or self.follows_contact):
            uri = contact.strip("<>")
        branch = last.via.branch if method == "ACK" and last.status > 299 else f"z9hG4bKf{len(self.came)}"
        source = self.source(LUKAS if by_caller else self.far, one + two + three)
        raw = request(
            method,
            uri,
            branch=branch,
            cseq=last.cseq[0] if method == "ACK" else 10 + len(self.came),
            to_tag=last.to_tag,
            call_id=last.call_id,
            source=source,
            lines=(*routes, *extra),
        )
        if not by_caller:
            raw = _turned(raw, last)
        self.receive(raw, source)

    def cancel(self, one: int, two: int, three: int) -> None:
        invites = [(raw, source) for raw, source in self.came if raw.startswith(b"INVITE")]
        if not invites:
            return
        invite, source = invites[-1 - one % len(invites)]
        raw = invite.replace(b"INVITE", b"CANCEL")
        if three == 3:
            raw = raw.replace(b"\r\n\r\n", b"\r\nReason: SIP;cause=200\r\n\r\n", 1)
        self.receive(raw, PETER if two == 7 else source)

    def disturb(self, one: int, two: int) -> None:
        if one % 2 and self.requests:
            self.board.lose(self.requests[-1 - two % len(self.requests)])
        elif two % 3 == 0:
            self.board.crash()
        elif two % 3 == 1 and TCP in self.board.transports:
            self.board.repeat(one % 4 // 2)
        self.gather()


def _is_readable(sent: Sent) -> bool:
    """The answer to what is no message is none that can be read either."""
    try:
        return bool(sent.message.via)
    except ParseError:
        return False


def _turned(raw: bytes, last: Message) -> bytes:
    """The same with the tags of both sides exchanged."""
    mine, theirs = last.from_tag.encode(), last.to_tag.encode()
    return (
        raw.replace(b";tag=" + mine, b";tag=#")
        .replace(b";tag=" + theirs, b";tag=" + mine)
        .replace(b"#", theirs)
    )


def play(board: Board, steps: Sequence[Sequence[int]], stage: Stage | None = None) -> None:
    """Take these steps, and let all that was begun end."""
    stage = stage or Stage(board)
    for user, (host, port) in PHONES.items():
        board.bind(user, f"sip:{user}@{host}:{port}")
    for step in steps:
        stage.step(*step)
        stage.resolve()
    board.advance(400)
    assert not [key for key in board.log if key[:1] in b"UT"]
    assert board.twin is None or board.twin.unconfirmed == board.kinds().count("unconfirmed")
