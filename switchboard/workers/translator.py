"""The translator: gives the responses that leave the phrases of their readers' language."""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.actor import Actor
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import SocketKind
from switchboard.bus.frames import SENT, TRANSLATED, flow_of, pack_sent
from switchboard.bus.outbox import PackedOutbox
from switchboard.bus.tap import Tap
from switchboard.phrases.catalogue import CatalogueDirectory
from switchboard.phrases.language import explain_unknown
from switchboard.phrases.translate import Translator
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.site import edge_streams, endpoints_of
from switchboard.transports.edge_outboxes import EdgeTxOutboxes, edges_of
from switchboard.transports.sender import TABLES
from switchboard.transports.stream_outboxes import StreamOutboxes
from switchboard.transports.transport import CLASSES, Phrasing
from switchboard.workers.run import run_actor

_HEAD = frames.head("sip.translate")
LOOK_S = 0.5
"""Between two looks at the operator's catalogues."""


class TranslatorService(Actor):
    """Owns the catalogues of phrases.

    Casts: sip.translate from routers and registrar -> sip.send to edge-tx or an edge-stream, in the same order; what
    comes without a reader passes as it is. Publishes phrases.tables to those who put phrases in themselves.
    SettingsError where a setting names a language that has no catalogue.
    """

    name = "translator"

    def __init__(self, settings: Settings, context: BusContext, instance: int) -> None:  # noqa: ARG002
        users = {name: user.language for name, user in settings.users.items() if user.language}
        self._translator = Translator(settings.language, users, ascii_only=settings.ascii_phrases)
        self._phrasing = Phrasing(self._translator)
        self._directory = CatalogueDirectory(settings.phrases_dir)
        self._next_look = 0.0 if settings.phrases_dir else math.inf
        self._log = structlog.get_logger()
        self._bad_items = self._reloads = 0
        self._by_class = [0] * CLASSES
        endpoints = endpoints_of(settings)
        edges = edges_of(settings)
        self._edge: PackedOutbox | EdgeTxOutboxes
        if edges is None:
            self._edge = PackedOutbox(context, endpoints.inbox("edge-tx"), "sip.send")
            self.outboxes = [self._edge]
        else:
            self._edge = EdgeTxOutboxes(context, endpoints, edges)
            self.outboxes = [*self._edge.outboxes]
        self._streams = StreamOutboxes(context, endpoints, edge_streams(settings), edges)
        self.outboxes += self._streams.outboxes
        taps = endpoints.listen("translator.0", SocketKind.PUBLISHER)
        self._tap = Tap(context, taps, "translator.0", self.peers())
        self._look()
        wanted = {"language": settings.language}
        wanted |= {f"users.{name}.language": language for name, language in users.items()}
        if message := explain_unknown(wanted, self._translator.languages):
            raise SettingsError(message, "bad setting language")
        self._tell()

    def watch(self) -> dict[int, Callable[[float], None]]:
        """The tap."""
        return self._tap.watch()

    def receive_frame(self, frame: bytes) -> int | None:
        """Pass the items of a sip.translate on without unpacking them, where that can be done."""
        if not frame.startswith(_HEAD):
            return None
        try:
            count = codec.list_at(frame, len(_HEAD))
        except codec.CodecError:
            return None
        items = self._phrasing.rewrite(frame, len(_HEAD) + len(codec.list_head(count)), count, self._by_class)
        if items is not None:
            self._put(count, items)
        return None if items is None else count

    def receive(self, subject: str, body: Any, now: float) -> None:  # noqa: ARG002
        """Pass the items of a sip.translate on; other items are counted."""
        if subject != "sip.translate" or not isinstance(body, list):
            self._bad_items += 1
            return
        for item in body:
            self._pass_on(item)

    def _pass_on(self, item: Any) -> None:
        if flow_of(item, TRANSLATED):
            flow, raw, user, accept_language = item
            self._put(1, pack_sent(flow, self._translator.translate(raw, user, accept_language)))
            self._by_class[int(raw[8:9]) if b"1" <= raw[8:9] <= b"6" else 0] += 1
        elif flow_of(item, SENT):
            self._put(1, pack_sent(*item))
        else:
            self._bad_items += 1

    def _put(self, count: int, items: bytes) -> None:
        count, items = self._streams.take_from((count, items))
        if count:
            self._edge.put((count, items))

    def next_deadline(self) -> float:
        """When to look at the operator's catalogues again, if they have any, or the tap has to tell."""
        return min(self._next_look, self._tap.due_at)

    def handle_timer(self, now: float) -> None:
        """Put changed catalogues in force; let the tap tell."""
        self._tap.handle_timer(now)
        if now < self._next_look:
            return
        self._next_look = now + LOOK_S
        self._look()

    def _look(self) -> None:
        changed, problems = self._directory.refresh()
        for bad in problems:
            self._log.warning("catalogue not usable", file=bad.file, found=bad.found, remedy=bad.remedy)
        if changed:
            self._translator.load(self._directory.catalogues)
            self._phrasing = Phrasing(self._translator)
            self._reloads += 1
            self._tell()
            self._log.info("own catalogues in force", languages=sorted(self._directory.catalogues))

    def _tell(self) -> None:
        """Let those know the tables who put phrases in themselves."""
        self._tap.greet(frames.pack(TABLES, self._translator.to_wire()))

    def stats(self) -> dict[str, float]:
        """Counters: responses passed on, of all and by class, bad items, changes of own catalogues."""
        return {
            "responses": sum(self._by_class),
            **{f"responses.{digit}xx": self._by_class[digit] for digit in range(1, CLASSES)},
            "bad_items": self._bad_items,
            "reloads": self._reloads,
        }

    def close(self) -> None:
        """Let go of the edge."""
        self._edge.close()


run = partial(run_actor, TranslatorService)

if __name__ == "__main__":
    run()
