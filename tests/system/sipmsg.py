"""SIP messages as a strict reader takes them and a plain writer makes them (RFC 3261 §7, §20, §25).

Independent of the product on purpose: what the product emits is judged by this reader alone.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

Address = tuple[str, int]
Headers = Sequence[tuple[str, str]]

MAGIC_COOKIE = "z9hG4bK"
_TOKEN = r"[A-Za-z0-9\-.!%*_+`'~]+"
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6]\d\d) ([^\x00-\x1f]*)")
_REQUEST_LINE = re.compile(rf"({_TOKEN}) ([A-Za-z][A-Za-z0-9+.\-]*:[^\s<>]+) SIP/2\.0")
_HEADER_LINE = re.compile(rf"({_TOKEN})[ \t]*:[ \t]*(.*?)[ \t]*")
_VIA = re.compile(
    rf"SIP/2\.0/(?:UDP|TCP|TLS|WSS?) (\[[0-9a-f:.]+\]|[A-Za-z0-9.\-]+)(?::(\d+))?((?:;{_TOKEN}(?:=[^;,\s]+)?)*)"
)
_CSEQ = re.compile(rf"(\d{{1,10}}) ({_TOKEN})")
_NAME_ADDR = re.compile(rf'(?:"(?:[^"\\]|\\.)*"\s*|(?:{_TOKEN}\s*)*)<[^<>\s]+>(?:;{_TOKEN}(?:=[^;,\s]+)?)*')
_VALUE = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,"<])+')
_COMPACT = {
    "v": "via",
    "f": "from",
    "t": "to",
    "i": "call-id",
    "m": "contact",
    "l": "content-length",
    "c": "content-type",
    "k": "supported",
}


class MalformedMessage(AssertionError):
    """What the switchboard sent breaks the grammar."""


@dataclass(frozen=True, slots=True)
class Message:
    """A request or a response: start line, header fields in order, body."""

    start_line: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    source: Address = ("", 0)
    """Where it came from; unset in a message of our own."""

    @property
    def is_request(self) -> bool:
        return not self.start_line.startswith("SIP/")

    @property
    def method(self) -> str:
        """The request's method; of a response the one in its CSeq."""
        return self.cseq[1]

    @property
    def uri(self) -> str:
        """The Request-URI."""
        return self.start_line.split(" ")[1]

    @property
    def status(self) -> int:
        return int(self.start_line.split(" ")[1])

    @property
    def reason(self) -> str:
        return self.start_line.split(" ", 2)[2]

    @property
    def cseq(self) -> tuple[int, str]:
        number, _, method = self.get("cseq").partition(" ")
        return int(number), method

    @property
    def call_id(self) -> str:
        return self.get("call-id")

    @property
    def branch(self) -> str:
        return parameter(self.values("via")[0], "branch") or ""

    @property
    def key(self) -> tuple[str, str]:
        """What names a transaction: branch and method (RFC 3261 §17.1.3)."""
        return self.branch, self.method

    def all(self, name: str) -> list[str]:
        """The values of every header field of this name, lower-case long form."""
        return [value for key, value in self.headers if _COMPACT.get(key.lower(), key.lower()) == name]

    def get(self, name: str) -> str:
        """The value of the first header field of this name; an assertion fails if there is none."""
        values = self.all(name)
        assert values, f"no {name} in {self.start_line!r}"
        return values[0]

    def values(self, name: str) -> list[str]:
        """All values of this name, those that commas join taken apart."""
        return [part.strip() for value in self.all(name) for part in _VALUE.findall(value)]

    def without(self, *names: str) -> tuple[tuple[str, str], ...]:
        """The header fields in order, those of `names` left out."""
        return tuple((key, value) for key, value in self.headers if key.lower() not in names)

    def encode(self) -> bytes:
        """The bytes for the wire; Content-Length is added."""
        lines = [
            self.start_line,
            *(f"{key}: {value}" for key, value in self.headers),
            f"Content-Length: {len(self.body)}",
        ]
        return "\r\n".join([*lines, "", ""]).encode() + self.body

    def __str__(self) -> str:
        return f"{self.start_line} ({self.get('cseq')})"


