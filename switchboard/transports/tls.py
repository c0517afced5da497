"""TLS between a connection and what speaks inside: SIP, or a WebSocket that carries it (RFC 3261 §26.2, RFC 7118).

OpenSSL makes the handshake. Behind it our own record layer goes on, so that the connection may outlive the process
(`tls_records.py`), unless that is not wanted or does not know the ciphers. Then OpenSSL goes on.
"""

import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from switchboard.transports.channel import Channel, ChannelClosed, ChannelError
from switchboard.transports.tls_half import Alert, plain_alert
from switchboard.transports.tls_records import TlsRecords
from switchboard.transports.tls_secrets import HELLO_OCTETS, KeyLog, Secrets, halves

HANDSHAKE: Final = 22
"""The first octet of who speaks TLS."""
_READ: Final = 1 << 16
_LARGEST_HANDSHAKE: Final = 1 << 16
"""Octets of a handshake, certificates of both sides included."""
_HTTP = (b"GET ", b"HEAD", b"POST")
_PLAIN_HTTP: Final = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 26\r\nConnection: close\r\n\r\n"
    b"Only TLS is spoken here.\r\n"
)


class _InnerError(ChannelError):
    """What speaks inside was broken off: its goodbye is put into TLS when it is asked for, behind all else."""

    def __init__(self, error: ChannelError, seal: Callable[[bytes], bytes]) -> None:
        self._seal, self._inside = seal, error.close_with
        self._sealed: bytes | None = None
        super().__init__(error.reason, b"", error.messages, error.refused, error.status)

    @property
    def close_with(self) -> bytes:
        """The octets to write first."""
        if self._sealed is None:
            self._sealed = self._seal(self._inside)
        return self._sealed

    @close_with.setter
    def close_with(self, octets: bytes) -> None:
        assert not octets


