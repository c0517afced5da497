"""Connections of TLS between a channel of ours and OpenSSL, in memory."""

import ssl
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from transports.streams import LIMIT, Broken, Outcome, outcome, split

from switchboard.settings.model import Settings
from switchboard.transports.channel import Channel
from switchboard.transports.framing import StreamFraming
from switchboard.transports.tls import TlsChannel
from switchboard.transports.tls_contexts import TlsContexts
from switchboard.transports.tls_files import ensure
from switchboard.transports.tls_half import (
    KEY_OCTETS,
    Alert,
    Half,
    Suite,
    half_of_key,
    half_of_secret,
    iv_octets,
)
from switchboard.transports.tls_records import TlsRecords

TLS13, TLS12 = ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2
SUITES = [
    (TLS13, ""),
    (TLS12, "ECDHE-ECDSA-AES128-GCM-SHA256"),
    (TLS12, "ECDHE-ECDSA-AES256-GCM-SHA384"),
    (TLS12, "ECDHE-ECDSA-CHACHA20-POLY1305"),
]
"""Versions and ciphers that our record layer knows, as a peer may want them."""
MESSAGE = b"OPTIONS sip:a@example.com SIP/2.0\r\nCall-ID: %d\r\nContent-Length: 5\r\n\r\nhello"


def message(number: int) -> bytes:
    return MESSAGE % number


def prepare(directory: Path, **changes: object) -> Settings:
    """Settings with a certificate."""
    settings = Settings.model_validate(
        {"data_dir": directory, "sip_host": "127.0.0.1", "tls": True, **changes}
    )
    ensure(settings, datetime.now(UTC))
    return settings


def client_context(settings: Settings, version: ssl.TLSVersion = TLS13, cipher: str = "") -> ssl.SSLContext:
    """Of a phone that trusts our authority."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(settings.tls_path / "ca.pem")
    context.minimum_version = context.maximum_version = version
    if cipher:
        context.set_ciphers(cipher)
    return context


@dataclass
class Peer:
    """OpenSSL at the other end. What it has to say is in `out`."""

    context: ssl.SSLContext
    is_server: bool = False
    name: str | None = "127.0.0.1"
    session: ssl.SSLSession | None = None
    incoming: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    outgoing: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)

    def __post_init__(self) -> None:
        self.tls = self.context.wrap_bio(
            self.incoming, self.outgoing, self.is_server, None if self.is_server else self.name, self.session
        )

    def shake_hands(self, octets: bytes = b"") -> bytes:
        self.incoming.write(octets)
        with suppress(ssl.SSLWantReadError):
            self.tls.do_handshake()
        return self.outgoing.read()

    def say(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def hear(self, octets: bytes) -> bytes:
        self.incoming.write(octets)
        found = b""
        with suppress(ssl.SSLWantReadError):
            while data := self.tls.read(1 << 16):
                found += data
        return found


def connect(channel: TlsChannel, peer: Peer) -> list[bytes]:
    """Let OpenSSL shake hands with a channel that accepts; return messages that came with it."""
    found: list[bytes] = []
    said = peer.shake_hands()
    while said:
        found += channel.feed(said)
        said = peer.shake_hands(channel.take_output())
    return found


def accepted(
    settings: Settings, version: ssl.TLSVersion = TLS13, cipher: str = ""
) -> tuple[TlsChannel, Peer]:
    """A channel of ours and a phone, behind the handshake."""
    channel = accept(TlsContexts(settings))
    peer = Peer(client_context(settings, version, cipher))
    connect(channel, peer)
    return channel, peer


def accept(contexts: TlsContexts, inner: Channel | None = None, transport: int = 3) -> TlsChannel:
    channel = contexts.accept(transport, inner or StreamFraming())
    assert channel
    return channel


def successor(channel: TlsChannel) -> TlsChannel:
    """What a new process makes of a channel whose process was killed."""
    return TlsChannel.restored(lambda _: StreamFraming(), channel.reading, channel.writing)


HALVES = [half_of_secret(suite, bytes(48 if suite is Suite.AES_256_GCM else 32)) for suite in Suite] + [
    half_of_key(suite, bytes(KEY_OCTETS[suite]), bytes(iv_octets(suite)), 1) for suite in Suite
]
"""Keys that everybody knows, of all versions and suites."""


def sealed(half: Half, parts: Iterable[tuple[int, bytes]]) -> bytes:
    """Records with these contents."""
    out = b""
    for content, plain in parts:
        record, half = half.protect(content, plain)
        out += record
    return out


def check_records(half: Half, octets: bytes, cuts: Iterable[int]) -> None:
    """Broken, if the pieces yield something else than the whole, or successors, each of which has one piece."""
    pieces = split(octets, cuts)
    begin = b"\0\0\0" + half.pack(), half.pack()
    whole, found = (_understood(half, outcome(_restored(*begin), each)) for each in ([octets], pieces))
    messages: list[bytes] = []
    channel, pending, reason = _restored(*begin), b"", ""
    for piece in pieces:
        channel = _restored(channel.reading, channel.writing)
        last = outcome(channel, [pending + piece])
        messages, pending, reason = messages + last.messages, channel.pending, last.reason
        if reason:
            break
    if found != whole or (messages, reason) != (whole.messages, whole.reason):
        raise Broken(
            f"{octets!r} by {[len(piece) for piece in pieces]}: {found} or {messages}, {reason}, not {whole}"
        )


def _understood(half: Half, found: Outcome) -> Outcome:
    """The same, with what the peer makes of what was said; ValueError if that is nothing."""
    peer = TlsRecords(half, half)
    said = peer.feed(found.said)
    peer.keep(0)
    goodbye = peer.feed(found.close_with)
    if peer.error.alert is not Alert.CLOSE_NOTIFY if peer.error else peer.is_midway:
        raise Broken(f"the peer does not understand {found}")
    return found._replace(said=said + goodbye, close_with=b"")


def _restored(reading: bytes, writing: bytes) -> TlsChannel:
    return TlsChannel.restored(lambda _: StreamFraming(LIMIT), reading, writing)


def cut(octets: bytes, size: int) -> Iterator[bytes]:
    for at in range(0, len(octets), size):
        yield octets[at : at + size]
