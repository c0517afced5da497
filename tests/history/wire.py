"""Messages of calls as the edge sees them, made step by step with a clock that is moved by hand."""

from collections.abc import Sequence

from switchboard.history.seen import Address, Direction, Seen

BOARD = Address("10.0.0.1", 5060)
LUKAS = Address("10.0.0.2", 5060)
LENKA = Address("10.0.0.3", 5060)
SECOND = 1_000_000_000
START = 1_795_556_353 * SECOND
CALL_ID = "abc@10.0.0.2"
SDP = b"v=0\r\nc=IN IP4 %s\r\nm=audio 4000 RTP/AVP 0 8\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n"


class Wire:
    """Records what goes by. Branches: `b` is the caller's, `sb1`, `sb2`, … are those of the switchboard."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.now_ns = START

    def wait(self, seconds: float) -> None:
        self.now_ns += int(seconds * SECOND)

    def comes(self, source: Address, raw: bytes) -> None:
        self._add(Seen(self.now_ns, source, BOARD, raw, Direction.IN, "router.0"))

    def leaves(self, destination: Address, raw: bytes) -> None:
        self._add(Seen(self.now_ns, BOARD, destination, raw, Direction.OUT))

    def passes(self, source: Address, destination: Address, before: bytes, after: bytes) -> None:
        """A message that comes and leaves a millisecond later."""
        self.comes(source, before)
        self.leaves(destination, after)

    def _add(self, seen: Seen) -> None:
        self.seen.append(seen)
        self.wait(0.001)


def vias(branches: Sequence[str]) -> str:
    return "".join(f"Via: SIP/2.0/UDP host;branch=z9hG4bK{branch}\r\n" for branch in branches)


def request(
    method: str,
    uri: str = "sip:lenka@example.org",
    branches: Sequence[str] = ("b",),
    *,
    cseq: int = 1,
    to_tag: str = "",
    sender: str = "lukas",
    contact: str = "10.0.0.2",
    body: bytes = b"",
    extra: str = "",
) -> bytes:
    receiver = "lenka" if sender == "lukas" else "lukas"
    tag = f";tag={to_tag}" if to_tag else ""
    head = (
        f"{method} {uri} SIP/2.0\r\n{vias(branches)}From: <sip:{sender}@example.org>;tag=1\r\n"
        f"To: <sip:{receiver}@example.org>{tag}\r\nCall-ID: {CALL_ID}\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:{sender}@{contact}>\r\nMax-Forwards: {71 - len(branches)}\r\n{extra}\r\n"
    )
    return head.encode() + body


def response(
    status: int,
    phrase: str,
    branches: Sequence[str] = ("b",),
    *,
    method: str = "INVITE",
    cseq: int = 1,
    contact: str = "10.0.0.3",
    body: bytes = b"",
    extra: str = "",
) -> bytes:
    head = (
        f"SIP/2.0 {status} {phrase}\r\n{vias(branches)}From: <sip:lukas@example.org>;tag=1\r\n"
        f"To: <sip:lenka@example.org>;tag=2\r\nCall-ID: {CALL_ID}\r\nCSeq: {cseq} {method}\r\n"
        f"Contact: <sip:lenka@{contact}>\r\n{extra}\r\n"
    )
    return head.encode() + body


def invited(wire: Wire, *, contact: str = "10.0.0.2", media: str = "10.0.0.2", cseq: int = 1) -> None:
    """lukas calls lenka, and the switchboard passes it on."""
    body = SDP % media.encode()
    wire.comes(LUKAS, request("INVITE", contact=contact, body=body, cseq=cseq))
    wire.leaves(LUKAS, response(100, "Trying", cseq=cseq))
    at_phone = request("INVITE", "sip:lenka@10.0.0.3", ("sb1", "b"), contact=contact, body=body, cseq=cseq)
    wire.leaves(LENKA, at_phone)


def answered(wire: Wire, status: int, phrase: str, shown: str = "", **more: str) -> None:
    """lenka's phone answers; the switchboard says it as `shown`."""
    extra = more.get("extra", "")
    body = SDP % more.get("media", "10.0.0.3").encode() if status == 200 else b""
    contact = more.get("contact", "10.0.0.3")
    wire.passes(
        LENKA,
        LUKAS,
        response(status, phrase, ("sb1", "b"), contact=contact, body=body, extra=extra),
        response(status, shown or phrase, contact=contact, body=body, extra=extra),
    )


def acknowledged(wire: Wire) -> None:
    """lukas confirms the 2xx."""
    ack = request("ACK", "sip:lenka@10.0.0.3", ("ack",), to_tag="2")
    wire.passes(LUKAS, LENKA, ack, request("ACK", "sip:lenka@10.0.0.3", ("sback", "ack"), to_tag="2"))


def hung_up(wire: Wire, by: str = "lenka") -> None:
    """A BYE and its answer; `by` lukas or lenka."""
    ends = (LUKAS, LENKA) if by == "lukas" else (LENKA, LUKAS)
    uri = "sip:other@phone"
    bye = request("BYE", uri, ("bye",), cseq=2, to_tag="peer", sender=by)
    if by == "lenka":
        bye = bye.replace(b";tag=1", b";tag=2")
    bye = bye.replace(b";tag=peer", b";tag=1" if by == "lenka" else b";tag=2")
    wire.passes(*ends, bye, bye.replace(b"Via", b"Via: SIP/2.0/UDP host;branch=z9hG4bKsbbye\r\nVia", 1))
    ok = response(200, "OK", ("sbbye", "bye"), method="BYE", cseq=2)
    wire.passes(*ends[::-1], ok, response(200, "OK", ("bye",), method="BYE", cseq=2))


def call(ring_s: float = 4.0, talk_s: float = 65.0, **more: str) -> list[Seen]:
    """A whole call that lenka takes and ends. `more`: contact and media of lenka's phone."""
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing", "Zvoní")
    wire.wait(ring_s)
    answered(wire, 200, "OK", "V poriadku", **more)
    acknowledged(wire)
    wire.wait(talk_s)
    hung_up(wire)
    return wire.seen


def refused(status: int, phrase: str, ring_s: float = 0.0, **more: str) -> list[Seen]:
    """A call that lenka's phone refuses, after ringing if `ring_s`."""
    wire = Wire()
    invited(wire)
    if ring_s:
        answered(wire, 180, "Ringing")
        wire.wait(ring_s)
    answered(wire, status, phrase, more.get("shown", phrase), extra=more.get("extra", ""))
    return wire.seen


def refused_here(status: int, phrase: str) -> list[Seen]:
    """A call that the switchboard refuses by itself."""
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LUKAS, response(status, phrase))
    return wire.seen
