"""What a provider sees of a call in place of what the phone wrote: identities and CSeq numbers, undone on the way back.

Theory. A provider wants its account in From, and asks for a password (407), which the phone does not know. So the
router answers, by the same request with a higher CSeq number (RFC 3261 §22.2), of which the phone knows nothing. All
later requests of the phone have to count from there. No state is kept for that: the numbers are spread. The phone's
number n leaves as STEP · (n - base) + answer, where `base` is the number before that of its first request, and
`answer` counts the challenges answered for this request. A number that comes back tells n.

The ACK of a later INVITE that was challenged has to bear that one's number, too. So the Contact of its 2xx gets the
parameter ANSWERED, which comes back in the Request-URI of the phone's ACK, and goes no further.

What has to be known within the dialog is the *mask*: identities on both sides, base, and the answers that the first
request took, since its ACK has to bear the same number (§13.2.2.4). The mask is in our Record-Route, encrypted, and
bound to Call-ID and tag like the seal beside it. So every restart is survived, and the provider learns nothing.
"""

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, hide, reveal
from switchboard.codec import CodecError, pack, unpack
from switchboard.core.target import uri_of
from switchboard.sip.address import NameAddr
from switchboard.sip.headers import HEADER_BY_NAME, Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.scan import BODY_END
from switchboard.sip.splice import splice
from switchboard.sip.uri import SipUri

PARAM: Final = "st"
STEP: Final = 4
LARGEST: Final = 2**31 - STEP
"""Of what the provider sees: with the answers to challenges it still is a CSeq number (§8.1.1.5)."""
ANSWERED: Final = "sba"
_ANSWERED: Final = re.compile(r";sba=([1-3])")
_TOKENS: Final = re.compile(rb";st=([A-Za-z0-9_-]{20,})")
_MARK: Final = b";st="
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")
_FIELDS: Final = 7
_RACK: Final = re.compile(rb"(?<=\n)(rack[ \t]*:[ \t]*[0-9]{1,10}[ \t]+)([0-9]{1,10})", re.IGNORECASE)


class Mask(NamedTuple):
    """Near is the phone's side, far the provider's. `answers`: challenges that were answered for the first request.

    `is_back`: the request comes from the provider.
    """

    trunk: str
    base: int
    answers: int
    near_from: str
    near_to: str
    far_from: str
    far_to: str
    is_back: bool = False

    def number(self, number: int, method: str, answered: int = 0) -> int:
        """The number that the provider sees. An ACK has that of its INVITE. `answered`: what its Request-URI says.

        A number of the phone that is lower than that of its first request becomes 0, which the provider finds too low.
        """
        answers = self.answers if number == self.base + 1 else answered
        spread = min(max(STEP * (number - self.base), 0), LARGEST)
        return spread + (answers if method == "ACK" else 0)


def answers_in(number: int) -> int:
    """How many challenges had been answered for a request with this number that the provider saw."""
    return number % STEP


def make_token(key: bytes, mask: Mask, call_id: str, tag: str) -> str:
    """The value of the parameter in our Record-Route. `tag`: the phone's."""
    octets = hide(key, Use.TRUNK, pack(list(mask[:_FIELDS])), _bound(call_id, tag))
    return b2a_base64(octets, newline=False).translate(_TO_URL, b"=").decode()


def mask_in(key: bytes, request: Message, owns: Callable[[SipUri], bool]) -> tuple[Mask, str] | None:
    """Return the mask that our Route of a request (untrusted) bears, and its token; None if there is none.

    Of several values of ours in a row, the last one counts, as of seals: behind another proxy they are of another pass.
    """
    if _MARK not in request.raw[: request.headers_end] or Header.ROUTE not in request.numbers:
        return None
    token = ""
    for value in request.values(Header.ROUTE):
        uri = uri_of(value[1:-1] if value[:1] == "<" and value[-1:] == ">" else value)
        if not owns(uri):
            break
        token = uri.param(PARAM) or token
    for tag, is_back in ((request.from_tag, False), (request.to_tag, True)):
        if (
            tag
            and token
            and (mask := _opened(key, token.encode("utf-8", "surrogateescape"), request.call_id, tag))
        ):
            return mask._replace(is_back=is_back), token
    return None


def masked(raw: bytes, mask: Mask, uri: str) -> bytes:
    """Return the request as the other side is to see it. `uri`: the Request-URI with which it came."""
    request = parse_message(raw)
    lines = [
        (Header.FROM, _renamed(request, Header.FROM, mask.near_to if mask.is_back else mask.far_from)),
        (Header.TO, _renamed(request, Header.TO, mask.near_from if mask.is_back else mask.far_to)),
    ]
    if not mask.is_back:
        number, method = request.cseq
        said = _ANSWERED.search(uri)
        number = mask.number(number, method, int(said[1]) if said else 0)
        lines.append((Header.CSEQ, b"%d %s" % (number, method.encode())))
    raw = _with_lines(request, lines)
    return raw if mask.is_back or request.method != "PRACK" else _with_number_in_rack(raw, mask)


