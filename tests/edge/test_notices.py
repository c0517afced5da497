"""Lines for operators: bounded, whatever comes."""

from switchboard.edge.notices import AGAIN_S, LINES_A_SECOND, Notices


def test_a_notice_names_event_and_source() -> None:
    notices = Notices()
    notices.add("scanner dropped", "192.0.2.1", 100.0, user_agent="x")
    assert notices.take() == [("scanner dropped", {"source": "192.0.2.1", "user_agent": "x"})]
    assert notices.take() == []


def test_the_same_is_told_again_after_a_while_only() -> None:
    notices = Notices()
    for now in (100.0, 101.0, 99.0 + AGAIN_S, 100.0 + AGAIN_S):
        notices.add("scanner dropped", "192.0.2.1", now)
    notices.add("flood ignored", "192.0.2.1", 101.0)
    assert [event for event, _ in notices.take()] == ["scanner dropped"] * 2 + ["flood ignored"]


def test_many_sources_make_a_bounded_number_of_lines() -> None:
    notices = Notices()
    for number in range(1000):
        notices.add("scanner dropped", f"source {number}", 100.0 + number / 500)
    told = notices.take()
    assert len(told) == 2 * LINES_A_SECOND
    assert notices.suppressed == 1000 - len(told)
