"""A call between two phones, each on UDP or with a connection of its own, by way of a board (`playbook`)."""

from collections.abc import Mapping
from dataclasses import dataclass

from flows import udp
from playbook import HOST, PORT, Board, Sent, request, response

from switchboard.sip.flow import NAMES, TCP, TLS, UDP, WS, WSS, Flow, connection_of

PORTS: Mapping[int, int] = {UDP: PORT, TCP: PORT, TLS: 5061, WS: 5080, WSS: 5443}
NAMED = {UDP: "", TCP: ";transport=tcp", TLS: ";transport=tls", WS: ";transport=ws", WSS: ";transport=ws"}


def connection(number: int, transport: int, host: str, instance: int = 0) -> Flow:
    """The connection of that number."""
    return Flow(transport, HOST, host, 40000 + number, connection_of(instance, number.to_bytes(8, "big")))


@dataclass
class Phone:
    """A phone at a connection of its own, or at a port for UDP, that writes its Contact as its kind does."""

    user: str
    host: str
    transport: int
    number: int = 1

    @property
    def flow(self) -> Flow:
        if self.transport == UDP:
            return udp(self.host, 5060, HOST)
        return connection(self.number, self.transport, self.host)

    @property
    def contact(self) -> str:
        named = NAMED[self.transport]
        if self.transport in (WS, WSS):
            return f"sip:{self.user}@k3x9.invalid{named}"
        return f"sip:{self.user}@{self.host}:5060{named}"

    def register(self, board: Board, **more: object) -> None:
        packed = self.flow.pack() if self.transport != UDP else b""
        source = f"{self.host}:{self.flow.port}"
        board.bind(self.user, self.contact, **{"flow": packed, "source": source} | more)

    @property
    def way(self) -> bytes:
        """How its Via to us begins."""
        return (
            f"Via: SIP/2.0/{NAMES[self.transport]} {HOST}:{PORTS[self.transport]};branch=z9hG4bKsb".encode()
        )

    @property
    def route(self) -> str:
        """How it names us in its Route."""
        return f"<sip:{HOST}:{PORTS[self.transport]}{NAMED[self.transport]};lr;sb="


def lukas(transport: int) -> Phone:
    return Phone("lukas", "10.0.0.11", transport, 1)


def lenka(transport: int) -> Phone:
    return Phone("lenka", "10.0.0.12", transport, 2)


def in_one_field(raw: bytes, name: str) -> bytes:
    """The message with all values of a field in its first one (RFC 3261 §7.3.1)."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines, start = head.split(b"\r\n"), f"{name}: ".encode()
    values = [line.removeprefix(start) for line in lines if line.startswith(start)]
    if not values:
        return raw
    at = next(place for place, line in enumerate(lines) if line.startswith(start))
    others = [line for line in lines if not line.startswith(start)]
    return b"\r\n".join([*others[:at], start + b", ".join(values), *others[at:], b"", body])


class Call:
    """A call from one phone to another, over what each of them has. `merges`: they write lists in one field."""

    def __init__(self, caller: Phone, callee: Phone, *, merges: bool = False) -> None:
        self._merges = merges
        self.board = Board(transports=PORTS)
        self.caller, self.callee = caller, callee
        caller.register(self.board)
        callee.register(self.board)
        self.routes = {caller.user: [""], callee.user: [""]}
        self.sequence = 1

    def invite(self, *lines: str) -> Sent:
        """The INVITE as the callee gets it."""
        raw = request(
            "INVITE",
            f"sip:{self.callee.user}@{HOST}",
            source=self.caller.flow,
            lines=(f"Contact: <{self.caller.contact}>", *lines),
        )
        self.board.receive(raw, self.caller.flow)
        return self.sent_to(self.callee)

    def answer(self, invite: Sent, status: int = 200) -> Sent:
        """The answer as the caller gets it."""
        self.board.answers()
        lines = (f"Contact: <{self.callee.contact}>",)
        raw = response(invite.message, status, lines=lines)
        self.board.receive(in_one_field(raw, "Record-Route") if self._merges else raw, self.callee.flow)
        (answer,) = self.board.answers()
        assert (answer.flow, answer.status) == (self.caller.flow, status)
        return answer

    def up(self) -> None:
        """Establish it."""
        invite = self.invite()
        self.routes[self.callee.user] = invite.message.values("record-route")
        self.answer(invite, 180)
        ok = self.answer(invite)
        self.routes[self.caller.user] = ok.message.values("record-route")[::-1]
        self.within("ACK", self.caller)

    def within(self, method: str, sender: Phone, target: str = "", flow: Flow | None = None) -> None:
        """Have a request within the dialog sent."""
        is_caller = sender is self.caller
        other = self.callee if is_caller else self.caller
        self.sequence += method != "ACK"
        raw = request(
            method,
            target or other.contact,
            branch=f"z9hG4bK{sender.user}{self.sequence}{method}",
            source=flow or sender.flow,
            cseq=1 if method == "ACK" else self.sequence,
            to_tag="to-1",
            caller=f"sip:lukas@{HOST}",
            lines=tuple(f"Route: {route}" for route in self.routes[sender.user]),
        )
        to, tag = f"To: <{target or other.contact}>;tag=to-1", "from-1"
        ours = f"From: <sip:lukas@{HOST}>;tag=from-1"
        caller, callee = (
            f"<sip:{self.caller.user}@{HOST}>;tag={tag}",
            f"<sip:{self.callee.user}@{HOST}>;tag=to-1",
        )
        ends = (caller, callee) if is_caller else (callee, caller)
        raw = raw.replace(to.encode(), f"To: {ends[1]}".encode()).replace(
            ours.encode(), f"From: {ends[0]}".encode()
        )
        self.board.receive(in_one_field(raw, "Route") if self._merges else raw, flow or sender.flow)

    def sent_to(self, phone: Phone) -> Sent:
        """The one request that left, to that phone."""
        (sent,) = self.board.sent()
        assert sent.flow == phone.flow
        assert sent.raw.split(b"\r\n")[1].startswith(phone.way)
        return sent
