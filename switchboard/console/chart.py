"""A small chart as points of an SVG polyline: no script, no library."""

from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT, PADDING = 240.0, 48.0, 2.0


@dataclass(frozen=True, slots=True)
class Chart:
    """Points of the line, and of the area below it, in a box of WIDTH x HEIGHT; `top`: the scale's end."""

    line: str
    area: str
    top: float
    latest: float


def draw(values: Sequence[tuple[float, float]], span_s: float) -> Chart:
    """Draw at least one value, each with its instant, the latest at the right edge; the width is `span_s`."""
    until = values[-1][0]
    top = max(1.0, *(value for _, value in values))
    across = [WIDTH * (1 - (until - at) / span_s) for at, _ in values]
    up = [HEIGHT - PADDING - value / top * (HEIGHT - 2 * PADDING) for _, value in values]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(across, up, strict=True))
    return Chart(line, f"{across[0]:.1f},{HEIGHT:.0f} {line} {WIDTH:.0f},{HEIGHT:.0f}", top, values[-1][1])
