from survey.surveys import reading, survey


def test_who_is_not_up() -> None:
    assert survey(0.0, reading("router.0"), reading("router.1", state="down")).not_up() == ["router.1"]


def test_total_over_the_instances() -> None:
    found = survey(0.0, reading("router.0", a=1), reading("router.1", a=2), reading("journal.0", a=4))
    assert found.total("router", "a") == 3
    assert found.total("router", "b") == 0
