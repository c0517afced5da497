"""Who has nothing to do with it, and what reaches him all the same; everybody is at a loopback address."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from secrets import token_hex
from typing import NamedTuple

from auth.answering import answer
from system.net import Endpoint, Net
from system.password import ASKED
from system.sipmsg import Address, Headers, Message, host_port, parse
from system.user_agent import UserAgent

_QUIET_S = 0.5
_AT_ONCE = 10
_APART_S = 0.02
_numbers = count(1)


class Arrival(NamedTuple):
    """A datagram that came. `at`: monotonic s."""

    raw: bytes
    at: float


class Reach(NamedTuple):
    """What an attack brought to whom it should not have. `busiest`: repetitions in one second, at most."""

    first: int = 0
    repeated: int = 0
    busiest: int = 0
    octets: int = 0

    @classmethod
    def of(cls, arrivals: Sequence[Arrival]) -> "Reach":
        """Count datagrams; those that came before, octet for octet, are repetitions."""
        known: set[bytes] = set()
        seconds: Counter[int] = Counter()
        for raw, at in arrivals:
            if raw in known:
                seconds[int(at)] += 1
            known.add(raw)
        octets = sum(len(raw) for raw, _ in arrivals)
        return cls(len(known), seconds.total(), max(seconds.values(), default=0), octets)

    def __add__(self, other: "Reach") -> "Reach":  # type: ignore[override]
        busiest = max(self.busiest, other.busiest)
        return Reach(
            self.first + other.first, self.repeated + other.repeated, busiest, self.octets + other.octets
        )


class Ground(Net):
    """The phones and bystanders of an attack. Whatever comes to one of them is remembered, and raises nothing."""

    def __init__(self, proxy: Address) -> None:
        super().__init__(proxy)
        self._requests: dict[str, list[Arrival]] = defaultdict(list)

    def record(self, line: str, raw: bytes) -> None:
        if " <- " in line and not raw.startswith(b"SIP/2.0"):
            self._requests[line.partition(" ")[0]].append(Arrival(raw, time.monotonic()))

    def blame(self, endpoint: Endpoint, error: AssertionError) -> None:
        """What a phone did not expect is counted as any other request."""

    def send_all(self, sender: "Party | UserAgent", requests: Iterable[Message]) -> None:
        """Send them a few at a time, so that none is lost or refused because there are too many."""
        for number, request in enumerate(requests, 1):
            sender.send(request.encode())
            if number % _AT_ONCE == 0:
                self.listen(_APART_S)

    def requests_at(self, *names: str) -> list[Arrival]:
        """The requests that came to phones (by user) and parties (by name) so far."""
        return [arrival for name in names for arrival in self._requests[name]]

    def forget(self) -> None:
        """Begin to count."""
        self._requests.clear()

    def reached(self, attack: Callable[[], object], *names: str) -> Reach:
        """Do the `attack`, and return what came to the `names` on account of it."""
        before = {name: len(self._requests[name]) for name in names}
        attack()
        self.listen(_QUIET_S)
        new = [arrival for name in names for arrival in self._requests[name][before[name] :]]
        return Reach.of(new)


class Party:
    """A port of `host`. It answers each request with `status` and `headers`, or not at all (0)."""

    def __init__(self, net: Net, host: str, status: int = 0, headers: Headers = ()) -> None:
        self.name = f"party{next(_numbers)}"
        self._net = net
        self._answer = status, headers
        self._responses: dict[tuple[str, str], Message] = {}
        self._endpoint = Endpoint(net, self.name, host, self._take)

    @property
    def address(self) -> Address:
        return self._endpoint.address

    @property
    def statuses(self) -> Counter[int]:
        """How often which status came."""
        return Counter(response.status for response in self._responses.values())

    def send(self, raw: bytes) -> None:
        """Send any bytes to the switchboard."""
        self._endpoint.send(raw, self._net.proxy)

    def request(self, method: str, uri: str, sender: str, to: str = "", headers: Headers = ()) -> Message:
        """A request outside any dialog. `sender`, `to`: URIs."""
        call_id = token_hex(8)
        fields = [
            ("Via", f"SIP/2.0/UDP {host_port(self.address)};branch=z9hG4bK{token_hex(8)};rport"),
            ("Max-Forwards", "70"),
            ("From", f"<{sender}>;tag={token_hex(4)}"),
            ("To", f"<{to or uri}>"),
            ("Call-ID", call_id),
            ("CSeq", f"1 {method}"),
            *headers,
        ]
        return Message(f"{method} {uri} SIP/2.0", tuple(fields))

    def ask(self, request: Message, user: str = "", password: str = "") -> int:
        """Return the status of the answer; a request that is challenged is sent once more, with the password."""
        answered = self._exchange(request)
        if answered.status in ASKED and password:
            answered = self._exchange(with_password(request, answered, user, password))
        return answered.status

    def prove(self, request: Message, user: str, password: str) -> Message:
        """Send a request that will be challenged, then with the password; return what was sent then."""
        proved = with_password(request, self._exchange(request), user, password)
        self.send(proved.encode())
        return proved

    def _exchange(self, request: Message) -> Message:
        self.send(request.encode())
        return self._net.wait_for(lambda: self._responses.pop(request.key, None), f"an answer to {request}")

    def _take(self, raw: bytes, source: Address) -> None:
        message = parse(raw, source)
        status, headers = self._answer
        if not message.is_request:
            self._responses[message.key] = message
        elif status and message.method != "ACK":
            mirrored = [(name, value) for name, value in message.headers if name.lower() in _MIRRORED]
            self._endpoint.send(Message(f"SIP/2.0 {status} No", (*mirrored, *headers)).encode(), source)


_MIRRORED = ("via", "from", "to", "call-id", "cseq")


def with_password(request: Message, asked: Message, user: str, password: str) -> Message:
    """The request once more, in a new transaction, with credentials for the challenge."""
    challenge, shown = ASKED[asked.status]
    value = answer(asked.get(challenge), user, password, request.method, request.uri)
    number, method = request.cseq
    via = request.get("via").partition(";")[0] + f";branch=z9hG4bK{token_hex(8)};rport"
    changed = {"Via": via, "CSeq": f"{number + 1} {method}"}
    fields = [(name, changed.get(name, text)) for name, text in request.headers]
    return Message(request.start_line, (*fields, (shown, value)), request.body)
