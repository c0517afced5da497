"""The ZeroMQ context of a process: what leaves the host is encrypted (CurveZMQ, RFC 26), and what comes in is known.

Each host has one pair of keys, kept in one directory: `HOST.key` is public and known to every host,
`HOST.key_secret` never leaves its own. Only hosts of our own switchboard are let in (`guard.py`).
"""

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from socket import has_dualstack_ipv6

import zmq

from switchboard.bus.endpoints import EVERYWHERE
from switchboard.bus.guard import Guard, fingerprint
from switchboard.bus.host_names import HostNames
from switchboard.bus.link import SECURED, Link
from switchboard.storage.secret import exposure

PUBLIC, SECRET = ".key", ".key_secret"


class KeysError(Exception):
    """A key is missing or unusable; the text says which, and what to do."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What one host needs: its own pair, and every host's public key by its address or name. Keys are in Z85."""

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
    before = os.umask(0o077)
    try:
        for host in made:
            create_certificates(directory, host)
    finally:
        os.umask(before)
    return made


def fingerprints(directory: Path, hosts: Iterable[str]) -> dict[str, str]:
    """Of each host's public key. KeysError if one is missing or no key."""
    return {host: fingerprint(_load(directory / (host + PUBLIC))[0]) for host in hosts}


def load_keys(directory: Path, here: str, addresses: Mapping[str, str]) -> Keys:
    """Read what the host `here` needs; `addresses`: by host. KeysError if something is missing or no key."""
    publics = {address: _load(directory / (host + PUBLIC))[0] for host, address in addresses.items()}
    own = directory / (here + SECRET)
    if own.exists() and (problem := exposure(own)):
        raise KeysError(
            f"The secret key {own} {problem} (remove it and {here}{PUBLIC}, then `switchboard keys`)."
        )
    public, secret = _load(own)
    if secret is None:
        raise _unusable(own, "holds no secret key")
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


HEARTBEAT_MS = 1_000
SILENCE_MS = 10_000
"""A host that is silent for this time is gone; a link that is cut for less loses nothing."""
CONNECT_MS = 1_000
BUFFER_BYTES = 128 * 1024
"""Of the kernel, at either end of a connection: what waits there is seen by nobody. It doubles them for its own use."""


LOCAL = "ipc://"


class NotListeningError(Exception):
    """An endpoint of ours cannot be bound; the text tells people why and what to do."""

    def __init__(self, endpoint: str, reason: str) -> None:
        super().__init__(f"{endpoint} cannot be listened on: {reason}. {_remedy(endpoint)}")
        self.endpoint = endpoint


def _remedy(endpoint: str) -> str:
    if endpoint.startswith(LOCAL):
        return "Its directory must be on a file system that can be written, and nobody else may listen there"
    return (
        "The address must be one of this machine (hosts.NAME.address) and its ports free "
        "(SWITCHBOARD_BUS_PORT chooses others, on all hosts)"
    )


def _why_not(endpoint: str, error: zmq.ZMQError) -> str:
    """libzmq says of a socket's file that it cannot remove that the address is in use."""
    if endpoint.startswith(LOCAL):
        probe = Path(f"{endpoint.removeprefix(LOCAL)}.probe")
        try:
            probe.touch()
            probe.unlink()
        except OSError as refused:
            return str(refused.strerror)
    return str(error.strerror)


