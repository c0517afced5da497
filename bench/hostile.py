"""A sender of spoilt datagrams: at a steady rate, but never faster than the switchboard deals with them."""

import re
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from random import Random

from malformed import CASES
from sip.messages import TORTURE, mutations
from system.sipmsg import Address

HOST = b"127.0.0.1"
USERS = 50
LARGEST_SEED = 2_000
"""Octets; a larger one is taken once in LARGE_EVERY times."""
LARGE_EVERY = 2_000
KEPT = 200
PROBE_EVERY = 128
"""Datagrams between two OPTIONS that have to be answered."""
PROBES_OPEN = 2
"""So many may be without an answer; then the sender waits, at most PATIENCE_S."""
PATIENCE_S = 2.0
REFRESH_S = 5.0
SO_RCVBUFFORCE = 33
ROOM_BYTES = 16 << 20
"""What comes back while a burst is being sent must not be lost here."""

_REQUEST = b"""%(method)s %(uri)s SIP/2.0
Via: SIP/2.0/UDP %(via)s;branch=z9hG4bKfuzz%(number)d;rport
Max-Forwards: 70
From: "Mallory" <sip:mallory%(user)d@127.0.0.1>;tag=m%(number)d
To: <sip:mallory%(user)d@127.0.0.1>%(tag)s
Call-ID: fuzz-%(number)d@127.0.0.1
CSeq: 1 %(cseq)s
Contact: <sip:mallory%(user)d@%(via)s>
Content-Length: 4

body""".replace(b"\n", b"\r\n")
_OPTIONS = b"""OPTIONS sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP %(via)s;branch=z9hG4bKprobe%(number)d;rport
Max-Forwards: 70
From: <sip:probe@127.0.0.1>;tag=p
To: <sip:127.0.0.1>
Call-ID: probe-%(number)d
CSeq: 1 OPTIONS
Content-Length: 0

""".replace(b"\n", b"\r\n")
_REGISTER = b"""REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP %(via)s;branch=z9hG4bKkeep%(number)d;rport
Max-Forwards: 70
From: <sip:%(user)s@127.0.0.1>;tag=k
To: <sip:%(user)s@127.0.0.1>
Call-ID: keep
CSeq: %(number)d REGISTER
Contact: <sip:%(user)s@%(contact)s>
Content-Length: 0

""".replace(b"\n", b"\r\n")
_PROBE_ANSWERED = re.compile(rb"SIP/2\.0 ([2-6][0-9]{2}) .*\r\nCall-ID: probe-([0-9]+)\r\n", re.DOTALL)
_METHODS = (b"REGISTER", b"INVITE", b"ACK", b"BYE", b"CANCEL", b"OPTIONS", b"MESSAGE", b"SUBSCRIBE", b"REFER")
_STATUSES = (
    b"100 Trying",
    b"180 Ringing",
    b"200 OK",
    b"302 Moved",
    b"401 No",
    b"486 Busy",
    b"503 No",
    b"603 No",
)
_HEADERS_OF_A_RESPONSE = (
    b"via",
    b"v",
    b"from",
    b"f",
    b"to",
    b"t",
    b"call-id",
    b"i",
    b"cseq",
    b"record-route",
)


