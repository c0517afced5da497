"""What our Record-Route proves when it comes back as a Route: that we are in this dialog, and where it leads.

    sb = seal of 16 digits, kind, tag of the caller's address, tags of the other hosts that it leads to

The seal is over all that follows, the Call-ID and the caller's tag: worth nothing in another dialog, nor for
hosts that this one does not lead to. Kind `r`: the caller may reach any host, from where it called.
"""

from collections.abc import Iterable
from functools import lru_cache
from hmac import compare_digest
from typing import Final

from switchboard.auth.keys import Use, seal
from switchboard.proxy.domains import canonical_host

PARAM: Final = "sb"
_SEAL = 16
_TAG = 6
_REMEMBERED = 4096
_RELAYED, _PLAIN = "r", "p"


class Dialogs:
    """Makes and reads these proofs with the switchboard's `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._tag = lru_cache(_REMEMBERED)(self._tag_of)

    def prove(self, call_id: str, tag: str, caller: str, hosts: Iterable[str], *, relayed: bool) -> str:
        """The value of the parameter for a dialog that the address `caller` begins with From tag `tag`."""
        tags = dict.fromkeys(self._tag(canonical_host(host)) for host in (caller, *hosts))
        claim = (_RELAYED if relayed else _PLAIN) + "".join(tags)
        return self._seal(call_id, tag, claim) + claim

    def leads(self, proof: str, call_id: str, tags: Iterable[str], source: str, host: str) -> bool:
        """Whether a request of the dialog with these `tags`, from the address `source`, may go to `host`."""
        given, kind, hosts = proof[:_SEAL], proof[_SEAL : _SEAL + 1], proof[_SEAL + 1 :]
        if not any(self._is_sealed(given, call_id, tag, kind + hosts) for tag in tags):
            return False
        if kind == _RELAYED and self._tag(canonical_host(source)) == hosts[:_TAG]:
            return True
        wanted = self._tag(canonical_host(host))
        return any(hosts[at : at + _TAG] == wanted for at in range(0, len(hosts), _TAG))

    def tag(self, call_id: str, tag: str, number: int, branch: str) -> str:
        """A To tag that is the same for all copies of one request: 32 bits, as RFC 3261 §19.3 wants it."""
        text = f"{call_id}\n{tag}\n{number}\n{branch}".encode("utf-8", "surrogateescape")
        return seal(self._key, Use.TAG, text, 4).hex()

    def _is_sealed(self, given: str, call_id: str, tag: str, claim: str) -> bool:
        expected = self._seal(call_id, tag, claim).encode()
        return compare_digest(expected, given.encode("utf-8", "surrogateescape"))

    def _seal(self, call_id: str, tag: str, claim: str) -> str:
        text = f"{call_id}\n{tag}\n{claim}".encode("utf-8", "surrogateescape")
        return seal(self._key, Use.DIALOG, text, _SEAL // 2).hex()

    def _tag_of(self, host: str) -> str:
        return seal(self._key, Use.HOST, host.encode("utf-8", "surrogateescape"), _TAG // 2).hex()
