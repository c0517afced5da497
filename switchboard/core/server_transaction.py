"""Server transactions (RFC 3261 §17.2, with RFC 6026's ACCEPTED state and RFC 4320's rule on 100).

Theory. A server transaction answers a repeated request with its last response, so its user sees each request once.
For an INVITE it also repeats a failure until the ACK comes, except a failure without a provisional response before
it: that one could be sent to a forged address, and a caller who has heard nothing repeats the INVITE.

    INVITE      PROCEEDING -2xx-> ACCEPTED -timer L-> TERMINATED
                           -3xx..6xx-> COMPLETED (timer G repeats) -ACK-> CONFIRMED -timer I-> TERMINATED
                                                                      -timer H-> TERMINATED
    others      TRYING -1xx-> PROCEEDING -final-> COMPLETED -timer J-> TERMINATED

In ACCEPTED repeated INVITEs are absorbed, and further 2xx of other forks are sent: the 2xx are repeated and
acknowledged end to end, without the transaction. States and timers bear the RFC's names.

Over a reliable transport nothing is repeated (no timer G). Timers I and J should be 0 there; they are T4, because a
connection whose process died may hand a request on twice, and may lose an answer, which is then sent again.
"""

from enum import IntEnum
from typing import Final

from switchboard.core.commands import Fields, Reader, TransactionEffects
from switchboard.core.timers import Timers, TimerValues, Waiting
from switchboard.sip.dispatch import ServerKey
from switchboard.sip.flow import Flow, is_reliable


class ServerState(IntEnum):
    """States of figures 7 and 8; ACCEPTED from RFC 6026 §7.1. The numbers are those in the log."""

    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    CONFIRMED = 4
    ACCEPTED = 5
    TERMINATED = 6


# the same as plain numbers, which compile to C
_TRYING: Final = int(ServerState.TRYING)
_PROCEEDING: Final = int(ServerState.PROCEEDING)
_COMPLETED: Final = int(ServerState.COMPLETED)
_CONFIRMED: Final = int(ServerState.CONFIRMED)
_ACCEPTED: Final = int(ServerState.ACCEPTED)
_TERMINATED: Final = int(ServerState.TERMINATED)


class ServerTransaction(Waiting):
    """What both kinds share: whom to answer, what was answered last, and the timers.

    `trying`: the 100 that a non-INVITE has ready.
    """

    __slots__ = (
        "_interval", "_timers", "_values", "key", "last", "flow", "reader", "state", "trying", "user",
    )  # fmt: skip

    def __init__(
        self, key: ServerKey, flow: Flow, reader: Reader, timers: Timers, values: TimerValues
    ) -> None:
        self.armed = {}
        self.key = key
        self.flow = flow
        self.reader = reader
        self.last: bytes | None = None
        self.trying = b""
        self.user: object = None
        self.state: int = _TRYING
        self._interval = values.t1
        self._timers = timers
        self._values = values

    def fixed(self) -> Fields:
        """What does not change any more once the request has been taken in."""
        return self.key, self.flow.pack(), self.reader, self.trying

    def changing(self) -> Fields:
        """What `restore_server` needs besides, in another process of this machine."""
        return self.state, self._interval, self.last, self.armed

    @property
    def is_over(self) -> bool:
        """Whether it is to be forgotten."""
        return self.state == _TERMINATED

    @property
    def is_finished(self) -> bool:
        """Whether a final response was sent."""
        return self.state > _PROCEEDING

    def age_s(self, now: float) -> float:
        """How long ago a non-INVITE that has no final response came; 0.0 of others."""
        ends = self.armed.get("J")
        return 0.0 if ends is None or self.is_finished else now + 2 * self._values.lifetime - ends

    def repeat(self, effects: TransactionEffects) -> None:
        """Answer a retransmission of the request from the state."""
        if self.last is not None:
            self._send(self.last, effects)

    def respond(self, status: int, raw: bytes, effects: TransactionEffects) -> None:
        raise NotImplementedError

    def fire(self, letter: str, effects: TransactionEffects) -> None:
        raise NotImplementedError

    def _send(self, raw: bytes, effects: TransactionEffects) -> None:
        effects.send_response(self.flow, raw, self.reader)

    def _terminate(self) -> None:
        self.state = _TERMINATED
        self.armed.clear()


