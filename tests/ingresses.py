"""Both twins of edge-rx's ingress with outboxes that keep everything, and messages that tell them apart."""

from collections.abc import Iterable
from typing import Any

from sip.messages import TORTURE

from switchboard.core.domains import AccessList, OwnDomains, parse_networks
from switchboard.core.refusal import answer_statelessly
from switchboard.edge.filter import EdgeFilter, Notice
from switchboard.edge.ingress import Answers, Ingress, IngressInPython
from switchboard.edge.rate_limit import FilterPolicy
from switchboard.sip.dispatch import Dispatcher

ROUTERS = 3
OWN = OwnDomains(["10.0.0.1"], ["pbx.example"], 5060)
LENIENT = FilterPolicy(scanners=("friendly-scanner",))
STRICT = FilterPolicy(
    rate=1.0, burst=2.0, ignored_s=1.0,
    access=AccessList(deny=parse_networks(["10.0.0.12"])),
    methods={"REGISTER": AccessList(deny=parse_networks(["10.0.0.13"]))},
    scanners=("friendly-scanner", "evil"), largest=1500, most_fields=12,
)  # fmt: skip
HEAD = b"From: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\nCSeq: 1 INFO\r\n"


class Box:
    """An outbox that keeps everything."""

    def __init__(self) -> None:
        self.items: list[bytes] = []

    def put(self, item: bytes) -> None:
        self.items.append(item)

    def put_all(self, items: Iterable[bytes]) -> None:
        self.items.extend(items)


class Bench:
    """An ingress, its filter, and the outboxes of its peers."""

    def __init__(
        self,
        make: type[Ingress] | type[IngressInPython],
        policy: FilterPolicy = LENIENT,
        leaving: tuple[int, ...] = (),
        form: Answers = answer_statelessly,
        registrars: int = 1,
    ) -> None:
        self.boxes: list[Any] = [Box() for _ in range(max((ROUTERS - 1, *leaving)) + 2 + registrars)]
        self.edge_filter = EdgeFilter(policy)
        self.dispatcher = Dispatcher(range(ROUTERS), OWN.owns, leaving, registrars)
        self.ingress = make(self.dispatcher, self.edge_filter, self.boxes, form)

    def outcome(self) -> tuple[list[list[bytes]], dict[str, float], list[Notice]]:
        stats = {**self.ingress.stats(), **self.edge_filter.stats()}
        return [box.items for box in self.boxes], stats, self.edge_filter.notices.take()


def response(via: bytes) -> bytes:
    return b"SIP/2.0 200 OK\r\nVia: " + via + b"\r\n" + HEAD + b"\r\n"


def register(uri: bytes, lines: bytes = b"") -> bytes:
    return b"REGISTER " + uri + b" SIP/2.0\r\nVia: SIP/2.0/UDP h\r\n" + HEAD + lines + b"\r\n"


VIAS = (
    b"SIP/2.0/UDP h;branch=z9hG4bKsb1.x",
    b" SIP/2.0/UDP h;branch = \tz9hG4bKsb12.x ",
    b"SIP/2.0/UDP h;branch=z9hG4bKsb1234.x;branch=z9hG4bKsb2.y",
    b"SIP/2.0/UDP h;branch=z9hG4bKsb1, SIP/2.0/UDP h;branch=z9hG4bKsb2.y",
    b'SIP/2.0/UDP h;x="a,\\"b";branch=z9hG4bKsb2.y',
    b'SIP/2.0/UDP h;x="a,b;branch=z9hG4bKsb2.y',
    b'SIP/2.0/UDP h;x="a\\',
    b"SIP/2.0/UDP h;branch=z9hG4bKsb",
    b"SIP/2.0/UDP h;branchbranch=z9hG4bKsb2.",
    b"",
)
MESSAGES = (
    *map(response, VIAS),
    register(b"sip:10.0.0.1"),
    register(b"sip:pbx.example;transport=udp"),
    register(b"sip:elsewhere.example"),
    register(b"tel:1"),
    register(b"sip:\xff@10.0.0.1"),
    register(b"sip:10.0.0.1", b"Route: <sip:10.0.0.1;lr>\r\n"),
    register(b"sip:10.0.0.1", b"Route: <sip:elsewhere.example;lr>\r\n"),
    register(b"sip:10.0.0.1").replace(b"Call-ID: c", b"i:\r\n c \r\n\td\x0b"),
    register(b"sip:10.0.0.1").replace(b"REGISTER ", b"register ").replace(b"Call-ID: c", b"i: \x0bc\x0c "),
    register(b"sip:10.0.0.1", b"User-Agent: friendly-scanner\r\n"),
    register(b"sip:10.0.0.1", b"User-Agent:\r\n \x0bEVIL/1.0\r\n"),
    register(b"sip:10.0.0.1", b"User-Agent: evidently not\r\nUser-Agent: evil\r\n"),
    register(b"sip:10.0.0.1").replace(b"REGISTER", b"ACK").replace(b"b@h>", b"b@h>;tag=sbr.1"),
    response(b"h;branch=z9hG4bKsb1.x") + 30_000 * b"x",
    response(b"h;branch=z9hG4bKsb1.x" + 40 * b"\r\nSubject: a"),
    register(b"sip:10.0.0.1") + 30_000 * b"x",
    register(b"sip:10.0.0.1").replace(b"REGISTER", b"ACK") + 30_000 * b"x",
    register(b"sip:10.0.0.1").replace(b"REGISTER", b"NOTIFY").replace(b"b@h>", b"b@h>;tag=1") + 30_000 * b"x",
    b"\r\n\r\n" + register(b"sip:10.0.0.1"),
    b"\r\n\r\n",
    b"\0",
    b"",
    b"INVITE nonsense",
    b"INVITE sip:a@b SIP/2.0\r\nnonsense",
    *TORTURE,
)
