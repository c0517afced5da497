"""A registrar's REGISTERs from frames to answers: all that have come in a round are one batch, with one commit.

Theory. A batch is durable before its answers leave. With a shared location it may be overtaken: others have changed
some of its users meanwhile (`Conflict`); their REGISTERs are taken once more in the next round, with what is so by
then, and all other answers leave. Or the location does not answer in time (`Late`): then the batch waits, and so do the
next ones, while all else goes on, until it is known what became of it. What cannot be written at all has not happened.
Then what changes nothing is answered, and all else refused.
"""

import time
from collections.abc import Callable
from typing import Final

from switchboard.auth.authenticator import Authenticator
from switchboard.bus.rounds import BatchInterval
from switchboard.codec import CodecError, list_at
from switchboard.registrar.rules import Registrar
from switchboard.registrar.sqlite import SqliteStore
from switchboard.registrar.store import Change, Conflict, Late
from switchboard.storage.unusable import NotWritten
from switchboard.workers.reception import RECEIVED_HEAD, Reception, ReceptionInPython, Rest, rest_of

GATHER_S: Final = 0.04
"""From one commit to the next under load: a sync to the disk costs as much CPU as forty REGISTERs."""
AWAY_S: Final = 1.0
"""A location that takes longer is away: REGISTERs are refused until it answers."""


class RegisterBatches:
    """Owns what waits for its commit. `hand_out` gets what has changed, and the packed items that answer (monotonic s).

    `note_source`: of a REGISTER whose answer leaves, while others of its batch are taken once more. `clock`: epoch s.
    """

    def __init__(
        self,
        store: SqliteStore,
        registrar: Registrar,
        reception: "ReceptionInPython | Reception",
        authenticator: Authenticator | None,
        clock: Callable[[], float],
        hand_out: Callable[[Change, list[bytes], float], None],
        note_source: Callable[[bytes], None],
    ) -> None:
        self.bad_items = 0
        self._store = store
        self._registrar = registrar
        self._reception = reception
        self._authenticator = authenticator
        self._clock = clock
        self._hand_out = hand_out
        self._note_source = note_source
        self._gathering = BatchInterval(GATHER_S)
        self._frames: list[bytes] = []
        self._late: tuple[Late, list[bytes], list[bytes]] | None = None
        """A batch of which it is not known yet what became of it: its frames, and the answers if all is well."""
        self._late_until = 0.0
        self._taken = 0  # in this round
        self._began_at = 0.0  # the last commit

    def take_frame(self, frame: bytes) -> int | None:
        """Gather a round's sip.received; return how many items it has, None if it is another frame."""
        if not frame.startswith(RECEIVED_HEAD):
            return None
        try:
            count = list_at(frame, len(RECEIVED_HEAD))
        except CodecError:
            return None
        self._frames.append(frame)
        self._taken += count
        return count

    @property
    def is_done(self) -> bool:
        """Whether all that has come is answered."""
        return not (self._frames or self._late)

    @property
    def due_at(self) -> float | None:
        """When `go_on` has something to do (monotonic s); None: nothing waits."""
        if self._late:
            return self._late_until
        return 0.0 if self._frames else None

    def go_on(self) -> None:
        """Answer what was gathered, after one commit for all."""
        if self._late:
            self._look_at_late(*self._late)
        if self._frames and not self._late:
            self._take_registers(time.monotonic())

    def pause_s(self, is_busy: bool) -> float:
        """What is left of GATHER_S while REGISTERs come so fast that a commit is worth the wait.

        `is_busy`: something else commits often enough.
        """
        taken, self._taken = self._taken, 0
        if not taken or is_busy:
            return 0.0
        now = time.monotonic()
        return max(0.0, self._gathering.pause_s(now, taken, backlog=False) - (now - self._began_at))

    def _take_registers(self, now: float) -> None:
        self._began_at = now
        taken, self._frames = self._frames, []
        self._reception.begin()
        if self._authenticator:
            self._authenticator.verifier.replays.begin()
        try:
            change, items = self._answer_all(taken, now)
        except Late:
            return  # `_look_at_late` answers them
        except NotWritten:
            self._take_back()
            change, items = self._answer_all(taken, now)
        self._hand_out(change, items, now)

    def _take_back(self) -> None:
        self._reception.undo()
        if self._authenticator:
            self._authenticator.verifier.replays.undo()
        self._registrar.take_displaced()

    def _look_at_late(self, late: Late, taken: list[bytes], items: list[bytes]) -> None:
        """Whether it is known what became of a batch, or the location is away: then that is not waited for."""
        if not late.is_known and time.monotonic() >= self._late_until:
            self._store.give_up()
        if not (late.is_known or self._store.writing.error):
            return
        self._late = None
        if late.users is None:
            self._take_back()
            self._frames[:0] = taken
            return
        answers = self._repeat(rest_of(taken, items, late.users)) if late.users else items
        self._hand_out(Change(), answers, time.monotonic())

    def _answer_all(self, taken: list[bytes], now: float) -> tuple[Change, list[bytes]]:
        """The answers to these frames, once what they change is durable. NotWritten, Late."""
        items: list[bytes] = []
        try:
            with self._store.batch() as change:
                items += [item for frame in taken for item in self._answers(frame, now)]
                if self._authenticator:
                    self._store.keep_nonces(self._authenticator.take_changes())
        except Conflict as conflict:
            return Change(), self._repeat(rest_of(taken, items, conflict.users))
        except Late as late:
            self._late = late, taken, items
            self._late_until = now + AWAY_S
            raise
        return change, items

    def _repeat(self, rest: Rest) -> list[bytes]:
        """Take the REGISTERs of users whom another registrar has changed meanwhile in the next round."""
        for source in self._reception.take_sources():
            if source not in rest.flows:
                self._note_source(source)
        self._reception.undo()
        self._frames.append(rest.frame)
        return rest.answers

    def _answers(self, frame: bytes, now: float) -> list[bytes]:
        try:
            return self._reception.take(frame, len(RECEIVED_HEAD), now, self._clock())
        except CodecError:
            self.bad_items += 1
            return []