class InviteServerTransaction(ServerTransaction):
    """§17.2.1 and RFC 6026 §7.1. Starts in PROCEEDING; the 100 comes from the transaction user."""

    __slots__ = ()

    def __init__(
        self, key: ServerKey, flow: Flow, reader: Reader, timers: Timers, values: TimerValues
    ) -> None:
        ServerTransaction.__init__(self, key, flow, reader, timers, values)
        self.state = _PROCEEDING

    def repeat(self, effects: TransactionEffects) -> None:
        """Send the last response again; an accepted or confirmed INVITE is only absorbed."""
        if self.state == _PROCEEDING or self.state == _COMPLETED:
            ServerTransaction.repeat(self, effects)

    def respond(self, status: int, raw: bytes, effects: TransactionEffects) -> None:
        """Send a response of the transaction user; what the state does not allow any more is dropped."""
        effects.touch(self)
        if self.state == _ACCEPTED:
            if 200 <= status < 300:
                self._send(raw, effects)
        elif self.state == _PROCEEDING:
            self._send(raw, effects)
            is_first, self.last = self.last is None, raw
            if 200 <= status < 300:
                self._accept(effects)
            elif status >= 300:
                self._complete(effects, not is_first)

    @property
    def has_failed(self) -> bool:
        """Whether its client has heard a failure; not known any more of one that is over."""
        return self.state in (_COMPLETED, _CONFIRMED)

    def acknowledge(self, effects: TransactionEffects) -> bool:
        """Take an ACK; False if it does not belong to this transaction (the ACK for a 2xx, §13.2.2.4)."""
        if self.state == _COMPLETED:
            effects.touch(self)
            self.state = _CONFIRMED
            self.last = None
            self.armed.clear()
            self._timers.arm(self, "I", effects.now + self._values.t4)
        return self.state != _ACCEPTED

    def fire(self, letter: str, effects: TransactionEffects) -> None:
        """Timer G repeats the final response; H, I and L end the transaction."""
        effects.touch(self)
        if letter != "G":
            self._terminate()
            return
        self.repeat(effects)
        self._interval = min(2 * self._interval, self._values.t2)
        self._timers.arm(self, "G", effects.now + self._interval)

    def _accept(self, effects: TransactionEffects) -> None:
        self.state = _ACCEPTED
        self.last = None
        self._timers.arm(self, "L", effects.now + self._values.lifetime)

    def _complete(self, effects: TransactionEffects, repeat: bool) -> None:
        """A refusal that nothing preceded is not repeated by itself: who heard nothing repeats the INVITE,
        and who forged its source cannot have us send more than he sends.
        """
        self.state = _COMPLETED
        if repeat and not is_reliable(self.flow.transport):
            self._timers.arm(self, "G", effects.now + self._interval)
        self._timers.arm(self, "H", effects.now + self._values.lifetime)


class NonInviteServerTransaction(ServerTransaction):
    """§17.2.2. Timer "T", no letter of the RFC, sends a 100 as the client slows down (RFC 4320 §4.1)."""

    __slots__ = ()

    def expect(self, trying: bytes, effects: TransactionEffects) -> None:
        """Have the 100 `trying` ready for a request that is being forwarded."""
        effects.touch(self)
        self.trying = trying
        self._timers.arm(self, "T", effects.now + self._values.first_trying)
        self._timers.arm(self, "J", effects.now + 2 * self._values.lifetime)

    def respond(self, status: int, raw: bytes, effects: TransactionEffects) -> None:
        """Send a response of the transaction user; after a final one nothing more leaves."""
        if self.is_finished:
            return
        effects.touch(self)
        self._send(raw, effects)
        self.last = raw
        if status < 200:
            self.state = _PROCEEDING
            return
        self.state = _COMPLETED
        self.armed.pop("T", None)
        lasts = self._values.t4 if is_reliable(self.flow.transport) else self._values.lifetime
        self._timers.arm(self, "J", effects.now + lasts)

    def fire(self, letter: str, effects: TransactionEffects) -> None:
        """ "T" sends the 100; timer J ends the transaction, answered or given up (RFC 4320 §4.2)."""
        effects.touch(self)
        if letter == "T":
            self.respond(100, self.trying, effects)
        else:
            self._terminate()


def restore_server(
    fixed: Fields, changing: Fields, timers: Timers, values: TimerValues, now: float
) -> ServerTransaction:
    """Return the transaction that wrote this, its timers armed as `Timers.rearm` says."""
    key, flow, reader, trying = fixed
    state, interval, last, armed = changing
    kind = InviteServerTransaction if key[-1] == "INVITE" else NonInviteServerTransaction
    transaction = kind(key, Flow.unpack(flow), Reader(*reader), timers, values)
    transaction.trying, transaction.last = trying, last
    transaction.state = state
    transaction._interval = interval
    timers.rearm(transaction, armed, now)
    return transaction
