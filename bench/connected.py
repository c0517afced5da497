"""Phones that do nothing but register over a connection and keep it: sockets, so that thousands cost little."""

import socket
import ssl
import struct
from collections.abc import Iterable, Sequence
from itertools import count

from system.access import HOST, Transport
from system.sipmsg import Address, host_port
from wsproto import ConnectionType, WSConnection
from wsproto.events import BytesMessage, Event, Request, TextMessage

AT_ONCE = 50
"""REGISTERs on their way: commits to the disk are shared."""
PATIENCE_S = 20.0
RECEIVED_BYTES = 1 << 16
_serial = count()
RESET = struct.pack("ii", 1, 0)
"""A linger of no time."""


class Connected:
    """One of them, connected to `address`; `register` sends, `confirm` waits for the 200."""

    def __init__(self, transport: Transport, address: Address) -> None:
        self._transport = transport
        self._user = f"idle{next(_serial)}"
        self._web: WSConnection | None = None
        self._address = address
        self._socket = _connect(transport, address)
        if transport is Transport.WSS:
            self._web = WSConnection(ConnectionType.CLIENT)
            self._socket.sendall(self._web.send(Request(host_port(address), "/", subprotocols=["sip"])))
            self._web.receive_data(self._socket.recv(RECEIVED_BYTES))
            list(self._web.events())

    def register(self) -> None:
        """Send the REGISTER."""
        raw = self._request()
        self._socket.sendall(self._web.send(BytesMessage(raw)) if self._web else raw)

    def confirm(self) -> None:
        """AssertionError unless a 200 comes. OSError: nothing comes."""
        came = self._socket.recv(RECEIVED_BYTES)
        if self._web:
            self._web.receive_data(came)
            came = b"".join(map(_payload, self._web.events()))
        assert came.startswith(b"SIP/2.0 200"), came

    def close(self) -> None:
        """End it."""
        self._socket.close()

    def reset(self) -> None:
        """Break it off."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self._socket.close()

    def _request(self) -> bytes:
        domain, own = self._address[0], host_port(self._socket.getsockname())
        kind = self._transport.upper()
        place = {
            Transport.UDP: own,
            Transport.WSS: f"{self._user}.invalid;transport=ws",
        }.get(self._transport, f"{own};transport={self._transport}")
        return (
            f"REGISTER sip:{domain} SIP/2.0\r\nVia: SIP/2.0/{kind} {own};branch=z9hG4bK{next(_serial)};rport\r\n"
            f"Max-Forwards: 70\r\nFrom: <sip:{self._user}@{domain}>;tag=1\r\nTo: <sip:{self._user}@{domain}>\r\n"
            f"Call-ID: {self._user}\r\nCSeq: {next(_serial) + 1} REGISTER\r\nContact: <sip:{self._user}@{place}>\r\n"
            f"Expires: 7000\r\nContent-Length: 0\r\n\r\n"
        ).encode()


def connect(transport: Transport, address: Address, number: int) -> list[Connected]:
    """So many of them, registered."""
    made: list[Connected] = []
    for _ in range(0, number, AT_ONCE):
        batch = [Connected(transport, address) for _ in range(min(AT_ONCE, number - len(made)))]
        register(batch)
        made += batch
    return made


def register(phones: Iterable[Connected]) -> None:
    """They register (again)."""
    for batch in batches(list(phones)):
        for each in batch:
            each.register()
        for each in batch:
            each.confirm()


def batches(phones: Sequence[Connected]) -> list[Sequence[Connected]]:
    """Those that register together."""
    return [phones[at : at + AT_ONCE] for at in range(0, len(phones), AT_ONCE)]


def _payload(event: Event) -> bytes:
    match event:
        case TextMessage(data=str(text)):
            return text.encode()
        case BytesMessage(data=octets):
            return bytes(octets)
    return b""


def _connect(transport: Transport, address: Address) -> socket.socket:
    kind = socket.SOCK_DGRAM if transport is Transport.UDP else socket.SOCK_STREAM
    opened = socket.socket(socket.AF_INET, kind)
    opened.settimeout(PATIENCE_S)
    opened.bind((HOST, 0))
    opened.connect(address)
    return _CONTEXT.wrap_socket(opened) if transport in (Transport.TLS, Transport.WSS) else opened


def _trusting_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


_CONTEXT = _trusting_context()