class Hostile:
    """Sends to a switchboard on this machine, and answers what reaches its phones, spoilt as well."""

    def __init__(self, board: Address, rate: float, seed: int) -> None:
        self.sent = 0
        self.answered = 0
        self.paused_s = 0.0
        self.unanswered = 0
        """Probes."""
        self.refused = 0
        """Probes that were answered, but not with 200; the last such status is `refused_with`."""
        self.refused_with = 0
        self.longest_s = 0.0
        """That a probe took."""
        self._board = board
        self._rate = rate
        self._shape = Random(seed)
        self._numbers = count(1)
        self._probes: dict[int, float] = {}
        self._answers: deque[bytes] = deque(maxlen=KEPT)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM_BYTES)
        self._socket.bind((HOST.decode(), 0))
        self._socket.setblocking(False)
        self._via = HOST + b":%d" % self._socket.getsockname()[1]
        seeds = [raw.replace(b"10.0.0.1", HOST) for raw in (*TORTURE, *(case.raw for case in CASES.values()))]
        self._small = [raw for raw in seeds if len(raw) <= LARGEST_SEED]
        self._large = [raw for raw in seeds if len(raw) > LARGEST_SEED]
        self._kept: dict[bytes, bytes] = {}
        self._next_refresh = 0.0

    @property
    def lost(self) -> int:
        """Datagrams that came back and found no room."""
        return without_room(self._socket.getsockname()[1])

    def close(self) -> None:
        self._socket.close()

    def keep_registered(self, user: str, contact: Address) -> None:
        """Send an honest REGISTER of this phone now and then."""
        self._kept[user.encode()] = b"%s:%d" % (contact[0].encode(), contact[1])
        self._refresh()

    def send(self, datagrams: int) -> None:
        """Send so many; returns when the last one has been dealt with."""
        start, stream = time.monotonic(), self._stream()
        for number in range(0, datagrams, PROBE_EVERY):
            for _ in range(min(PROBE_EVERY, datagrams - number)):
                self._socket.sendto(next(stream), self._board)
                self.sent += 1
            self._probe()
            start += self._wait_for_probes(PROBES_OPEN)
            self._keep_pace(start + (number + PROBE_EVERY) / self._rate)
        self._wait_for_probes(0)

    def _keep_pace(self, until: float) -> None:
        if time.monotonic() > self._next_refresh:
            self._refresh()
        self._collect()
        while (left := until - time.monotonic()) > 0:
            select.select([self._socket], [], [], left)
            self._collect()

    def _refresh(self) -> None:
        self._next_refresh = time.monotonic() + REFRESH_S
        for user, contact in self._kept.items():
            words = {b"via": self._via, b"number": next(self._numbers), b"user": user, b"contact": contact}
            self._socket.sendto(_REGISTER % words, self._board)

    def _probe(self) -> None:
        number = next(self._numbers)
        self._socket.sendto(_OPTIONS % {b"via": self._via, b"number": number}, self._board)
        self._probes[number] = time.monotonic()

    def _wait_for_probes(self, most_open: int) -> float:
        """Wait until no more than so many probes are without an answer; return for how long (s)."""
        began = time.monotonic()
        while len(self._probes) > most_open and time.monotonic() - began < PATIENCE_S:
            select.select([self._socket], [], [], PATIENCE_S)
            self._collect()
        while len(self._probes) > most_open:
            del self._probes[next(iter(self._probes))]
            self.unanswered += 1
        paused = time.monotonic() - began
        self.paused_s += paused
        return paused

    def _stream(self) -> Iterator[bytes]:
        while True:
            if self._answers:
                yield self._answers.popleft()
            yield from self._spoilt(self._seed())

    def _seed(self) -> bytes:
        shape = self._shape
        if not shape.randrange(LARGE_EVERY):
            return shape.choice(self._large)
        kinds: tuple[Callable[[], bytes], ...] = (
            self._request,
            self._request,
            lambda: shape.choice(self._small),
        )
        return shape.choice(kinds)()

    def _spoilt(self, raw: bytes) -> Iterator[bytes]:
        """The datagram as it is, and spoilt copies; or noise."""
        chance = self._shape.random()
        if chance < 0.05:
            yield self._shape.randbytes(self._shape.randrange(1, 1500))
        if chance < 0.3:
            yield raw[:65_000]
        for each in mutations(raw, 4, self._shape.getrandbits(32)):
            yield each[:65_000]

    def _request(self) -> bytes:
        """A request of a phone; some go on with the transaction or the call of an earlier one."""
        shape = self._shape
        method = shape.choice(_METHODS)
        number = next(self._numbers)
        if method in (b"ACK", b"BYE", b"CANCEL"):
            number = max(1, number - shape.randrange(1, 20))
        user = number % USERS
        uri = b"sip:127.0.0.1" if method == b"REGISTER" else b"sip:mallory%d@127.0.0.1" % user
        tag = b";tag=to" if method in (b"ACK", b"BYE") else b""
        return _REQUEST % {
            b"method": method,
            b"uri": uri,
            b"via": self._via,
            b"number": number,
            b"user": user,
            b"tag": tag,
            b"cseq": method,
        }

    def _collect(self) -> None:
        """Take all that came; answer a part of the requests later."""
        while True:
            try:
                raw = self._socket.recv(65_535)
            except BlockingIOError:
                return
            if not raw.startswith(b"SIP/2.0 "):
                self._take_request(raw)
            elif match := _PROBE_ANSWERED.match(raw):
                self._take_probe(int(match[2]), int(match[1]))

    def _take_probe(self, number: int, status: int) -> None:
        if number in self._probes:
            if status != 200:
                self.refused += 1
                self.refused_with = status
            self.longest_s = max(self.longest_s, time.monotonic() - self._probes.pop(number))

    def _take_request(self, raw: bytes) -> None:
        if self._shape.random() < 0.5:
            self.answered += 1
            self._answers.extend(self._spoilt(self._response(raw)))

    def _response(self, request: bytes) -> bytes:
        lines = request.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
        kept = [each for each in lines if each.partition(b":")[0].strip().lower() in _HEADERS_OF_A_RESPONSE]
        start = b"SIP/2.0 " + self._shape.choice(_STATUSES)
        contact = b"Contact: <sip:mallory%d@%b>" % (self._shape.randrange(USERS), self._via)
        return b"\r\n".join([start, *kept, contact, b"Content-Length: 0", b"", b""])


def without_room(port: int) -> int:
    """How many datagrams found no room in the UDP sockets with this port so far."""
    rows = [row.split() for row in Path("/proc/net/udp").read_text().splitlines()[1:]]
    return sum(int(row[-1]) for row in rows if int(row[1].partition(":")[2], 16) == port)
