"""One direction of a TLS connection, a key and the number of its next record: protects records, and opens them.

TLS 1.3 (RFC 8446 §5) and 1.2 (RFC 5246 §6.2, with RFC 5288 and RFC 7905). A `Half` is a value, which packs into less
than 64 octets. Ciphers are those of `cryptography`; they are made for each record, which takes 2 µs, so that an idle
connection has none.

A nonce must never be used twice with one key. Whoever restores a writing half has to know that nothing was sent
after it was packed.
"""

import hmac
import struct
from enum import IntEnum
from functools import cache
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

HEADER: Final = 5
LARGEST_PLAIN: Final = 1 << 14
_TAG: Final = 16
_EXPLICIT: Final = 8
VERSION_OCTETS: Final = b"\x03\x03"
_HALF: Final = struct.Struct(">BBQ")
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

    def _additional(self, content: int, size: int, version: bytes = VERSION_OCTETS) -> bytes:
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
    return struct.pack(">B2sH", content, VERSION_OCTETS, size)