def parse(raw: bytes, source: Address) -> Message:
    """Return the message in one datagram; MalformedMessage at the first breach of the grammar."""
    head, end, body = raw.partition(b"\r\n\r\n")
    _require(bool(end), "no empty line ends the header section", raw)
    start_line, *lines = head.decode().split("\r\n")
    fields = [_HEADER_LINE.fullmatch(line) for line in lines]
    for line, field in zip(lines, fields, strict=True):
        _require(field is not None, f"header line {line!r}", raw)
    headers = tuple((field[1], field[2]) for field in fields if field)
    message = Message(start_line, headers, body, source)
    _check_start_line(message, raw)
    _check_headers(message, raw)
    return message


def _check_start_line(message: Message, raw: bytes) -> None:
    pattern = _REQUEST_LINE if message.is_request else _STATUS_LINE
    _require(pattern.fullmatch(message.start_line) is not None, "start line", raw)


def _check_headers(message: Message, raw: bytes) -> None:
    for name in ("from", "to", "call-id", "cseq", "content-length"):
        _require(len(message.all(name)) == 1, f"{len(message.all(name))} {name} header fields", raw)
    cseq = _CSEQ.fullmatch(message.get("cseq"))
    _require(cseq is not None and int(cseq[1]) < 2**31, "CSeq", raw)
    _require(message.get("content-length") == str(len(message.body)), "Content-Length", raw)
    _require(bool(message.values("via")), "no Via", raw)
    for via in message.values("via"):
        _require(_VIA.fullmatch(via) is not None, f"Via {via!r}", raw)
    _require(message.branch.startswith(MAGIC_COOKIE), "branch without the magic cookie", raw)
    for name in ("route", "record-route"):
        for value in message.values(name):
            _require(_NAME_ADDR.fullmatch(value) is not None, f"{name} {value!r}", raw)
    if message.is_request:
        _check_request(message, raw)


def _check_request(message: Message, raw: bytes) -> None:
    _require(message.start_line.split(" ")[0] == message.method, "CSeq names another method", raw)
    hops = message.all("max-forwards")
    _require(len(hops) == 1 and hops[0].isdigit() and int(hops[0]) <= 255, f"Max-Forwards {hops}", raw)


def _require(condition: bool, what: str, raw: bytes) -> None:
    if not condition:
        raise MalformedMessage(f"{what}\n{raw.decode(errors='backslashreplace')}")


def parameter(value: str, name: str) -> str | None:
    """Return a header field's parameter (outside <>): "" for a flag, None if absent."""
    for part in re.sub(r'"(?:[^"\\]|\\.)*"|<[^>]*>', "", value).split(";")[1:]:
        key, _, text = part.partition("=")
        if key.strip().lower() == name:
            return text.strip()
    return None


def uri_in(value: str) -> str:
    """Return the URI of a name-addr or an addr-spec header value."""
    bracketed = re.search(r"<([^>]*)>", value)
    return bracketed[1] if bracketed else value.split(";")[0].strip()


def address_of(uri: str) -> Address:
    """Return where a sip: URI of an IP address points; port 5060 if it names none."""
    match = re.fullmatch(r"sip:(?:[^@]*@)?(?:\[([^\]]+)\]|([^:;?]+))(?::(\d+))?(?:[;?].*)?", uri)
    assert match, f"not a SIP URI: {uri!r}"
    return match[1] or match[2], int(match[3] or 5060)


def host_port(address: Address) -> str:
    """Return `host:port` as it stands in a URI or a Via; an IPv6 address in brackets."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def via_address(via: str) -> Address:
    """Return the sent-by of a Via value."""
    match = _VIA.fullmatch(via)
    assert match, f"not a Via: {via!r}"
    return match[1].strip("[]"), int(match[2] or 5060)