class BusContext(zmq.Context[zmq.Socket[bytes]]):
    """Makes the sockets of one process. `keys`: of this host, needed for TCP, which is always CURVE; `read_keys`
    reads them again, for those of the other hosts.

    `guard` exists as soon as a socket listens on TCP; the poller must let it `serve`.
    """

    keys: Keys | None = None
    read_keys: Callable[[], Keys] | None = None
    guard: Guard | None = None
    links: Sequence[Link] = ()
    names: HostNames | None = None

    def link(self, socket: zmq.Socket[bytes], endpoint: str, watched: bool = False) -> Link:
        """Connect a socket whose options are set, for long: the loop has to `look` at the links."""
        own_key = fingerprint(self.keys.public) if self.keys else ""
        link = Link(socket, endpoint, self.connect, own_key, watched)
        self.links = [*self._open_links(), link]
        return link

    def look(self, now: float) -> None:
        """Connect anew where that is needed (`Link`), with the keys of now. `now`: monotonic s."""
        links = self._open_links()
        if any(link.reason for link in links):
            self._read_publics()
        for link in links:
            link.look(now)

    def _open_links(self) -> list[Link]:
        return [link for link in self.links if not link.is_closed]

    def connect(self, socket: zmq.Socket[bytes], endpoint: str) -> str:
        """Connect a socket whose options are set; return where to, "" if its host's name has no address now."""
        found = endpoint
        if endpoint.startswith(SECURED):
            self.names = self.names or HostNames()
            found = self.names.resolve(endpoint)
            self._secure(socket, endpoint, found)
            socket.set(zmq.CONNECT_TIMEOUT, CONNECT_MS)
        if found:
            socket.connect(found)
        return found

    def listen(self, kind: int, endpoints: Sequence[str], **options: int) -> list[zmq.Socket[bytes]]:
        """Bind one socket for each endpoint; `options` are those of zmq.SocketOption, in lower case."""
        return [self._listen(kind, endpoint, options) for endpoint in endpoints]

    def _listen(self, kind: int, endpoint: str, options: dict[str, int]) -> zmq.Socket[bytes]:
        socket = self.socket(kind)
        for name, value in options.items():
            socket.set(zmq.SocketOption[name.upper()], value)
        if endpoint.startswith(SECURED):
            self._admit(socket, endpoint)
        try:
            socket.bind(endpoint)
        except zmq.ZMQError as error:
            socket.close()
            raise NotListeningError(endpoint, _why_not(endpoint, error)) from error
        return socket

    def _secure(self, socket: zmq.Socket[bytes], endpoint: str, found: str) -> None:
        """The key is that of the endpoint's host, which may be a name; `found` has its address."""
        assert self.keys is not None, "TCP needs keys"
        socket.set(zmq.CURVE_SERVERKEY, self.keys.server_key(endpoint))
        socket.set(zmq.CURVE_PUBLICKEY, self.keys.public)
        socket.set(zmq.CURVE_SECRETKEY, self.keys.secret)
        _prepare(socket, found)

    def _read_publics(self) -> Mapping[str, bytes]:
        """The public keys of the hosts: as they were, if one of them cannot be read."""
        assert self.keys is not None, "TCP needs keys"
        if self.read_keys is not None:
            with suppress(KeysError):
                self.keys = replace(self.keys, publics=self.read_keys().publics)
        return self.keys.publics

    def _admit(self, socket: zmq.Socket[bytes], endpoint: str) -> None:
        """Lets in only peers with the secret key of one of our hosts."""
        assert self.keys is not None, "TCP needs keys"
        if self.guard is None:
            self.guard = Guard(self, self._read_publics)
        socket.set(zmq.ZAP_DOMAIN, b"switchboard")
        socket.set(zmq.CURVE_SERVER, 1)
        socket.set(zmq.CURVE_SECRETKEY, self.keys.secret)
        _prepare(socket, endpoint)


def _prepare(socket: zmq.Socket[bytes], endpoint: str) -> None:
    socket.set(zmq.IPV6, int("[" in endpoint or (EVERYWHERE in endpoint and has_dualstack_ipv6())))
    socket.set(zmq.HEARTBEAT_IVL, HEARTBEAT_MS)
    socket.set(zmq.HEARTBEAT_TIMEOUT, SILENCE_MS)
    socket.set(zmq.SNDBUF, BUFFER_BYTES)
    socket.set(zmq.RCVBUF, BUFFER_BYTES)
