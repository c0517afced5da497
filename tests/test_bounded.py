"""Token buckets, generations and caches."""

from hypothesis import given
from hypothesis import strategies as st

from switchboard.bounded import Cache, Generations, TokenBucket


def test_a_bucket_is_full_at_first_and_fills_again() -> None:
    bucket = TokenBucket(rate=2.0, most=3.0, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]
    assert [bucket.take(10.5), bucket.take(10.5)] == [True, False]
    assert [bucket.take(99.0) for _ in range(4)] == [True, True, True, False]


def test_what_was_asked_too_early_costs_nothing() -> None:
    bucket = TokenBucket(rate=1.0, most=1.0, now=0.0)
    assert bucket.take(0.0)
    assert [bucket.take(at / 10) for at in range(1, 10)] == [False] * 9
    assert bucket.take(1.0)


@given(st.lists(st.floats(0.0, 0.5), max_size=60))
def test_no_more_than_the_rate_and_a_burst(pauses: list[float]) -> None:
    bucket, now, taken = TokenBucket(4.0, 5.0, 0.0), 0.0, 0
    for pause in pauses:
        now += pause
        taken += bucket.take(now)
    assert taken <= 5.0 + 4.0 * now + 1e-6


def test_the_old_go_when_the_young_are_too_many() -> None:
    known: Generations[int, str] = Generations(most=2)
    for number in range(5):
        known.put(number, str(number))
    assert [known.get(number) for number in range(5)] == [None, None, "2", "3", "4"]
    assert (len(known), 2 in known, 1 in known) == (3, True, False)


def test_who_is_put_again_stays() -> None:
    known: Generations[int, bool] = Generations(most=2)
    for number in (0, 1, 2, 0, 3):
        known.put(number, True)
    assert known.get(0)


@given(st.lists(st.floats(0.0, 7.0), max_size=20))
def test_what_is_put_lasts_for_one_span_and_less_than_three(pauses: list[float]) -> None:
    known: Generations[int, bool] = Generations(most=99, lasts_s=10.0)
    put_at: dict[int, float] = {}
    now = 100.0
    for number, pause in enumerate(pauses):
        now += pause
        known.age(now)
        for each, at in put_at.items():
            if now - at < 10.0:
                assert known.get(each)
            if now - at >= 30.0:
                assert known.get(each) is None
        known.put(number, True, now)
        put_at[number] = now


def test_nothing_outlives_two_spans_of_silence() -> None:
    known: Generations[int, bool] = Generations(most=9, lasts_s=10.0)
    known.age(100.0)
    known.put(1, True, 100.0)
    known.age(120.0)
    assert len(known) == 0


@given(st.lists(st.integers(0, 30), max_size=99))
def test_a_cache_is_bounded(keys: list[int]) -> None:
    cache: Cache[int, str] = Cache(most=10)
    for key in keys:
        assert cache.keep(key, str(key)) == str(key)
        assert cache.get(key) == str(key)
    assert len(cache) <= 10
