"""A fake phone: one contact of one address-of-record, strict about all that it receives (RFC 3261 §8)."""

from collections.abc import Sequence
from secrets import token_hex

from system.net import PATIENCE_S, Endpoint, Net
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.sipmsg import MAGIC_COOKIE, Address, Headers, Message, host_port, parse

__all__ = ["ClientTransaction", "Net", "ServerTransaction", "UserAgent", "registered"]

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class UserAgent:
    """A user agent at a port of its own. Phones of one Net and the same `name` share an address-of-record."""

    def __init__(self, net: Net, name: str, host: str = "127.0.0.1", proxy: Address | None = None) -> None:
        self.net = net
        self.proxy = proxy or net.proxy
        self.user = f"{name}-{net.run}"
        self.keep_alives: list[bytes] = []
        """Datagrams of nothing but line ends."""
        self._endpoint = Endpoint(net, self.user, host, self._receive)
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, str], ServerTransaction] = {}
        self._inbox: list[ServerTransaction] = []
        self._registration = token_hex(8)
        self._registrations = 0

    @property
    def address(self) -> Address:
        return self._endpoint.address

    @property
    def contact(self) -> str:
        """The URI at which this phone is reached directly."""
        return f"sip:{self.user}@{host_port(self.address)}"

    @property
    def domain(self) -> str:
        """The switchboard's address as a URI's host."""
        return host_port(self.proxy).rpartition(":")[0]

    @property
    def aor(self) -> str:
        """The address-of-record."""
        return f"sip:{self.user}@{self.domain}"

    def send(self, raw: bytes) -> None:
        """Send any bytes to the switchboard."""
        self._endpoint.send(raw, self.proxy)

    def request(
        self,
        method: str,
        uri: str,
        headers: Headers = (),
        body: bytes = b"",
        *,
        sender: str = "",
        to: str = "",
        call_id: str = "",
        cseq: int = 1,
    ) -> Message:
        """Build a request (§8.1.1); outside a dialog unless `sender`, `to` and `call_id` say otherwise."""
        branch = MAGIC_COOKIE + token_hex(8)
        fields = [
            ("Via", f"SIP/2.0/UDP {host_port(self.address)};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", sender or f"<{self.aor}>;tag={token_hex(4)}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or token_hex(8)),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ]
        if method in ("INVITE", "SUBSCRIBE", "REFER"):
            fields.append(("Contact", f"<{self.contact}>"))
        if body:
            fields.append(("Content-Type", "application/sdp"))
        return Message(f"{method} {uri} SIP/2.0", tuple(fields), body)

    def start(self, request: Message, destination: Address | None = None) -> ClientTransaction:
        """Send `request` to the switchboard (or to `destination`) and follow its transaction."""
        transaction = ClientTransaction(self._endpoint, request, destination or self.proxy)
        self._clients[request.key] = transaction
        return transaction

    def transmit(self, ack: Message, destination: Address) -> None:
        """Send an ACK to a 2xx: no transaction, no response."""
        self._endpoint.send(ack.encode(), destination)

    def ask(self, method: str, uri: str, headers: Headers = (), body: bytes = b"") -> ClientTransaction:
        """Start a transaction outside any dialog."""
        return self.start(self.request(method, uri, headers, body))

    def invite(self, callee: str, headers: Headers = (), body: bytes = SDP) -> ClientTransaction:
        """Dial the URI `callee`."""
        return self.ask("INVITE", callee, headers, body)

    def cancel(self, invite: ClientTransaction) -> ClientTransaction:
        """Give up an INVITE (§9.1)."""
        return self.start(invite.cancel_request())

    def register(
        self, contacts: Sequence[str] | None = None, expires: int | None = 600, cseq: int | None = None
    ) -> ClientTransaction:
        """Send a REGISTER (§10.2) of `contacts`, header values: None is this phone's own, [] only asks."""
        self._registrations = self._registrations + 1 if cseq is None else cseq
        values = [f"<{self.contact}>"] if contacts is None else contacts
        headers = [("Contact", value) for value in values]
        if expires is not None:
            headers.append(("Expires", str(expires)))
        request = self.request(
            "REGISTER",
            f"sip:{self.domain}",
            headers,
            to=f"<{self.aor}>",
            call_id=self._registration,
            cseq=self._registrations,
        )
        return self.start(request)

    def bindings(self) -> list[str]:
        """Ask the registrar for the Contact values that it has for this user."""
        return self.register([], None).expect(200).values("contact")

    def expect(self, method: str, timeout_s: float = PATIENCE_S) -> ServerTransaction:
        """Return the next request; AssertionError if it is another one, or none comes in time."""
        transaction = self.net.wait_for(
            lambda: self._inbox[0] if self._inbox else None, f"{method} at {self.user}", timeout_s
        )
        assert transaction.request.method == method, f"{transaction.request} instead of {method}"
        return self._inbox.pop(0)

    def unread(self) -> list[str]:
        """The requests that came and that nobody took."""
        return [str(transaction.request) for transaction in self._inbox]

    def _receive(self, raw: bytes, source: Address) -> None:
        if not raw.strip(b"\r\n"):
            self.keep_alives.append(raw)
            return
        message = parse(raw, source)
        if message.is_request:
            self._receive_request(message)
        else:
            client = self._clients.get(message.key)
            assert client is not None, f"{message} answers nothing that {self.user} sent"
            client.receive(message)

    def _receive_request(self, request: Message) -> None:
        invite = self._servers.get((request.branch, "INVITE"))
        known = self._servers.get(request.key)
        if known is not None:
            known.repeat()
        elif request.method == "ACK" and invite is not None:
            invite.acknowledge(request)
        else:
            self._accept(request, invite)

    def _accept(self, request: Message, invite: ServerTransaction | None) -> None:
        if request.method == "CANCEL":
            assert invite is not None, f"{request} cancels nothing at {self.user}"
        transaction = ServerTransaction(self._endpoint, request, self.contact, token_hex(4))
        self._servers[request.key] = transaction
        self._inbox.append(transaction)


def registered(net: Net, name: str, q: float | None = None) -> UserAgent:
    """A phone whose contact the switchboard knows, with this preference if any."""
    phone = UserAgent(net, name)
    quality = "" if q is None else f";q={q}"
    phone.register([f"<{phone.contact}>{quality}"]).expect(200)
    return phone
