"""A flooder, in a process of its own: python -m bench.flood KIND HOST PORT RATE SECONDS SOURCES USER

Sends so many datagrams a second, evenly, from so many addresses of 127.1.0.0/16; prints one line of JSON:
what was sent and what came back, in datagrams and octets.
"""

import json
import socket
import sys
import time
from collections.abc import Callable
from itertools import count

REQUEST = (
    "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {ip}:{port};branch=z9hG4bKf{number};rport\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:{user}@{host}>;tag=f{number}\r\nTo: <{to}>\r\n"
    "Call-ID: flood-{number}@{ip}\r\n"
    "CSeq: 1 {method}\r\nContact: <sip:{user}@{ip}:{port}>\r\nUser-Agent: flooder\r\n{lines}"
    "Content-Length: 0\r\n\r\n"
)
CANCELLED_AFTER = 200
"""A slow CANCEL comes so many INVITEs later."""
GUESS = (
    'Authorization: Digest username="{user}", realm="switchboard", nonce="{number:032x}", uri="sip:{host}", '
    'response="{number:064x}", algorithm=SHA-256, qop=auth, nc=00000001, cnonce="a"\r\n'
)

Make = Callable[[int, str, int, str, str], list[bytes]]
"""The datagrams of turn `number`, from `ip` and `port`, to `host`, concerning `user`."""


def _request(
    method: str, number: int, ip: str, port: int, host: str, user: str, *, to: str = "", lines: str = ""
) -> bytes:
    """From a user of that turn, to `user`; or to the registrar, for the address-of-record `to`."""
    uri = f"sip:{host}" if to else f"sip:{user}@{host}"
    added = lines.format(user=user, host=host, number=number)
    text = REQUEST.format(
        method=method, uri=uri, number=number, ip=ip, port=port, host=host, user=f"f{number}", to=to or uri,
        lines=added,
    )  # fmt: skip
    return text.encode()


def register(number: int, ip: str, port: int, host: str, user: str) -> list[bytes]:
    """Registers ever new users."""
    aor = f"sip:f{number}@{host}"
    return [_request("REGISTER", number, ip, port, host, user, to=aor)]


def brute(number: int, ip: str, port: int, host: str, user: str) -> list[bytes]:
    """Guesses the password of one user."""
    aor = f"sip:{user}@{host}"
    return [_request("REGISTER", number, ip, port, host, user, to=aor, lines=GUESS)]


def invite(number: int, ip: str, port: int, host: str, _user: str) -> list[bytes]:
    """Calls users that do not exist."""
    return [_request("INVITE", number, ip, port, host, f"nobody{number}")]


def options(number: int, ip: str, port: int, host: str, _user: str) -> list[bytes]:
    """Looks for extensions."""
    return [_request("OPTIONS", number, ip, port, host, str(100 + number % 10_000))]


def cancel(number: int, ip: str, port: int, host: str, user: str) -> list[bytes]:
    """Lets a user's phone ring, and cancels a while later."""
    datagrams = [_request("INVITE", number, ip, port, host, user)]
    if number >= CANCELLED_AFTER:
        datagrams.append(_request("CANCEL", number - CANCELLED_AFTER, ip, port, host, user))
    return datagrams


KINDS: dict[str, Make] = {each.__name__: each for each in (register, brute, invite, options, cancel)}


def open_sockets(sources: int) -> list[socket.socket]:
    """One socket for each source."""
    opened = []
    for number in range(sources):
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.bind((f"127.1.{number // 250}.{number % 250 + 1}", 0))
        sock.setblocking(False)
        opened.append(sock)
    return opened


class Flood:
    """Sends, and counts what comes back."""

    def __init__(self, make: Make, target: tuple[str, int], user: str, sources: int) -> None:
        self._make, self._target, self._user = make, target, user
        self._sockets = open_sockets(sources)
        self.counts = {"sent": 0, "sent_octets": 0, "received": 0, "received_octets": 0, "kept_back": 0}

    def run(self, rate: float, seconds: float) -> None:
        """For so many seconds, at most `rate` turns a second."""
        begin = time.monotonic()
        for number in count():
            if (due := begin + number / rate) > begin + seconds:
                return
            if number % len(self._sockets) == 0 or (number & 15) == 0:
                self._hear(number)
                time.sleep(max(0.0, due - time.monotonic()))
            self._turn(number)

    def _turn(self, number: int) -> None:
        sock = self._sockets[number % len(self._sockets)]
        ip, port = sock.getsockname()
        for raw in self._make(number, ip, port, self._target[0], self._user):
            try:
                sock.sendto(raw, self._target)
            except BlockingIOError:
                self.counts["kept_back"] += 1
            else:
                self.counts["sent"] += 1
                self.counts["sent_octets"] += len(raw)

    def _hear(self, number: int) -> None:
        sock = self._sockets[number % len(self._sockets)]
        try:
            while True:
                self.counts["received_octets"] += len(sock.recv(65535))
                self.counts["received"] += 1
        except BlockingIOError:
            return


def main() -> None:
    kind, host, port, rate, seconds, sources, user = sys.argv[1:]
    flood = Flood(KINDS[kind], (host, int(port)), user, int(sources))
    flood.run(float(rate), float(seconds))
    print(json.dumps(flood.counts))


if __name__ == "__main__":
    main()
