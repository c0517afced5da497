"""One call as its phones live it: what they send, what they must get, and the record that has to be left."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from system.dialog import Dialog
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.sipmsg import Message
from system.user_agent import SDP, UserAgent

from bench.expected import Expected
from bench.script import Script, either, until

RINGBACK_WITHIN_S = 0.4
"""Provisional responses are not retransmitted: a callee answers whether the caller heard it ring or not."""


@dataclass
class Leg:
    """A call from `caller` to the address-of-record that the phones `callees` share, or to what is `dialled`."""

    caller: UserAgent
    callees: Sequence[UserAgent]
    dialled: str = ""
    expected: Expected = field(default_factory=Expected)
    rung: list[ServerTransaction] = field(default_factory=list)
    _invite: ClientTransaction | None = None
    _caller_end: Dialog | None = None
    _callee_end: Dialog | None = None

    @property
    def invite(self) -> ClientTransaction:
        assert self._invite is not None, "nobody has been called"
        return self._invite

    @property
    def ends(self) -> tuple[Dialog, Dialog]:
        """The dialog as the caller has it, and as the callee has it."""
        assert self._caller_end is not None, "the call is not up"
        assert self._callee_end is not None, "the call is not up"
        return self._caller_end, self._callee_end

    def ring(self, ringback: bool = True) -> Script[None]:
        """Call; every callee rings. With `ringback` the caller has to hear it."""
        self.dial()
        yield from self.be_rung(ringback)

    def dial(self) -> None:
        """Call."""
        self.expected.begin("started_at")
        self._invite = self.caller.invite(self.dialled or self.callees[0].aor)
        self.expected.call_id = self._invite.request.call_id

    def be_rung(self, ringback: bool = True) -> Script[None]:
        """Every callee rings."""
        for phone in self.callees:
            self.rung.append((yield from request(phone, "INVITE")))
        self.expected.end("started_at")
        self.expected.begin("ringing_at")
        for incoming in self.rung:
            incoming.reply(180)
        if ringback:
            yield from response(self.invite, 180)
            self.expected.end("ringing_at")
        else:
            yield from either(self._hears_ringing, self.caller.net, RINGBACK_WITHIN_S)

    def pick_up(self, which: int = 0) -> Script[Message]:
        """Callee number `which` answers; return the 200 as it reached the caller."""
        self.expected.begin("answered_at")
        sent = self.rung[which].reply(200, body=SDP)
        self._callee_end = Dialog.of_callee(self.callees[which], self.rung[which], sent)
        received = yield from response(self.invite, 200)
        self.expected.end("answered_at")
        self._caller_end = Dialog.of_caller(self.caller, self.invite, received)
        return received

    def acknowledge(self) -> Script[None]:
        """The ACK goes to the callee, and the other phones are told to stop ringing."""
        caller_end, callee_end = self.ends
        caller_end.acknowledge()
        yield from dialog_request(callee_end, "ACK")
        for phone, incoming in zip(self.callees, self.rung, strict=True):
            if phone is not callee_end.phone and not incoming.is_acknowledged:
                yield from be_cancelled(phone, incoming)

    def answer(self, which: int = 0) -> Script[None]:
        """Callee number `which` answers, and the caller acknowledges."""
        yield from self.pick_up(which)
        yield from self.acknowledge()

    def hang_up(self, by_callee: bool = False) -> Script[None]:
        """One side sends BYE, the other confirms."""
        ending, other = self.ends[::-1] if by_callee else self.ends
        self.expected.begin("ended_at")
        bye = ending.start("BYE")
        incoming = yield from dialog_request(other, "BYE")
        self.expected.end("ended_at")
        incoming.reply(200, routes=False)
        yield from response(bye, 200)
        self.expected.conclude("answered", 200, "callee" if by_callee else "caller")

    def hold(self, by_callee: bool = False) -> Script[None]:
        """One side sends a re-INVITE, the other accepts."""
        holder, held = self.ends[::-1] if by_callee else self.ends
        again = holder.start("INVITE", body=SDP + b"a=sendonly\r\n")
        incoming = yield from dialog_request(held, "INVITE")
        incoming.reply(200, body=SDP)
        yield from response(again, 200)
        holder.acknowledge()
        yield from dialog_request(held, "ACK")

    def cancel(self) -> Script[None]:
        """The caller gives up."""
        self.expected.begin("ended_at")
        cancel = self.caller.cancel(self.invite)
        yield from response(cancel, 200)
        for phone, incoming in zip(self.callees, self.rung, strict=True):
            yield from be_cancelled(phone, incoming)
        yield from response(self.invite, 487)
        self.expected.end("ended_at")
        self.expected.conclude("cancelled", 487, "caller")

    def refuse(self, status: int, outcome: str) -> Script[None]:
        """The first callee refuses with a 6xx, or every one with another status."""
        self.expected.begin("ended_at")
        refusing = self.rung[:1] if status >= 600 else self.rung
        for incoming in refusing:
            incoming.reply(status)
        for incoming in refusing:
            yield from acknowledged(incoming)
        for phone, incoming in list(zip(self.callees, self.rung, strict=True))[len(refusing) :]:
            yield from be_cancelled(phone, incoming)
        yield from response(self.invite, status)
        self.expected.end("ended_at")
        self.expected.conclude(outcome, status, "callee")

    def _hears_ringing(self) -> bool:
        return any(status > 100 for status in self.invite.statuses())


def request(phone: UserAgent, method: str) -> Script[ServerTransaction]:
    """Wait for the next request at `phone`."""
    return until(lambda: phone.take(method), f"{method} at {phone.user}")


def dialog_request(dialog: Dialog, method: str) -> Script[ServerTransaction]:
    """Wait for the next request in `dialog`."""
    return until(lambda: dialog.take(method), f"{method} at {dialog.phone.user}")


def response(transaction: ClientTransaction, status: int) -> Script[Message]:
    """Wait for a response; AssertionError at another final one."""
    return until(lambda: transaction.take(status), f"{status} to {transaction.request}")


def acknowledged(incoming: ServerTransaction) -> Script[bool]:
    """Wait for the ACK of a refusal."""
    return until(lambda: incoming.is_acknowledged, f"the ACK of the refusal of {incoming.request}")


def be_cancelled(phone: UserAgent, incoming: ServerTransaction) -> Script[None]:
    """The switchboard gives this fork up, and the phone lets it."""
    cancel = yield from request(phone, "CANCEL")
    wanted = (incoming.request.branch, "CANCEL")
    assert cancel.request.key == wanted, f"{cancel.request.key} instead of {wanted}"
    cancel.reply(200, routes=False)
    incoming.reply(487)
    yield from acknowledged(incoming)
