"""A name server of our own, which says what a test wants, slowly, or nothing at all."""

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

DEADLINE_S = 10.0
TTL_S = 60
NEGATIVE_S = 30


@dataclass
class NameServer:
    """`records`: by (name with its final dot, kind). Names that end in `silent` get no answer, in `broken` SERVFAIL."""

    address: str
    port: int
    records: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    asked: Counter[tuple[str, str]] = field(default_factory=Counter)

    def settings(self, folder: Path, *lines: str) -> Path:
        """A resolv.conf that names it."""
        path = folder / "resolv.conf"
        path.write_text("\n".join((f"nameserver {self.address}", *lines)))
        return path

    def answer(self, query: bytes) -> bytes | None:
        """What it says; None if it stays silent."""
        question = dns.message.from_wire(query)
        name, kind = question.question[0].name, dns.rdatatype.to_text(question.question[0].rdtype)
        text = name.to_text().lower()
        self.asked[text, kind] += 1
        response = dns.message.make_response(question)
        if text.endswith("silent."):
            return None
        if text.endswith("broken."):
            response.set_rcode(dns.rcode.SERVFAIL)
        elif records := self.records.get((text, kind)):
            response.answer.append(dns.rrset.from_text(name, TTL_S, "IN", kind, *records))
        else:
            if all(known != text for known, _ in self.records):
                response.set_rcode(dns.rcode.NXDOMAIN)
            soa = f"ns.example. me.example. 1 1 1 1 {NEGATIVE_S}"
            response.authority.append(dns.rrset.from_text("example.", 3600, "IN", "SOA", soa))
        return response.to_wire()


def _serve(server: NameServer, sock: socket.socket) -> None:
    """Until an empty datagram comes."""
    while True:
        query, source = sock.recvfrom(4096)
        if not query:
            return
        answer = server.answer(query)
        if answer is not None:
            sock.sendto(answer, source)


@contextmanager
def name_server(address: str = "127.0.0.1", port: int = 0) -> Iterator[NameServer]:
    """One that serves meanwhile."""
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last,
    ):
        sock.bind((address, port))
        server = NameServer(*sock.getsockname())
        thread = Thread(target=_serve, args=(server, sock), daemon=True)
        thread.start()
        yield server
        last.sendto(b"", sock.getsockname())
        thread.join(DEADLINE_S)
        assert not thread.is_alive()
