"""A fake phone: one contact of one address-of-record, strict about all that it receives (RFC 3261 §8)."""

from collections.abc import Callable, Sequence
from functools import partial
from secrets import token_hex

from system.net import PATIENCE_S, Endpoint, Net
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.sipmsg import MAGIC_COOKIE, Address, Headers, Message, host_port, parameter, parse

__all__ = ["ClientTransaction", "Net", "ServerTransaction", "UserAgent", "registered"]

SDP = (
    b"v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
    b"m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
)


class UserAgent:
    """A user agent at a port of its own. Phones of one Net and the same `name` share an address-of-record."""

    transport = "UDP"

    def __init__(self, net: Net, name: str, host: str = "", proxy: Address | None = None) -> None:
        self.net = net
        self.proxy = proxy or net.proxy
        self.user = f"{name}-{net.run}"
        self.keep_alives: list[bytes] = []
        """Datagrams of nothing but line ends."""
        self.make_call_id: Callable[[], str] = partial(token_hex, 8)
        self._endpoint = self._open(host or net.host)
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[tuple[str, str], ServerTransaction] = {}
        self._inbox: list[ServerTransaction] = []
        self._acks: dict[tuple[str, int, str | None], tuple[Message, Address]] = {}
        self._registration = token_hex(8)
        self._registrations = 0

    def _open(self, host: str) -> Endpoint:
        return Endpoint(self.net, self.user, host, self._receive)

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
            ("Via", f"SIP/2.0/{self.transport} {host_port(self.address)};branch={branch};rport"),
            ("Max-Forwards", "70"),
            ("From", sender or f"<{self.aor}>;tag={token_hex(4)}"),
            ("To", to or f"<{uri}>"),
            ("Call-ID", call_id or self.make_call_id()),
            ("CSeq", f"{cseq} {method}"),
            *headers,
        ]
        if method in ("INVITE", "SUBSCRIBE", "REFER"):
            fields.append(("Contact", f"<{self.contact}>"))
        if body and "content-type" not in {name.lower() for name, _ in headers}:
            fields.append(("Content-Type", "application/sdp"))
        return Message(f"{method} {uri} SIP/2.0", tuple(fields), body)

    def start(self, request: Message, destination: Address | None = None) -> ClientTransaction:
        """Send `request` to the switchboard (or to `destination`) and follow its transaction."""
        transaction = ClientTransaction(self._endpoint, request, destination or self.proxy)
        self._clients[request.key] = transaction
        return transaction

    def transmit(self, ack: Message, destination: Address) -> None:
        """Send an ACK to a 2xx: no transaction, no response."""
        self._acks[_dialog_key(ack)] = ack, destination
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
        self,
        contacts: Sequence[str] | None = None,
        expires: int | None = 600,
        cseq: int | None = None,
        extra: Headers = (),
    ) -> ClientTransaction:
        """Send a REGISTER (§10.2) of `contacts`, header values: None is this phone's own, [] only asks."""
        self._registrations = self._registrations + 1 if cseq is None else cseq
        values = [f"<{self.contact}>"] if contacts is None else contacts
        headers = [*extra, *(("Contact", value) for value in values)]
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
        return self.net.wait_for(lambda: self.take(method), f"{method} at {self.user}", timeout_s)

    def take(self, method: str) -> ServerTransaction | None:
        """Return the next request if it is there; AssertionError if it is another one."""
        if not self._inbox:
            return None
        request = self._inbox[0].request
        assert request.method == method, f"{request} instead of {method}"
        return self._inbox.pop(0)

    def close(self) -> None:
        """Unplug the phone."""
        self._endpoint.close()

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
            self._acknowledge_again(message)

    def _receive_request(self, request: Message) -> None:
        invite = self._servers.get((request.branch, "INVITE"))
        known = self._servers.get(request.key)
        if known is not None:
            known.repeat()
        elif request.method == "ACK" and invite is not None:
            invite.acknowledge(request)
        elif self.net.retransmits and self._has_acknowledged(request):
            return
        else:
            self._accept(request, invite)

    def _accept(self, request: Message, invite: ServerTransaction | None) -> None:
        if request.method == "CANCEL":
            assert invite is not None, f"{request} cancels nothing at {self.user}"
        transaction = ServerTransaction(self._endpoint, request, self.contact, token_hex(4))
        self._servers[request.key] = transaction
        self._inbox.append(transaction)
        if request.method == "ACK":
            self._confirm(request)

    def _has_acknowledged(self, ack: Message) -> bool:
        """Whether a 2xx is acknowledged once more, by an ACK that took another way (§13.2.2.4)."""
        same = (ack.call_id, ack.cseq)
        return any((known.request.call_id, known.request.cseq) == same for known in self._servers.values())

    def _confirm(self, ack: Message) -> None:
        """The 2xx that `ack` answers has arrived."""
        for transaction in self._servers.values():
            invite = transaction.request
            if (invite.call_id, invite.cseq) == (ack.call_id, (ack.cseq[0], "INVITE")):
                transaction.confirm()

    def _acknowledge_again(self, response: Message) -> None:
        """A 2xx that is acknowledged came again (§13.2.2.4)."""
        known = self._acks.get(_dialog_key(response))
        if known and self.net.retransmits and response.method == "INVITE" and response.status < 300:
            ack, destination = known
            self._endpoint.send(ack.encode(), destination)


def registered(net: Net, name: str, q: float | None = None) -> UserAgent:
    """A phone whose contact the switchboard knows, with this preference if any."""
    phone = UserAgent(net, name)
    quality = "" if q is None else f";q={q}"
    phone.register([f"<{phone.contact}>{quality}"]).expect(200)
    return phone


def _dialog_key(message: Message) -> tuple[str, int, str | None]:
    """What an ACK and the 2xx that it answers share."""
    return message.call_id, message.cseq[0], parameter(message.get("to"), "tag")
