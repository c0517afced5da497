"""Client transactions (RFC 3261 §17.1, with RFC 6026's ACCEPTED state), over an unreliable transport."""

from enum import IntEnum

from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import make_ack
from switchboard.transaction.commands import Fields, Peer, SendRequest, Turn
from switchboard.transaction.key import ClientKey
from switchboard.transaction.timers import Timers, TimerValues


class ClientState(IntEnum):
    """States of figures 5 and 6; ACCEPTED from RFC 6026 §7.2. TRYING is the INVITE's CALLING.

    The numbers are those in the log.
    """

    TRYING = 1
    PROCEEDING = 2
    COMPLETED = 3
    ACCEPTED = 5
    TERMINATED = 6


class ClientTransaction:
    """Sends one request until it is answered. `user` belongs to the transaction user.

    `fire` returns True when the request has timed out (timer B or F): the user takes it as a 408 (§16.9).
    """

    __slots__ = ("_interval", "_timers", "_values", "armed", "key", "peer", "raw", "state", "user")

    def __init__(
        self, key: ClientKey, peer: Peer, raw: bytes, timers: Timers, values: TimerValues, user: object = None
    ) -> None:
        self.key = key
        self.peer = peer
        self.raw = raw
        self.user = user
        self.armed: dict[str, float] = {}
        self.state = ClientState.TRYING
        self._interval = values.t1
        self._timers = timers
        self._values = values

    @property
    def is_proceeding(self) -> bool:
        """Whether a provisional response came, and no final one: the time for a CANCEL (§9.1)."""
        return self.state is ClientState.PROCEEDING

    def fixed(self) -> Fields:
        """What does not change any more once the request has been sent."""
        return self.key, self.peer, self.raw

    def changing(self) -> Fields:
        """What `restore_client` needs besides, in another process of this machine."""
        return self.state, self._interval, self.armed

    def start(self, turn: Turn) -> None:
        """Send the request for the first time."""
        turn.touch(self)
        self._send(turn)
        self._timers.arm(self, "A", turn.now + self._interval)
        self._timers.arm(self, "B", turn.now + self._values.lifetime)

    def receive(self, response: Message, turn: Turn) -> bool:
        """Take a response; True if the transaction user is to see it."""
        raise NotImplementedError

    def fire(self, letter: str, turn: Turn) -> bool:
        """Timers A (E) and B (F); D, K and M end the transaction."""
        turn.touch(self)
        if letter == "A":
            self._retransmit(turn)
            return False
        self.end()
        return letter == "B"

    def _retransmit(self, turn: Turn) -> None:
        raise NotImplementedError

    def _finish(self, state: ClientState, letter: str, after: float, turn: Turn) -> None:
        self.state = state
        self.armed.clear()
        self._timers.arm(self, letter, turn.now + after)

    def _send(self, turn: Turn) -> None:
        turn.requests.append(SendRequest(self.peer, self.raw))

    def end(self) -> None:
        """Nothing is sent and nothing is awaited any more."""
        self.state = ClientState.TERMINATED
        self.armed.clear()


class InviteClientTransaction(ClientTransaction):
    """§17.1.1 and RFC 6026 §7.2: acknowledges non-2xx finals hop by hop, lets every 2xx pass."""

    __slots__ = ()

    def receive(self, response: Message, turn: Turn) -> bool:
        status = response.status
        turn.touch(self)
        if self.state in (ClientState.TRYING, ClientState.PROCEEDING):
            if status < 200:
                self.state = ClientState.PROCEEDING
                self.armed.clear()
            elif status < 300:
                self._finish(ClientState.ACCEPTED, "M", self._values.lifetime, turn)
                self.raw = b""
            else:
                self._acknowledge(response, turn)
                self._finish(ClientState.COMPLETED, "D", self._values.d, turn)
            return True
        if self.state is ClientState.COMPLETED and status >= 300:
            self._acknowledge(response, turn)
        return self.state is ClientState.ACCEPTED and 200 <= status < 300

    def _retransmit(self, turn: Turn) -> None:
        self._send(turn)
        self._interval *= 2
        self._timers.arm(self, "A", turn.now + self._interval)

    def _acknowledge(self, response: Message, turn: Turn) -> None:
        turn.requests.append(SendRequest(self.peer, make_ack(parse_message(self.raw), response)))


class NonInviteClientTransaction(ClientTransaction):
    """§17.1.2. Timers E, F and K; E and F are armed as "A" and "B", which play the same parts."""

    __slots__ = ()

    def receive(self, response: Message, turn: Turn) -> bool:
        if self.state in (ClientState.COMPLETED, ClientState.TERMINATED):
            return False
        turn.touch(self)
        if response.status < 200:
            self.state = ClientState.PROCEEDING
        else:
            self._finish(ClientState.COMPLETED, "K", self._values.t4, turn)
        return True

    def _retransmit(self, turn: Turn) -> None:
        self._send(turn)
        calm = self.state is ClientState.PROCEEDING
        self._interval = self._values.t2 if calm else min(2 * self._interval, self._values.t2)
        self._timers.arm(self, "A", turn.now + self._interval)


def restore_client(
    fixed: Fields, changing: Fields, timers: Timers, values: TimerValues, now: float, user: object = None
) -> ClientTransaction:
    """Return the transaction that wrote this, its timers armed as `Timers.rearm` says."""
    key, peer, raw = fixed
    state, interval, armed = changing
    kind = InviteClientTransaction if key[1] == "INVITE" else NonInviteClientTransaction
    transaction = kind(key, Peer(*peer), raw, timers, values, user)
    transaction.state = ClientState(state)
    transaction._interval = interval
    timers.rearm(transaction, armed, now)
    return transaction
