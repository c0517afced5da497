"""The phone at the other end: the tests' own, strict about what it receives, which answers and calls."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from system.dialog import Dialog
from system.lan import HUB, Lan
from system.net import Endpoint, Net
from system.password import PasswordAgent
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.sipmsg import Address, Message, parameter

HOST = "friend"
_SDP = (
    "v=0\r\no=- 1 1 IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
    "m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
)


def lenient(raw: bytes, source: Address) -> Message:
    """The message in a datagram, as far as it can be read."""
    head, _, body = raw.partition(b"\r\n\r\n")
    start_line, *lines = re.sub(r"\r?\n[ \t]+", " ", head.decode(errors="replace")).splitlines()
    fields = [line.partition(":") for line in lines]
    return Message(
        start_line, tuple((name.strip(), value.strip()) for name, _, value in fields), body, source
    )


class Friend(PasswordAgent):
    """A phone for the stack under test to talk to."""

    def __init__(self, net: Net, asked: bool, sdp: bytes) -> None:
        super().__init__(net, "friend")
        self.sdp = sdp
        self.complaints: list[str] = []
        """What the strict phone would have refused."""
        self._asked = asked

    def prove_if_asked(self, start: Callable[[], ClientTransaction]) -> ClientTransaction:
        """Start a transaction, with the password where there are passwords."""
        return self.prove(start) if self._asked else start()

    def _receive(self, raw: bytes, source: Address) -> None:
        """As the strict phone does it; what that refuses is noted, and read all the same."""
        try:
            super()._receive(raw, source)
        except AssertionError as error:
            self.complaints.append(str(error).splitlines()[0])
            self._receive_leniently(lenient(raw, source))

    def _accept(self, request: Message, invite: ServerTransaction | None) -> None:
        """Requests that change a dialog are agreed to at once."""
        super()._accept(request, invite)
        if request.method in ("INVITE", "UPDATE") and parameter(request.get("to"), "tag"):
            self._inbox.pop().reply(200, body=self.sdp if request.body else b"")

    def _receive_leniently(self, message: Message) -> None:
        if message.is_request:
            self._receive_request(message)
        elif client := self._clients.get(message.key):
            client.responses.append(message)

    def find(self, method: str, timeout_s: float = 5.0) -> ServerTransaction:
        """Return the next request of this method, whatever else has come."""
        return self.net.wait_for(lambda: self._pick(method), f"{method}", timeout_s)

    def dialog_of(self, incoming: ServerTransaction, answer: Message) -> Dialog:
        """The dialog that our answer began."""
        return Dialog.of_callee(self, incoming, answer)

    def clear(self) -> None:
        """Forget what came, with an answer to each."""
        for incoming in self._inbox:
            if incoming.request.method != "ACK":
                incoming.reply(480 if incoming.request.method == "INVITE" else 200)
        self._inbox.clear()

    def _pick(self, method: str) -> ServerTransaction | None:
        for incoming in self._inbox:
            if incoming.request.method == method:
                self._inbox.remove(incoming)
                return incoming
        return None


@contextmanager
def friend_at(lan: Lan, asked: bool) -> Iterator[Friend]:
    """A friend on the host `HOST`, not yet registered. `asked`: there are passwords."""
    with lan.entered(HOST):
        net = Net((HUB, 5060), retransmits=True)
        media = Endpoint(net, "media", net.host, lambda *_: None)
        friend = Friend(net, asked, _SDP.format(host=net.host, port=media.address[1]).encode())
    with net:
        yield friend
