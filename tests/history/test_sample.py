"""The share of calls that is kept under load."""

from switchboard.bus.share import SMALLEST
from switchboard.history.sample import Sample


def after(sample: Sample, messages: int, now: float) -> bool:
    """Whether the share is another one when so many have come by then."""
    sample.count(messages)
    return sample.look(now)


def test_all_are_kept_while_there_are_few() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert not after(sample, 100, 11.0)
    assert (sample.halvings, sample.skipped) == (0, 0)


def test_under_load_the_share_shrinks_to_what_is_let_pass() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert after(sample, 400, 11.0)
    assert sample.halvings == 2
    assert not after(sample, 100, 12.0), "it is a quarter of 400"
    assert sample.skipped == 300


def test_a_burst_is_met_before_the_window_ends() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert not after(sample, 101, 10.1)
    assert after(sample, 100, 10.25)
    assert sample.halvings == 4, "201 in a quarter of a second"


def test_when_the_load_is_over_all_are_kept_again() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert after(sample, 1000, 11.0)
    assert after(sample, 0, 12.0)
    assert sample.halvings == 0


def test_about_the_limit_it_does_not_change_its_mind_each_second() -> None:
    sample = Sample(100)
    sample.look(10.0)
    assert after(sample, 110, 11.0)
    assert not after(sample, 45, 12.0), "90 of all"
    assert after(sample, 30, 13.0), "60 of all"
    assert sample.halvings == 0


def test_there_is_a_smallest_share() -> None:
    sample = Sample(1)
    sample.look(10.0)
    assert after(sample, 50_000, 11.0)
    assert sample.halvings == SMALLEST
