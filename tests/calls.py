"""A call on the proxy floor by phones that write what they like, and echo what they hear as they must.

Everything is text with surrogateescape. Nothing here uses the parsers that are under test: what a phone puts
into a request of a dialog is cut out of what it received (RFC 3261 §12.1, §12.2.1.1).
"""

from dataclasses import dataclass, replace

from playbook import EPOCH, HOST, LENKA, LUKAS, Board, Sent

from switchboard.registrar.binding import Binding
from switchboard.registrar.user_table import pack_users
from switchboard.sip.respond import Hop
from switchboard.sip.uri import SipUri

ERRORS = "surrogateescape"
CALLEE = f"sip:lenka@{HOST}"
AT_LENKA = "sip:lenka@10.0.0.12:5060"
AT_LUKAS = "<sip:lukas@10.0.0.11:5060>"


@dataclass(frozen=True)
class Spelling:
    """How the two phones write what matters in a call; `lines` are further ones of the INVITE.

    `recorded`: the Record-Route of a proxy at 10.0.0.9 that the caller stands behind, "" if there is none.
    """

    uri: str = CALLEE
    via: str = "SIP/2.0/UDP 10.0.0.11:5060;branch=z9hG4bKinvite;rport"
    sender: str = f"<sip:lukas@{HOST}>;tag=from-1"
    to: str = f"<{CALLEE}>"
    call_id: str = "call-1"
    contact: str = AT_LUKAS
    lines: tuple[str, ...] = ()
    bound: str = AT_LENKA
    answer_tag: str = "to-1"
    answer_contact: str = f"<{AT_LENKA}>"
    answer_lines: tuple[str, ...] = ()
    recorded: str = ""

    @property
    def source(self) -> Hop:
        """Where the caller's requests come from."""
        return ("10.0.0.9", 5060) if self.recorded else LUKAS

    def invite(self) -> bytes:
        """The first request."""
        return message(
            f"INVITE {self.uri} SIP/2.0",
            f"Via: {self.via}",
            "Max-Forwards: 70",
            f"From: {self.sender}",
            f"To: {self.to}",
            f"Call-ID: {self.call_id}",
            "CSeq: 1 INVITE",
            f"Contact: {self.contact}",
            *([f"Record-Route: {self.recorded}"] if self.recorded else []),
            *self.lines,
        )


def message(*lines: str) -> bytes:
    """A message without a body."""
    return "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode("utf-8", ERRORS)


def fields(sent: Sent, name: str) -> list[str]:
    """The values of a field, each line as it came."""
    lines = sent.raw.decode("utf-8", ERRORS).split("\r\n")
    return [line.partition(": ")[2] for line in lines if line.startswith(f"{name}: ")]


def uri_of(contact: str) -> str:
    """The URI of a Contact as a phone finds it."""
    head, opened, rest = contact.partition("<")
    return rest.partition(">")[0].strip() if opened else head.partition(";")[0].strip().split(" ")[-1]


def new_board(contact: str = AT_LENKA) -> Board:
    """A proxy where both are registered; Lenka at `contact`, or where she is if that names no host."""
    board = Board()
    board.bind("lukas", "sip:lukas@10.0.0.11:5060")
    next_hop = "" if SipUri.parse(contact).has_host else "10.0.0.12:5060"
    binding = Binding(contact, 1.0, EPOCH + 1e6, next_hop, source="10.0.0.12:5060")
    board.replica.apply(board.replica.number + 1, pack_users({"lenka": [binding]}))
    return board


def begin(board: Board, spelling: Spelling) -> Sent | int:
    """Send the INVITE: what the callee got, or the status that the caller was told before anybody rang."""
    board.receive(spelling.invite(), spelling.source)
    sent = board.sent()
    if not sent:
        statuses = board.statuses()
        assert statuses, "no answer at all"
        assert statuses[-1] >= 400
        return statuses[-1]
    board.answers()
    (invite,) = sent
    assert invite.to == LENKA
    check_unchanged(spelling, invite)
    return invite


