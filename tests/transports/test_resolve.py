"""Names to hops (RFC 3263 §4), against a name server of our own on the loopback interface."""

import select
import socket
from collections.abc import Iterator
from threading import Thread

import dns.flags
import dns.message
import dns.rcode
import dns.resolver
import dns.rrset
import pytest

from switchboard.core.commands import Lookup
from switchboard.transports.resolve import MOST_WAITING, Resolver, resolve

DEADLINE_S = 10.0
RECORDS = {
    "_sip._udp.one.example.": ["0 0 5070 localhost."],
    "_sip._udp.best.example.": ["20 9 5071 localhost.", "10 1 5072 localhost.", "10 5 5073 localhost."],
    "_sip._udp.none.example.": ["0 0 0 ."],
}


def answer(query: bytes) -> bytes:
    """The SRV records of the name asked for; NXDOMAIN if there are none."""
    question = dns.message.from_wire(query)
    response = dns.message.make_response(question)
    name = question.question[0].name
    records = RECORDS.get(name.to_text())
    if records:
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "SRV", *records))
    else:
        response.set_rcode(dns.rcode.NXDOMAIN)
    return response.to_wire()


def serve(server: socket.socket) -> None:
    """Answer until an empty datagram comes."""
    while True:
        query, source = server.recvfrom(4096)
        if not query:
            return
        server.sendto(answer(query), source)


@pytest.fixture(autouse=True)
def _name_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """dnspython's default resolver asks the server of this test."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        thread = Thread(target=serve, args=(server,))
        thread.start()
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers = ["127.0.0.1"]
        resolver.port = server.getsockname()[1]
        monkeypatch.setattr(dns.resolver, "default_resolver", resolver)
        yield
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.sendto(b"", server.getsockname())
        thread.join(DEADLINE_S)
        assert not thread.is_alive()


@pytest.mark.parametrize(
    ("host", "port", "found"),
    [
        ("127.0.0.9", 5080, "127.0.0.9"),
        ("localhost", 5080, "127.0.0.1"),
        ("one.example", None, "5070"),
        ("best.example", None, "5073"),
        ("localhost", None, "5060"),
    ],
)
def test_resolve(host: str, port: int | None, found: str) -> None:
    """SRV only where no port is given: lowest priority, then highest weight; else the default port."""
    hop = resolve(Lookup(host, port))
    assert hop is not None
    assert hop[0] in ("127.0.0.1", "::1", "127.0.0.9")
    assert found in map(str, hop)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("none.example", None),
        ("a..b", None),
        ("a..b", 5060),
        ("x" * 64, None),
        ("x" * 300, 5060),
        ("", None),
    ],
)
def test_leads_nowhere(host: str, port: int | None) -> None:
    """No service ("."), and what is no name at all."""
    assert resolve(Lookup(host, port)) is None


def collect(resolver: Resolver, count: int) -> dict[Lookup, tuple[str, int] | None]:
    found: list[tuple[Lookup, tuple[str, int] | None]] = []
    while len(found) < count:
        readable, _, _ = select.select([resolver.fd], [], [], DEADLINE_S)
        assert readable, "no answer in time"
        found += resolver.answers()
    return dict(found)


@pytest.fixture
def resolver() -> Iterator[Resolver]:
    resolver = Resolver()
    yield resolver
    resolver.close()


def test_in_the_background(resolver: Resolver) -> None:
    """Each look-up is answered once, whatever becomes of it, and then the descriptor is quiet."""
    asked = [Lookup("127.0.0.9", port) for port in range(1, 20)] + [
        Lookup("a..b", 1),
        Lookup("one.example", None),
    ]
    assert resolver.answers() == []
    for lookup in asked:
        resolver.ask(lookup)
    found = collect(resolver, len(asked))
    assert found.keys() == set(asked)
    assert found[Lookup("127.0.0.9", 7)] == ("127.0.0.9", 7)
    assert found[Lookup("a..b", 1)] is None
    assert resolver.answers() == []
    assert select.select([resolver.fd], [], [], 0)[0] == []


def test_too_many_questions_are_answered_at_once(resolver: Resolver) -> None:
    """With nothing, and only while so many wait."""
    lookups = [Lookup("127.0.0.9", port) for port in range(1, MOST_WAITING + 11)]
    for lookup in lookups:
        resolver.ask(lookup)
    found = collect(resolver, len(lookups))
    assert resolver.refused == 10
    assert [lookup for lookup, hop in found.items() if hop is None] == lookups[-10:]
    assert resolver.waiting == 0
    resolver.ask(lookups[-1])
    assert collect(resolver, 1)[lookups[-1]] is not None


def test_close_does_not_wait(resolver: Resolver) -> None:
    for port in range(1, 50):
        resolver.ask(Lookup("one.example", None if port % 2 else port))
    resolver.close()
