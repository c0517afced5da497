"""The messages of a fake phone, in the words of RFC 3261 §8.1.1, §10.2 and §12.2.1.1; no I/O."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from switchboard.auth.proving import Asked
from switchboard.sip.address import NameAddr
from switchboard.sip.flow import bracketed
from switchboard.sip.headers import Header
from switchboard.sip.message import Message
from switchboard.sip.respond import build_response

SDP = (
    "v=0\r\no=- 1 1 IN {family} {host}\r\ns=-\r\nc=IN {family} {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)
"""An offer, or answer, of sound that is never sent."""
USER_AGENT = "Switchboard lab phone"
EXPIRES_S = 120
Field = tuple[str, str]
_CREDENTIALS = {
    401: (Header.WWW_AUTHENTICATE, b"Authorization"),
    407: (Header.PROXY_AUTHENTICATE, b"Proxy-Authorization"),
}
_BRANCH = re.compile(rb"branch=(z9hG4bK[^\s;]+)")
_PHRASES = {180: "Ringing"}
"""Those that the switchboard itself never says."""


@dataclass(slots=True)
class PhoneIdentity:
    """One fake phone: its user, where it listens (`host` without brackets), and whose domain it is in.

    `token` makes branches, tags and Call-IDs.
    """

    user: str
    host: str
    port: int
    domain: str
    token: Callable[[], str]
    tag: str = field(init=False)
    registration: str = field(init=False)
    registrations: int = 0

    def __post_init__(self) -> None:
        self.tag = self.token()
        self.registration = self.token()

    @property
    def here(self) -> str:
        """host:port as URIs and Vias have it."""
        return f"{bracketed(self.host)}:{self.port}"

    @property
    def contact(self) -> str:
        """The URI at which this phone is reached directly."""
        return f"sip:{self.user}@{self.here}"

    @property
    def aor(self) -> str:
        """The address-of-record."""
        return f"sip:{self.user}@{self.domain}"

    def register(self, expires_s: int) -> bytes:
        """A REGISTER for this phone's own contact; `expires_s` 0 takes it back."""
        self.registrations += 1
        fields = [("Contact", f"<{self.contact}>"), ("Expires", str(expires_s))]
        dialog = Dialog(f"<{self.aor}>;tag={self.tag}", f"<{self.aor}>", self.registration)
        return self._request("REGISTER", f"sip:{self.domain}", dialog, self.registrations, fields)

    def invite(self, callee: str) -> bytes:
        """An INVITE, with an offer, for the URI `callee`."""
        dialog = Dialog(f"<{self.aor}>;tag={self.tag}", f"<{callee}>", self.token())
        return self._request("INVITE", callee, dialog, 1, [self._contact_field()], self._sdp())

    def respond(self, request: Message, status: int) -> bytes:
        """A response to `request`; to an INVITE with our Contact, and with an answer if it is a 200."""
        fields = [("User-Agent", USER_AGENT)]
        if request.method == "INVITE":
            fields += [("Record-Route", route) for route in request.all(Header.RECORD_ROUTE)]
            fields.append(self._contact_field())
        phrase = _PHRASES.get(status, "")
        response = build_response(request, status, phrase, to_tag=self.tag, headers=fields)
        is_answer = request.method == "INVITE" and status == 200
        return with_body(response, self._sdp()) if is_answer else response

    def ack(self, answer: Message) -> bytes:
        """The ACK of the 200 that answered our INVITE (§13.2.2.4)."""
        return self._in_dialog("ACK", answer, answer.cseq[0])

    def bye(self, answer: Message) -> bytes:
        """A BYE in the dialog that the 200 began."""
        return self._in_dialog("BYE", answer, answer.cseq[0] + 1)

    def cancel(self, invite: Message) -> bytes:
        """The CANCEL of our INVITE (§9.1)."""
        return self._of_transaction("CANCEL", invite, invite.get(Header.TO) or "")

    def ack_refusal(self, invite: Message, response: Message) -> bytes:
        """The ACK of a final response other than 2xx to our INVITE (§17.1.1.3)."""
        return self._of_transaction("ACK", invite, response.get(Header.TO) or "")

    def authorized(self, request: Message, response: Message, password: str) -> bytes:
        """Our request once more, with the credentials that a 401 or 407 asks for (§22). ParseError."""
        asks, shows = _CREDENTIALS[response.status]
        number, method = request.cseq
        challenge = next(iter(response.all(asks)), "")
        value = Asked.parse(challenge).answer(self.user, password, method, request.uri, self.token())
        if method == "REGISTER":
            self.registrations = number + 1
        head, _, body = request.raw.partition(b"\r\n\r\n")
        head = head.replace(b"CSeq: %d " % number, b"CSeq: %d " % (number + 1), 1)
        head = head.replace(_branch_of(request), f"z9hG4bK{self.token()}".encode(), 1)
        return b"%b\r\n%b: %b\r\n\r\n%b" % (head, shows, value.encode(), body)

    def _of_transaction(self, method: str, invite: Message, to: str) -> bytes:
        dialog = Dialog(invite.get(Header.FROM) or "", to, invite.call_id)
        branch = _branch_of(invite).decode()
        return self._request(method, invite.uri, dialog, invite.cseq[0], [], branch=branch)

    def _in_dialog(self, method: str, answer: Message, number: int) -> bytes:
        dialog = Dialog(answer.get(Header.FROM) or "", answer.get(Header.TO) or "", answer.call_id)
        target = NameAddr.parse(answer.get(Header.CONTACT) or "").uri
        routes = [("Route", route) for route in reversed(answer.values(Header.RECORD_ROUTE))]
        return self._request(method, target, dialog, number, routes)

    def _request(
        self,
        method: str,
        uri: str,
        dialog: "Dialog",
        number: int,
        fields: Sequence[Field],
        body: str = "",
        branch: str = "",
    ) -> bytes:
        branch = branch or f"z9hG4bK{self.token()}"
        everything = [
            ("Via", f"SIP/2.0/UDP {self.here};rport;branch={branch}"),
            ("Max-Forwards", "70"),
            ("From", dialog.local),
            ("To", dialog.remote),
            ("Call-ID", dialog.call_id),
            ("CSeq", f"{number} {method}"),
            ("User-Agent", USER_AGENT),
            *fields,
            ("Content-Length", "0"),
        ]
        lines = [f"{method} {uri} SIP/2.0", *(f"{name}: {value}" for name, value in everything)]
        raw = "\r\n".join([*lines, "", ""]).encode()
        return with_body(raw, body) if body else raw

    def _contact_field(self) -> Field:
        return "Contact", f"<{self.contact}>"

    def _sdp(self) -> str:
        family = "IP6" if ":" in self.host else "IP4"
        return SDP.format(family=family, host=self.host, port=self.port + 1)


@dataclass(frozen=True, slots=True)
class Dialog:
    """From and To as the sender of a request has them, and the Call-ID."""

    local: str
    remote: str
    call_id: str


def with_body(raw: bytes, sdp: str) -> bytes:
    """The message `raw`, which has no body and says so last, with this one."""
    head = raw.removesuffix(b"Content-Length: 0\r\n\r\n")
    body = sdp.encode()
    return head + b"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def _branch_of(request: Message) -> bytes:
    """Of a request that we have made."""
    match = _BRANCH.search(request.raw)
    return match[1] if match else b""
