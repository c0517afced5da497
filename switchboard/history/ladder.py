"""The ladder of a call: which messages belong together (RFC 3261 §17), what each changed, and its drawing as text."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from switchboard.history.lenient import LenientMessage, long_name, short
from switchboard.history.seen import Direction, Seen


def counterpart_of(parsed_messages: Sequence[LenientMessage], number: int) -> int | None:
    """Which message came in before it left: it has, under our Via, the same branch, and the same To tag (§16.6-7)."""
    parsed = parsed_messages[number]
    if not parsed.goes_out:
        return None
    for earlier in range(number - 1, -1, -1):
        if parsed_messages[earlier].comes_in and _is_same(parsed_messages[earlier], parsed):
            return earlier
    return None


def _is_same(incoming: LenientMessage, outgoing: LenientMessage) -> bool:
    if (incoming.status, incoming.cseq) != (outgoing.status, outgoing.cseq):
        return False
    if incoming.status and incoming.to_tag != outgoing.to_tag:
        return False  # that of another fork (§19.3)
    inner, outer = (incoming, outgoing) if incoming.is_request else (outgoing, incoming)
    return bool(inner.branches) and inner.branches[:1] == outer.branches[1:2] and inner.method == outer.method


def request_of(parsed_messages: Sequence[LenientMessage], number: int) -> int | None:
    """The latest request with the same branch and method that went the other way (§17.1.3)."""
    parsed = parsed_messages[number]
    if parsed.is_request or parsed.seen.direction is Direction.HOP:
        return None
    for earlier in range(number - 1, -1, -1):
        other = parsed_messages[earlier]
        is_other_way = other.seen.direction not in (parsed.seen.direction, Direction.HOP)
        if other.is_request and is_other_way and (other.branch, other.cseq) == (parsed.branch, parsed.cseq):
            return earlier
    return None


@dataclass(frozen=True, slots=True)
class Change:
    """`what`: `Request-URI`, `reason phrase`, `body`, or a field's name; "" where there was or is nothing.

    Several values of a field stand one a line.
    """

    what: str
    before: str
    after: str


def changes_between(incoming: LenientMessage, outgoing: LenientMessage) -> list[Change]:
    """Return what differs, in the order of a message."""
    found = [
        Change("Request-URI", incoming.uri, outgoing.uri),
        Change("reason phrase", incoming.phrase, outgoing.phrase),
        *(_change_of(name, incoming, outgoing) for name in _names(incoming, outgoing)),
        Change("body", _shown(incoming.body), _shown(outgoing.body)),
    ]
    return [change for change in found if change.before != change.after]


def _names(incoming: LenientMessage, outgoing: LenientMessage) -> list[str]:
    return list(dict.fromkeys(name for name, _ in (*outgoing.fields, *incoming.fields)))


def _change_of(name: str, incoming: LenientMessage, outgoing: LenientMessage) -> Change:
    before, after = (parsed.all(long_name(name)) for parsed in (incoming, outgoing))
    return Change(name, "\n".join(before), "\n".join(after))


def _shown(body: bytes) -> str:
    return body.decode("utf-8", "replace")


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
    counterpart: int | None
    """Of what left: which arrow came in as this message; None: the switchboard made it itself."""
    fork: int
    """1, 2, …: one of several branches of a request; 0: it was not forked."""
    changes: Sequence[Change]
    """What differs from the counterpart."""

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
    parsed_messages = [
        LenientMessage.of(seen) for seen in messages if hops or seen.direction is not Direction.HOP
    ]
    parsed_messages.sort(key=lambda parsed: parsed.seen.at_ns)
    participants = _participants(parsed_messages)
    places = {participant.key: place for place, participant in enumerate(participants)}
    arrows = [_arrow(parsed_messages, number, places) for number in range(len(parsed_messages))]
    return Ladder(participants, _number_forks(parsed_messages, arrows))


def _participants(parsed_messages: Sequence[LenientMessage]) -> list[Participant]:
    """The caller, the switchboard, its workers, and whom it reached."""
    labels = _labels(parsed_messages)
    keys = list(dict.fromkeys(key for parsed in parsed_messages for key in _ends(parsed)))
    phones = [key for key in keys if _part_of(key, parsed_messages) is Part.PHONE]
    workers = sorted(key for key in keys if _part_of(key, parsed_messages) is Part.WORKER)
    ordered = [*phones[:1], *([SWITCHBOARD] if SWITCHBOARD in keys else []), *workers, *phones[1:]]
    return [Participant(key, labels.get(key, ""), _part_of(key, parsed_messages)) for key in ordered]


def _ends(parsed: LenientMessage) -> tuple[str, str]:
    seen = parsed.seen
    if seen.direction is Direction.HOP:
        return seen.source.host, seen.destination.host
    if seen.direction is Direction.IN:
        return str(seen.source), SWITCHBOARD
    return SWITCHBOARD, str(seen.destination)


def _part_of(key: str, parsed_messages: Sequence[LenientMessage]) -> Part:
    if key == SWITCHBOARD:
        return Part.SWITCHBOARD
    hops = (parsed for parsed in parsed_messages if parsed.seen.direction is Direction.HOP)
    return Part.WORKER if any(key in _ends(parsed) for parsed in hops) else Part.PHONE


def _labels(parsed_messages: Sequence[LenientMessage]) -> dict[str, str]:
    """Address -> the user there, as the requests that begin something tell."""
    labels: dict[str, str] = {}
    for parsed in parsed_messages:
        if not parsed.is_initial or parsed.method == "ACK":
            continue
        if parsed.comes_in:
            labels.setdefault(str(parsed.seen.source), short(parsed.caller))
        elif parsed.goes_out:
            labels.setdefault(str(parsed.seen.destination), short(parsed.callee) or short(parsed.uri))
    return labels


def _arrow(parsed_messages: Sequence[LenientMessage], number: int, places: dict[str, int]) -> Arrow:
    parsed = parsed_messages[number]
    source, destination = _ends(parsed)
    counterpart = counterpart_of(parsed_messages, number)
    before = parsed_messages[max(0, number - 1)]
    return Arrow(
        seen=parsed.seen,
        source=places[source],
        destination=places[destination],
        label=label_of(parsed),
        offset_s=(parsed.seen.at_ns - parsed_messages[0].seen.at_ns) / 1e9,
        since_s=(parsed.seen.at_ns - before.seen.at_ns) / 1e9,
        retransmission=_is_repeated(parsed_messages, number),
        answers=request_of(parsed_messages, number),
        counterpart=counterpart,
        fork=0,
        changes=() if counterpart is None else changes_between(parsed_messages[counterpart], parsed),
    )


def label_of(parsed: LenientMessage) -> str:
    """`INVITE lenka`, `486 Busy Here (INVITE)`."""
    if parsed.status:
        return f"{parsed.status} {parsed.phrase} ({parsed.method})"
    target = short(parsed.callee) if parsed.method == "REGISTER" else short(parsed.uri)
    return f"{parsed.method} {target}"


def _is_repeated(parsed_messages: Sequence[LenientMessage], number: int) -> bool:
    seen = parsed_messages[number].seen
    return any(
        earlier.seen.raw == seen.raw and earlier.seen._replace(at_ns=seen.at_ns) == seen
        for earlier in parsed_messages[:number]
    )


def _number_forks(parsed_messages: Sequence[LenientMessage], arrows: Sequence[Arrow]) -> list[Arrow]:
    """Branches of one request differ in our branch; a retransmission has the number of its first."""
    forks: dict[int, list[str]] = {}
    for parsed, arrow in zip(parsed_messages, arrows, strict=True):
        if parsed.is_request and parsed.method != "ACK" and arrow.counterpart is not None:
            origin = _first_like(arrows, arrow.counterpart)
            branches = forks.setdefault(origin, [])
            if parsed.branch not in branches:
                branches.append(parsed.branch)
    numbers = {
        branch: place
        for branches in forks.values()
        if len(branches) > 1
        for place, branch in enumerate(branches, 1)
    }
    return [replace(a, fork=numbers.get(g.branch, 0)) for g, a in zip(parsed_messages, arrows, strict=True)]


def _first_like(arrows: Sequence[Arrow], number: int) -> int:
    """The first arrow of which this one is a retransmission, else this one."""
    raw = arrows[number].seen.raw
    return next(place for place, arrow in enumerate(arrows) if arrow.seen.raw == raw)


TIME_WIDTH = 10
LEAST_GAP = 24
LONGEST_LABEL = 44


def lines_of(ladder: Ladder) -> Iterator[str]:
    """Yield the participants' names, then a line an arrow; times are seconds since the first message."""
    gap = _gap(ladder)
    yield _titles(gap, [_name(each) for each in ladder.participants])
    yield _titles(gap, [each.key if each.label else "" for each in ladder.participants])
    for arrow in ladder.arrows:
        yield _line(arrow, len(ladder.participants), gap)


