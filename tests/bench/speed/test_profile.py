"""What perf prints."""

import pytest

from bench.speed.profile import parse_count


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1234;;raw_syscalls:sys_enter;2500;100.00;;\n", 1234),
        ("<not counted>;;raw_syscalls:sys_enter;0;0.00;;\n", None),
        ("", None),
    ],
)
def test_count(text: str, count: int | None) -> None:
    assert parse_count(text) == count
