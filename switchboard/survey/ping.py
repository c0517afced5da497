"""Asks a switchboard over UDP, as a phone would, whether it is there (RFC 3261 §11; I/O rim)."""

import socket
import time
from secrets import token_hex

from switchboard.core.targets import PROBE_CALL_ID
from switchboard.settings.local import own_addresses
from switchboard.settings.model import Settings
from switchboard.sip.flow import bracketed
from switchboard.transports.udp_sockets import socket_address


class NobodyListens(Exception):
    """The port is closed."""


def ping(host: str, port: int, timeout_s: float) -> float | None:
    """Send one OPTIONS; return how long its answer took (s), None for no answer in time. NobodyListens.

    It passes edge-rx and a router, as any request does that is answered here.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.connect(socket_address(host, port))
        own_host, own_port = sock.getsockname()[:2]
        request = options(own_host, own_port, host, port)
        began = time.monotonic()
        try:
            sock.send(request)
            sock.recv(65535)
        except TimeoutError:
            return None
        except ConnectionRefusedError:
            raise NobodyListens from None
        return time.monotonic() - began


def answer_s(settings: Settings, timeout_s: float) -> float | None:
    """How long an OPTIONS takes through the edge of this host (s); None for no answer in time."""
    addresses = own_addresses(settings)
    address = next((each for each in addresses if each.startswith("127.")), addresses[0])
    try:
        return ping(address, settings.sip_port, timeout_s)
    except NobodyListens:
        return None


def options(own_host: str, own_port: int, host: str, port: int) -> bytes:
    """An OPTIONS for the switchboard itself; hosts without brackets."""
    here, there = bracketed(own_host), bracketed(host)
    lines = [
        f"OPTIONS sip:{there}:{port} SIP/2.0",
        f"Via: SIP/2.0/UDP {here}:{own_port};rport;branch=z9hG4bK{token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:probe@{here}>;tag={token_hex(4)}",
        f"To: <sip:{there}:{port}>",
        f"Call-ID: {PROBE_CALL_ID}{token_hex(8)}",
        "CSeq: 1 OPTIONS",
        "User-Agent: Switchboard probe",
        "Content-Length: 0",
    ]
    return "\r\n".join([*lines, "", ""]).encode()
