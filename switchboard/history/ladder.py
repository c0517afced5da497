"""Draws the ladder of a call: who took part, each message as an arrow, and what belongs together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from switchboard.history.changes import Change, changes_between
from switchboard.history.glance import Glance, short
from switchboard.history.matching import request_of, twin_of
from switchboard.history.seen import Direction, Seen

SWITCHBOARD = "switchboard"


class Part(StrEnum):
    """What a participant is."""

    PHONE = "phone"
    SWITCHBOARD = "switchboard"
    WORKER = "worker"


@dataclass(frozen=True, slots=True)
class Participant:
    """A column of the ladder. `key`: its address, `switchboard`, or a worker's name; `label`: its user."""

    key: str
    label: str
    part: Part


@dataclass(frozen=True, slots=True)
class Arrow:
    """A message from one participant to another, both by their place in the ladder."""

    seen: Seen
    source: int
    destination: int
    label: str
    offset_s: float
    """Since the first message."""
    since_s: float
    """Since the message before."""
    retransmission: bool
    """The same bytes went the same way before."""
    answers: int | None
    """Which arrow this response is an answer to."""
    twin: int | None
    """Of what left: which arrow came in as this message; None: the switchboard made it itself."""
    fork: int
    """1, 2, …: one of several branches of a request; 0: it was not forked."""
    changes: Sequence[Change]
    """What differs from the twin."""

    @property
    def direction(self) -> Direction:
        return self.seen.direction


@dataclass(frozen=True, slots=True)
class Ladder:
    """All arrows in order of time."""

    participants: Sequence[Participant]
    arrows: Sequence[Arrow]


def draw(messages: Iterable[Seen], *, hops: bool = True) -> Ladder:
    """Return the ladder of the messages of one Call-ID; without `hops` as seen from outside."""
    glances = [Glance.of(seen) for seen in messages if hops or seen.direction is not Direction.HOP]
    glances.sort(key=lambda glance: glance.seen.at_ns)
    participants = _participants(glances)
    places = {participant.key: place for place, participant in enumerate(participants)}
    arrows = [_arrow(glances, number, places) for number in range(len(glances))]
    return Ladder(participants, _number_forks(glances, arrows))


def _participants(glances: Sequence[Glance]) -> list[Participant]:
    """The caller, the switchboard, its workers, and whom it reached."""
    labels = _labels(glances)
    keys = list(dict.fromkeys(key for glance in glances for key in _ends(glance)))
    phones = [key for key in keys if _part_of(key, glances) is Part.PHONE]
    workers = sorted(key for key in keys if _part_of(key, glances) is Part.WORKER)
    ordered = [*phones[:1], *([SWITCHBOARD] if SWITCHBOARD in keys else []), *workers, *phones[1:]]
    return [Participant(key, labels.get(key, ""), _part_of(key, glances)) for key in ordered]


def _ends(glance: Glance) -> tuple[str, str]:
    seen = glance.seen
    if seen.direction is Direction.HOP:
        return seen.source.host, seen.destination.host
    if seen.direction is Direction.IN:
        return str(seen.source), SWITCHBOARD
    return SWITCHBOARD, str(seen.destination)


def _part_of(key: str, glances: Sequence[Glance]) -> Part:
    if key == SWITCHBOARD:
        return Part.SWITCHBOARD
    hops = (glance for glance in glances if glance.seen.direction is Direction.HOP)
    return Part.WORKER if any(key in _ends(glance) for glance in hops) else Part.PHONE


def _labels(glances: Sequence[Glance]) -> dict[str, str]:
    """Address -> the user there, as the requests that begin something tell."""
    labels: dict[str, str] = {}
    for glance in glances:
        if not glance.is_initial or glance.method == "ACK":
            continue
        if glance.comes_in:
            labels.setdefault(str(glance.seen.source), short(glance.caller))
        elif glance.goes_out:
            labels.setdefault(str(glance.seen.destination), short(glance.callee) or short(glance.uri))
    return labels


def _arrow(glances: Sequence[Glance], number: int, places: dict[str, int]) -> Arrow:
    glance = glances[number]
    source, destination = _ends(glance)
    twin = twin_of(glances, number)
    before = glances[max(0, number - 1)]
    return Arrow(
        seen=glance.seen,
        source=places[source],
        destination=places[destination],
        label=label_of(glance),
        offset_s=(glance.seen.at_ns - glances[0].seen.at_ns) / 1e9,
        since_s=(glance.seen.at_ns - before.seen.at_ns) / 1e9,
        retransmission=_is_repeated(glances, number),
        answers=request_of(glances, number),
        twin=twin,
        fork=0,
        changes=() if twin is None else changes_between(glances[twin], glance),
    )


def label_of(glance: Glance) -> str:
    """`INVITE lenka`, `486 Busy Here (INVITE)`."""
    if glance.status:
        return f"{glance.status} {glance.phrase} ({glance.method})"
    target = short(glance.callee) if glance.method == "REGISTER" else short(glance.uri)
    return f"{glance.method} {target}"


def _is_repeated(glances: Sequence[Glance], number: int) -> bool:
    seen = glances[number].seen
    return any(
        earlier.seen.raw == seen.raw and earlier.seen._replace(at_ns=seen.at_ns) == seen
        for earlier in glances[:number]
    )


def _number_forks(glances: Sequence[Glance], arrows: Sequence[Arrow]) -> list[Arrow]:
    """Branches of one request differ in our branch; a retransmission has the number of its first."""
    forks: dict[int, list[str]] = {}
    for glance, arrow in zip(glances, arrows, strict=True):
        if glance.is_request and glance.method != "ACK" and arrow.twin is not None:
            origin = _first_like(arrows, arrow.twin)
            branches = forks.setdefault(origin, [])
            if glance.branch not in branches:
                branches.append(glance.branch)
    numbers = {
        branch: place
        for branches in forks.values()
        if len(branches) > 1
        for place, branch in enumerate(branches, 1)
    }
    return [replace(a, fork=numbers.get(g.branch, 0)) for g, a in zip(glances, arrows, strict=True)]


def _first_like(arrows: Sequence[Arrow], number: int) -> int:
    """The first arrow of which this one is a retransmission, else this one."""
    raw = arrows[number].seen.raw
    return next(place for place, arrow in enumerate(arrows) if arrow.seen.raw == raw)
