"""Client transactions (RFC 3261 §17.1, with RFC 6026's ACCEPTED state).

Theory. A client transaction repeats its request until a response comes, and reports each response once. The INVITE
has a machine of its own, since its answer may take minutes: any provisional response ends the repetitions.

    INVITE      TRYING -1xx-> PROCEEDING -2xx-> ACCEPTED -timer M-> TERMINATED
                                         -3xx..6xx-> COMPLETED (an ACK for each copy) -timer D-> TERMINATED
    others      TRYING -1xx-> PROCEEDING (repeats go on, every T2) -final-> COMPLETED -timer K-> TERMINATED

TRYING can go directly where PROCEEDING goes. Timer A (E) repeats the request at growing intervals. Timer B (F) gives
up after 64 T1: over INVITE only in TRYING, over other requests also in PROCEEDING. ACCEPTED exists because forks
downstream may send several 2xx, and a proxy has to forward every one.

Over a reliable transport nothing is repeated (no timer A or E), and K is 0. Timer D should be 0 there, too; it is T4: a
connection whose process died together with the router's may have lost the ACK, but then it hands the response on twice.
"""

from enum import IntEnum
from typing import Final

from switchboard.core.commands import Fields, TransactionEffects
from switchboard.core.timers import Timers, TimerValues, Waiting
from switchboard.sip.dispatch import ClientKey
from switchboard.sip.flow import Flow, is_reliable
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import make_ack


class ClientState(IntEnum):
    """States of figures 5 and 6; ACCEPTED from RFC 6026 §7.2. TRYING is the INVITE's CALLING.

    The numbers are those in the log.
    """

    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    ACCEPTED = 5
    TERMINATED = 6


# the same as plain numbers, which compile to C
_TRYING: Final = int(ClientState.TRYING)
_PROCEEDING: Final = int(ClientState.PROCEEDING)
_COMPLETED: Final = int(ClientState.COMPLETED)
_ACCEPTED: Final = int(ClientState.ACCEPTED)
_TERMINATED: Final = int(ClientState.TERMINATED)


class ClientTransaction(Waiting):
    """Sends one request until it is answered. `user` belongs to the transaction user.

    `fire` returns True when the request has timed out (timer B or F): the user takes it as a 408 (§16.9).
    """

    __slots__ = ("_interval", "_timers", "_values", "key", "flow", "raw", "state", "user")

    def __init__(
        self, key: ClientKey, flow: Flow, raw: bytes, timers: Timers, values: TimerValues, user: object = None
    ) -> None:
        self.armed = {}
        self.key = key
        self.flow = flow
        self.raw = raw
        self.user = user
        self.state: int = _TRYING
        self._interval = values.t1
        self._timers = timers
        self._values = values

    @property
    def is_over(self) -> bool:
        """Whether nothing is sent and nothing is awaited any more."""
        return self.state == _TERMINATED

    @property
    def is_proceeding(self) -> bool:
        """Whether a provisional response came, and no final one: the time for a CANCEL (§9.1)."""
        return self.state == _PROCEEDING

    def fixed(self) -> Fields:
        """What does not change any more once the request has been sent."""
        return self.key, self.flow.pack(), self.raw

    def changing(self) -> Fields:
        """What `restore_client` needs besides, in another process of this machine."""
        return self.state, self._interval, self.armed

    def start(self, effects: TransactionEffects, *, waits: bool = False) -> None:
        """Send the request for the first time; `waits`: `repeat` or a timer does that, whichever comes first."""
        effects.touch(self)
        if not waits:
            self._send(effects)
        if not is_reliable(self.flow.transport):
            self._timers.arm(self, "A", effects.now + self._interval)
        self._timers.arm(self, "B", effects.now + self._values.lifetime)

    def receive(self, response: Message, effects: TransactionEffects) -> bool:
        """Take a response; True if the transaction user is to see it."""
        raise NotImplementedError

    def fire(self, letter: str, effects: TransactionEffects) -> bool:
        """Timers A (E) and B (F); D, K and M end the transaction."""
        effects.touch(self)
        if letter == "A":
            self._retransmit(effects)
            return False
        self.end()
        return letter == "B"

    def fail(self, effects: TransactionEffects) -> bool:
        """The request cannot be delivered (§17.1.4, §18.4): the end, if nobody has answered anything yet.

        True: it is; the user takes it as a 503 (§16.9).
        """
        if self.state != _TRYING:
            return False
        effects.touch(self)
        self.end()
        return True

    def skip(self, effects: TransactionEffects) -> None:
        """Timer A (E) fired, and nothing is to be sent."""
        effects.touch(self)
        self._wait(effects)

    def _retransmit(self, effects: TransactionEffects) -> None:
        self._send(effects)
        self._wait(effects)

    def _wait(self, effects: TransactionEffects) -> None:
        raise NotImplementedError

    def repeat(self, effects: TransactionEffects) -> None:
        """Send the request if nobody has answered it: again, or since it has waited."""
        if self.state == _TRYING:
            self._send(effects)

    def _finish(self, state: int, letter: str, after: float, effects: TransactionEffects) -> None:
        self.state = state
        self.armed.clear()
        self._timers.arm(self, letter, effects.now + after)

    def _send(self, effects: TransactionEffects) -> None:
        effects.send_request(self.flow, self.raw)

    def end(self) -> None:
        """Nothing is sent and nothing is awaited any more."""
        self.state = _TERMINATED
        self.armed.clear()


