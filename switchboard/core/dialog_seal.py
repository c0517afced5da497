"""The seal in our Record-Route: it proves to which dialog a Route belongs, and where the sides of the dialog are.

Theory. A proxy that keeps no dialogs has to ask the message where to send it, and an attacker can write anything
into a message. So the proxy hands its knowledge to the phones, as a web server does with a signed cookie. The
Record-Route has a parameter with the flow of each side and a keyed hash over it, the Call-ID and the caller's tag.
Phones return it as a Route in each request of the dialog. A Route with a valid hash is our own statement about this
dialog. So the way of a request depends neither on its claims nor on registrations since, and a dialog survives every
restart.

    sb = base64url(mac, flags, size of the caller's side, caller, callee)

    mac       8 octets over all that follows, the Call-ID and the caller's tag
    a side    kind, target, owner, flow
    target    hash of the address that this side's Contact (or the next proxy's Record-Route) names
    owner     hash of the user of ours at this side, zeros for nobody
    flow      as it crosses the bus (`sip/flow.py`): where requests for `target` go (RFC 5626 §5.3); the callee's
              without our address if that is the same as the caller's

`target` and `owner` are keyed hashes of four octets. The caller is the sender of the request with this Record-Route.
"""

from binascii import Error, a2b_base64, b2a_base64
from functools import lru_cache
from hmac import compare_digest
from typing import Final, NamedTuple

from switchboard.auth.keys import Use, seal
from switchboard.bounded import Cache
from switchboard.core.domains import canonical_host
from switchboard.core.place import address_named
from switchboard.sip.flow import Flow, with_local, without_local
from switchboard.sip.uri import SipUri

PARAM: Final = "sb"
NOBODY: Final = bytes(4)

_MAC = 8
_SUM = 4
_VERSION, _SAME_LOCAL = 0x01, 0x10
_VERSIONS = 0x0F
_TRANSLATED, _NAMED, _MAY_FOLLOW, _CLAIMED = 0x01, 0x02, 0x04, 0x08
_LONGEST = 700
_SHORTEST = _MAC + 2 + 2 * (1 + 2 * _SUM)
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_REMEMBERED = 4096
_REMEMBERED_LENGTH = 256
_new = tuple.__new__


class Side(NamedTuple):
    """One side of a dialog, as a seal tells.

    `flow`: where requests for its `target` go. `is_translated`: it is reached over the flow alone, whatever it names.
    `is_named`: the target is a name, to be resolved; the flow stands in if that leads nowhere. `may_follow`: whether it
    may follow the other side wherever that moves, while it sends from its own flow. `is_claimed`: a
    stranger claims the address, but sends from another one; so requests to it must come from the other side's flow.
    """

    flow: Flow
    target: bytes
    owner: bytes
    is_translated: bool
    is_named: bool
    may_follow: bool
    is_claimed: bool = False


class Sides(NamedTuple):
    """Both sides of a dialog."""

    caller: Side
    callee: Side


