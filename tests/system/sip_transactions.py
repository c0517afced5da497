"""A phone's side of a transaction (RFC 3261 §17). Unless the Net retransmits, a test says when to re-send."""

import time
from collections.abc import Sequence
from math import inf

from system.net import PATIENCE_S, Endpoint
from system.retransmission import T2_S, Retransmission
from system.sipmsg import Address, Headers, Message, parameter, uri_in, via_address

RESEND_S = 0.5
REASONS = {
    100: "Trying",
    180: "Ringing",
    183: "Session Progress",
    200: "OK",
    202: "Accepted",
    302: "Moved Temporarily",
    404: "Not Found",
    480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist",
    486: "Busy Here",
    487: "Request Terminated",
    500: "Server Internal Error",
    503: "Service Unavailable",
    603: "Decline",
}


class ClientTransaction:
    """A request that was sent, and its responses; acknowledges final failures by itself (§17.1.1.3)."""

    def __init__(self, endpoint: Endpoint, request: Message, destination: Address) -> None:
        self.request = request
        self.responses: list[Message] = []
        """Every different response, in order of arrival."""
        self._taken = 0
        self._endpoint = endpoint
        self._destination = destination
        self.resend()
        longest_s = inf if request.method == "INVITE" else T2_S
        needed = not endpoint.is_reliable
        self._retransmission = Retransmission(endpoint.net, self.resend, longest_s, needed=needed)

    def resend(self) -> None:
        """Send the request (again)."""
        self._endpoint.send(self.request.encode(), self._destination)

    def receive(self, response: Message) -> None:
        """Take a response for this transaction; AssertionError if it does not mirror the request."""
        _check_mirrors(self.request, response)
        if self._is_over(response):
            return
        self._calm(response)
        if self.request.method == "INVITE" and response.status >= 300:
            self._endpoint.send(self._acknowledgement(response).encode(), self._destination)
        if response.encode() not in [known.encode() for known in self.responses]:
            self._check_single_final(response)
            self.responses.append(response)

    def expect(self, status: int, timeout_s: float = PATIENCE_S, resend: bool = False) -> Message:
        """Return the next response of this status; earlier provisional ones are passed over.

        AssertionError for another final response, or none in time. With `resend` the request is sent
        again every half second while nothing at all has come, as over a network that loses datagrams.
        """
        deadline = time.monotonic() + timeout_s
        while (response := self._endpoint.net.poll(lambda: self.take(status), RESEND_S)) is None:
            seen = [str(known) for known in self.responses]
            assert time.monotonic() < deadline, f"no {status} to {self.request}, only {seen}"
            if resend and not self.responses:
                self.resend()
        return response

    def statuses(self) -> list[int]:
        """The statuses received so far, in order."""
        return [response.status for response in self.responses]

    def cancel_request(self) -> Message:
        """The CANCEL for this request (§9.1)."""
        number, _ = self.request.cseq
        return self._hop_by_hop("CANCEL", number, self.request.get("to"))

    def take(self, status: int) -> Message | None:
        """Return the next response of this status if it is there; AssertionError for another final one."""
        for index in range(self._taken, len(self.responses)):
            response = self.responses[index]
            if response.status == status:
                self._taken = index + 1
                return response
            assert response.status < 200, f"{response} instead of {status} to {self.request}"
        return None

    def _calm(self, response: Message) -> None:
        if self.request.method == "INVITE" or response.status >= 200:
            self._retransmission.stop()
        else:
            self._retransmission.slow_down()

    def _acknowledgement(self, response: Message) -> Message:
        return self._hop_by_hop("ACK", self.request.cseq[0], response.get("to"))

    def _hop_by_hop(self, method: str, number: int, to: str) -> Message:
        request = self.request
        headers = [
            ("Via", request.get("via")),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in request.all("route")),
            ("From", request.get("from")),
            ("To", to),
            ("Call-ID", request.call_id),
            ("CSeq", f"{number} {method}"),
        ]
        return Message(f"{method} {request.uri} SIP/2.0", tuple(headers))

    def _is_over(self, response: Message) -> bool:
        """Timer K is 0 over a connection (§17.1.2.2): no phone hears a killed worker's successor answer again."""
        is_again = any(known.status == response.status >= 200 for known in self.responses)
        return is_again and self._endpoint.is_reliable and self.request.method != "INVITE"

    def _check_single_final(self, response: Message) -> None:
        finals = [known for known in self.responses if known.status >= 200]
        if response.status >= 200 and finals:
            forked = self.request.method == "INVITE" and response.status < 300 and finals[0].status < 300
            assert forked, f"a second final response: {finals[0]}, then {response}"


