"""The phases of a call in which a component may end: for each, a script that parks there and goes on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from system.dialog import Dialog
from system.sipmsg import uri_in

from bench.leg import Leg, acknowledged, dialog_request, request, response
from bench.parked import ParkedCall
from bench.phones import EXPIRES_S, Line
from bench.script import Script

EARLY_S = 0.1
"""How long before the event the phases that may not last begin."""


@dataclass(frozen=True)
class Phase:
    """`in_flight`: a message of it travels at the event; else it lasts, and goes on some time later."""

    name: str
    script: Callable[[ParkedCall], Script[None]]
    in_flight: bool = True
    extra: str = ""
    """The further phone that its line needs: `second`, `third`, or `outside`, behind the provider."""
    sparse: bool = False
    """Only every other line needs that."""
    rule: Callable[[Line], tuple[str, ...]] | None = None
    """The arguments of the `switchboard` command that sets what its line needs."""

    def extra_of(self, turn: int) -> str:
        """The further phone of line number `turn`."""
        return "" if self.sparse and turn % 2 else self.extra


def register(call: ParkedCall) -> Script[None]:
    """A REGISTER in flight; the phone can be called afterwards."""
    yield from call.park()
    phone = call.line.callee
    answer = yield from response(phone.register(expires=EXPIRES_S), 200)
    contacts = [uri_in(value) for value in answer.values("contact")]
    assert contacts == [phone.contact], f"registered: {contacts}"
    leg = call.leg()
    yield from leg.ring(ringback=False)
    yield from leg.answer()
    yield from leg.hang_up()


def invite(call: ParkedCall) -> Script[None]:
    """An INVITE has just been sent."""
    yield from call.park()
    leg = call.leg()
    yield from leg.ring(ringback=False)
    yield from end_somehow(leg, call.turn)


def ringing(call: ParkedCall) -> Script[None]:
    """The callee rings."""
    leg = call.leg()
    yield from leg.ring()
    yield from call.park()
    yield from end_somehow(leg, call.turn)


def forks(call: ParkedCall) -> Script[None]:
    """Two phones of one user ring."""
    leg = call.leg(forks=True)
    yield from leg.ring()
    yield from call.park()
    yield from end_somehow(leg, call.turn)


def answering(call: ParkedCall) -> Script[None]:
    """The 200 for the INVITE is on its way."""
    leg = call.leg()
    yield from leg.ring()
    yield from call.park()
    yield from leg.answer()
    yield from leg.hang_up(by_callee=bool(call.turn % 2))


def acknowledging(call: ParkedCall) -> Script[None]:
    """The ACK is on its way."""
    leg = call.leg()
    yield from leg.ring()
    yield from call.park(EARLY_S)
    yield from leg.pick_up()
    yield from call.park()
    yield from leg.acknowledge()
    yield from leg.hang_up(by_callee=bool(call.turn % 2))


def talking(call: ParkedCall) -> Script[None]:
    """The call is up; later somebody holds it, and hangs up."""
    leg = yield from _up(call)
    yield from call.park()
    yield from leg.hold(by_callee=bool(call.turn % 2))
    yield from leg.hang_up(by_callee=bool(call.turn % 2))


def holding(call: ParkedCall) -> Script[None]:
    """A re-INVITE is in flight."""
    leg = yield from _up(call)
    yield from call.park()
    yield from leg.hold(by_callee=bool(call.turn % 2))
    yield from leg.hang_up()


def ending(call: ParkedCall) -> Script[None]:
    """A BYE is in flight."""
    leg = yield from _up(call)
    yield from call.park()
    yield from leg.hang_up(by_callee=bool(call.turn % 2))


def cancelling(call: ParkedCall) -> Script[None]:
    """A CANCEL is in flight, for one phone that rings or for two."""
    leg = call.leg(forks=True)
    yield from leg.ring()
    yield from call.park()
    yield from leg.cancel()


def transferring(call: ParkedCall) -> Script[None]:
    """REFER and NOTIFY are in flight: the caller hands the callee over to a third phone (RFC 5589 §6)."""
    leg = yield from _up(call)
    yield from call.park()
    transferor, transferee = leg.ends
    target = call.transferred()
    refer = transferor.start("REFER", [("Refer-To", f"<{target.callees[0].aor}>")])
    incoming = yield from dialog_request(transferee, "REFER")
    incoming.reply(202)
    yield from response(refer, 202)
    yield from _notify(transferee, transferor, "active", b"SIP/2.0 100 Trying\r\n")
    yield from target.ring(ringback=False)
    yield from target.answer()
    yield from _notify(transferee, transferor, "terminated;reason=noresource", b"SIP/2.0 200 OK\r\n")
    yield from leg.hang_up()
    yield from target.hang_up(by_callee=bool(call.turn % 2))


def forwarded(call: ParkedCall) -> Script[None]:
    """The callee was busy, and the call rings where it was forwarded to."""
    line = call.line
    leg = call.ruled(line.callee.aor, line.third)
    leg.dial()
    busy = yield from request(line.callee, "INVITE")
    busy.reply(486)
    yield from acknowledged(busy)
    yield from leg.be_rung()
    yield from call.park()
    yield from end_somehow(leg, call.turn, BUSY)


def group_ringing(call: ParkedCall) -> Script[None]:
    """Two members of a group ring."""
    line = call.line
    leg = call.ruled(f"sip:{_group_of(line)}@{line.callee.domain}", line.callee, line.third)
    yield from leg.ring()
    yield from call.park()
    yield from end_somehow(leg, call.turn, BUSY)


def calling_out(call: ParkedCall) -> Script[None]:
    """The INVITE to a provider has just been sent, which challenges it."""
    yield from call.park()
    leg = call.by_trunk()
    yield from leg.ring(ringback=False)
    yield from end_somehow(leg, call.turn, BUSY)


def talking_out(call: ParkedCall) -> Script[None]:
    """A call by a provider is up; later somebody holds it, and hangs up."""
    leg = call.by_trunk()
    yield from leg.ring()
    yield from leg.answer()
    yield from call.park()
    yield from leg.hold(by_callee=bool(call.turn % 2))
    yield from leg.hang_up(by_callee=bool(call.turn // 2 % 2))


def called_in(call: ParkedCall) -> Script[None]:
    """A call from a provider rings."""
    leg = call.from_trunk()
    yield from leg.ring()
    yield from call.park()
    yield from end_somehow(leg, call.turn, BUSY)


def _group_of(line: Line) -> str:
    return f"g-{line.callee.user}"


def _forward(line: Line) -> tuple[str, ...]:
    assert line.third is not None
    return "forward", line.callee.user, "--busy", line.third.user


def _group(line: Line) -> tuple[str, ...]:
    assert line.third is not None
    return "group", "add", _group_of(line), line.callee.user, line.third.user, "--after", "180"


def _numbered(line: Line) -> tuple[str, ...]:
    assert line.outside is not None
    return "group", "add", line.outside.group, line.callee.user, "--after", "180"


BUSY = ((486, "busy"),)
REFUSALS = (*BUSY, (603, "declined"))
PHASES = (
    Phase("REGISTER", register),
    Phase("INVITE", invite),
    Phase("ringing", ringing, in_flight=False),
    Phase("two forks", forks, in_flight=False, extra="second"),
    Phase("200", answering),
    Phase("ACK", acknowledging),
    Phase("call up", talking, in_flight=False),
    Phase("re-INVITE", holding),
    Phase("BYE", ending),
    Phase("CANCEL", cancelling, extra="second", sparse=True),
    Phase("transfer", transferring, extra="third"),
    Phase("forwarded", forwarded, in_flight=False, extra="third", rule=_forward),
    Phase("group", group_ringing, in_flight=False, extra="third", rule=_group),
    Phase("trunk out", calling_out, extra="outside"),
    Phase("trunk up", talking_out, in_flight=False, extra="outside"),
    Phase("trunk in", called_in, in_flight=False, extra="outside", rule=_numbered),
)


def end_somehow(leg: Leg, turn: int, refusals: Sequence[tuple[int, str]] = REFUSALS) -> Script[None]:
    """One of the ways in which a call that rings goes on."""
    match turn % 4:
        case 0:
            yield from leg.answer(turn % len(leg.callees))
            yield from leg.hang_up()
        case 1:
            yield from leg.cancel()
        case 2:
            yield from leg.answer(-1 % len(leg.callees))
            yield from leg.hang_up(by_callee=True)
        case _:
            status, outcome = refusals[turn // 4 % len(refusals)]
            yield from leg.refuse(status, outcome)


def _up(call: ParkedCall) -> Script[Leg]:
    leg = call.leg()
    yield from leg.ring()
    yield from leg.answer()
    return leg


def _notify(sender: Dialog, receiver: Dialog, state: str, body: bytes) -> Script[None]:
    """Tell how the transfer goes (RFC 3515 §2.4.4)."""
    notify = sender.start("NOTIFY", [("Event", "refer"), ("Subscription-State", state)], body)
    incoming = yield from dialog_request(receiver, "NOTIFY")
    incoming.reply(200, routes=False)
    yield from response(notify, 200)
