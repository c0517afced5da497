"""What others know, as the JSON API shows it: their values as models."""

from collections.abc import Mapping, Sequence
from typing import Any

from switchboard.console.api import models
from switchboard.console.call import Told
from switchboard.console.now import Figure
from switchboard.console.people import Person
from switchboard.console.watch import Look, RegisteredPhone
from switchboard.history.account import Account
from switchboard.history.failures import FailedRegistrations
from switchboard.history.ladder import Arrow, Ladder
from switchboard.history.masking import mask
from switchboard.history.seen import Direction
from switchboard.journal.record import timestamp
from switchboard.registrar.listing import way_of
from switchboard.survey.reach import Reached
from switchboard.survey.reading import WorkerLine


def status(look: Look, damaged: list[str], figures: Sequence[Figure]) -> models.Status:
    """How the switchboard is. `damaged`: what was found of files."""
    return models.Status(
        at=timestamp(look.at),
        ready=not look.moment.not_up,
        not_up=list(look.moment.not_up),
        calls=None if look.calls is None else len(look.calls),
        users=look.moment.users,
        bindings=look.moment.bindings,
        today=models.Today(
            calls=look.recent.calls,
            missed=look.recent.missed,
            failed_registrations=look.recent.failed.count if look.recent.failed else None,
        ),
        damaged=damaged,
        figures=[
            models.Figure(
                name=each.name,
                value=each.value,
                unit=each.unit or ("1/s" if each.is_rate else ""),
                note=each.note,
            )
            for each in figures
        ],
        workers=[worker(each) for each in look.moment.workers],
    )


def call_of_history(told: Told) -> models.CallOfHistory:
    """What became of one Call-ID."""
    summary = told.summary
    return models.CallOfHistory(
        call_id=summary.call_id,
        kind=summary.kind.value,
        caller=summary.caller,
        callee=summary.callee,
        outcome=summary.outcome,
        status=summary.status,
        phrase=summary.phrase,
        started_at=at_ns(summary.started_ns),
        last_at=at_ns(summary.last_ns),
        messages=len(told.ladder.arrows),
        account=account(told.account),
        participants=[
            models.Participant(key=each.key, label=each.label, part=each.part.value)
            for each in told.ladder.participants
        ],
    )


def at_ns(instant: int) -> str:
    """An instant (epoch ns)."""
    return timestamp(instant / 1e9)


def worker(line: WorkerLine) -> models.Worker:
    """A worker."""
    fields = line.to_map()
    name = f"{fields.pop('name')}.{fields.pop('instance')}"
    return models.Worker(worker=name, **fields)


def call_now(call: Mapping[str, Any]) -> models.CallNow:
    """A call that rings or is up."""
    return models.CallNow.model_validate({name: call[name] for name in models.CallNow.model_fields})


def account(found: Account) -> models.Told:
    """What became of a call or a registration."""
    return models.Told(
        sentences=found.sentences,
        advice=found.advice,
        failed=found.failed,
        outcome=found.outcome,
        ended_by=found.ended_by,
    )


def message(number: int, arrow: Arrow, ladder: Ladder) -> models.Message:
    """A message of a ladder, and its number, from 1."""

    def one(place: int | None) -> int | None:
        return None if place is None else place + 1

    def name(place: int) -> str:
        return ladder.participants[place].key

    return models.Message(
        number=number,
        at=at_ns(arrow.seen.at_ns),
        offset_s=round(arrow.offset_s, 6),
        source=name(arrow.source),
        destination=name(arrow.destination),
        direction="in" if arrow.direction is Direction.IN else "out",
        label=arrow.label,
        retransmission=arrow.retransmission,
        fork=arrow.fork,
        answers=one(arrow.answers),
        counterpart=one(arrow.counterpart),
        changes=[
            models.Change(what=each.what, before=each.before, after=each.after) for each in arrow.changes
        ],
        text=mask(arrow.seen.raw).decode("utf-8", "replace"),
    )


def user(person: Person) -> dict[str, Any]:
    """The fields of a user."""
    set_at = person.password_set_at
    return {
        "user": person.user,
        "display_name": person.display_name,
        "password_set_at": None if set_at is None else timestamp(set_at),
        "is_void": person.is_void,
    }


def binding(user: str, found: Mapping[str, Any]) -> models.Binding:
    """A binding, as the registrar tells it."""
    transport, connection = way_of(found)
    return models.Binding(
        user=user,
        contact=found["contact_uri"],
        q=found["q"],
        left_s=found["left_s"],
        source=found["source"],
        transport=transport,
        connection=connection,
        user_agent=found["user_agent"],
    )


def reach(reached: Reached | None) -> dict[str, Any]:
    """What is known of it: nothing before the first answer or silence."""
    if reached is None or reached == Reached():
        return {}
    latency_ms = None if reached.latency_s is None else round(1000 * reached.latency_s, 3)
    return {"latency_ms": latency_ms, "seen_s": reached.seen_s, "unanswered": reached.silent}


def failed(group: FailedRegistrations) -> models.FailedGroup:
    """Registrations that failed in the same way."""
    return models.FailedGroup(
        user=group.user,
        source=group.source,
        agent=group.agent,
        status=group.status,
        phrase=group.phrase,
        count=group.count,
        first_at=at_ns(group.first_ns),
        last_at=at_ns(group.last_ns),
        call_id=group.call_id,
        account=account(group.account),
    )


def subscription(each: Mapping[str, Any]) -> models.Subscription:
    """A subscription."""
    told = {**each, "from_uri": each["from"], "since_at": timestamp(each["since_at"])}
    return models.Subscription(**told)


def phone(each: RegisteredPhone) -> models.Binding:
    """A binding of a person."""
    return models.Binding(
        user=each.user,
        contact=each.contact,
        q=each.q,
        left_s=round(each.left_s, 3),
        source=each.source,
        transport=each.transport,
        connection=each.connection,
        user_agent=each.user_agent,
        **reach(each.reached),
    )