class TlsChannel:
    """A connection that begins. `inner` speaks inside.

    `key_log`: that of `context`, if the connection is to outlive this process. `name`: as a client, whom we want to
    reach. `check` gets the peer's certificate (DER, or None) and raises ChannelError if the peer is another.
    """

    __slots__ = (
        "_begun",
        "_buffered",
        "_check",
        "_fed",
        "_hello",
        "_incoming",
        "_inner",
        "_inside",
        "_is_server",
        "_key_log",
        "_outgoing",
        "_queue",
        "_records",
        "_secrets",
        "_tls",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        inner: Channel,
        key_log: KeyLog | None = None,
        *,
        is_server: bool = True,
        name: str | None = None,
        check: Callable[[bytes | None], None] | None = None,
    ) -> None:
        self._inner, self._key_log, self._is_server, self._check = inner, key_log, is_server, check
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls: ssl.SSLObject | None = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_server, server_hostname=None if is_server else name
        )
        self._records: TlsRecords | None = None
        self._secrets: Secrets = {}
        self._hello = self._buffered = b""
        self._fed = 0  # octets of the handshake
        self._begun = False  # whether what is inside has let go of something
        self._inside = 0  # octets that it holds
        self._queue: list[bytes] | None = []
        """Messages that wait for the end of the handshake; None behind it."""

    @staticmethod
    def restored(make_inner: Callable[[bool], Channel], reading: bytes, writing: bytes) -> "TlsChannel":
        """Return what goes on where another left off: its `reading` and `writing`. ValueError.

        `make_inner(is_new)`: what speaks inside; new, if nothing was let go of what the peer said to it.
        """
        channel = TlsChannel.__new__(TlsChannel)
        channel._begun = reading[:1] != b"\0"
        channel._records = TlsRecords.restored(reading[1:], writing)
        channel._inner = make_inner(not channel._begun)
        channel._tls = channel._key_log = channel._check = channel._queue = None
        channel._secrets, channel._hello, channel._buffered = {}, b"", b""
        channel._fed, channel._inside, channel._is_server = 0, 0, True
        return channel

    @property
    def cipher(self) -> str:
        """Version and cipher, for people; "" before the handshake has ended."""
        if self._records:
            return self._records.cipher
        if self._tls is None or self._queue is not None:
            return ""
        return f"{self._tls.version()} {(self._tls.cipher() or ('',))[0]}"

    @property
    def is_shaking_hands(self) -> bool:
        """Whether the handshake has not ended."""
        return self._queue is not None

    @property
    def reading(self) -> bytes:
        """As a Channel has it."""
        return bytes((self._begun,)) + self._records.reading if self._records else b""

    @property
    def writing(self) -> bytes:
        """As a Channel has it."""
        return self._records.writing if self._records else b""

    @property
    def pending(self) -> bytes:
        """Records that are not whole, or whose messages are not; none while OpenSSL has them."""
        return self._records.pending if self._records else b""

    @property
    def is_midway(self) -> bool:
        """Whether the peer owes the rest of a handshake, a record or a message."""
        if self._queue is not None:
            return True
        return self._inner.is_midway or bool(self._records and self._records.is_midway)

    def feed(self, octets: bytes) -> list[bytes]:
        """As a Channel does."""
        if self._records:
            return self._read_records(octets)
        if self._queue is not None:
            messages = self.begin(octets)
            return self._read_records(b"") if self._records else messages
        assert self._tls
        self._incoming.write(octets)
        return self._read_tls()

    def begin(self, octets: bytes) -> list[bytes]:
        """As a Beginning does."""
        self._refuse_plain(octets)
        self._incoming.write(octets)
        self._fed += len(octets)
        if self._fed > _LARGEST_HANDSHAKE:
            raise ChannelError("A TLS Handshake Without End")
        if not self._is_server:
            self._hello += octets[: HELLO_OCTETS - len(self._hello)]
        return self._go_on() if self._shake_hands() else []

    def wrap(self, message: bytes) -> bytes:
        """As a Channel does. Before the end of the handshake the message waits."""
        if self._queue is not None:
            self._queue.append(message)
            self._shake_hands_at_first()
            return self.take_output()
        return self.take_output() + self._seal(
            self._inner.wrap(message)
        )  # in the order in which it was sealed

    def take_output(self) -> bytes:
        """As a Channel does."""
        said = self._buffered
        self._buffered = b""
        if self._queue is None and (inside := self._inner.take_output()):
            said += self._seal(inside)
        return said

    def farewell(self, reason: str, /) -> bytes:
        """As a Channel does."""
        if self._queue is not None:
            return b""
        inside = self._inner.farewell(reason)
        return (self._seal(inside) if inside else b"") + self._close()

    def _refuse_plain(self, octets: bytes) -> None:
        """Who begins with something else than a handshake speaks no TLS."""
        if self._fed or not octets or octets[0] == HANDSHAKE:
            return
        if octets.startswith(_HTTP):
            raise ChannelError("HTTP Where TLS Is Spoken", _PLAIN_HTTP)
        raise ChannelError("Octets That Are No TLS", plain_alert(Alert.UNEXPECTED_MESSAGE))

    def _shake_hands_at_first(self) -> None:
        """A client begins."""
        if not self._is_server and not self._fed and self._queue and len(self._queue) == 1:
            self._shake_hands()

    def _shake_hands(self) -> bool:
        """Go on with the handshake; return whether it has ended. ChannelError."""
        assert self._tls
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            self._drain()
            raise ChannelError(f"No TLS Handshake: {_words(error)}", self._take_buffered()) from error
        finally:
            if self._key_log:
                self._secrets |= self._key_log.take()
            self._drain()
        return True

    def _drain(self) -> None:
        octets = self._outgoing.read()
        if self._is_server and len(self._hello) < HELLO_OCTETS:
            self._hello += octets[: HELLO_OCTETS - len(self._hello)]
        self._buffered += octets

    def _take_buffered(self) -> bytes:
        said, self._buffered = self._buffered, b""
        return said

    def _go_on(self) -> list[bytes]:
        """The handshake has ended. ChannelError."""
        assert self._tls
        assert self._queue is not None
        if self._check:
            self._check(self._tls.getpeercert(binary_form=True))
        cipher, version = (self._tls.cipher() or ("", "", 0))[0], self._tls.version() or ""
        found = self._key_log and halves(
            version, cipher, self._secrets, self._hello, is_server=self._is_server
        )
        self._secrets, self._hello = {}, b""
        queue, self._queue = self._queue, None
        if found and not self._tls.pending():
            self._records = TlsRecords(*found)
            self._records.hold(self._incoming.read())
            self._tls = None
            del self._incoming, self._outgoing
        for message in queue:
            self._buffered += self._seal(self._inner.wrap(message))
        return [] if self._records else self._read_tls()

    def _read_records(self, octets: bytes) -> list[bytes]:
        records = self._records
        assert records
        data = records.feed(octets)
        self._buffered += records.take_output()  # sealed by now: before all that is sealed later
        messages = self._feed_inner(data) if data else []
        left = len(self._inner.pending)
        self._begun = self._begun or left < self._inside + len(data)
        self._inside = left
        records.keep(left)
        if records.error or records.has_ended:
            self._buffered = self.take_output()  # before the goodbye
        if records.error:
            alert = records.error.alert
            goodbye = b"" if alert is Alert.CLOSE_NOTIFY else records.close(alert)
            raise ChannelError(str(records.error), goodbye, messages)
        if records.has_ended:
            raise ChannelClosed("The Peer Has Closed TLS", records.close(), messages)
        return messages

    def _read_tls(self) -> list[bytes]:
        """OpenSSL has the keys. ChannelError."""
        assert self._tls
        messages: list[bytes] = []
        try:
            while data := self._tls.read(_READ):
                messages = self._feed_inner(data, messages)
        except ssl.SSLWantReadError:
            self._drain()
            return messages
        except ssl.SSLZeroReturnError:
            pass
        except ssl.SSLError as error:
            self._drain()
            raise ChannelError(f"TLS: {_words(error)}", self._take_buffered(), messages) from error
        self._buffered = self.take_output()  # before the goodbye
        raise ChannelClosed("The Peer Has Closed TLS", self._close(), messages)

    def _feed_inner(self, data: bytes, before: Sequence[bytes] = ()) -> list[bytes]:
        """Return the messages `before`, and those that are whole now. ChannelError."""
        try:
            return [*before, *self._inner.feed(data)]
        except ChannelError as error:
            error.messages = [*before, *error.messages]
            raise _InnerError(error, self._seal_goodbye) from error

    def _seal_goodbye(self, goodbye: bytes) -> bytes:
        return self.take_output() + (self._seal(goodbye) if goodbye else b"") + self._close()

    def _seal(self, data: bytes) -> bytes:
        if self._records:
            return self._records.send(data)
        assert self._tls
        self._tls.write(data)
        return self._outgoing.read()

    def _close(self) -> bytes:
        if self._records:
            return self._records.close()
        assert self._tls
        with suppress(ssl.SSLError):
            self._tls.unwrap()
        return self._outgoing.read()


def _words(error: ssl.SSLError) -> str:
    return (error.reason or str(error)).replace("_", " ").capitalize()
