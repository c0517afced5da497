"""Whether the media of a call is relayed, and what an engine is told of both sides.

Theory. `always` relays each call. `auto` relays where media could not pass between the sides by itself: one is a
browser and the other is not (DTLS-SRTP and ICE against plain RTP), their address families differ, or one of them awaits
media at a private address that means nothing to the other: it sends its messages from another address, or the other
side is at a public one. Without an engine the first two cannot be calls. The last one may: some phones send their media
to where other media comes from. So such a call goes on without an engine if none answers.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from switchboard.core.request import IncomingRequest
from switchboard.core.target import Target
from switchboard.media.sdp import Sdp
from switchboard.sip.flow import WS, WSS, Flow
from switchboard.sip.translation import is_private

AUTO: Final = "auto"
ALWAYS: Final = "always"
NEVER: Final = "never"

_WEB: Final = (WS, WSS)


class Kind(NamedTuple):
    """How a call is relayed. `is_needed`: it cannot be without."""

    from_web: bool
    to_web: bool
    is_needed: bool


class Reach(IntEnum):
    """Who reaches the addresses at which a caller awaits media."""

    ANYBODY = 0
    NEIGHBOURS = 1
    """Who is at a private address, too."""
    NOBODY = 2


def kind_of(mode: str, incoming: IncomingRequest, body: bytes, target: Target, flow: Flow) -> Kind | None:
    """Return how the INVITE `incoming`, whose SDP is `body`, is relayed to `target` over `flow`; None if it is not."""
    sdp = Sdp.parse(body)
    source = incoming.source
    from_web, to_web = source.transport in _WEB or sdp.is_web, flow.transport in _WEB
    differs = from_web != to_web or (":" in source.host) != (":" in flow.host)
    if mode == ALWAYS or differs:
        return Kind(from_web, to_web, True)
    reach = reach_of(sdp, source.host)
    is_hidden = reach is Reach.NOBODY or (reach is Reach.NEIGHBOURS and not is_private(flow.host))
    if from_web or not (is_hidden or is_behind(target, flow)):
        return None
    return Kind(from_web, to_web, False)


def reach_of(sdp: Sdp, source: str) -> Reach:
    """Return who reaches what a caller names in SDP, whose messages come from the host `source`."""
    private = [host for host in sdp.hosts if host not in ("0.0.0.0", "::") and is_private(host)]
    if any(host != source for host in private):
        return Reach.NOBODY
    return Reach.NEIGHBOURS if private else Reach.ANYBODY


def is_behind(target: Target, flow: Flow) -> bool:
    """Whether the callee names a private address that is not the one it is reached at."""
    host = target.uri.host.strip("[]")
    return is_private(host) and host != flow.host
