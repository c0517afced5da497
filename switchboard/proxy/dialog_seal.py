"""What our Record-Route proves when it comes back as a Route: which dialog it is of, and where that side is.

A seal leads to one side of a dialog. The one in a request that makes a dialog leads back to its sender; in the
2xx or 18x it is replaced by one that leads to who answered. So each side holds the seal that leads to the other,
and where its requests go depends on nothing that they claim, nor on who has registered what meanwhile. Nothing is
remembered for it, so a dialog survives every restart.

    sb = base64url(mac, flags, target, follower, owner, flow)

    mac       8 octets over all that follows, the Call-ID and the tag of the side that it leads to
    target    of the address that this side's Contact (or the next proxy's Record-Route) names
    follower  of the address from which the holder may follow a target that has moved
    owner     of the user of ours who this side is, zeros for nobody
    flow      transport, our address, the peer's address and port: where requests for `target` go (RFC 5626 §5.3)

`target`, `follower` and `owner` are keyed sums of four octets. The transport is an octet of its own, and an address
bears its length: a flow that is a connection needs no other layout.
"""

from base64 import urlsafe_b64encode
from binascii import Error, a2b_base64
from functools import lru_cache
from hmac import compare_digest
from ipaddress import ip_address
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal
from switchboard.proxy.domains import DEFAULT_PORT, canonical_host
from switchboard.sip.uri import SipUri
from switchboard.transaction.commands import Peer

PARAM: Final = "sb"
NOBODY: Final = bytes(4)
UDP: Final = 1

_MAC = 8
_SUM = 4
_FLAGS = _MAC
_TARGET, _FOLLOWER, _OWNER = _MAC + 1, _MAC + 1 + _SUM, _MAC + 1 + 2 * _SUM
_FLOW = _OWNER + _SUM
_LONGEST = 400
_VERSION, _TO_CALLER, _BY_FLOW, _BY_NAME, _MAY_FOLLOW = 0x01, 0x10, 0x20, 0x40, 0x80
_VERSIONS = 0x0F
_TEXT = 0x80
"""Marks an address that is no plain IP address, such as one with a zone."""
_REMEMBERED = 4096
_new = tuple.__new__


class Side(NamedTuple):
    """One side of a dialog, as a seal tells.

    `flow`: where requests for its `target` go. `is_translated`: it is reached over the flow alone, whatever it
    names. `is_named`: the target is a name, to be resolved; the flow stands in if that leads nowhere.
    `is_caller`: the seal was made in a request of this side, not in a response.
    `may_follow`: whether who sends from the address `follower` may follow it wherever it moves.
    """

    flow: Peer
    target: bytes
    follower: bytes
    owner: bytes
    is_caller: bool
    is_translated: bool
    is_named: bool
    may_follow: bool


class DialogSeals:
    """Makes and reads seals with the switchboard's `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._sum = lru_cache(_REMEMBERED)(self._sum_of)

    def make(self, side: Side, call_id: str, tag: str) -> str:
        """Return the value of the parameter. `tag`: of the side that it leads to."""
        flags = _VERSION
        flags |= _TO_CALLER if side.is_caller else 0
        flags |= _BY_FLOW if side.is_translated else 0
        flags |= _BY_NAME if side.is_named else 0
        flags |= _MAY_FOLLOW if side.may_follow else 0
        claim = bytes((flags,)) + side.target + side.follower + side.owner + _packed_flow(side.flow)
        return urlsafe_b64encode(self._mac(call_id, tag, claim) + claim).rstrip(b"=").decode()

    def read(self, text: str, call_id: str, tag: str) -> Side | None:
        """Return what the parameter `text` (untrusted) tells of the side with this `tag`; None if it is not ours.

        Forged, cut and foreign ones are told from good ones in constant time.
        """
        sealed = _decoded(text) if tag else b""
        claim = sealed[_MAC:]
        if not compare_digest(self._mac(call_id, tag, claim), sealed[:_MAC]):
            return None
        flags = sealed[_FLAGS]
        if flags & _VERSIONS != _VERSION:
            return None
        sums = sealed[_TARGET:_FOLLOWER], sealed[_FOLLOWER:_OWNER], sealed[_OWNER:_FLOW]
        kind = flags & _TO_CALLER, flags & _BY_FLOW, flags & _BY_NAME, flags & _MAY_FOLLOW
        return _new(Side, (_flow(sealed[_FLOW:]), *sums, *map(bool, kind)))

    def target_of(self, uri: SipUri | None, text: str) -> bytes:
        """The sum over the address that a remote target names. `uri`: the `text` parsed, None if it is no SIP URI."""
        if uri is None:
            return self._sum(text)
        host, port = address_named(uri)
        return self._sum(f"{canonical_host(host)}:{port}")

    def host(self, host: str) -> bytes:
        """The sum over an address alone."""
        return self._sum(f"@{canonical_host(host)}")

    def user(self, name: str) -> bytes:
        """The sum over a user's name; `NOBODY` for "" ."""
        return self._sum(f"/{name}") if name else NOBODY

    def tag(self, call_id: str, tag: str, number: int, branch: str) -> str:
        """A To tag that is the same for all copies of one request: 32 bits, as RFC 3261 §19.3 wants it."""
        text = f"{call_id}\n{tag}\n{number}\n{branch}".encode("utf-8", "surrogateescape")
        return seal(self._key, Use.TAG, text, 4).hex()

    def _mac(self, call_id: str, tag: str, claim: bytes) -> bytes:
        text = f"{call_id}\n{tag}\n".encode("utf-8", "surrogateescape")
        return seal(self._key, Use.DIALOG, text + claim, _MAC)

    def _sum_of(self, text: str) -> bytes:
        return seal(self._key, Use.HOST, text.encode("utf-8", "surrogateescape"), _SUM)


def address_named(uri: SipUri) -> tuple[str, int]:
    """Return the host, without brackets, and the port that a URI is sent to (RFC 3261 §18.1.1, RFC 3263 §4.2)."""
    host = uri.param("maddr") or uri.host
    return host.strip("[]"), DEFAULT_PORT if uri.port is None else uri.port


def _decoded(text: str) -> bytes:
    """Return the octets; none of what is no whole seal."""
    if len(text) > _LONGEST or not text.isascii():
        return b""
    padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
    try:
        octets = a2b_base64(padded, strict_mode=True)
    except Error:
        return b""
    return octets if len(octets) > _FLOW else b""


def _packed_flow(flow: Peer) -> bytes:
    return bytes((UDP,)) + _packed(flow.local) + _packed(flow.host) + flow.port.to_bytes(2, "big")


def _flow(octets: bytes) -> Peer:
    """Return the flow of what `_packed_flow` made."""
    middle = 2 + (octets[1] & ~_TEXT)
    end = middle + 1 + (octets[middle] & ~_TEXT)
    port = int.from_bytes(octets[end : end + 2], "big")
    return _new(Peer, (_unpacked(octets[middle:end]), port, _unpacked(octets[1:middle])))


@lru_cache(_REMEMBERED)
def _packed(host: str) -> bytes:
    try:
        octets, kind = ip_address(host).packed, 0
    except ValueError:
        octets, kind = host.encode("utf-8", "surrogateescape")[: _TEXT - 1], _TEXT
    if kind == 0 and "%" in host:
        octets, kind = host.encode(), _TEXT
    return bytes((kind | len(octets),)) + octets


@lru_cache(_REMEMBERED)
def _unpacked(octets: bytes) -> str:
    if octets[0] & _TEXT:
        return octets[1:].decode("utf-8", "surrogateescape")
    return str(ip_address(octets[1:]))
