"""The record layer of TLS 1.3 (RFC 8446 §5) and 1.2 (RFC 5246 §6.2, with RFC 5288 and RFC 7905), behind a handshake.

Theory. OpenSSL makes the handshake, and keeps its keys in the memory of one process. For a connection to outlive that
process, its successor needs for each direction a key and the number of the next record, and nothing else. So a
direction is a value here, a `Half`, which packs into less than 64 octets. Ciphers are those of `cryptography`; they
are made for each record, which takes 2 µs, so that an idle connection has none.

A nonce must never be used twice with one key. Whoever restores a writing half has to know that nothing was sent
after it was packed.

Records that have been read are not forgotten at once: octets of a message whose end has not come are still with the
peer's sending, as it were, so that a successor can read them again. `TlsRecords.reading` is the half at the first of
these records, and how many of its octets are done with.
"""

import hmac
import struct
from collections import deque
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

HEADER: Final = 5
LARGEST_PLAIN: Final = 1 << 14
_LARGEST_BODY: Final = LARGEST_PLAIN + 256
_TAG: Final = 16
_EXPLICIT: Final = 8
_VERSION: Final = b"\x03\x03"
_UPDATED_AFTER: Final = 1 << 24
"""Records with one key (RFC 8446 §5.5)."""
_MOST_IDLE: Final = 32
"""Records without data in a row."""
_MESSAGE_HEAD: Final = 4
"""Octets before the body of a message of the handshake."""
_LARGEST_HANDSHAKE: Final = 1 << 16
_HALF: Final = struct.Struct(">BBQ")
_SKIP: Final = struct.Struct(">H")
_NONCE: Final = 12


class Content(IntEnum):
    """What a record holds."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    DATA = 23


class Alert(IntEnum):
    """Those that we send (RFC 8446 §6)."""

    CLOSE_NOTIFY = 0
    UNEXPECTED_MESSAGE = 10
    BAD_RECORD_MAC = 20
    RECORD_OVERFLOW = 22
    DECODE_ERROR = 50
    PROTOCOL_VERSION = 70
    INTERNAL_ERROR = 80
    USER_CANCELED = 90
    NO_RENEGOTIATION = 100


class Handshake(IntEnum):
    """Messages that may come behind the handshake."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    NEW_SESSION_TICKET = 4
    KEY_UPDATE = 24


class Version(IntEnum):
    """The last octet of the version."""

    TLS12 = 3
    TLS13 = 4


class Suite(IntEnum):
    """The ciphers, whatever the keys were agreed by."""

    AES_128_GCM = 1
    AES_256_GCM = 2
    CHACHA20_POLY1305 = 3


HASH: Final = {Suite.AES_128_GCM: "sha256", Suite.AES_256_GCM: "sha384", Suite.CHACHA20_POLY1305: "sha256"}
KEY_OCTETS: Final = {Suite.AES_128_GCM: 16, Suite.AES_256_GCM: 32, Suite.CHACHA20_POLY1305: 32}
_HASH_OCTETS: Final = {"sha256": 32, "sha384": 48}


class RecordError(Exception):
    """The peer broke the rules, or its octets were changed on the way; `alert` tells it."""

    def __init__(self, alert: Alert, reason: str) -> None:
        super().__init__(reason)
        self.alert = alert


