"""The record layer of a TLS connection behind its handshake (RFC 8446 §5, RFC 5246 §6.2).

Theory. OpenSSL makes the handshake, and keeps its keys in the memory of one process. For a connection to outlive that
process, its successor needs both its directions (`tls_half.py`), and nothing else.

Records that have been read are not forgotten at once: octets of a message whose end has not come are still with the
peer's sending, as it were, so that a successor can read them again. `TlsRecords.reading` is the half at the first of
these records, and how many of its octets are done with.
"""

import struct
from collections import deque
from enum import IntEnum
from typing import Final, NamedTuple

from switchboard.transports.tls_half import (
    HEADER,
    LARGEST_PLAIN,
    VERSION_OCTETS,
    Alert,
    Content,
    Half,
    RecordError,
    Version,
)

_LARGEST_BODY: Final = LARGEST_PLAIN + 256
_UPDATED_AFTER: Final = 1 << 24
"""Records with one key (RFC 8446 §5.5)."""
_MOST_IDLE: Final = 32
"""Records without data in a row."""
_MESSAGE_HEAD: Final = 4
"""Octets before the body of a message of the handshake."""
_LARGEST_HANDSHAKE: Final = 1 << 16
_SKIP: Final = struct.Struct(">H")


class Handshake(IntEnum):
    """Messages that may come behind the handshake."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    NEW_SESSION_TICKET = 4
    KEY_UPDATE = 24


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
        if self._held[self._read + 1] != VERSION_OCTETS[0]:
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
