"""One branch of a response context: a client transaction, its timer C and its CANCEL (RFC 3261 §16.6-10)."""

from collections.abc import Sequence
from typing import Any

from switchboard.proxy.best import Final
from switchboard.proxy.forward import Plan
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import make_cancel
from switchboard.transaction.client import ClientState, ClientTransaction
from switchboard.transaction.commands import Turn
from switchboard.transaction.layer import TransactionLayer


class Branch:
    """A request on its way to one target. `final` is None until it ended; `context` owns the decision.

    `given_up`: a timer ended it. `redirected`: its 3xx is followed and no candidate any more (§16.7 step 4).

    Timer "C" bounds how long a callee may ring (§16.8), "X" how long a CANCEL is waited for (§9.1).
    """

    __slots__ = (
        "_cancel_wanted",
        "_reasons",
        "armed",
        "client",
        "context",
        "final",
        "given_up",
        "layer",
        "plan",
        "redirected",
    )

    def __init__(self, context: object, layer: TransactionLayer, plan: Plan) -> None:
        self.context = context
        self.layer = layer
        self.plan = plan
        self.armed: dict[str, float] = {}
        self.client: ClientTransaction | None = None
        self.final: Final | None = None
        self.given_up = False
        self.redirected = False
        self._cancel_wanted = False
        self._reasons: Sequence[bytes] = ()

    @property
    def is_invite(self) -> bool:
        return self.client is not None and self.client.key[1] == "INVITE"

    @property
    def is_alive(self) -> bool:
        """Whether anything may still come of this branch."""
        return self.final is None or (
            self.client is not None and self.client.state is not ClientState.TERMINATED
        )

    def saved(self, *, whole: bool) -> list[Any]:
        """What `restore` makes this branch of again; without the response that it ended in unless `whole`."""
        final = [self.final.status, _raw(self.final.message) if whole else None] if self.final else None
        flags = [self.given_up, self.redirected, self._cancel_wanted]
        client = self.client.saved() if self.client else None
        return [self.plan.saved(), self.armed, final, flags, list(self._reasons), client]

    @classmethod
    def restore(cls, context: object, layer: TransactionLayer, record: list[Any]) -> "Branch":
        """Return the branch that `saved` was asked of, its timers armed for the same instants."""
        plan, armed, final, flags, reasons, client = record
        branch = cls(context, layer, Plan.restore(plan))
        if final:
            status, raw = final
            branch.final = Final(status, parse_message(raw) if raw else None)
        branch.given_up, branch.redirected, branch._cancel_wanted = flags
        branch._reasons = reasons
        if client:
            branch.client = layer.restore_client(client, branch)
        for letter, when in armed.items():
            layer.timers.arm(branch, letter, when)
        return branch

    def watch(self, now: float) -> None:
        """Start timer C, or start it anew after a provisional response."""
        if "X" not in self.armed:
            self.layer.timers.arm(self, "C", now + self.layer.values.c)

    def end(self, final: Final) -> None:
        """Take the final response."""
        self.final = final
        self.armed.clear()

    def cancel(self, turn: Turn, reasons: Sequence[bytes] = ()) -> None:
        """End this branch: by a CANCEL as soon as a provisional response allows it (§9.1)."""
        if self.final or self._cancel_wanted:
            return
        if self.client is None:
            self.end(Final(487))
        elif self.is_invite:
            self._cancel_wanted = True
            self._reasons = reasons
            self.send_held_cancel(turn)

    def send_held_cancel(self, turn: Turn) -> None:
        """Send the CANCEL if one is wanted, none was sent, and the callee has been heard of."""
        client = self.client
        if not self._cancel_wanted or "X" in self.armed or client is None or not client.is_proceeding:
            return
        raw = make_cancel(parse_message(client.raw), self._reasons)
        self.layer.open_client(client.key[0], "CANCEL", client.peer, raw, None, turn)
        self.armed.clear()
        self.layer.timers.arm(self, "X", turn.now + self.layer.values.lifetime)


def _raw(message: Message | None) -> bytes | None:
    return message.raw if message else None