class Half(NamedTuple):
    """One direction. `secret`: the traffic secret of TLS 1.3; b"" with 1.2. `number`: that of the next record."""

    version: Version
    suite: Suite
    number: int
    secret: bytes
    key: bytes
    iv: bytes

    def pack(self) -> bytes:
        """Return what `unpack` needs; secret."""
        material = self.secret or self.key + self.iv
        return _HALF.pack(self.version, self.suite, self.number) + material

    @staticmethod
    def unpack(octets: bytes) -> "Half":
        """Return what was packed. ValueError."""
        try:
            version, suite, number = _HALF.unpack_from(octets)
            return _half(Version(version), Suite(suite), number, octets[_HALF.size :])
        except struct.error:
            raise ValueError("no half of a TLS connection") from None

    def updated(self) -> "Half":
        """The half with the next secret (RFC 8446 §7.2)."""
        size = len(self.secret)
        return half_of_secret(self.suite, expand_label(self.secret, b"traffic upd", size, HASH[self.suite]))

    def protect(self, content: int, plain: bytes) -> "tuple[bytes, Half]":
        """Return the record with `plain` (at most LARGEST_PLAIN octets), and the half behind it."""
        after = self._next()
        if self.version is Version.TLS13:
            inner = plain + bytes((content,))
            header = _header(Content.DATA, len(inner) + _TAG)
            return header + self._cipher().encrypt(self._nonce(), inner, header), after
        explicit = self._explicit()
        sealed = self._cipher().encrypt(self._nonce(explicit), plain, self._additional(content, len(plain)))
        return _header(content, len(explicit) + len(sealed)) + explicit + sealed, after

    def unprotect(self, record: bytes) -> "tuple[int, bytes, Half]":
        """Return content and octets of a whole record (untrusted), and the half behind it. RecordError."""
        after = self._next()
        try:
            if self.version is Version.TLS13:
                content, plain = self._unprotect13(record)
            else:
                content, plain = record[0], self._unprotect12(record)
        except InvalidTag:
            raise RecordError(Alert.BAD_RECORD_MAC, "A Record Was Changed On The Way") from None
        if len(plain) > LARGEST_PLAIN:
            raise RecordError(Alert.RECORD_OVERFLOW, "A Record Is Too Large")
        return content, plain, after

    def _unprotect13(self, record: bytes) -> tuple[int, bytes]:
        if record[0] != Content.DATA:
            raise RecordError(Alert.UNEXPECTED_MESSAGE, "A Record Without Protection")
        inner = self._cipher().decrypt(self._nonce(), record[HEADER:], record[:HEADER])
        plain = inner.rstrip(b"\0")
        if not plain:
            raise RecordError(Alert.UNEXPECTED_MESSAGE, "A Record Of Padding Only")
        return plain[-1], plain[:-1]

    def _unprotect12(self, record: bytes) -> bytes:
        explicit = b"" if self.suite is Suite.CHACHA20_POLY1305 else record[HEADER : HEADER + _EXPLICIT]
        sealed = record[HEADER + len(explicit) :]
        if len(sealed) < _TAG:
            raise RecordError(Alert.DECODE_ERROR, "A Record Is Too Short")
        additional = self._additional(record[0], len(sealed) - _TAG, record[1:3])
        return self._cipher().decrypt(self._nonce(explicit), sealed, additional)

    def _next(self) -> "Half":
        return Half(self.version, self.suite, self.number + 1, self.secret, self.key, self.iv)

    def _cipher(self) -> AESGCM | ChaCha20Poly1305:
        return ChaCha20Poly1305(self.key) if self.suite is Suite.CHACHA20_POLY1305 else AESGCM(self.key)

    def _explicit(self) -> bytes:
        return b"" if self.suite is Suite.CHACHA20_POLY1305 else self.number.to_bytes(_EXPLICIT, "big")

    def _nonce(self, explicit: bytes = b"") -> bytes:
        if explicit:
            return self.iv + explicit
        return (int.from_bytes(self.iv, "big") ^ self.number).to_bytes(_NONCE, "big")

    def _additional(self, content: int, size: int, version: bytes = _VERSION) -> bytes:
        return struct.pack(">QB2sH", self.number, content, version, size)


def half_of_secret(suite: Suite, secret: bytes, number: int = 0) -> Half:
    """Return a half of TLS 1.3 by its traffic secret (RFC 8446 §7.3). ValueError."""
    algorithm = HASH[suite]
    if len(secret) != _HASH_OCTETS[algorithm]:
        raise ValueError("no traffic secret")
    key = expand_label(secret, b"key", KEY_OCTETS[suite], algorithm)
    iv = expand_label(secret, b"iv", _NONCE, algorithm)
    return Half(Version.TLS13, suite, number, secret, key, iv)


def half_of_key(suite: Suite, key: bytes, iv: bytes, number: int) -> Half:
    """Return a half of TLS 1.2. ValueError."""
    if (len(key), len(iv)) != (KEY_OCTETS[suite], iv_octets(suite)):
        raise ValueError("no key of the suite")
    return Half(Version.TLS12, suite, number, b"", key, iv)


def iv_octets(suite: Suite) -> int:
    """How long the fixed part of a nonce of TLS 1.2 is."""
    return _NONCE if suite is Suite.CHACHA20_POLY1305 else _NONCE - _EXPLICIT


def expand_label(secret: bytes, label: bytes, size: int, algorithm: str) -> bytes:
    """HKDF-Expand-Label without context (RFC 8446 §7.1); `size` is at most that of the hash."""
    return hmac.digest(secret, _label(label, size), algorithm)[:size]


@cache
def _label(label: bytes, size: int) -> bytes:
    name = b"tls13 " + label
    return struct.pack(">HB", size, len(name)) + name + b"\0\1"