class InviteClientTransaction(ClientTransaction):
    """§17.1.1 and RFC 6026 §7.2: acknowledges non-2xx finals hop by hop, lets every 2xx pass."""

    __slots__ = ()

    def receive(self, response: Message, effects: TransactionEffects) -> bool:
        status = response.status
        effects.touch(self)
        if self.state <= _PROCEEDING:
            if status < 200:
                self.state = _PROCEEDING
                self.armed.clear()
            elif status < 300:
                self._finish(_ACCEPTED, "M", self._values.lifetime, effects)
                self.raw = b""
            else:
                self._acknowledge(response, effects)
                after = self._values.t4 if is_reliable(self.flow.transport) else self._values.d
                self._finish(_COMPLETED, "D", after, effects)
            return True
        if self.state == _COMPLETED and status >= 300:
            self._acknowledge(response, effects)
        return self.state == _ACCEPTED and 200 <= status < 300

    def _wait(self, effects: TransactionEffects) -> None:
        self._interval *= 2
        self._timers.arm(self, "A", effects.now + self._interval)

    def _acknowledge(self, response: Message, effects: TransactionEffects) -> None:
        effects.send_request(self.flow, make_ack(parse_message(self.raw), response))


class NonInviteClientTransaction(ClientTransaction):
    """§17.1.2. Timers E, F and K; E and F are armed as "A" and "B", which play the same parts."""

    __slots__ = ()

    def receive(self, response: Message, effects: TransactionEffects) -> bool:
        if self.state >= _COMPLETED:
            return False
        effects.touch(self)
        if response.status < 200:
            self.state = _PROCEEDING
        elif is_reliable(self.flow.transport):
            self.end()
        else:
            self._finish(_COMPLETED, "K", self._values.t4, effects)
        return True

    def _wait(self, effects: TransactionEffects) -> None:
        calm = self.state == _PROCEEDING
        self._interval = self._values.t2 if calm else min(2 * self._interval, self._values.t2)
        self._timers.arm(self, "A", effects.now + self._interval)


def restore_client(
    fixed: Fields, changing: Fields, timers: Timers, values: TimerValues, now: float, user: object = None
) -> ClientTransaction:
    """Return the transaction that wrote this, its timers armed as `Timers.rearm` says."""
    key, flow, raw = fixed
    state, interval, armed = changing
    kind = InviteClientTransaction if key[1] == "INVITE" else NonInviteClientTransaction
    transaction = kind(key, Flow.unpack(flow), raw, timers, values, user)
    transaction.state = state
    transaction._interval = interval
    timers.rearm(transaction, armed, now)
    return transaction
