"""Looks for inputs that harm the core, guided by the code that they reach (atheris, libFuzzer); `make fuzz`.

python -m guided --seconds 60 WORK       the corpus that grows, and what is found, are kept in WORK
"""

import argparse
import os
import sys
from pathlib import Path

import atheris

from switchboard.twins import PURE, obey_environment

os.environ[PURE] = "1"
obey_environment()  # its finder of modules has to stand behind that of atheris
with atheris.instrument_imports(include=["switchboard"]):
    from malformed import CASES
    from sip.messages import TORTURE
    from takes import seeds, take

LARGEST = 4096
FOUND = Path(__file__).parent / "found"


def write_seeds(directory: Path) -> None:
    """What the fuzzer begins with: calls, torture messages, what was spoilt by hand."""
    directory.mkdir(parents=True, exist_ok=True)
    singles = [b"\0" + raw for raw in (*TORTURE, *(case.raw for case in CASES.values()))]
    for number, raw in enumerate([*seeds(), *singles]):
        if len(raw) <= LARGEST:
            (directory / f"seed-{number:03}").write_bytes(raw)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("work", type=Path)
    arguments = parser.parse_args()
    corpus = arguments.work / "corpus"
    write_seeds(corpus)
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-max_len={LARGEST}",
        "-timeout=10",
        "-print_final_stats=1",
    ]
    places = [f"-artifact_prefix={arguments.work}/", str(corpus), str(FOUND)]
    atheris.Setup([sys.argv[0], *options, *places], take)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
