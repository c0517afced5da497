"""The CURVE keys of a switchboard's hosts (CurveZMQ, RFC 26): one pair a host, kept in one directory.

`HOST.key` is public and known to every host; `HOST.key_secret` never leaves its own.
"""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

PUBLIC, SECRET = ".key", ".key_secret"


class KeysError(Exception):
    """A key is missing or unusable; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What one host needs: its own pair, and every host's public key by its address. Keys are in Z85."""

    public: bytes
    secret: bytes
    publics: Mapping[str, bytes]

    def server_key(self, endpoint: str) -> bytes:
        """The public key of the host that listens at a TCP endpoint."""
        address = endpoint.removeprefix("tcp://").rpartition(":")[0]
        return self.publics[address.strip("[]")]


def make_keys(directory: Path, hosts: Iterable[str]) -> list[str]:
    """Make the pairs of those hosts that have no public key yet; return these hosts. OSError."""
    from zmq.auth import create_certificates  # 60 ms that a switchboard of one host need not spend

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = [host for host in hosts if not (directory / (host + PUBLIC)).exists()]
    for host in made:
        create_certificates(directory, host)
        os.chmod(directory / (host + SECRET), 0o600)
    return made


def load_keys(directory: Path, here: str, addresses: Mapping[str, str]) -> Keys:
    """Read what the host `here` needs; `addresses`: by host. KeysError if something is missing or no key."""
    publics = {address: _load(directory / (host + PUBLIC))[0] for host, address in addresses.items()}
    public, secret = _load(directory / (here + SECRET))
    if secret is None:
        raise _unusable(directory / (here + SECRET), "holds no secret key")
    return Keys(public, secret, publics)


def _load(path: Path) -> tuple[bytes, bytes | None]:
    from zmq.auth import load_certificate

    try:
        return load_certificate(path)
    except (OSError, ValueError) as error:
        raise _unusable(path, "is missing" if not path.exists() else f"cannot be read: {error}") from error


def _unusable(path: Path, what: str) -> KeysError:
    return KeysError(
        f"The key {path} {what}. Make the keys on one host with `switchboard keys`, then copy to each host "
        f"all files *{PUBLIC} and its own *{SECRET}."
    )
