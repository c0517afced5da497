"""Two fake phones on the wire: each a UDP socket that speaks to the switchboard (I/O rim)."""

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from secrets import token_hex

from switchboard.lab.requests import PhoneIdentity
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import bracketed
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.transports.udp_sockets import socket_address

T1_S = 0.5
CHALLENGES = (401, 407)
ANSWER_WITHIN_S = 5.0
MAX_DATAGRAM = 65535


class NoAnswer(Exception):
    """Nothing that was waited for came; `refused`: the port is closed."""

    def __init__(self, what: str, *, refused: bool) -> None:
        super().__init__(what)
        self.refused = refused


class Declined(Exception):
    """A final response refuses what was asked for."""

    def __init__(self, response: Message) -> None:
        super().__init__(f"{response.status} {response.reason}")
        self.response = response


@dataclass(frozen=True, slots=True)
class Seen:
    """A message at one of the phones. `at`: monotonic s; `sent`: by the phone, else by the switchboard."""

    at: float
    user: str
    sent: bool
    message: Message


class Phone:
    """A fake phone at a free port, towards the switchboard at `address` (without brackets) and `port`.

    `password`: what it answers challenges with, "" if it has none. `sent`: what it has sent last.
    """

    def __init__(self, user: str, address: str, port: int, domain: str = "", password: str = "") -> None:
        self.password = password
        self.sent = b""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.connect(socket_address(address, port))
        here, own_port = self.socket.getsockname()[:2]
        place = domain or f"{bracketed(address)}:{port}"
        self.identity = PhoneIdentity(user, here, own_port, place, lambda: token_hex(8))

    def close(self) -> None:
        """Unplug it."""
        self.socket.close()


class Line:
    """What passes between some phones and the switchboard; `show` is told of each message as it passes."""

    def __init__(self, phones: Sequence[Phone], show: Callable[[Seen], None]) -> None:
        self._phones = phones
        self._show = show

    def exchange(
        self, sender: Phone, raw: bytes, receiver: Phone, awaited: Callable[[Message], bool]
    ) -> Message:
        """Send `raw`, again and again (Timer A), until `receiver` has what is `awaited`, and return it.

        A challenge is answered once, if the phone has a password.
        Declined for a final response to `sender` that is none of the 2xx. NoAnswer.
        """
        try:
            return self._exchange(sender, raw, receiver, awaited)
        except Declined as refused:
            if refused.response.status not in CHALLENGES or not sender.password:
                raise
            again = sender.identity.authorized(parse_message(raw), refused.response, sender.password)
            return self._exchange(sender, again, receiver, awaited)

    def tell(self, sender: Phone, raw: bytes) -> None:
        """Send what nobody answers."""
        self._send(sender, raw)

    def _exchange(
        self, sender: Phone, raw: bytes, receiver: Phone, awaited: Callable[[Message], bool]
    ) -> Message:
        request = parse_message(raw)
        until = time.monotonic() + ANSWER_WITHIN_S
        pause_s = T1_S
        refused = False
        while time.monotonic() < until:
            refused |= not self._send(sender, raw)
            again_at = min(until, time.monotonic() + pause_s)
            pause_s *= 2
            while (rest_s := again_at - time.monotonic()) > 0:
                try:
                    arrived = self._receive(rest_s)
                except ConnectionRefusedError:
                    raise NoAnswer(_first_line(raw), refused=True) from None
                for phone, message in arrived:
                    if phone is receiver and awaited(message):
                        return message
                    if phone is sender and message.status >= 300 and _is_of(message, request):
                        if request.method == "INVITE":
                            self.tell(sender, sender.identity.ack_refusal(request, message))
                        raise Declined(message)
        raise NoAnswer(_first_line(raw), refused=refused)

    def wait(self, duration_s: float) -> None:
        """Let time pass, as people do between two steps of a call."""
        until = time.monotonic() + duration_s
        while (rest_s := until - time.monotonic()) > 0:
            self._receive(rest_s)

    def _send(self, phone: Phone, raw: bytes) -> bool:
        try:
            phone.socket.send(raw)
        except ConnectionRefusedError:
            return False
        phone.sent = raw
        self._show(Seen(time.monotonic(), phone.identity.user, True, parse_message(raw)))
        return True

    def _receive(self, wait_s: float) -> list[tuple[Phone, Message]]:
        by_socket = {phone.socket: phone for phone in self._phones}
        arrived = []
        for sock in select.select(list(by_socket), [], [], wait_s)[0]:
            phone = by_socket[sock]
            try:
                message = parse_message(sock.recv(MAX_DATAGRAM))
            except ParseError:  # the switchboard sends none: keep-alives, or somebody else's datagram
                continue
            self._show(Seen(time.monotonic(), phone.identity.user, False, message))
            arrived.append((phone, message))
        return arrived


def _is_of(response: Message, request: Message) -> bool:
    return response.call_id == request.call_id and response.cseq == request.cseq


def is_request(method: str) -> Callable[[Message], bool]:
    """Whether a message is a request of this method."""
    return lambda message: message.is_request and message.method == method


def is_response(status: int, method: str) -> Callable[[Message], bool]:
    """Whether a message is this response to a request of this method."""
    return lambda message: message.status == status and message.method == method


def contacts(response: Message) -> list[str]:
    """The Contact values of a response to REGISTER."""
    return response.values(Header.CONTACT)


def _first_line(raw: bytes) -> str:
    return raw.partition(b"\r\n")[0].decode()
