"""What OpenSSL has to know for our connections: certificate, authorities, versions. Changed files are read again."""

import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from switchboard.settings.model import Settings
from switchboard.sip.flow import TLS
from switchboard.transports.certificates import read_der
from switchboard.transports.channel import Channel, ChannelError
from switchboard.transports.tls import TlsChannel
from switchboard.transports.tls_files import (
    TlsFileError,
    doubts,
    files_of,
    promised_names,
    read_identity,
)
from switchboard.transports.tls_secrets import KeyLog

LOOK_EVERY_S: Final = 0.5
"""Between two looks at the files."""
_OPTIONS = ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE


class TlsContexts:
    """Makes the channels of TLS connections. `clock`: monotonic s."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings, self._clock = settings, clock
        self._files = files_of(settings)
        self._log = KeyLog() if settings.tls_survive else None
        self._signature: tuple[object, ...] = ()
        self._looked_at = 0.0
        self._of_phones: ssl.SSLContext | None = None
        self._of_browsers: ssl.SSLContext | None = None
        self._outwards: ssl.SSLContext | None = None
        self.reloads = 0
        self.problem = ""
        """Why the files cannot be used, for people; "" if they can. Then those of before stay in force."""
        self._look()

    def accept(self, transport: int, inner: Channel) -> TlsChannel | None:
        """Return the channel of a connection that we accept; None while there is no certificate."""
        self._look()
        context = self._of_phones if transport == TLS else self._of_browsers
        return TlsChannel(context, inner, self._log) if context else None

    def connect(self, inner: Channel, names: Sequence[str]) -> TlsChannel | None:
        """Return the channel of a connection that we make, to a peer who may have any of `names`."""
        self._look()
        if self._outwards is None:
            return None
        check = self._verifier(names) if self._settings.tls_verify else None
        name = next(iter(names), None)
        return TlsChannel(self._outwards, inner, self._log, is_server=False, name=name, check=check)

    def notes(self, now: datetime | None = None) -> list[str]:
        """What people should know of the certificate."""
        self._look()
        if self.problem:
            return [f"TLS: {self.problem}"]
        return list(
            doubts(read_identity(self._files), promised_names(self._settings), now or datetime.now(UTC))
        )

    def close(self) -> None:
        """Make no more of them."""
        if self._log:
            self._log.close()

    def _look(self) -> None:
        now = self._clock()
        if self._signature and now - self._looked_at < LOOK_EVERY_S:
            return
        self._looked_at = now
        signature = self._sign()
        if signature == self._signature:
            return
        self._signature = signature
        try:
            self._load()
            self.problem = ""
        except TlsFileError as error:
            self.problem = str(error)

    def _sign(self) -> tuple[object, ...]:
        ours = (self._files.certificate, self._files.key, self._settings.tls_ca, self._files.authority)
        return tuple(_signature(each) for each in ours)

    def _load(self) -> None:
        read_identity(self._files)
        try:
            phones, browsers = self._make(ssl.PROTOCOL_TLS_SERVER), self._make(ssl.PROTOCOL_TLS_SERVER)
            outwards = self._make(ssl.PROTOCOL_TLS_CLIENT)
            if self._settings.tls_ca:
                phones.load_verify_locations(self._settings.tls_ca)
                phones.verify_mode = ssl.CERT_REQUIRED
            self._trust(outwards)
        except ssl.SSLError as error:
            raise TlsFileError(f"Certificate, key or authorities cannot be used: {error.reason}.") from error
        except OSError as error:
            raise TlsFileError(
                f"The file {self._settings.tls_ca} cannot be read: {error.strerror}."
            ) from error
        self._of_phones, self._of_browsers, self._outwards = phones, browsers, outwards
        self.reloads += 1

    def _make(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= _OPTIONS
        context.load_cert_chain(self._files.certificate, self._files.key)
        if self._log:
            context.keylog_filename = self._log.path
            if protocol == ssl.PROTOCOL_TLS_SERVER:
                context.num_tickets = 0  # they would be records that we do not count
        return context

    def _trust(self, outwards: ssl.SSLContext) -> None:
        """The name is checked by `_verifier`: a peer may have several."""
        outwards.check_hostname = False
        outwards.verify_mode = ssl.CERT_REQUIRED if self._settings.tls_verify else ssl.CERT_NONE
        outwards.load_default_certs(ssl.Purpose.SERVER_AUTH)
        if self._files.authority:
            outwards.load_verify_locations(self._files.authority)
        if self._settings.tls_ca:
            outwards.load_verify_locations(self._settings.tls_ca)

    def _verifier(self, names: Sequence[str]) -> Callable[[bytes | None], None]:
        def verify(der: bytes | None) -> None:
            found = read_der(der) if der else None
            if found is None or not any(found.covers(name) for name in names):
                raise ChannelError(f"The Peer Does Not Prove To Be {' Or '.join(names)}")

        return verify


def _signature(path: Path | None) -> object:
    if path is None:
        return None
    try:
        found = path.stat()
    except OSError:
        return path
    return found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_size
