"""What an edge-stream asks of those who get its messages: to say when they have taken what came before a mark."""

import os
from collections.abc import Sequence

from switchboard.bus.outbox import Outbox


class Marks:
    """Those of `streams` that are to be returned. `owner`: whose they are (`router.0`).

    A mark never overtakes what was sent for the messages before it: the edge-stream forgets them with the mark.
    """

    def __init__(self, owner: str, streams: Sequence[Outbox]) -> None:
        self._owner = owner
        self._life = os.urandom(8).hex()
        self._streams = streams
        self._stamps: dict[int, float] = {}
        self._first: dict[int, float] = {}

    def take(self, stream: int, stamp: float) -> bool:
        """A mark of that edge-stream came; False if there is none of this number."""
        if not 0 <= stream < len(self._streams):
            return False
        self._stamps[stream] = stamp
        self._first.setdefault(stream, stamp)
        return True

    def give_back(self) -> None:
        """All that came before is taken, and kept: return the marks. One that is lost is asked for again."""
        if not self._stamps:
            return
        for stream in [each for each in self._stamps if not self._streams[each].waiting]:
            stamp = self._stamps.pop(stream)
            taken = [self._owner, stamp, self._life, self._first[stream]]
            self._streams[stream].peer.send("sip.taken", taken)
