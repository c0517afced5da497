"""One phone's view of a dialog (RFC 3261 §12), and a call between two phones."""

from dataclasses import dataclass

from system.net import PATIENCE_S
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.sipmsg import Address, Headers, Message, address_of, parameter, uri_in
from system.user_agent import SDP, UserAgent


@dataclass
class Dialog:
    """What a phone keeps of a dialog; requests follow the route set, which must be one of loose routers."""

    phone: UserAgent
    call_id: str
    local: str
    """Our From (or To) value with our tag."""
    remote: str
    target: str
    """The peer's Contact URI."""
    routes: list[str]
    cseq: int
    """Of our last request."""
    peer_cseq: int = 0
    """Of the peer's last request."""
    outbound: Address | None = None
    """An outbound proxy, which gets all requests whatever their Route says."""

    @classmethod
    def of_caller(cls, phone: UserAgent, invite: ClientTransaction, response: Message) -> "Dialog":
        """The dialog that a response to our INVITE establishes (§12.1.2)."""
        request = invite.request
        routes = response.values("record-route")[::-1]
        target = uri_in(response.get("contact"))
        local, remote = request.get("from"), response.get("to")
        return cls(phone, request.call_id, local, remote, target, routes, request.cseq[0])

    @classmethod
    def of_callee(cls, phone: UserAgent, invite: ServerTransaction, response: Message) -> "Dialog":
        """The dialog that our response to an INVITE establishes (§12.1.1)."""
        request = invite.request
        routes = request.values("record-route")
        target = uri_in(request.get("contact"))
        local, remote = response.get("to"), request.get("from")
        return cls(phone, request.call_id, local, remote, target, routes, 1, request.cseq[0])

    @property
    def next_hop(self) -> Address:
        """Where a request of ours is sent."""
        if self.outbound:
            return self.outbound
        if not self.routes:
            return address_of(self.target)
        hop = uri_in(self.routes[0])
        assert ";lr" in hop, f"{hop} is a strict router"
        return address_of(hop)

    def start(self, method: str, headers: Headers = (), body: bytes = b"") -> ClientTransaction:
        """Send a request in the dialog (§12.2.1.1)."""
        self.cseq += 1
        return self.phone.start(self._request(method, headers, body), self.next_hop)

    def acknowledge(self, body: bytes = b"") -> None:
        """Send the ACK to the 2xx of our last INVITE (§13.2.2.4)."""
        self.phone.transmit(self._request("ACK", (), body), self.next_hop)

    def expect(self, method: str, timeout_s: float = PATIENCE_S) -> ServerTransaction:
        """Return the peer's next request; it has to be for us, in this dialog and in order (§12.2.2)."""
        transaction = self.phone.expect(method, timeout_s)
        self.check(transaction.request)
        return transaction

    def take(self, method: str) -> ServerTransaction | None:
        """As `expect`, but None if nothing has come."""
        transaction = self.phone.take(method)
        if transaction is not None:
            self.check(transaction.request)
        return transaction

    def check(self, request: Message) -> None:
        """Take note of the peer's `request`; AssertionError unless it is for us, of this dialog, in order."""
        method = request.method
        assert request.call_id == self.call_id
        assert _tag(request.get("to")) == _tag(self.local), f"To tag of {request}"
        assert _tag(request.get("from")) == _tag(self.remote), f"From tag of {request}"
        assert request.uri == self.phone.contact, f"Request-URI {request.uri} at {self.phone.contact}"
        assert not request.values("route"), "a Route is left at its end"
        in_order = request.cseq[0] == self.peer_cseq if method == "ACK" else request.cseq[0] > self.peer_cseq
        assert in_order, f"{request} after CSeq {self.peer_cseq}"
        self.peer_cseq = request.cseq[0]

    def _request(self, method: str, headers: Headers, body: bytes) -> Message:
        routes = [("Route", route) for route in self.routes]
        return self.phone.request(
            method,
            self.target,
            [*routes, *headers],
            body,
            sender=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=self.cseq,
        )


@dataclass
class Call:
    """An answered call, seen from both its ends."""

    caller: Dialog
    callee: Dialog
    answer: Message
    """The 200 as it reached the caller."""

    @property
    def call_id(self) -> str:
        return self.caller.call_id


def place_call(caller: UserAgent, callee: UserAgent, dialled: str = "", resend: bool = False) -> Call:
    """Dial, ring, answer, acknowledge. `dialled`: the callee's address-of-record unless given."""
    invite = caller.invite(dialled or callee.aor)
    if resend:
        invite.expect(100, resend=True)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    return answer_call(caller, invite, callee, incoming)


def answer_call(
    caller: UserAgent, invite: ClientTransaction, callee: UserAgent, incoming: ServerTransaction
) -> Call:
    """The callee takes the call and the caller acknowledges."""
    sent = incoming.reply(200, body=SDP)
    received = invite.expect(200)
    call = Call(
        Dialog.of_caller(caller, invite, received), Dialog.of_callee(callee, incoming, sent), received
    )
    call.caller.acknowledge()
    call.callee.expect("ACK")
    return call


def hang_up(ending: Dialog, other: Dialog) -> Message:
    """End the call; return the BYE as it arrived."""
    bye = ending.start("BYE")
    incoming = other.expect("BYE")
    incoming.reply(200, routes=False)
    bye.expect(200)
    return incoming.request


def _tag(value: str) -> str | None:
    return parameter(value, "tag")
