"""Asks an address whether a phone is there: one OPTIONS (RFC 3261 §11), a client transaction that nobody saves.

Any final response, also a refusal, comes from somebody who is there. A request is given up after PATIENCE_S, since a
phone that is gone is not to get more copies. The Call-IDs begin with PROBE_CALL_ID: history and figures leave these
requests out.
"""

from typing import Final, Protocol

from switchboard.core.client_transaction import ClientTransaction
from switchboard.core.commands import ProxyEffects
from switchboard.core.environment import Environment
from switchboard.core.forwarding import Plan
from switchboard.core.own_requests import PROBE_END, OwnRequest
from switchboard.core.preprocess import DEFAULT_MAX_FORWARDS
from switchboard.core.targets import PROBE_CALL_ID
from switchboard.core.timers import Waiting
from switchboard.sip.flow import NAMES, Flow, bracketed
from switchboard.sip.message import Message

PATIENCE_S: Final = 4.0
_PATIENCE: Final = "Q"


class Asker(Protocol):
    """Who wants to know."""

    def answered(self, probe: "Probe", effects: ProxyEffects) -> None: ...
    def gave_up(self, probe: "Probe", effects: ProxyEffects) -> None: ...


class Probe(OwnRequest):
    """One request that is under way: the user of its client transaction. `about`: what its asker makes of it."""

    __slots__ = ("_asker", "_client", "_env", "about", "began")

    def __init__(self, asker: Asker, about: object, env: Environment, began: float) -> None:
        Waiting.__init__(self)
        self.about = about
        self.began = began
        self._asker = asker
        self._env = env
        self._client: ClientTransaction | None = None

    def send(self, found: Plan, flow: Flow, effects: ProxyEffects) -> None:
        """Ask at the end of `flow`, as is planned."""
        env = self._env
        number = env.branches.numbers.branches + 1
        branch = env.branches.next(PROBE_END)
        here = f"{bracketed(flow.local)}:{env.policy.own.port_of(flow.transport)}"
        lines = [
            f"OPTIONS {found.text} SIP/2.0",
            f"Via: SIP/2.0/{NAMES[flow.transport]} {here};branch={branch}",
            *(f"Route: {route}" for route in found.routes),
            f"From: <sip:{here}>;tag={env.incarnation}q{number:x}",
            f"To: <{found.target.text}>",
            f"Call-ID: {PROBE_CALL_ID}{env.incarnation}-{number:x}",
            "CSeq: 1 OPTIONS",
            f"Max-Forwards: {DEFAULT_MAX_FORWARDS}",
            "Accept: application/sdp",
            "Content-Length: 0",
        ]
        raw = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        self._client = env.layer.open_client(branch, "OPTIONS", flow, raw, self, effects)
        env.layer.timers.arm(self, _PATIENCE, effects.now + PATIENCE_S)

    def receive(self, response: Message, effects: ProxyEffects) -> None:
        """A response came: a final one, whatever it says, tells that somebody is there."""
        if response.status >= 200:
            self._end()
            self._asker.answered(self, effects)

    def fail(self, status: int, effects: ProxyEffects) -> None:  # noqa: ARG002
        """Nobody answered in time, or the network says that nobody is there."""
        self._end()
        self._asker.gave_up(self, effects)

    def fire(self, letter: str, effects: ProxyEffects) -> None:  # noqa: ARG002
        """Nobody answered for PATIENCE_S."""
        self.fail(408, effects)

    def _end(self) -> None:
        self.armed.clear()
        client, self._client = self._client, None
        if client is not None:
            self._env.layer.abandon(client)
