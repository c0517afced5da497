"""What all relayed calls of a router share: its media engines, what they are asked, and who waits for an answer."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple
from zlib import crc32

from switchboard.core.commands import CallEvent, ProxyEffects
from switchboard.core.preprocess import Routing
from switchboard.core.relay_mark import Mark, read_mark, write_mark
from switchboard.core.relay_rules import Kind
from switchboard.media.bencode import Value
from switchboard.media.commands import Ask, Figures, Told
from switchboard.media.engine import Engine
from switchboard.media.sdp import Kept, keep_back, put_back, sdp_of
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message

NO_ENGINE: Final = 488
ENDED: Final = 481
"""What a side hears whose dialog ends, since its media cannot go on (RFC 3261 §12.2.1.2)."""
FIGURES: Final = "X-Relayed"
"""The header field of the response to a BYE that says how many packets came from each side of it, for the history."""
RELAYED_COUNTERS: Final = ("media_relayed", "media_silent", "media_one_way", "media_both_ways")
"""Of calls that are relayed; and of those that have ended, by the sides from which voice came."""
UNKNOWN: Final = -1
"""Packets in a call event, where no engine has told how many."""
LINGERS_S: Final = 2
"""How long an engine passes on what is under way when a call has ended."""


class Leaving(NamedTuple):
    """How a request leaves: `body` in place of its own, if any; `mark` in our Record-Route; or `status`: not at all."""

    body: bytes = b""
    mark: str = ""
    status: int = 0
    why: str = ""


Then = Callable[[Leaving, ProxyEffects], None]
Taken = Callable[[Message, ProxyEffects], None]
Ended = Callable[[Figures | None, ProxyEffects], None]


class Relays:
    """What all relayed calls of a router share: the `engines`, when to relay (`mode`), and who waits for an answer.

    `advertised`: the address that the network maps to this machine's, which then stands in SDP, too. `end`: ends a
    dialog by the BYE that one side would send, and confirms a 2xx before it.
    """

    def __init__(self, engines: Sequence[Engine], mode: str, key: bytes, advertised: str = "") -> None:
        self.engines = tuple(engines)
        self.mode = mode
        self.advertised = advertised
        self.counters: Counter[str] = Counter()
        self.end: Callable[[Message, Message | None, ProxyEffects], None]
        self._key = key
        self._waiting: dict[int, Callable[[Told, ProxyEffects], None]] = {}
        self._tokens = 0

    def ask(
        self,
        command: dict[str, Value],
        engines: Sequence[Engine],
        then: Callable[[Told, ProxyEffects], None] | None,
        effects: ProxyEffects,
    ) -> None:
        """Have an engine asked, and `then` called with its answer."""
        token = None
        if then is not None:
            token = self._tokens = self._tokens + 1
            self._waiting[token] = then
        effects.asks.append(Ask(token, command, engines, moves_on=True))

    def told(self, token: int, told: Told, effects: ProxyEffects) -> None:
        """An answer has come."""
        then = self._waiting.pop(token, None)
        if then is not None:
            then(told, effects)

    def in_order(self, call_id: str, first: bytes = b"") -> list[Engine]:
        """The engines as they are to be asked for a call: it begins at any, and `first` is where it is."""
        engines = self.engines
        start = crc32(call_id.encode("utf-8", "surrogateescape")) % len(engines)
        turned = engines[start:] + engines[:start]
        return sorted(turned, key=lambda each: each.sum != first)

    def mark_in(self, text: str, message: Message) -> Mark | None:
        """What the Route of a request says of its dialog."""
        return read_mark(text, self._key, message.call_id, message.from_tag, message.to_tag) if text else None

    def mark_of(self, engine: Engine, kind: Kind, is_late: bool, request: Message) -> str:
        """The mark for the Record-Route of a request."""
        mark = Mark(engine.sum, kind.from_web, kind.to_web, is_late)
        return write_mark(mark, self._key, request.call_id, request.from_tag)

    def delete(
        self,
        message: Message,
        mark: Mark,
        effects: ProxyEffects,
        via_branch: str = "",
        then: Ended | None = None,
    ) -> None:
        """A dialog ends: the engine says what it has relayed, and forgets it."""
        command = named("delete", message.call_id, message.from_tag, message.to_tag, via_branch)
        count = None if via_branch else partial(self._count, message, mark, then)
        if not via_branch:
            command["delete-delay"] = LINGERS_S
        self.ask(command, self.in_order(message.call_id, mark.engine), count, effects)

    def confirm(self, ack: Message, routing: Routing, flow: Flow, then: Then, effects: ProxyEffects) -> None:
        """The ACK for a 2xx is to leave: SDP in it is the answer to an offer there."""
        body, kept = keep_back(sdp_of(ack))
        mark = self.mark_in(routing.mark, ack) if body else None
        if mark is None:
            then(Leaving(), effects)
            return
        command = named("answer", ack.call_id, ack.to_tag, ack.from_tag, "")
        command |= answered_to(mark.to_web) | self.media_address(flow) | {"sdp": body}
        engines = self.in_order(ack.call_id, mark.engine)
        self.ask(command, engines, partial(self._confirm, ack, kept, then), effects)

    def _confirm(
        self, ack: Message, kept: Sequence[Kept], then: Then, told: Told, effects: ProxyEffects
    ) -> None:
        if told.engine is not None and not told.error:
            then(Leaving(put_back(told.sdp, kept)), effects)
            return
        self.counters["media_lost"] += 1
        then(Leaving(), effects)
        self.end(ack, None, effects)

    def _count(
        self,
        bye: Message,
        mark: Mark,
        then: Ended | None,
        told: Told,
        effects: ProxyEffects,
    ) -> None:
        """Note what came from each side of a call that has ended; no engine may know of it any more."""
        tags = bye.from_tag, bye.to_tag
        engine = told.engine if told.engine and told.figures else self.in_order(bye.call_id, mark.engine)[0]
        came_from = [told.figures.of(tag) if told.figures else UNKNOWN for tag in tags]
        details = (*tags, str(engine), *came_from)
        effects.events.append(CallEvent("relayed", bye.call_id, bye.from_tag, effects.at, details))
        if then is not None:
            then(told.figures, effects)
        if told.figures is not None:
            came = sum(each > 0 for each in came_from)
            self.counters[RELAYED_COUNTERS[1 + came]] += 1
        else:
            self.counters["media_forgotten"] += 1

    def media_address(self, flow: Flow) -> dict[str, Value]:
        """What SDP for who is at `flow` names, and its family."""
        told: dict[str, Value] = {"address-family": "IP6" if ":" in flow.host else "IP4"}
        if self.advertised and flow.local == self.advertised:
            told["media-address"] = self.advertised
        return told


def named(command: str, call_id: str, from_tag: str, to_tag: str, via_branch: str) -> dict[str, Value]:
    """A command about a dialog, or about the fork of an INVITE."""
    told: dict[str, Value] = {"command": command, "call-id": call_id, "from-tag": from_tag, "delete-delay": 0}
    if command != "delete":
        del told["delete-delay"]
        told["replace"] = ["origin", "session-connection"]
    if to_tag:
        told["to-tag"] = to_tag
    if via_branch:
        told["via-branch"] = via_branch
    return told


def offered_to(from_web: bool, to_web: bool) -> dict[str, Value]:
    """How an engine is to write an offer for a browser, or for a phone."""
    if not to_web:
        plain: dict[str, Value] = {"ICE": "remove"}
        if from_web:
            plain |= {"transport-protocol": "RTP/AVP", "DTLS": "off", "rtcp-mux": ["demux"]}
        return plain
    told: dict[str, Value] = {"ICE": "force"}
    if not from_web:
        told |= {
            "transport-protocol": "UDP/TLS/RTP/SAVPF",
            "DTLS": "passive",
            "SDES": ["off"],
            "rtcp-mux": ["offer", "require"],
            "flags": ["generate-mid"],
        }
    return told


def answered_to(is_web: bool) -> dict[str, Value]:
    """How an engine is to write the answer to a browser's offer, or to a phone's."""
    return {"ICE": "force"} if is_web else {"ICE": "remove"}
