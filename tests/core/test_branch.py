"""Choosing among final responses (RFC 3261 §16.7 step 6)."""

import pytest

from switchboard.core.branch import Final, best


@pytest.mark.parametrize(
    ("statuses", "chosen"),
    [
        ([404], 404),
        ([500, 404, 302], 302),
        ([500, 600, 302], 600),
        ([404, 407, 401], 401),
        ([486, 484, 420], 420),
        ([503, 500], 503),
    ],
)
def test_best(statuses: list[int], chosen: int) -> None:
    assert best([Final(status) for status in statuses]).status == chosen
