"""What SIPp plays: a caller, and who answers."""

from dataclasses import dataclass
from pathlib import Path

SCENARIOS = Path(__file__).with_name("scenarios")


@dataclass(frozen=True)
class Scenario:
    """`datagrams`: into and out of a proxy that answers INVITEs with 100, per call."""

    caller: str
    callee: str
    datagrams: int
    invites: bool = True


CALL = Scenario("call", "answering", 13)
RELAYED = Scenario("call", "answering", 19)
"""With the commands to a media engine, and its answers."""
CHALLENGED = Scenario("call", "challenging", 16)
"""By a provider that asks for a password."""
REFUSED = Scenario("refused", "refusing", 7)
CANCELLED = Scenario("cancelled", "ringing", 13)
MESSAGE = Scenario("message", "reading", 4, invites=False)
REGISTER = Scenario("register", "", 2, invites=False)
