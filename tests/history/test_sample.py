"""The share of calls that is kept under load."""

from switchboard.history.sample import SMALLEST_SHARE, Sample


def passing(sample: Sample, count: int) -> int:
    """How many of so many calls are wanted."""
    return sum(sample.wants(b"call %d" % number) for number in range(count))


def test_all_are_kept_while_there_are_few() -> None:
    sample = Sample(100)
    sample.look(0.0)
    assert passing(sample, 100) == 100
    sample.look(1.0)
    assert (passing(sample, 100), sample.halvings, sample.skipped) == (100, 0, 0)


def test_under_load_a_share_is_kept_always_of_the_same_calls() -> None:
    sample = Sample(100)
    sample.look(0.0)
    passing(sample, 400)
    sample.look(1.0)
    assert sample.halvings == 2
    kept = passing(sample, 400)
    assert 60 < kept < 140
    assert sample.skipped == 400 - kept
    assert passing(sample, 400) == kept
    sample.look(3.0)
    assert sample.halvings == 2, "800 in two seconds"


def test_when_the_load_is_over_all_are_kept_again() -> None:
    sample = Sample(100)
    sample.look(0.0)
    passing(sample, 1000)
    sample.look(1.0)
    assert sample.halvings
    sample.look(2.0)
    assert sample.halvings == 0


def test_between_two_looks_nothing_changes() -> None:
    sample = Sample(1)
    sample.look(0.0)
    passing(sample, 5000)
    sample.look(0.5)
    assert sample.halvings == 0
    sample.look(1.0)
    assert sample.halvings == SMALLEST_SHARE
