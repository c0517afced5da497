"""One call from its INVITE to its record; time is an argument."""

from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Self

from switchboard.journal import events
from switchboard.journal.events import Answered, Bye, Failed, Forwarded, Invite, Refreshed, Ringing
from switchboard.journal.record import (
    CallDetailRecord,
    ForwardedBy,
    Outcome,
    Party,
    Relayed,
    ends_call,
    milliseconds,
    outcome_of,
    timestamp,
)

Key = tuple[str, str]
"""Call-ID and the caller's tag: what is the same in every message of a call, whatever its forks."""

MAX_FORKS = 16
"""Callee tags remembered of a call; more answers or BYEs than that are no call."""
CHALLENGES = (401, 407)
LINGER_S = 32.0
"""64 · T1: the time after its answer in which copies of an INVITE may come (RFC 6026 §7.1)."""
_NEVER_FINISHED = 408


class Phase(StrEnum):
    """How far an open call is."""

    CALLING = "calling"
    RINGING = "ringing"
    CHALLENGED = "challenged"
    """Answered 401 or 407: goes on if the caller repeats the INVITE with credentials (RFC 3261 §22.2)."""
    UP = "up"


@dataclass(slots=True)
class Call:
    """A call that has no record yet. Methods ignore what comes too late or twice; instants are epoch s."""

    call_id: str
    from_tag: str
    caller: str
    callee: str
    started_at: float
    ringing_at: float | None = None
    answered_at: float | None = None
    resumed_at: float = 0.0
    """When the caller last sent an INVITE, or the callee last rang."""
    challenged_at: float | None = None
    status: int = 0
    """Of the 2xx, or of the challenge; 0 before."""
    challenged_by: Party = Party.CALLEE
    answered: list[str] = field(default_factory=list)
    """Tags of the callees that sent a 2xx: more than one if the call forked and two picked up."""
    hung_up: dict[str, tuple[float, Party]] = field(default_factory=dict)
    """When and by whom the dialog with the callee of a tag was ended by BYE."""
    ended_at: float | None = None
    seen_at: float = 0.0
    """Of an answered call: when anything of it was last seen."""
    session_s: int = 0
    """It ends this time after `seen_at` unless it is refreshed (RFC 4028); 0: not by itself."""
    is_past_us: bool = False
    """A phone seems to ignore Record-Route: the rest of the call, and its end, may go past us."""
    forwarded: list[ForwardedBy] = field(default_factory=list)
    relayed: Relayed | None = None
    serial: int = 0
    """Its number among the calls of a `CallTable`, from 1, in the order in which they began; 0: in none yet."""

    @classmethod
    def begin(cls, event: Invite) -> Self:
        """The call that an INVITE opens."""
        return cls(event.call_id, event.from_tag, event.caller, event.callee, event.at, resumed_at=event.at)

    @classmethod
    def restore(cls, saved: list[Any]) -> Self:
        """The call that `save` has written."""
        call = cls(*saved[1:12])
        call.answered, hung_up, call.seen_at, call.session_s, call.is_past_us, *more = saved[12:]
        call.forwarded = [ForwardedBy(*each) for each in more if not isinstance(each, dict)]
        call.relayed = next((Relayed(**each) for each in more if isinstance(each, dict)), None)
        call.serial, call.challenged_by = saved[0], Party(call.challenged_by)
        call.hung_up = {tag: (at, Party(by)) for tag, (at, by) in hung_up.items()}
        return call

    def save(self) -> list[object]:
        """All that is to be known of an open call, in plain values, its serial first."""
        return [
            *(self.serial, self.call_id, self.from_tag, self.caller, self.callee),
            *(self.started_at, self.ringing_at, self.answered_at, self.resumed_at, self.challenged_at),
            *(self.status, self.challenged_by.value, self.answered),
            {tag: (at, by.value) for tag, (at, by) in self.hung_up.items()},
            *(self.seen_at, self.session_s, self.is_past_us),
            *((each.by, each.to, each.why) for each in self.forwarded),
            *([asdict(self.relayed)] if self.relayed else []),
        ]

    @property
    def key(self) -> Key:
        """What finds the call."""
        return self.call_id, self.from_tag

    @property
    def phase(self) -> Phase:
        """How far the call is."""
        if self.answered_at is not None:
            return Phase.UP
        if self._waits_for_credentials:
            return Phase.CHALLENGED
        return Phase.CALLING if self.ringing_at is None else Phase.RINGING

    @property
    def waits_since(self) -> float:
        """When the present phase began; for a call not yet answered, the call itself.

        Of one that is up, when anything of it was last seen.
        """
        if self.answered_at is not None:
            return max(self.answered_at, self.seen_at)
        challenged_at = self.challenged_at if self._waits_for_credentials else None
        return challenged_at or self.started_at

    def is_before(self, event: Invite) -> bool:
        """Whether the INVITE begins another call: it has the same tags, but comes long after the answer."""
        return self.answered_at is not None and event.at > self.answered_at + LINGER_S

    def invite_again(self, event: Invite) -> None:
        """The INVITE came back: after a challenge with credentials, else it is a repeat."""
        self.resumed_at = max(self.resumed_at, event.at)

    def ring(self, event: Ringing) -> None:
        """It rings at the callee's."""
        self.resumed_at = max(self.resumed_at, event.at)
        if self.ringing_at is None and self.answered_at is None:
            self.ringing_at = event.at

    def forward(self, event: Forwarded) -> None:
        """It has gone on to somebody else."""
        self.resumed_at = max(self.resumed_at, event.at)
        forwarded = ForwardedBy(event.by, event.to, event.why)
        if forwarded not in self.forwarded and len(self.forwarded) < MAX_FORKS:
            self.forwarded.append(forwarded)

    def relay(self, event: events.Relayed, is_by_caller: bool) -> None:
        """An engine has relayed its media; of several dialogs the first one counts of which something is known."""
        if self.relayed is None or self.relayed.voice is None:
            counts = (event.from_packets, event.to_packets)
            self.relayed = Relayed(event.engine, *(counts if is_by_caller else counts[::-1]))

    def answer(self, event: Answered) -> CallDetailRecord | None:
        """A callee picked up. Returns the record if its BYE has overtaken the answer."""
        if event.to_tag not in self.answered and len(self.answered) < MAX_FORKS:
            self.answered.append(event.to_tag)
        if self.answered_at is None:
            self.answered_at, self.status = event.at, event.status
            self.is_past_us = not event.record_routed
        self._see(event.at, event.session_s)
        return self._finished()

    def refresh(self, event: Refreshed) -> None:
        """A re-INVITE or UPDATE passed, so the call lives, and both phones speak through us."""
        self.is_past_us = False
        self._see(event.at, event.session_s)

    def confirm_late(self) -> None:
        """The ACK has not come past us in time."""
        self.is_past_us = self.is_past_us or self.seen_at == self.answered_at

    def fail(self, event: Failed) -> CallDetailRecord | None:
        """A final response that is not a 2xx. Returns the record unless the call is up or may yet go on."""
        if self.answered_at is not None:
            return None
        if event.status in CHALLENGES:
            self._challenge(event)
            return None
        by = self._cause(event)
        return self._record(event.at, outcome_of(event.status, by, self._rang), event.status, by)

    def hang_up(self, event: Bye, callee_tag: str, by: Party) -> CallDetailRecord | None:
        """A BYE in the dialog with the callee of that tag. Returns the record if none is left.

        One that was refused ends nothing; the call was up then.
        """
        if not ends_call(event.status):
            self._see(event.at, self.session_s)
            return None
        if callee_tag in self.answered or len(self.hung_up) < MAX_FORKS:
            self.hung_up.setdefault(callee_tag, (event.at, by))
        return self._finished()

    def describe(self, now_at: float) -> dict[str, object]:
        """The fields of a record as far as they are known, and two more.

        `duration_s` counts from the answer up to `now_at`. `state`: calling, ringing or up; `past_us`: it
        is up and seems to go past us, so that its end may not be seen.
        """
        state = Phase.CALLING if self.phase is Phase.CHALLENGED else self.phase
        return {
            "call_id": self.call_id,
            "caller": self.caller,
            "callee": self.callee,
            "started_at": timestamp(self.started_at),
            "ringing_at": _timestamp(self.ringing_at),
            "answered_at": _timestamp(self.answered_at),
            "ended_at": None,
            "duration_s": self._duration_s(now_at),
            "outcome": None,
            "status": self.status if self.answered_at else None,
            "ended_by": None,
            "forwarded": [asdict(each) for each in self.forwarded],
            "relayed": asdict(self.relayed) if self.relayed else None,
            "state": state.value,
            "past_us": self.is_past_us and state is Phase.UP,
        }

    def give_up(self, now_at: float) -> CallDetailRecord:
        """The record of a call from which nothing more is expected."""
        match self.phase:
            case Phase.UP:
                return self._record(self.waits_since, Outcome.ANSWERED, self.status, Party.UNSEEN)
            case Phase.CHALLENGED:
                return self._record(self.waits_since, Outcome.FAILED, self.status, self.challenged_by)
            case _:
                return self._record(now_at, Outcome.FAILED, _NEVER_FINISHED, Party.SWITCHBOARD)

    def _see(self, at: float, session_s: int) -> None:
        if at >= self.seen_at:
            self.seen_at, self.session_s = at, session_s

    @property
    def _rang(self) -> bool:
        return self.ringing_at is not None

    @property
    def _waits_for_credentials(self) -> bool:
        return self.challenged_at is not None and self.challenged_at >= self.resumed_at

    def _challenge(self, event: Failed) -> None:
        if self.challenged_at is None or event.at > self.challenged_at:
            self.challenged_at, self.status, self.challenged_by = event.at, event.status, event.by

    def _cause(self, event: Failed) -> Party:
        """A BYE may end an early dialog too (RFC 3261 §15): the callee's 487 is the caller's doing then."""
        if event.status == 487 and any(by is Party.CALLER for _, by in self.hung_up.values()):
            return Party.CALLER
        return event.by

    def _finished(self) -> CallDetailRecord | None:
        if not self.answered or not self.hung_up or any(tag not in self.hung_up for tag in self.answered):
            return None
        ended_at, by = max(self.hung_up[tag] for tag in self.answered)
        return self._record(ended_at, Outcome.ANSWERED, self.status, by)

    def _duration_s(self, until_at: float) -> float:
        if self.answered_at is None:
            return 0.0
        return max(0, milliseconds(until_at) - milliseconds(self.answered_at)) / 1000

    def _record(self, ended_at: float, outcome: Outcome, status: int, by: Party) -> CallDetailRecord:
        self.ended_at = max(ended_at, self.answered_at or self.started_at)
        return CallDetailRecord.model_construct(  # of our own making: nothing to validate
            call_id=self.call_id,
            caller=self.caller,
            callee=self.callee,
            started_at=timestamp(self.started_at),
            ringing_at=_timestamp(self.ringing_at),
            answered_at=_timestamp(self.answered_at),
            ended_at=timestamp(self.ended_at),
            duration_s=self._duration_s(self.ended_at),
            outcome=outcome,
            status=status,
            ended_by=by,
            forwarded=tuple(self.forwarded),
            relayed=self.relayed,
        )


def _timestamp(at: float | None) -> str | None:
    return None if at is None else timestamp(at)