def check_unchanged(spelling: Spelling, invite: Sent) -> None:
    """Everything that is not the proxy's business is as the caller wrote it."""
    assert fields(invite, "From") == [spelling.sender]
    assert fields(invite, "To") == [spelling.to]
    assert fields(invite, "Call-ID") == [spelling.call_id]
    assert fields(invite, "Contact")[0] == spelling.contact
    text = invite.raw.decode("utf-8", ERRORS)
    carried = [line for line in spelling.lines if not line.startswith(("Route:", "Proxy-Require:"))]
    assert all(f"\r\n{line}\r\n" in text for line in carried)


def complete(board: Board, spelling: Spelling, invite: Sent) -> None:
    """The callee answers with 200; ACK, re-INVITE and BYEs of both sides pass as the phones write them."""
    to = f"{fields(invite, 'To')[0].removesuffix(';tag=')};tag={spelling.answer_tag}"
    recorded = [f"Record-Route: {value}" for value in fields(invite, "Record-Route")]
    answer = message(
        "SIP/2.0 200 OK",
        *[f"Via: {value}" for value in fields(invite, "Via")],
        *recorded,
        f"From: {spelling.sender}",
        f"To: {to}",
        f"Call-ID: {spelling.call_id}",
        "CSeq: 1 INVITE",
        f"Contact: {spelling.answer_contact}",
        *spelling.answer_lines,
    )
    board.receive(answer, LENKA)
    (ok,) = board.answers()
    assert ok.status == 200
    assert fields(ok, "To") == [to]
    assert fields(ok, "Contact") == [spelling.answer_contact]
    for number, method in ((1, "ACK"), (2, "INVITE"), (3, "BYE")):
        raw = from_caller(method, number, spelling, ok)
        board.receive(raw, spelling.source)
        passed(board, raw, LENKA)
    raw = from_callee("BYE", 7, spelling, ok, invite)
    board.receive(raw, LENKA)
    passed(board, raw, spelling.source)


def from_caller(method: str, number: int, spelling: Spelling, ok: Sent) -> bytes:
    """A request of the caller's within the dialog that `ok` made; a proxy before us takes off its Route."""
    routes = [route for route in fields(ok, "Record-Route")[::-1] if route != spelling.recorded]
    return _within(
        method, number, uri_of(fields(ok, "Contact")[0]), "10.0.0.11:5060", spelling.sender,
        fields(ok, "To")[0], spelling, routes,
    )  # fmt: skip


def from_callee(method: str, number: int, spelling: Spelling, ok: Sent, invite: Sent) -> bytes:
    """One of the callee's."""
    return _within(
        method, number, uri_of(spelling.contact), "10.0.0.12:5060", fields(ok, "To")[0], spelling.sender,
        spelling, fields(invite, "Record-Route"),
    )  # fmt: skip


def _within(
    method: str,
    number: int,
    uri: str,
    sent_by: str,
    sender: str,
    to: str,
    spelling: Spelling,
    routes: list[str],
) -> bytes:
    return message(
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {sent_by};branch=z9hG4bK{method}{number};rport",
        "Max-Forwards: 70",
        *[f"Route: {route}" for route in routes],
        f"From: {sender}",
        f"To: {to}",
        f"Call-ID: {spelling.call_id}",
        f"CSeq: {number} {method}",
    )


def passed(board: Board, raw: bytes, where: Hop) -> None:
    """The request `raw` went on to `where` with the Request-URI, From, To and Call-ID that it had."""
    given, sent = Sent(where, raw), board.sent()
    assert [each.to for each in sent] == [where], (given.line, board.statuses(), board.proxy.counters)
    board.answers()
    assert sent[0].line == given.line
    for name in ("From", "To", "Call-ID"):
        assert fields(sent[0], name) == fields(given, name)


def refused_or_complete(spelling: Spelling) -> int:
    """Play the whole call: the status of the refusal, or 200."""
    board = new_board(spelling.bound)
    invite = begin(board, spelling)
    if isinstance(invite, int):
        return invite
    complete(board, spelling, invite)
    return 200


def spelled(**how: object) -> Spelling:
    """A call with one thing written otherwise."""
    return replace(Spelling(), **how)  # type: ignore[arg-type]