def _gap(ladder: Ladder) -> int:
    """Columns from one participant to the next: as many as the longest label needs."""
    labels = (len(_label(arrow)) + 4 for arrow in ladder.arrows)
    return max(LEAST_GAP, *labels)


def _name(participant: Participant) -> str:
    return participant.label or participant.key


def _titles(gap: int, names: list[str]) -> str:
    cells = (name[: gap - 1].center(gap) for name in names)
    return (" " * (TIME_WIDTH + 1) + "".join(cells)).rstrip()


def _label(arrow: Arrow) -> str:
    notes = [f"fork {arrow.fork}"] if arrow.fork else []
    notes += ["again"] if arrow.retransmission else []
    text = f"{arrow.label} [{', '.join(notes)}]" if notes else arrow.label
    return text if len(text) <= LONGEST_LABEL else f"{text[: LONGEST_LABEL - 1]}…"


def _line(arrow: Arrow, count: int, gap: int) -> str:
    """The time, a bar for each participant, and the arrow between two of them."""
    half = gap // 2
    row = [" "] * (gap * count)
    for place in range(count):
        row[half + place * gap] = "│"
    left, right = sorted((arrow.source, arrow.destination))
    begin, end = half + left * gap + 1, half + right * gap
    shaft = f" {_label(arrow)} ".center(end - begin - 1, "─")
    row[begin:end] = f"{shaft}▶" if arrow.source <= arrow.destination else f"◀{shaft}"
    return f"{arrow.offset_s:{TIME_WIDTH}.3f} {''.join(row)}".rstrip()
