"""How a peer is reached, as a value and as the octets in which it crosses the bus, is kept and is sealed (RFC 5626 §2).

flow         transport, our address, the peer's address, the peer's port (2 octets, big-endian), connection
transport    1 octet: UDP, TCP, TLS, WS or WSS
an address   how many octets, and the octets of an IP address; 0x80 | how many octets, and the text of what is no
             plain IP address, such as one with a zone; or 0: it is unknown, and the kernel chooses
connection   the rest; empty for UDP. Of a stream, 9 octets: the instance of the edge-stream that holds the connection,
             and its serial number, which is never used twice; or empty: any connection to that address and port, a
             new one if there is none (TCP and TLS only)
"""

from functools import lru_cache
from ipaddress import ip_address
from typing import Final, NamedTuple
from zlib import crc32

from switchboard.sip.translation import address_of


def bracketed(host: str) -> str:
    """Return `host`, an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def format_hop(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


UDP: Final = 1
TCP: Final = 2
TLS: Final = 3
WS: Final = 4
WSS: Final = 5
NAMES: Final = {UDP: "UDP", TCP: "TCP", TLS: "TLS", WS: "WS", WSS: "WSS"}
"""As they stand in Via (RFC 3261 §20.42, RFC 7118 §5.2)."""
SERIAL_OCTETS: Final = 8
"""Of a connection, behind its instance."""

_TEXT: Final = 0x80
_REMEMBERED = 4096
_IP_SIZES = (4, 16)
_UNKNOWN: Final = b"\0"
_SECURE = (TLS, WSS)
_DIALLED = (UDP, TCP, TLS)


class FlowError(ValueError):
    """The octets are no flow."""


def is_reliable(transport: int) -> bool:
    """Whether what is sent over it arrives, or an error is told (§17.1.1.2)."""
    return transport != UDP


def is_secure(transport: int) -> bool:
    """Whether nobody else can read it: what `sips` needs (§26.2, RFC 7118 §5.2)."""
    return transport in _SECURE


def is_dialled(transport: int) -> bool:
    """Whether a connection can be made to an address: nobody can to a browser."""
    return transport in _DIALLED


def default_port(transport: int) -> int:
    """Return where it listens if nothing is said (§19.1.2)."""
    return 5061 if transport == TLS else 5060


def stream_of(octets: bytes, streams: int = 1) -> int | None:
    """Return the instance of the edge-stream, of so many, that sends over a packed flow (trusted); None for UDP."""
    if octets[0] == UDP:
        return None
    host_at = _end(octets, 1)
    port_at = _end(octets, host_at)
    if len(octets) > port_at + 2:
        return octets[port_at + 2]
    return crc32(octets[host_at:]) % streams


def connection_of(instance: int, serial: bytes) -> bytes:
    """Return how a flow names a connection of that edge-stream. `serial`: SERIAL_OCTETS octets."""
    return bytes((instance,)) + serial


class Flow(NamedTuple):
    """Hosts without brackets; `local` is our address facing the peer, "" for any.

    `connection` names one of a transport that has connections.
    """

    transport: int
    local: str
    host: str
    port: int
    connection: bytes = b""

    @property
    def hop(self) -> tuple[str, int]:
        """The peer's address and port alone."""
        return self.host, self.port

    def towards(self, hop: tuple[str, int]) -> "Flow":
        """The same way to another address and port of the peer; a connection is kept, whatever they are (§18.2.2)."""
        if hop == (self.host, self.port) or self.connection:
            return self
        return self._replace(host=hop[0], port=hop[1])

    def is_at(self, host: str, port: int) -> bool:
        """Whether that is the peer's address, however it is spelled."""
        return port == self.port and (host == self.host or _is_same(host, self.host))

    def is_same_way(self, other: "Flow") -> bool:
        """Whether what was sent over this flow went over `other`, whichever address of ours was named."""
        connections = {self.connection, other.connection} - {b""}
        return self.transport == other.transport and len(connections) < 2 and self.is_at(*other.hop)

    def pack(self) -> bytes:
        """Return the octets of the flow; IP addresses lose their spelling, texts what they have beyond 127 octets."""
        return _pack(self) if self.connection else _packed(self)

    @staticmethod
    def unpack(octets: bytes) -> "Flow":
        """Return what `pack` was asked of. FlowError, whatever the octets are."""
        return _unpack(octets) if _has_connection(octets) else _unpacked(octets)


