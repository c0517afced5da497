"""Calls with SDP on a board whose calls are relayed (`playbook.py`), as their phones write them."""

import re

import pytest
from playbook import HOST, LENKA, LUKAS, Board, Sent, request, response

from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import with_body

CALLEE = f"sip:lenka@{HOST}"
TYPE = "Content-Type: application/sdp"
CONTACT = "Contact: <sip:lukas@10.0.0.11:5060>"


def sdp(host: str, port: int = 5004) -> bytes:
    lines = ["v=0", f"o=- 1 1 IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0", f"m=audio {port} RTP/AVP 0"]
    return "".join(f"{line}\r\n" for line in lines).encode()


OFFER, ANSWER = sdp("10.0.0.11"), sdp("10.0.0.12")
OURS, THEIRS = sdp("10.0.0.90", 9000), sdp("10.0.0.90", 7000)
"""What an engine makes of the offer, and of the answer."""


BEHIND = "behind"
"""A board with `auto`, whose callee is behind address translation: so each call is relayed, as with `always`."""
both = pytest.mark.parametrize("mode", ["always", BEHIND])


def board(mode: str = "always", **more: object) -> Board:
    made = Board(relay_media="auto" if mode == BEHIND else mode, **more)  # type: ignore[arg-type]
    if mode == BEHIND:
        made.bind("lenka", "sip:lenka@192.168.3.4:5060", next_hop="10.0.0.12:5060")
    else:
        made.bind("lenka", "sip:lenka@10.0.0.12:5060")
    made.bind("lukas", "sip:lukas@10.0.0.11:5060")
    return made


def invite(offer: bytes = OFFER, *lines: str, source: object = LUKAS) -> bytes:
    return request("INVITE", CALLEE, lines=(CONTACT, TYPE, *lines), body=offer, source=source)  # type: ignore[arg-type]


def accepted(invited: Message, body: bytes = ANSWER, status: int = 200, tag: str = "to-1") -> bytes:
    raw = response(invited, status, tag=tag, lines=(own_contact(invited), TYPE))
    return with_body(parse_message(raw), body)


def own_contact(invited: Message) -> str:
    """The callee's Contact: it is what it had registered."""
    return f"Contact: <{invited.uri}>"


def only(found: list[Sent]) -> Sent:
    (one,) = found
    return one


def mark_in(message: Message) -> str:
    found = re.search(r";me=([\w-]+)>", message.get("record-route") or "")
    return found[1] if found else ""


def again(method: str, answered: Message, by: object = LUKAS, body: bytes = b"", cseq: int = 2) -> bytes:
    """A request of one of both sides in the dialog."""
    routes = [f"Route: {value}" for value in answered.values("record-route")]
    callee = f"Contact: {answered.get('contact')}"
    contact, uri = (CONTACT, callee[10:-1]) if by == LUKAS else (callee, "sip:lukas@10.0.0.11:5060")
    lines = (*routes, *([contact] if method == "INVITE" else []), *([TYPE] if body else []))
    raw = request(
        method, uri, to_tag="to-1", cseq=cseq, branch=f"z9hG4bK{method}{cseq}", lines=lines, body=body
    )
    if by == LENKA:
        raw = raw.replace(b"tag=from-1", b"tag=#").replace(b"tag=to-1", b"tag=from-1").replace(b"#", b"to-1")
    return raw
