"""Both twins of the translator, on one frame."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import items_of, packed

from switchboard import codec
from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.settings.model import Settings
from switchboard.workers.translator import TranslatorService

HEAD = frames.head("sip.translate")
Outcome = tuple[list[Any], dict[str, float]]
"""What waits for the edge, and the counters."""


def frame_of(raw: bytes) -> bytes:
    """A frame in which that datagram has a reader, and passes unread."""
    flow = packed("10.0.0.1", 5060)
    return frames.pack("sip.translate", [[flow, raw, "anna", "hu, sk;q=0.5"], [flow, raw]])


class Translations:
    """Two translators that speak Slovak, to Anna German."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self.compiled, self.reference = (TranslatorService(settings, context, 0) for _ in range(2))

    def compare(self, frame: bytes) -> tuple[Outcome, Outcome] | None:
        """What both make of a frame; None if the compiled one leaves it to the reference."""
        if self.compiled.receive_frame(frame) is None:
            return None
        self.reference.receive("sip.translate", codec.unpack(frame[len(HEAD) :]), 0.0)
        done, expected = (self._outcome(each) for each in self._both)
        return done, expected

    @staticmethod
    def _outcome(translator: TranslatorService) -> Outcome:
        """Unpacked, since the compiled one passes on a number that was packed longer than need be."""
        return list(items_of(translator.outboxes[0].take_back())), translator.stats()

    @property
    def _both(self) -> tuple[TranslatorService, TranslatorService]:
        return self.compiled, self.reference


@contextmanager
def translations() -> Iterator[Translations]:
    """They listen nowhere: what they make is taken from their outboxes."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory, BusContext() as context:
        (Path(directory) / "run").mkdir()
        users = {"anna": {"language": "de"}}
        yield Translations(
            Settings(data_dir=Path(directory), language="sk", users=users),  # type: ignore[arg-type]
            context,
        )