def without_local(octets: bytes) -> bytes:
    """Return a packed flow (trusted) less our address."""
    return octets[:1] + octets[_end(octets, 1) :]


def local_in(octets: bytes) -> bytes:
    """Return our address as it stands in a packed flow (trusted)."""
    return octets[1 : _end(octets, 1)]


def connection_in(octets: bytes) -> bytes:
    """Return what names the connection in a packed flow (trusted)."""
    return octets[_end(octets, _end(octets, 1)) + 2 :]


def from_anywhere(octets: bytes) -> bytes:
    """Return a packed flow (trusted) that leaves the choice of our address to the kernel."""
    return octets[:1] + _UNKNOWN + octets[_end(octets, 1) :]


def with_local(octets: bytes, local: str) -> bytes:
    """Return the packed flow that was given to `without_local`, if `local` was our address in it."""
    return octets[:1] + packed_address(local) + octets[1:]


def _pack(flow: Flow) -> bytes:
    transport, local, host, port, connection = flow
    return _packed_way(transport, local, host) + port.to_bytes(2, "big") + connection


def _unpack(octets: bytes) -> Flow:
    try:
        port_at = _end(octets, _end(octets, 1))
        transport, local, host = _unpacked_way(octets[:port_at])
    except (IndexError, ValueError) as error:
        raise FlowError("no flow") from error
    if len(octets) < port_at + 2:
        raise FlowError("no flow")
    port = int.from_bytes(octets[port_at : port_at + 2], "big")
    return Flow(transport, local, host, port, octets[port_at + 2 :])


_packed, _unpacked = lru_cache(_REMEMBERED)(_pack), lru_cache(_REMEMBERED)(_unpack)
"""Those of connections are not remembered: there may be very many, each of one phone."""


@lru_cache(_REMEMBERED)
def _packed_way(transport: int, local: str, host: str) -> bytes:
    return bytes((transport,)) + packed_address(local) + packed_address(host)


@lru_cache(_REMEMBERED)
def _unpacked_way(octets: bytes) -> tuple[int, str, str]:
    host_at = _end(octets, 1)
    return octets[0], _address(octets[1:host_at]), _address(octets[host_at:])


def _has_connection(octets: bytes) -> bool:
    try:
        return octets[0] != UDP and len(octets) > _end(octets, _end(octets, 1)) + 2
    except IndexError:
        return False


def _end(octets: bytes, start: int) -> int:
    """Behind the address at `start`. IndexError."""
    return start + 1 + (octets[start] & ~_TEXT)


def packed_address(host: str) -> bytes:
    """Return an address as it stands in a packed flow."""
    if not host:
        return _UNKNOWN
    address = None if "%" in host or host.startswith("[") else address_of(host)
    if address is not None:
        return bytes((len(address.packed),)) + address.packed
    octets = host.encode("utf-8", "surrogateescape")[: _TEXT - 1]
    return bytes((_TEXT | len(octets),)) + octets


def _address(octets: bytes) -> str:
    """Return the host of a whole address. ValueError."""
    size = octets[0] & ~_TEXT
    if len(octets) != 1 + size:
        raise ValueError("cut off")
    if octets[0] & _TEXT:
        return octets[1:].decode("utf-8", "surrogateescape")
    if size == 0:
        return ""
    if size not in _IP_SIZES:
        raise ValueError("no IP address")
    return str(ip_address(octets[1:]))


def _is_same(host: str, other: str) -> bool:
    try:
        return ip_address(host) == ip_address(other)
    except ValueError:
        return False
