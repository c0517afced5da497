"""Which records are found."""

import pytest
from journal.scripts import finished

from switchboard.journal.record import ForwardedBy
from switchboard.journal.search import Wanted, find


@pytest.mark.parametrize(
    ("user", "is_found"),
    [
        ("LUKAS", True),
        ("mia", True),
        ("office", True),
        ("sip:mia@10.0.0.1", True),
        ("eva", False),
        ("", True),
    ],
)
def test_by_who_took_part(user: str, is_found: bool) -> None:
    record = finished("one").model_copy(update={"forwarded": (ForwardedBy("mia", "group:office", "busy"),)})
    found = list(find([record.to_line(), b"torn\n"], Wanted(user=user).matcher()))
    assert found == ([record] if is_found else [])


def test_by_outcome_and_day() -> None:
    lines = [finished("one").to_line()]
    assert list(find(lines, Wanted(outcome="declined").matcher()))
    assert list(find(lines, Wanted(outcome="missed").matcher()))
    assert not list(find(lines, Wanted(outcome="answered").matcher()))
    assert not list(find(lines, Wanted(until="2020-01-01").matcher()))
    with pytest.raises(ValueError, match="is no day"):
        Wanted(since="yesterday").matcher()
