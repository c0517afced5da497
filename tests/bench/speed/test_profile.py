"""What perf prints."""

import pytest

from bench.speed.profile import parse_count, parse_functions


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


REPORT = """# Samples: 3K of event 'cpu-clock:ppp'
#
    20.49%      41:python  libpython3.11.so.1.0  [.] _PyEval_EvalFrameDefault
    10.00%      51:python  [kernel.kallsyms]     [k] udp_sendmsg
     3.00%      99:python  libc.so.6             [.] __poll
     1.50%      42:ZMQbg   libc.so.6             [.] __poll

"""


def test_functions_by_process() -> None:
    found = parse_functions(REPORT, {41: 41, 42: 41, 51: 51})
    assert {pid: [line.split() for line in lines] for pid, lines in found.items()} == {
        41: [
            ["20.49%", "libpython3.11.so.1.0", "[.]", "_PyEval_EvalFrameDefault"],
            ["1.50%", "libc.so.6", "[.]", "__poll"],
        ],
        51: [["10.00%", "[kernel.kallsyms]", "[k]", "udp_sendmsg"]],
    }
