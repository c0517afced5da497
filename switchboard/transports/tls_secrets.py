"""The keys of a connection whose handshake OpenSSL has made, for `tls_records.py`.

OpenSSL tells its secrets in the format that Wireshark reads (`SSLContext.keylog_filename`). The file here is memory of
our own (memfd_create(2)), has no name, and is erased after each step of a handshake.
"""

import hmac
import os
import re
import struct
from functools import lru_cache
from typing import Final

from switchboard.transports.tls_half import (
    HASH,
    KEY_OCTETS,
    Half,
    Suite,
    half_of_key,
    half_of_secret,
    iv_octets,
)

_RANDOM_OCTETS: Final = 32
_SERVER_HELLO: Final = struct.Struct(">BHHB3sH32s")
"""The beginning of a record that holds one: content, version, size; kind, size, version, random."""
HELLO_OCTETS: Final = _SERVER_HELLO.size
_HANDSHAKE, _HELLO = 22, 2
_LARGEST = 1 << 16
_SUITES = {
    "AES128-GCM": Suite.AES_128_GCM,
    "AES_128_GCM": Suite.AES_128_GCM,
    "AES256-GCM": Suite.AES_256_GCM,
    "AES_256_GCM": Suite.AES_256_GCM,
    "CHACHA20": Suite.CHACHA20_POLY1305,
}

_TOLD: Final = re.compile(
    rb"^(CLIENT_RANDOM|(?:CLIENT|SERVER)_TRAFFIC_SECRET_0) ([0-9a-f]+) ([0-9a-f]+)$", re.MULTILINE
)

Secrets = dict[str, tuple[bytes, bytes]]
"""Label -> the client's random, and the secret."""


class KeyLog:
    """Where OpenSSL tells the secrets of the connections of one context, and this process alone reads them."""

    def __init__(self) -> None:
        self._fd = os.memfd_create("switchboard-keys", os.MFD_CLOEXEC)
        self._taken = 0
        self.path = f"/proc/self/fd/{self._fd}"

    def take(self) -> Secrets:
        """Return what was told since the last call, and erase it."""
        content = os.pread(self._fd, _LARGEST, self._taken)
        if not content:
            return {}
        os.pwrite(
            self._fd, bytes(len(content)), self._taken
        )  # cheaper than to give the memory back each time
        self._taken += len(content)
        if self._taken > _LARGEST:
            os.ftruncate(self._fd, 0)
            self._taken = 0
        return parse_key_log(content)

    def close(self) -> None:
        """Nobody tells anything any more."""
        os.close(self._fd)


def parse_key_log(content: bytes) -> Secrets:
    """Return the secrets in a key log that a record layer needs; what is none is left out."""
    return {
        label.decode(): (bytes.fromhex(random.decode()), bytes.fromhex(secret.decode()))
        for label, random, secret in _TOLD.findall(content)
        if not len(random) % 2 | len(secret) % 2
    }


@lru_cache(maxsize=64)
def suite_of(cipher: str) -> Suite | None:
    """Return the suite of a cipher by OpenSSL's name for it; None if the record layer does not know it."""
    return next((suite for part, suite in _SUITES.items() if part in cipher and "CCM" not in cipher), None)


def halves(
    version: str, cipher: str, secrets: Secrets, server_hello: bytes, *, is_server: bool
) -> tuple[Half, Half] | None:
    """Return the reader and the writer behind a handshake; None if they cannot be told.

    `version`, `cipher`: as OpenSSL names them. `server_hello`: the first HELLO_OCTETS that the server has sent.
    """
    suite = suite_of(cipher)
    if suite is None:
        return None
    try:
        if version == "TLSv1.3":
            pair = _of_tls13(suite, secrets)
        elif version == "TLSv1.2":
            pair = _of_tls12(suite, secrets, server_hello)
        else:
            return None
    except (KeyError, ValueError):
        return None
    client, server = pair
    return (client, server) if is_server else (server, client)


def _of_tls13(suite: Suite, secrets: Secrets) -> tuple[Half, Half]:
    client, server = secrets["CLIENT_TRAFFIC_SECRET_0"], secrets["SERVER_TRAFFIC_SECRET_0"]
    return half_of_secret(suite, client[1]), half_of_secret(suite, server[1])


def _of_tls12(suite: Suite, secrets: Secrets, server_hello: bytes) -> tuple[Half, Half]:
    """Each side has sent one protected record by then, its Finished."""
    client_random, master = secrets["CLIENT_RANDOM"]
    server_random = _server_random(server_hello)
    key, iv = KEY_OCTETS[suite], iv_octets(suite)
    block = prf(master, b"key expansion", server_random + client_random, 2 * (key + iv), HASH[suite])
    ivs = block[2 * key :]
    return (
        half_of_key(suite, block[:key], ivs[:iv], 1),
        half_of_key(suite, block[key : 2 * key], ivs[iv:], 1),
    )


def _server_random(server_hello: bytes) -> bytes:
    """ValueError."""
    try:
        content, _, _, kind, _, _, random = _SERVER_HELLO.unpack(server_hello)
    except struct.error:
        raise ValueError("no ServerHello") from None
    if (content, kind) != (_HANDSHAKE, _HELLO):
        raise ValueError("no ServerHello")
    return bytes(random)


def prf(secret: bytes, label: bytes, seed: bytes, size: int, algorithm: str) -> bytes:
    """The pseudorandom function of TLS 1.2 (RFC 5246 §5)."""
    found, chain = b"", label + seed
    while len(found) < size:
        chain = hmac.digest(secret, chain, algorithm)
        found += hmac.digest(secret, chain + label + seed, algorithm)
    return found[:size]