def plain_alert(alert: Alert) -> bytes:
    """Return a fatal alert for a peer with whom no keys are agreed."""
    return _header(Content.ALERT, 2) + bytes((2, alert))


def _half(version: Version, suite: Suite, number: int, material: bytes) -> Half:
    if version is Version.TLS13:
        return half_of_secret(suite, material, number)
    return half_of_key(suite, material[: KEY_OCTETS[suite]], material[KEY_OCTETS[suite] :], number)


def _header(content: int, size: int) -> bytes:
    return struct.pack(">B2sH", content, _VERSION, size)


class _Record(NamedTuple):
    """One that was read, and how many octets of data it has."""

    before: Half
    size: int
    data: int


class TlsRecords:
    """A connection behind its handshake. Owns both halves.

    `skip`: how many octets of the first record's data were let go already.
    """

    __slots__ = (
        "_drop",
        "_fragment",
        "_held",
        "_idle",
        "_read",
        "_reader",
        "_records",
        "_said",
        "_skip",
        "_writer",
        "error",
        "has_ended",
    )

    def __init__(self, reader: Half, writer: Half, skip: int = 0) -> None:
        self._reader, self._writer = reader, writer
        self._skip = self._drop = skip
        self._held = b""
        self._read = 0  # octets of `_held` in records that were read
        self._records: deque[_Record] | None = None
        self._fragment = b""
        self._said = b""
        self._idle = 0
        self.has_ended = False
        """Whether the peer has said goodbye."""
        self.error: RecordError | None = None
        """Why nothing more can be read."""

    @staticmethod
    def restored(reading: bytes, writing: bytes) -> "TlsRecords":
        """Return what goes on where another left off: its `reading` and `writing`. ValueError."""
        if len(reading) < _SKIP.size:
            raise ValueError("no half of a TLS connection")
        (skip,) = _SKIP.unpack_from(reading)
        return TlsRecords(Half.unpack(reading[_SKIP.size :]), Half.unpack(writing), skip)

    @property
    def cipher(self) -> str:
        """Version and cipher, for people."""
        return f"TLSv1.{self._reader.version - 1} {self._reader.suite.name}"

    @property
    def reading(self) -> bytes:
        """What a successor needs to read on from where `pending` begins; secret."""
        first = self._records[0].before if self._records else self._reader
        return _SKIP.pack(self._skip) + first.pack()

    @property
    def writing(self) -> bytes:
        """What a successor needs to write behind what was written; secret."""
        return self._writer.pack()

    @property
    def pending(self) -> bytes:
        """The octets of records that are not whole, or that `keep` has kept."""
        return self._held

    @property
    def is_midway(self) -> bool:
        """Whether the rest of a record has to come."""
        return len(self._held) > self._read or bool(self._fragment)

    def hold(self, octets: bytes) -> None:
        """Have the first octets of the peer wait for `feed`."""
        self._held = octets

    def feed(self, octets: bytes) -> bytes:
        """Take octets of the peer (untrusted); return the data that is whole now. Then call `keep`.

        If the rules were broken behind that, `error` says how.
        """
        self._held = self._held + octets if self._held else octets
        found: list[bytes] = []
        try:
            self._read_all(found)
        except RecordError as error:
            self.error = error
        return b"".join(found)

    def _read_all(self, found: list[bytes]) -> None:
        while not self.has_ended and (size := self._whole()):
            before = self._reader
            record = self._held[self._read : self._read + size]
            content, plain, self._reader = before.unprotect(record)
            data = self._take(content, plain)
            if self._records is None:
                self._records = deque()
            self._records.append(_Record(before, size, len(data)))
            self._read += size
            found.append(data[self._drop :])
            self._drop = 0

    def keep(self, octets: int) -> None:
        """Let go of the records that were read, but for the last `octets` of their data."""
        records = self._records
        if not records or self._fragment:
            return
        total, gone = sum(each.data for each in records), 0
        while records and total - records[0].data >= octets:
            first = records.popleft()
            total -= first.data
            gone += first.size
        self._held = self._held[gone:]
        self._read -= gone
        self._skip = total - octets if records else 0
        if not records:
            self._records = None

    def send(self, data: bytes) -> bytes:
        """Return the records in which `data` travels."""
        if 0 < len(data) <= LARGEST_PLAIN:
            return self._send(Content.DATA, data)
        return b"".join(
            self._send(Content.DATA, data[at : at + LARGEST_PLAIN])
            for at in range(0, len(data), LARGEST_PLAIN)
        )

    def close(self, alert: int = Alert.CLOSE_NOTIFY) -> bytes:
        """Return our goodbye, or what was wrong."""
        return self._send(Content.ALERT, bytes((1 if alert == Alert.CLOSE_NOTIFY else 2, alert)))

    def take_output(self) -> bytes:
        """Return what the layer itself has to say since the last call."""
        said, self._said = self._said, b""
        return said

    def _whole(self) -> int:
        """Return the size of the next record; 0 if it is not whole. RecordError."""
        if len(self._held) < self._read + HEADER:
            return 0
        size = HEADER + int.from_bytes(self._held[self._read + 3 : self._read + HEADER], "big")
        if self._held[self._read + 1] != _VERSION[0]:
            raise RecordError(Alert.PROTOCOL_VERSION, "No Record Of TLS")
        if size > HEADER + _LARGEST_BODY:
            raise RecordError(Alert.RECORD_OVERFLOW, "A Record Is Too Large")
        return size if self._read + size <= len(self._held) else 0

    def _take(self, content: int, plain: bytes) -> bytes:
        """Return the data in a record. RecordError."""
        self._idle += 1
        if self._idle > _MOST_IDLE:
            raise RecordError(Alert.UNEXPECTED_MESSAGE, "Too Many Records Without Data")
        if self._fragment and content != Content.HANDSHAKE:
            raise RecordError(Alert.UNEXPECTED_MESSAGE, "A Record Amidst A Message Of The Handshake")
        match content:
            case Content.DATA:
                self._idle = 0 if plain else self._idle
                return plain
            case Content.ALERT:
                self._take_alert(plain)
            case Content.HANDSHAKE:
                self._take_handshake(plain)
            case _:
                raise RecordError(Alert.UNEXPECTED_MESSAGE, "An Unexpected Record")
        return b""

    def _take_alert(self, plain: bytes) -> None:
        if len(plain) != 2:
            raise RecordError(Alert.DECODE_ERROR, "A Malformed Alert")
        level, alert = plain
        if alert == Alert.CLOSE_NOTIFY:
            self.has_ended = True
        elif alert != Alert.USER_CANCELED and (level != 1 or self._reader.version is Version.TLS13):
            raise RecordError(Alert.CLOSE_NOTIFY, f"The Peer Reports TLS Alert {alert}")

    def _take_handshake(self, plain: bytes) -> None:
        self._fragment += plain
        if not plain or len(self._fragment) > _LARGEST_HANDSHAKE:
            raise RecordError(Alert.UNEXPECTED_MESSAGE, "An Unexpected Message Of The Handshake")
        while len(self._fragment) >= _MESSAGE_HEAD:
            kind = self._fragment[0]
            end = _MESSAGE_HEAD + int.from_bytes(self._fragment[1:_MESSAGE_HEAD], "big")
            if len(self._fragment) < end:
                return
            body, self._fragment = self._fragment[_MESSAGE_HEAD:end], self._fragment[end:]
            self._take_message(kind, body)

    def _take_message(self, kind: int, body: bytes) -> None:
        match self._reader.version, kind:
            case Version.TLS13, Handshake.NEW_SESSION_TICKET:
                return
            case Version.TLS13, Handshake.KEY_UPDATE:
                self._update(body)
            case Version.TLS12, Handshake.HELLO_REQUEST | Handshake.CLIENT_HELLO:
                self._said += self._send(Content.ALERT, bytes((1, Alert.NO_RENEGOTIATION)))
            case _:
                raise RecordError(Alert.UNEXPECTED_MESSAGE, "An Unexpected Message Of The Handshake")

    def _update(self, body: bytes) -> None:
        """The peer sends with its next key from here on (RFC 8446 §4.6.3)."""
        if body not in (b"\0", b"\1") or self._fragment:
            raise RecordError(Alert.UNEXPECTED_MESSAGE, "A Malformed KeyUpdate")
        self._reader = self._reader.updated()
        if body == b"\1":
            self._said += self._next_key()

    def _next_key(self) -> bytes:
        """Send with our next key from here on; return what tells the peer."""
        message, _ = self._writer.protect(Content.HANDSHAKE, bytes((Handshake.KEY_UPDATE, 0, 0, 1, 0)))
        self._writer = self._writer.updated()
        return message

    def _send(self, content: int, plain: bytes) -> bytes:
        before = b""
        if self._writer.number >= _UPDATED_AFTER and self._writer.version is Version.TLS13:
            before = self._next_key()
        record, self._writer = self._writer.protect(content, plain)
        return before + record