class DialogSeals:
    """Makes and reads seals with the switchboard's `key`."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self._targets: Cache[str, bytes] = Cache(_REMEMBERED)
        self._user = lru_cache(_REMEMBERED)(self._user_of)

    def make(self, sides: Sides, call_id: str, tag: str) -> str:
        """Return the value of the parameter. `tag`: the caller's."""
        is_same = sides.caller.flow.local == sides.callee.flow.local
        caller, callee = packed_side(sides.caller, True), packed_side(sides.callee, not is_same)
        flags = _VERSION | _SAME_LOCAL if is_same else _VERSION
        claim = bytes((flags, len(caller))) + caller + callee
        octets = b2a_base64(self._mac(call_id, tag, claim) + claim, newline=False)
        return octets.translate(_TO_URL, b"=").decode()

    def read(self, text: str, call_id: str, tag: str) -> Sides | None:
        """Return what the parameter `text` (untrusted) tells, if it was made for a caller with this `tag`.

        Forged, cut and foreign ones are told from good ones in constant time.
        """
        sealed = _decoded(text)
        return self._opened(sealed, call_id, tag) if sealed else None

    def lead(self, text: str, call_id: str, from_tag: str, to_tag: str) -> tuple[Side, Side] | None:
        """Return for a request with these tags the side that it goes to, and that of its sender; None if not ours."""
        sealed = _decoded(text)
        if not sealed:
            return None
        sides = self._opened(sealed, call_id, from_tag)
        if sides is not None:
            return sides.callee, sides.caller
        sides = self._opened(sealed, call_id, to_tag)
        return None if sides is None else (sides.caller, sides.callee)

    def target_of(self, uri: SipUri | None, text: str) -> bytes:
        """The hash of the address that a remote target names. `uri`: the `text` parsed, None if it is not a URI."""
        known = self._targets.get(text)
        return self._learn(text, uri) if known is None else known

    def user(self, name: str) -> bytes:
        """The hash of a user's name; `NOBODY` for "" ."""
        return self._user(name) if len(name) <= _REMEMBERED_LENGTH else self._user_of(name)

    def tag(self, call_id: str, tag: str, number: int, branch: str) -> str:
        """A To tag that is the same for all copies of one request: 32 bits, as RFC 3261 §19.3 wants it."""
        text = f"{call_id}\n{tag}\n{number}\n{branch}".encode("utf-8", "surrogateescape")
        return seal(self.key, Use.TAG, text, 4).hex()

    def _opened(self, sealed: bytes, call_id: str, tag: str) -> Sides | None:
        claim = sealed[_MAC:]
        if not compare_digest(self._mac(call_id, tag, claim), sealed[:_MAC]) or not tag:
            return None
        flags, end = claim[0], 2 + claim[1]
        if flags & _VERSIONS != _VERSION:
            return None
        caller = _side(claim[2:end], None)
        callee = _side(claim[end:], caller.flow.local if flags & _SAME_LOCAL else None)
        return _new(Sides, (caller, callee))

    def _mac(self, call_id: str, tag: str, claim: bytes) -> bytes:
        text = f"{call_id}\n{tag}\n".encode("utf-8", "surrogateescape")
        return seal(self.key, Use.DIALOG, text + claim, _MAC)

    def _learn(self, text: str, uri: SipUri | None) -> bytes:
        named = text
        if uri is not None and uri.has_host:
            host, port = address_named(uri)
            named = f"{canonical_host(host)}:{port}"
        target = self._sum(named)
        if len(text) <= _REMEMBERED_LENGTH:
            self._targets.keep(text, target)
        return target

    def _user_of(self, name: str) -> bytes:
        return self._sum(f"/{name}") if name else NOBODY

    def _sum(self, text: str) -> bytes:
        return seal(self.key, Use.HOST, text.encode("utf-8", "surrogateescape"), _SUM)


def _decoded(text: str) -> bytes:
    """Return the octets; b"" if the text is not a whole seal."""
    if len(text) > _LONGEST or not text.isascii():
        return b""
    padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
    try:
        octets = a2b_base64(padded, strict_mode=True)
    except Error:
        return b""
    return octets if len(octets) > _SHORTEST else b""


@lru_cache(_REMEMBERED)
def packed_side(side: Side, has_local: bool) -> bytes:
    """Return the octets of a side, with our address in its flow or without."""
    kind = _TRANSLATED if side.is_translated else 0
    kind |= _NAMED if side.is_named else 0
    kind |= _MAY_FOLLOW if side.may_follow else 0
    kind |= _CLAIMED if side.is_claimed else 0
    flow = side.flow.pack()
    return bytes((kind,)) + side.target + side.owner + (flow if has_local else without_local(flow))


@lru_cache(_REMEMBERED)
def _side(packed: bytes, local: str | None) -> Side:
    """Return the side of what `packed_side` made. `local`: our address, if that is not in it."""
    kind, target, owner = packed[0], packed[1 : 1 + _SUM], packed[1 + _SUM : 1 + 2 * _SUM]
    flow = packed[1 + 2 * _SUM :]
    kinds = [kind & each != 0 for each in (_TRANSLATED, _NAMED, _MAY_FOLLOW, _CLAIMED)]
    return Side(Flow.unpack(flow if local is None else with_local(flow, local)), target, owner, *kinds)