class ServerTransaction:
    """A request that came, and what was answered; a request that is sent again gets the same answer."""

    def __init__(self, endpoint: Endpoint, request: Message, contact: str, to_tag: str) -> None:
        self.request = request
        self.repetitions = 0
        """How often the request came again."""
        self._acknowledgements: list[Message] = []
        self._endpoint = endpoint
        self._contact = contact
        self._to_tag = to_tag
        self._response: Message | None = None
        self._retransmission: Retransmission | None = None

    def reply(
        self, status: int, reason: str = "", headers: Headers = (), body: bytes = b"", routes: bool = True
    ) -> Message:
        """Send a response (§8.2.6) to where the top Via says (§18.2.2, RFC 3581)."""
        fields = [*self._mirrored(status), *headers]
        if 100 < status < 300 and routes:
            fields += [("Record-Route", value) for value in self.request.all("record-route")]
            fields.append(("Contact", f"<{self._contact}>"))
        if body:
            fields.append(("Content-Type", "application/sdp"))
        response = Message(f"SIP/2.0 {status} {reason or REASONS[status]}", tuple(fields), body)
        self._response = response
        self._send(response)
        if self.request.method == "INVITE" and status >= 200:
            needed = status < 300 or not self._endpoint.is_reliable  # §13.3.1.4: a 2xx over any transport
            self._retransmission = Retransmission(
                self._endpoint.net, lambda: self._send(response), T2_S, needed=needed
            )
        return response

    def repeat(self) -> None:
        """The same request came again: answer it again."""
        self.repetitions += 1
        if self._response is not None:
            self._send(self._response)

    def acknowledge(self, ack: Message) -> None:
        """The ACK of a failure came."""
        self._acknowledgements.append(ack)
        self.confirm()

    def confirm(self) -> None:
        """The caller knows the final response: it is sent no more."""
        if self._retransmission is not None:
            self._retransmission.stop()

    @property
    def is_acknowledged(self) -> bool:
        """Whether the ACK of a failure came."""
        return bool(self._acknowledgements)

    def expect_ack(self, timeout_s: float = PATIENCE_S) -> Message:
        """Return the ACK that answers our failure response, in the branch of the INVITE (§17.1.1.3)."""
        return self._endpoint.net.wait_for(
            lambda: next(iter(self._acknowledgements), None), f"the ACK to {self._response}", timeout_s
        )

    def _mirrored(self, status: int) -> list[tuple[str, str]]:
        request = self.request
        to = request.get("to")
        if status > 100 and parameter(to, "tag") is None:
            to = f"{to};tag={self._to_tag}"
        return [
            *(("Via", via) for via in self._marked_vias()),
            ("From", request.get("from")),
            ("To", to),
            ("Call-ID", request.call_id),
            ("CSeq", request.get("cseq")),
        ]

    def _marked_vias(self) -> Sequence[str]:
        top, *others = self.request.values("via")
        if parameter(top, "rport") == "":
            host, port = self.request.source
            top = top.replace(";rport", f";rport={port};received={host}", 1)
        return [top, *others]

    def _send(self, response: Message) -> None:
        via = self.request.values("via")[0]
        host, port = via_address(via)
        source = self.request.source
        self._endpoint.send(
            response.encode(), source if parameter(via, "rport") is not None else (host, port)
        )


def _check_mirrors(request: Message, response: Message) -> None:
    """A response bears the request's own Via, From, To, Call-ID and CSeq (§8.2.6.2)."""
    vias = response.values("via")
    assert len(vias) == 1, f"{len(vias)} Via values reach the client: {vias}"
    assert via_address(vias[0]) == via_address(request.get("via")), "Via of somebody else"
    for name in ("from", "call-id", "cseq"):
        assert response.get(name) == request.get(name), f"{name} changed on the way"
    assert uri_in(response.get("to")) == uri_in(request.get("to")), "To changed on the way"
    tag = parameter(response.get("to"), "tag")
    assert tag or response.status == 100, f"no To tag in {response}"
    assert parameter(request.get("to"), "tag") in (None, tag), "To tag changed on the way"
