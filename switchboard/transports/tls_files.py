"""The certificate with which we prove who we are, its key and its authority, as files (I/O rim).

Unless the settings name files, we make them in `tls/` of the data directory: `ca.pem` and `ca.key` (the authority, by
which phones trust us), `cert.pem` and `key.pem`. Whoever makes or renews them holds a lock. Each file is replaced
whole. A renewed certificate has the same key, so that certificate and key fit each other at any moment.
"""

import fcntl
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from switchboard.settings.local import own_addresses
from switchboard.settings.model import Settings
from switchboard.storage.durable import ONLY_OWNER, READABLE, replace_file
from switchboard.storage.secret import exposure
from switchboard.storage.unusable import UnusableFile
from switchboard.transports.certificates import (
    RENEWED_BEFORE,
    Certificate,
    is_issued_by,
    is_pair,
    issue,
    make_authority,
    new_key,
    read_certificate,
)

ALWAYS_OURS: Final = ("localhost", "127.0.0.1", "::1")
SOON: Final = RENEWED_BEFORE / 2
"""A certificate of the user's that ends within this time is worth a word."""


class TlsFileError(UnusableFile):
    """Certificate or key cannot be used; the text tells people why and what to do."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where they are. `authority`: of our own making, None if the user has set a certificate."""

    certificate: Path
    key: Path
    authority: Path | None = None
    authority_key: Path | None = None


def files_of(settings: Settings) -> TlsFiles:
    """Return where the settings have them."""
    if settings.tls_certificate and settings.tls_key:
        return TlsFiles(settings.tls_certificate, settings.tls_key)
    ours = settings.tls_path
    return TlsFiles(ours / "cert.pem", ours / "key.pem", ours / "ca.pem", ours / "ca.key")


def own_names(settings: Settings) -> list[str]:
    """Return the names and addresses by which phones and browsers may reach us, as they are now."""
    addresses = [each.partition("%")[0] for each in own_addresses(settings)]
    named = [each.strip("[]") for each in (*settings.domains, *settings.console_names)]
    return list(dict.fromkeys([*named, _host_name(), *addresses, *ALWAYS_OURS]))


def _host_name() -> str:
    name = socket.gethostname().lower()
    return name if name.isascii() and name else "localhost"


def ensure(settings: Settings, now: datetime) -> bool:
    """Make what is missing, and renew what ends soon or lacks a name of ours; return whether anything was done.

    Several processes may do so at the same time. Nothing is done to files of the user's. TlsFileError.
    """
    files = files_of(settings)
    if files.authority is None or not _is_due(settings, files, now):
        return False
    with _locked(settings.tls_path):
        if not _is_due(settings, files, now):
            return False
        _make(settings, files, now, anew=False)
    return True


def make_anew(settings: Settings, now: datetime, *, with_authority: bool) -> None:
    """Replace certificate and key of our own making, and if wanted the authority, which phones then have to trust anew.

    TlsFileError.
    """
    files = files_of(settings)
    with _locked(settings.tls_path):
        if with_authority and files.authority and files.authority_key:
            for path in (files.authority, files.authority_key):
                path.unlink(missing_ok=True)
        _make(settings, files, now, anew=True)


def read_identity(files: TlsFiles) -> Certificate:
    """Return what our certificate says, if it can be used with its key. TlsFileError."""
    pem, key = _read(files.certificate, "certificate"), _read_key(files.key)
    try:
        found = read_certificate(pem)
    except ValueError:
        raise TlsFileError(f"The file {files.certificate} is no certificate in PEM.") from None
    try:
        fits = is_pair(pem, key)
    except TypeError:
        raise TlsFileError(
            f"The key {files.key} is protected by a password: remove it (openssl pkey -in … -out …)."
        ) from None
    except ValueError:
        raise TlsFileError(f"The file {files.key} is no private key in PEM.") from None
    if not fits:
        raise TlsFileError(f"The key {files.key} is not that of the certificate {files.certificate}.")
    return found


def doubts(found: Certificate, names: Iterable[str], now: datetime) -> Iterator[str]:
    """Say in words for people why phones might refuse the certificate. `names`: those that the settings promise."""
    if now >= found.not_after:
        yield f"the certificate for TLS has expired on {found.not_after:%Y-%m-%d}: phones refuse it"
    elif now < found.not_before:
        yield f"the certificate for TLS is valid from {found.not_before:%Y-%m-%d} only (or the clock is wrong)"
    elif found.not_after - now < SOON:
        yield f"the certificate for TLS expires on {found.not_after:%Y-%m-%d}"
    if missing := [name for name in names if not found.covers(name)]:
        yield f"the certificate for TLS does not name {', '.join(missing)}: phones that use this refuse it"


def promised_names(settings: Settings) -> list[str]:
    """Return the names that a certificate of the user's should have: the domains, or any one of ours without them."""
    return [each.strip("[]") for each in settings.domains]


def _is_due(settings: Settings, files: TlsFiles, now: datetime) -> bool:
    assert files.authority
    try:
        found = read_identity(files)
        is_ours = is_issued_by(files.certificate.read_bytes(), files.authority.read_bytes())
    except (OSError, TlsFileError, ValueError):
        return True
    is_valid = found.not_before <= now < found.not_after - RENEWED_BEFORE
    return not (is_ours and is_valid and found.names.issuperset(own_names(settings)))


def _make(settings: Settings, files: TlsFiles, now: datetime, *, anew: bool) -> None:
    """Keep authority and key if they are there."""
    assert files.authority
    assert files.authority_key
    try:
        authority, authority_key = _own_authority(files.authority, files.authority_key, now)
        key = b"" if anew or not files.key.exists() else _read_key(files.key)
        if not key:
            key = new_key()
            replace_file(files.key, key, ONLY_OWNER)
        chain = issue(authority, authority_key, key, own_names(settings), now)
        replace_file(files.certificate, chain, READABLE)
    except OSError as error:
        raise _not_written(settings.tls_path, error) from error
    except ValueError as error:
        raise TlsFileError(
            f"The files in {settings.tls_path} cannot be used ({error}): move them away, and new ones are made."
        ) from error


def _own_authority(path: Path, key_path: Path, now: datetime) -> tuple[bytes, bytes]:
    if not key_path.exists():
        replace_file(key_path, new_key(), ONLY_OWNER)
        path.unlink(missing_ok=True)
    key = _read_key(key_path)
    if not path.exists():
        replace_file(path, make_authority(key, f"Switchboard authority of {_host_name()}", now), READABLE)
    authority = path.read_bytes()
    if not is_pair(authority, key):
        raise ValueError(f"{key_path.name} is not the key of {path.name}")
    return authority, key


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    try:
        directory.mkdir(mode=0o755, parents=True, exist_ok=True)
        fd = os.open(directory / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, ONLY_OWNER)
    except OSError as error:
        raise _not_written(directory, error) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _read(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsFileError(f"The {what} {path} for TLS cannot be read: {error.strerror}.") from error


def _read_key(path: Path) -> bytes:
    content = _read(path, "key")
    if problem := exposure(path):
        raise TlsFileError(f"The key {path} for TLS {problem}.")
    return content


def _not_written(directory: Path, error: OSError) -> TlsFileError:
    return TlsFileError(f"A certificate for TLS cannot be kept in {directory}: {error.strerror}.")
