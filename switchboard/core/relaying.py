"""Relayed media: what a media engine is asked on the way of a request and of its responses (RFC 3264, RFC 3261 §13).

Theory. Where an offer passes, the engine writes another one, which names ports of its own; so it does with the answer.
The question leaves the router as a look-up does, and the message waits for the answer as part of its saved transaction:
a successor asks again, by the same names, and the engine answers as before. What belongs to a fork bears its own
`via-branch`, without which the voice of forks would cross.

    INVITE, UPDATE, PRACK with SDP         an offer
    their responses with SDP               the answer; to what had no SDP, an offer
    ACK with SDP                           the answer to the offer of a 2xx; a PRACK, where the INVITE had no offer
    BYE, and the end of a fork that failed the end, and how many packets came from each side

A dialog that is relayed says so in our Record-Route (`relay_mark.py`); nothing else is kept of it. Its engine may be
gone or be started anew: then the next offer goes to another one, or to the same, and both sides hear of new ports. If
there is none, the dialog is ended, since its sides would not hear each other.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from switchboard.core.commands import Fields, ProxyEffects
from switchboard.core.forwarding import LARGEST_SENT
from switchboard.core.preprocess import Routing
from switchboard.core.relay_mark import Mark
from switchboard.core.relay_rules import Kind, kind_of
from switchboard.core.relays import (
    ENDED,
    FIGURES,
    NO_ENGINE,
    Leaving,
    Relays,
    Taken,
    Then,
    answered_to,
    named,
    offered_to,
)
from switchboard.core.request import IncomingRequest
from switchboard.core.target import Target
from switchboard.media.commands import GONE, Figures, Told
from switchboard.media.engine import Engine
from switchboard.media.sdp import Kept, keep_back, put_back, sdp_of
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message, parse_message
from switchboard.sip.splice import add_lines, make_refusal, with_body

OFFERING: Final = ("INVITE", "UPDATE", "PRACK")
"""Requests whose SDP, and that of their responses, is relayed."""
MOST_BODY: Final = 40_000
"""Octets of SDP; an engine writes less."""
MOST_HELD: Final = 16
"""Responses of one request that wait for an engine; more are dropped, and sent again by who sent them."""


class Leg:
    """A fork of a request whose media is relayed. `engine`: which one answered, or is to be asked first.

    `is_late`: the request had no offer. `via_branch`: its name at the engine, "" in a dialog. `is_closed`: it has
    failed; `is_lost`: the engine has dropped it.
    """

    __slots__ = ("engine", "is_closed", "is_late", "is_lost", "kind", "via_branch")

    def __init__(
        self,
        engine: Engine,
        kind: Kind,
        is_late: bool,
        via_branch: str,
        is_closed: bool = False,
        is_lost: bool = False,
    ) -> None:
        self.engine = engine
        self.kind = kind
        self.is_late = is_late
        self.via_branch = via_branch
        self.is_closed = is_closed
        self.is_lost = is_lost

    def saved(self) -> Fields:
        """What makes it again."""
        return [*self.engine], [*self.kind], self.is_late, self.via_branch, self.is_closed, self.is_lost

    @classmethod
    def restore(cls, saved: Fields) -> "Leg":
        """Return what `saved` was asked of."""
        engine, kind, *rest = saved
        return cls(Engine(*engine), Kind(*kind), *rest)


class Relayed:
    """The relayed forks of one request, by their place among its branches, and the responses that wait for an
    engine.
    """

    __slots__ = (
        "_figures", "_held", "_incoming", "_is_ending", "_legs", "_relays", "_routing", "_server", "_then"
    )  # fmt: skip

    def __init__(self, relays: Relays, incoming: IncomingRequest, routing: Routing, server: object) -> None:
        self._server = server
        self._relays = relays
        self._incoming = incoming
        self._routing = routing
        self._figures: Figures | None = None
        self._is_ending = False
        self._then: Taken | None = None
        self._legs: dict[int, Leg] = {}
        self._held: list[tuple[int, Message]] = []

    @property
    def holds(self) -> bool:
        """Whether something waits for an engine: a response, or a BYE, whose own response may have been made here."""
        return bool(self._held) or self._is_ending

    @property
    def _sides(self) -> tuple[str, str]:
        message = self._incoming.message
        return message.from_tag, message.to_tag

    def saved(self) -> Fields:
        """What `restore` needs; nothing for what is not relayed."""
        if not (self._legs or self._held or self._is_ending or self._figures):
            return ()
        legs = [(place, leg.saved()) for place, leg in self._legs.items()]
        held, sides = [(place, response.raw) for place, response in self._held], self._sides
        figures = [self._figures.of(side) for side in sides] if self._figures else ()
        return ((legs, held, self._is_ending, figures),)

    def restore(self, saved: Sequence[Fields]) -> None:
        """Take up what the predecessor wrote."""
        for legs, held, *more in saved:
            self._legs = {place: Leg.restore(leg) for place, leg in legs}
            self._held = [(place, parse_message(raw)) for place, raw in held]
            self._is_ending, figures = more or (False, ())
            self._figures = Figures(dict(zip(self._sides, figures, strict=True))) if figures else None

    def request(self, place: int, target: Target, flow: Flow, then: Then, effects: ProxyEffects) -> None:
        """The request is to leave over `flow`: call `then` with how, at once or when an engine has answered."""
        incoming = self._incoming
        message = incoming.message
        mark = self._relays.mark_in(self._routing.mark, message) if incoming.is_in_dialog else None
        if mark and incoming.method == "BYE":
            self._is_ending = True
            self._ask_to_end(place, mark, effects)
        leg = self._leg(place, target, flow, mark) if incoming.method in OFFERING else None
        if leg is None:
            then(Leaving(), effects)
            return
        self._legs[place] = leg
        body, kept = keep_back(sdp_of(message))
        if not body:
            then(Leaving(mark=self._mark(leg)), effects)
            return
        is_answer = mark is not None and mark.is_late and incoming.method == "PRACK"
        command = named(
            "answer" if is_answer else "offer",
            message.call_id,
            *((message.to_tag, message.from_tag) if is_answer else (message.from_tag, message.to_tag)),
            leg.via_branch,
        )
        kind = leg.kind
        told = answered_to(kind.to_web) if is_answer else offered_to(kind.from_web, kind.to_web)
        command |= told | self._relays.media_address(flow) | {"sdp": body}
        engines = self._relays.in_order(message.call_id, leg.engine.sum)
        self._relays.ask(command, engines, partial(self._leave, place, kept, then), effects)

    def response(self, place: int, response: Message, then: Taken, effects: ProxyEffects) -> None:
        """A response came: call `then` with it, as it is to be passed on, at once or when an engine has answered."""
        is_waiting = any(place == each for each, _ in self._held)
        if not (is_waiting or self._is_ending or self._is_relayed(place, response)):
            then(self._with_figures(response), effects)
        elif any(response.raw == held.raw for _, held in self._held):
            return
        elif len(self._held) >= MOST_HELD:
            self._relays.counters["media_dropped"] += 1
        else:
            self._held.append((place, response))
            self._then = then
            if not is_waiting and not self._is_ending:
                self._ask_for(place, response, then, effects)

    def _ask_to_end(self, place: int, mark: Mark, effects: ProxyEffects) -> None:
        self._relays.delete(self._incoming.message, mark, effects, then=partial(self._end, place))

    def _end(self, place: int, figures: Figures | None, effects: ProxyEffects) -> None:
        """An engine has told what it relayed, or none has: the response to the BYE may pass."""
        self._is_ending, self._figures = False, figures
        effects.touch(self._server)
        if self._then is not None:
            self._go_on(place, self._then, effects)

    def _with_figures(self, response: Message) -> Message:
        """The response to a BYE, which says what was relayed."""
        figures = self._figures
        if figures is None or response.status < 200:
            return response
        came = f"from={figures.of(response.from_tag)};to={figures.of(response.to_tag)}"
        return parse_message(add_lines(response, [f"{FIGURES}: {came}".encode()]))

    def resume(self, then_of: Callable[[int], Taken], effects: ProxyEffects) -> None:
        """Ask again what the predecessor did not hear of."""
        mark = self._relays.mark_in(self._routing.mark, self._incoming.message) if self._is_ending else None
        if mark is not None:
            place = self._held[0][0] if self._held else 0
            self._then = then_of(place)
            self._ask_to_end(place, mark, effects)
            return
        for place in dict.fromkeys(place for place, _ in self._held):
            self._go_on(place, then_of(place), effects)

    def tidy(self, failed: Sequence[int], effects: ProxyEffects) -> None:
        """These forks have ended without success: their ports are free."""
        for place in failed:
            leg = self._legs.get(place)
            if leg is None or leg.is_closed or not leg.via_branch:
                continue
            leg.is_closed = True
            mark = Mark(leg.engine.sum, *leg.kind[:2])
            self._relays.delete(self._incoming.message, mark, effects, leg.via_branch)

    def _leg(self, place: int, target: Target, flow: Flow, mark: Mark | None) -> Leg | None:
        incoming, relays = self._incoming, self._relays
        message = incoming.message
        body = sdp_of(message)
        if incoming.is_in_dialog:
            if mark is None:
                return None
            kind: Kind | None = Kind(mark.from_web, mark.to_web, True)
        elif incoming.passes or incoming.method != "INVITE" or (message.body and not body):
            return None  # its media is relayed already; or it has a body that no engine can read
        else:
            kind = kind_of(relays.mode, incoming, body, target, flow)
        if kind is None:
            return None
        engine = relays.in_order(message.call_id, mark.engine if mark else b"")[0]
        name = "" if incoming.is_in_dialog else f"{incoming.via.branch}.{place}"
        return Leg(engine, kind, not body, name)

    def _mark(self, leg: Leg) -> str:
        return self._relays.mark_of(leg.engine, leg.kind, leg.is_late, self._incoming.message)

    def _leave(self, place: int, kept: Sequence[Kept], then: Then, told: Told, effects: ProxyEffects) -> None:
        leg, counters = self._legs[place], self._relays.counters
        for other in self._legs.values():
            other.is_lost |= other is not leg and other.engine in told.lost
        told = _fitting(told, kept)
        if told.engine is not None and not told.error:
            leg.engine = told.engine
            counters["media_relayed"] += not self._incoming.is_in_dialog
            then(Leaving(told.sdp, self._mark(leg)), effects)
        elif self._incoming.is_in_dialog and (told.engine is None or told.error == GONE):
            counters["media_lost"] += 1
            self._relays.end(self._incoming.message, None, effects)
            then(Leaving(status=ENDED, why=_why(told)), effects)
        elif leg.kind.is_needed:
            counters["media_failed"] += 1
            then(Leaving(status=NO_ENGINE, why=_why(told)), effects)
        else:
            counters["media_unrelayed"] += 1
            del self._legs[place]
            then(Leaving(), effects)

    def _is_relayed(self, place: int, response: Message) -> bool:
        leg = self._legs.get(place)
        if leg is None or leg.is_closed or not 100 < response.status < 300 or not response.to_tag:
            return False
        if leg.is_late and response.method != "INVITE":
            return False
        return bool(keep_back(sdp_of(response))[0])

    def _ask_for(self, place: int, response: Message, then: Taken, effects: ProxyEffects) -> None:
        relays, leg, source = self._relays, self._legs[place], self._incoming.source
        body, kept = keep_back(sdp_of(response))
        if leg.is_lost:
            self._pass(place, kept, then, Told(None, error=GONE), effects)
            return
        if leg.is_late:
            tags, told = (response.to_tag, response.from_tag), offered_to(leg.kind.to_web, leg.kind.from_web)
        else:
            tags, told = (response.from_tag, response.to_tag), answered_to(leg.kind.from_web)
        name = "" if leg.is_late else leg.via_branch
        command = named("offer" if leg.is_late else "answer", response.call_id, *tags, name)
        command |= told | relays.media_address(source) | {"sdp": body}
        engines = relays.in_order(response.call_id, leg.engine.sum)
        relays.ask(command, engines, partial(self._pass, place, kept, then), effects)

    def _pass(self, place: int, kept: Sequence[Kept], then: Taken, told: Told, effects: ProxyEffects) -> None:
        at = next(at for at, (each, _) in enumerate(self._held) if each == place)
        response = self._held.pop(at)[1]
        told = _fitting(told, kept, len(response.raw))
        if told.engine is not None and not told.error:
            self._legs[place].engine = told.engine
            then(parse_message(with_body(response, told.sdp)), effects)
        elif response.status >= 200:
            self._relays.counters["media_lost"] += 1
            status = ENDED if self._incoming.is_in_dialog else NO_ENGINE
            refusal = make_refusal(response, status, warning_of(_why(told)))
            self._relays.end(self._incoming.message, response, effects)
            then(parse_message(refusal), effects)
        else:
            self._relays.counters["media_dropped"] += 1
        self._go_on(place, then, effects)

    def _go_on(self, place: int, then: Taken, effects: ProxyEffects) -> None:
        """Pass on what waited behind a response, up to the next one that has to wait."""
        while (
            at := next((at for at, (each, _) in enumerate(self._held) if each == place), None)
        ) is not None:
            response = self._held[at][1]
            if self._is_relayed(place, response):
                self._ask_for(place, response, then, effects)
                return
            del self._held[at]
            then(self._with_figures(response), effects)


def holds(*saved: Fields) -> bool:
    """Whether something of what was `saved` waits for an engine."""
    return any(held or any(ending[:1]) for _, held, *ending in saved)


def warning_of(why: str) -> str:
    """The value of Warning that tells people why there is no call (RFC 3261 §20.43)."""
    return f'399 switchboard "{why}"'


def _fitting(told: Told, kept: Sequence[Kept], others: int = 0) -> Told:
    """With the streams that no engine sees; an error if that is more than a message holds, with so many `others`."""
    if told.engine is None or told.error:
        return told
    body = put_back(told.sdp, kept)
    if len(body) > min(MOST_BODY, LARGEST_SENT - others):
        return told._replace(error="the SDP would be too long")
    return told._replace(sdp=body)


def _why(told: Told) -> str:
    why = f"The media of this call cannot be relayed: {told.error or 'no media engine answers'}"
    return why.replace("\\", "/").replace('"', "'")
