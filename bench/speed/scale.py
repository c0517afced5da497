"""How long everything takes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """`rounds`: repetitions of each figure; `trial_s`: how long a rate is tried in the search."""

    rounds: int
    warm_s: float
    window_s: float
    trial_s: float
    registrations: int
    users: tuple[int, ...]
    calls_up: tuple[int, ...]


FULL = Scale(3, 1.5, 5.0, 4.0, 100_000, (1_000, 10_000, 100_000), (10_000, 50_000))
QUICK = Scale(1, 1.0, 2.5, 2.5, 10_000, (1_000, 10_000), (2_000, 5_000))
