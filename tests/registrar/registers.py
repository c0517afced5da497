"""REGISTER requests for tests, and a registrar with a store in memory."""

from itertools import count

from switchboard.core.gruu import Gruus
from switchboard.registrar.binding import Binding
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.rules import Registrar
from switchboard.registrar.sqlite import SqliteStore
from switchboard.sip.flow import TCP, Flow, connection_of
from switchboard.sip.message import Message, parse_message
from switchboard.sip.uri import SipUri

SOURCE = ("10.0.0.9", 5060)
NOW_AT = 1_700_000_000.25
KEY = b"k" * 32
_numbers = count(1)


def connection(serial: int, transport: int = TCP, source: tuple[str, int] = SOURCE) -> bytes:
    """A packed flow over the connection with that serial number."""
    return Flow(transport, "10.0.0.1", *source, connection_of(0, serial.to_bytes(8, "big"))).pack()


def register(
    *contacts: str,
    user: str = "lukas",
    call_id: str = "call-1",
    cseq: int | None = None,
    branch: str | None = None,
    sent_by: str = "10.0.0.9:5060",
    to: str | None = None,
    extra: str = "",
) -> bytes:
    """A REGISTER with one Contact field for each of `contacts`; CSeq and branch are new unless given."""
    number = next(_numbers)
    lines = [
        "REGISTER sip:switchboard.test SIP/2.0",
        f"Via: SIP/2.0/UDP {sent_by};rport;branch={branch or f'z9hG4bK{number}'}",
        f"From: <sip:{user}@switchboard.test>;tag=a",
        f"To: {to or f'<sip:{user}@switchboard.test>'}",
        f"Call-ID: {call_id}",
        f"CSeq: {number if cseq is None else cseq} REGISTER",
        *(f"Contact: {contact}" for contact in contacts),
        *extra.split("\n"),
    ]
    text = "\r\n".join(filter(None, lines)) + "\r\n\r\n"
    return text.encode("utf-8", "surrogateescape")


def is_own(uri: SipUri) -> bool:
    return uri.host in ("switchboard.test", "127.0.0.1")


class Desk:
    """A registrar to send requests to, one batch each."""

    def __init__(self, policy: RegistrarPolicy | None = None, store: SqliteStore | None = None) -> None:
        self.store = store or SqliteStore(":memory:")
        self.registrar = Registrar(
            self.store, is_own, policy or RegistrarPolicy(), b"secret", gruus=Gruus(KEY)
        )
        self.now_at = NOW_AT

    def send(
        self, raw: bytes, source: tuple[str, int] = SOURCE, flow: bytes = b"", local: str = ""
    ) -> Message:
        """The response to a REGISTER."""
        with self.store.batch():
            answer = self.registrar.process(parse_message(raw), source, self.now_at, flow, local)
        return parse_message(answer.response)

    def contacts(self, user: str = "lukas") -> list[str]:
        return [binding.contact for binding in self.bindings(user)]

    def bindings(self, user: str = "lukas") -> list[Binding]:
        return self.registrar.bindings(user, self.now_at)
