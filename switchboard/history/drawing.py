"""The ladder as lines of text, for terminals and for copying."""

from collections.abc import Iterator

from switchboard.history.ladder import Arrow, Ladder, Participant

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