def answered(key: bytes, sent: Message, branch: str, line: bytes) -> bytes:
    """Return a request that was `sent` with one more answer to a challenge: the header line `line`.

    It has another branch and the next number. The mask in our Record-Route counts the answers to a first request.
    """
    number, method = sent.cseq
    name = line.partition(b":")[0]
    edits = [(start, end, b"") for start, end in sent.lines(HEADER_BY_NAME[name.decode().lower()])]
    start, end = sent.top_via_span
    via = sent.raw[start:end].replace(sent.via.branch.encode(), branch.encode())
    edits.append((start, end, via))
    edits.append((sent.headers_end, sent.headers_end, line + b"\r\n"))
    start, end = sent.lines(Header.CSEQ)[0]
    edits.append((start, end, b"CSeq: %d %s\r\n" % (number + 1, method.encode())))
    raw = splice(sent.raw, edits, sent.index[BODY_END])
    return raw if sent.to_tag else _with_new_token(key, sent, raw)


def _with_new_token(key: bytes, sent: Message, raw: bytes) -> bytes:
    for token in _TOKENS.findall(sent.raw[: sent.headers_end]):
        if mask := _opened(key, token, sent.call_id, sent.from_tag):
            mask = mask._replace(answers=answers_in(sent.cseq[0]) + 1)
            return raw.replace(token, make_token(key, mask, sent.call_id, sent.from_tag).encode())
    return raw


def without_answers(uri: str) -> str:
    """Return the Request-URI of a phone as the provider wrote it in its Contact."""
    return _ANSWERED.sub("", uri)


def unmasked(raw: bytes, request: Message) -> bytes:
    """Return the response `raw` as an answer to the `request` as it came."""
    response = parse_message(raw)
    answers = answers_in(response.cseq[0]) if response.cseq[0] != request.cseq[0] else 0
    if answers and request.to_tag and request.method == "INVITE" and 200 <= response.status < 300:
        response = _with_answers(response, answers)
    to = request.value(Header.TO) or b""
    if response.to_tag and not request.to_tag:
        to += b";tag=" + response.to_tag.encode("utf-8", "surrogateescape")
    values = [
        (Header.FROM, request.value(Header.FROM) or b""),
        (Header.TO, to),
        (Header.CSEQ, request.value(Header.CSEQ) or b""),
    ]
    return _with_lines(response, values)


def _with_answers(response: Message, answers: int) -> Message:
    """With a Contact that tells how many challenges were answered."""
    value = response.get(Header.CONTACT)
    if not value or "<" not in value:
        return response
    address = NameAddr.parse(value)
    value = str(address._replace(uri=f"{without_answers(address.uri)};{ANSWERED}={answers}"))
    return parse_message(_with_lines(response, [(Header.CONTACT, value.encode("utf-8", "surrogateescape"))]))


def differs(response: Message, request: Message) -> bool:
    """Whether a response answers the request as another side saw it."""
    sides = response.cseq[0], response.from_uri, response.to_uri
    return sides != (request.cseq[0], request.from_uri, request.to_uri)


def _bound(call_id: str, tag: str) -> bytes:
    return f"{call_id}\n{tag}\n".encode("utf-8", "surrogateescape")


def _opened(key: bytes, token: bytes, call_id: str, tag: str) -> Mask | None:
    try:
        octets = a2b_base64(token.translate(_FROM_URL) + bytes(-len(token) % 4 * b"="))
        text = reveal(key, Use.TRUNK, octets, _bound(call_id, tag))
        return Mask(*unpack(text)) if text is not None else None
    except (Error, ValueError, CodecError, TypeError):
        return None


def _renamed(request: Message, header: Header, uri: str) -> bytes:
    address = NameAddr.parse(request.get(header) or "")
    return str(address._replace(uri=uri)).encode("utf-8", "surrogateescape")


def _with_number_in_rack(raw: bytes, mask: Mask) -> bytes:
    """The RAck of a PRACK names the INVITE's number, too (RFC 3262 §7.2)."""
    head, blank, body = raw.partition(b"\r\n\r\n")
    return _RACK.sub(lambda found: found[1] + b"%d" % mask.number(int(found[2]), "ACK"), head) + blank + body


def _with_lines(message: Message, values: Sequence[tuple[Header, bytes]]) -> bytes:
    edits = []
    for header, value in values:
        for start, end in message.lines(header)[:1]:
            name = message.raw[start : message.raw.index(b":", start)]
            edits.append((start, end, name + b": " + value + b"\r\n"))
    return splice(message.raw, edits, message.index[BODY_END])
