"""How often a request is repeated to an address that has never answered anything."""

from switchboard.core.repetitions import A_SECOND, ADDRESSES, Repetitions

VICTIM, PHONE = "192.0.2.7", "10.0.0.11"


def test_an_address_that_is_silent_gets_some_a_second() -> None:
    repetitions = Repetitions()
    allowed = [repetitions.allows(VICTIM, 100.0 + number / 1000) for number in range(3 * A_SECOND)]
    assert allowed == [True] * A_SECOND + [False] * (2 * A_SECOND)
    assert repetitions.withheld == 2 * A_SECOND
    assert repetitions.allows(PHONE, 100.5)
    assert repetitions.allows(VICTIM, 101.0)


def test_who_has_answered_is_repeated_to_as_often_as_it_takes() -> None:
    repetitions = Repetitions()
    repetitions.answered(PHONE)
    assert all(repetitions.allows(PHONE, 100.0) for _ in range(100))


def test_few_are_remembered() -> None:
    repetitions = Repetitions()
    repetitions.answered(PHONE)
    for number in range(2 * ADDRESSES + 1):
        repetitions.answered(f"host-{number}")
    assert not all(repetitions.allows(PHONE, 100.0) for _ in range(A_SECOND + 1))
