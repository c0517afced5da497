"""The trunks as routers see them: where calls to a provider go, in whose name, and what comes from it for whom.

Theory. The switchboard is a user agent of the provider, which knows it by an account. Our Contact there has an opaque
user part, the token, which the switchboard's key makes of the trunk's name: so every router knows it, and nobody else
can make one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from switchboard.auth.keys import Use, seal
from switchboard.core.domains import Network

FROM, ASSERTED, NONE = "from", "p-asserted", "none"
ANY_NUMBER: Final = "*"
PARAM: Final = "trunk"
"""Of a URI in the dial plan: by which trunk it goes; it never leaves us."""
_TOKEN: Final = "trunk-"
_TOKEN_OCTETS: Final = 10


@dataclass(frozen=True, slots=True)
class Trunk:
    """One account. `uri`: of the provider, without user. `domain`: of the identities there.

    `identity`: how the provider is told who calls: in From, in P-Asserted-Identity, or not at all, so that the phone's
    own From remains. `callers`: the number of a user; `caller`: that of all others. `numbers`: which number is whose;
    ANY_NUMBER for all others. `sources`: networks from which the provider calls, besides what its name leads to.
    """

    name: str
    uri: str
    domain: str
    user: str
    auth_user: str = ""
    identity: str = FROM
    caller: str = ""
    callers: Mapping[str, str] = field(default_factory=dict)
    numbers: Mapping[str, str] = field(default_factory=dict)
    sources: tuple[Network, ...] = ()

    def number_of(self, user: str) -> str:
        """The number, or name, by which the provider is to know a call of `user`."""
        return self.callers.get(user) or self.caller or self.user


def token_of(key: bytes, trunk: str) -> str:
    """The user part of our Contact at the provider. `key`: the switchboard's."""
    return _TOKEN + seal(key, Use.TRUNK, trunk.encode("utf-8", "surrogateescape"), _TOKEN_OCTETS).hex()
