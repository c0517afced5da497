"""One measured value, several of them as one cell of the table, and the line they belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Line:
    """A line of the table: values are in `unit`; `target` is one for ours beside Kamailio's."""

    title: str
    unit: str
    digits: int
    target: str = ""


@dataclass(frozen=True)
class Figure:
    """A value, or why there is none."""

    value: float | None
    flaw: str = ""


@dataclass(frozen=True)
class Cell:
    """What the rounds found."""

    figures: Sequence[Figure]

    @property
    def value(self) -> float | None:
        """The median; None if any round failed, since the others were then lucky."""
        values = [figure.value for figure in self.figures if figure.value is not None]
        return median(values) if values and len(values) == len(self.figures) else None

    def text(self, digits: int) -> str:
        """The median, with the lowest and the highest if there are several; or what was wrong."""
        if self.value is None:
            return self._flaws()
        values = [figure.value for figure in self.figures if figure.value is not None]
        low, high = min(values), max(values)
        spread = f" ({low:.{digits}f}–{high:.{digits}f})" if len(values) > 1 else ""
        return f"{self.value:.{digits}f}{spread}"

    def _flaws(self) -> str:
        flaws = [figure.flaw for figure in self.figures if figure.value is None]
        if not flaws:
            return "–"
        runs = f", {len(flaws)} of {len(self.figures)} runs" if len(self.figures) > 1 else ""
        return f"{flaws[0]}{runs}"


def ratio(cell: Cell, other: Cell) -> str:
    """How many times the other's median this one's is."""
    if cell.value is None or not other.value:
        return "–"
    return f"{cell.value / other.value:.2f}"
