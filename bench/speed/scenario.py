"""What SIPp plays: a caller, and who answers."""

from dataclasses import dataclass, replace
from pathlib import Path

SCENARIOS = Path(__file__).with_name("scenarios")


@dataclass(frozen=True)
class Scenario:
    """`datagrams`: into and out of a proxy that answers INVITEs with 100, per call. `awaits_at`: what the caller's SDP
    names, "" for its own address.
    """

    caller: str
    callee: str
    datagrams: int
    invites: bool = True
    awaits_at: str = ""


CALL = Scenario("call", "answering", 13)
RELAYED = Scenario("call", "answering", 19)
"""With the commands to a media engine, and its answers."""
HIDDEN = replace(RELAYED, awaits_at="192.168.77.7")
"""The same, as `auto` relays it, too: the caller awaits media at a private address that it does not send from."""
CHALLENGED = Scenario("call", "challenging", 16)
"""By a provider that asks for a password."""
REFUSED = Scenario("refused", "refusing", 7)
CANCELLED = Scenario("cancelled", "ringing", 13)
MESSAGE = Scenario("message", "reading", 4, invites=False)
REGISTER = Scenario("register", "", 2, invites=False)
