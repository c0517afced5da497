"""What others' dialogs and contacts bring to who has nothing to do with them: short versions of `make attack`."""

import pytest

from bench import forged, hijack, leadback
from bench.bystander import Reach

pytestmark = [pytest.mark.system, pytest.mark.alone]


def test_nobody_takes_over_a_dialog() -> None:
    found = hijack.measure()
    assert found.delivered == found.requests
    assert found.reach == Reach()


def test_nobody_is_reached_by_a_forged_dialog() -> None:
    found = forged.measure(every=7)
    assert found.judged == found.requests
    assert found.reach == Reach()


@pytest.mark.parametrize("auth", [False, True], ids=["open", "auth"])
def test_contacts_that_lead_back_multiply_nothing(auth: bool) -> None:
    """A victim gets 60 first transmissions of one request at most, and ten repetitions a second (RFC 5393)."""
    found = leadback.measure(auth, listen_s=2.0, every=4)
    assert 1 < found.worst.first <= 60
    assert found.worst.busiest <= 10
