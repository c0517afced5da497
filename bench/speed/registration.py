"""Registers many users at once, all at the callee's address."""

import socket
import time
from collections.abc import Sequence

from system.sipmsg import Address, host_port

from bench.speed.subjects import CALLEE_PORT, HOST

WINDOW = 64
AGAIN_S = 0.5
GIVE_UP_S = 15.0
BUFFER = 65536


def user_names(count: int) -> list[str]:
    """So many names."""
    return [f"user{number}" for number in range(count)]


def register(
    proxy: Address, users: Sequence[str], place: str = f"{HOST}:{CALLEE_PORT}", own_host: str = HOST
) -> None:
    """Return when every user is registered; AssertionError if nobody is answered for GIVE_UP_S.

    `place`: host, port and place of the Contact's URI. `own_host`: from where.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((own_host, 0))
        sock.settimeout(AGAIN_S)
        _Registering(sock, proxy, users, place).run()


class _Registering:
    """Some requests are on their way at any time."""

    def __init__(self, sock: socket.socket, proxy: Address, users: Sequence[str], place: str) -> None:
        self._place = place
        self._sock = sock
        self._proxy = proxy
        self._left = iter(users)
        self._waiting: set[str] = set()

    def run(self) -> None:
        heard = time.monotonic()
        self._fill()
        while self._waiting:
            try:
                self._waiting.discard(_answered(self._sock.recv(BUFFER)))
                heard = time.monotonic()
            except TimeoutError:
                assert time.monotonic() - heard < GIVE_UP_S, "REGISTERs are not answered"
                self._send(*self._waiting)
            self._fill()

    def _fill(self) -> None:
        while len(self._waiting) < WINDOW and (user := next(self._left, None)):
            self._waiting.add(user)
            self._send(user)

    def _send(self, *users: str) -> None:
        for user in users:
            request = _register(user, self._proxy, self._sock.getsockname(), self._place)
            self._sock.sendto(request, self._proxy)


def _register(user: str, proxy: Address, own: Address, place: str) -> bytes:
    domain = host_port(proxy)
    return (
        f"REGISTER sip:{domain} SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP {host_port(own)};branch=z9hG4bK{user}\r\n"
        f"Max-Forwards: 70\r\nFrom: <sip:{user}@{domain}>;tag={user}\r\nTo: <sip:{user}@{domain}>\r\n"
        f"Call-ID: {user}@bench\r\nCSeq: 1 REGISTER\r\n"
        f"Contact: <sip:{user}@{place}>\r\nExpires: 7200\r\nContent-Length: 0\r\n\r\n"
    ).encode()


def _answered(response: bytes) -> str:
    """The user whose registration this confirms; nobody if it does not."""
    if not response.startswith(b"SIP/2.0 200"):
        return ""
    return response.partition(b"Call-ID: ")[2].partition(b"@bench")[0].decode()
