from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from switchboard.doctor.facts import Level, MachineFacts
from switchboard.doctor.machine import check_machine
from switchboard.twins import COMPILING

GOOD = MachineFacts(
    clock_synchronized=True,
    buffer_cut="",
    buffer_bytes=4 << 20,
    open_files=4096,
    files_needed=456,
    python=(3, 11, 0),
    libzmq=(4, 3, 5),
    core="compiled core",
    data_dir=Path("/var/lib/switchboard"),
    data_dir_failure="",
    open_to_others=(),
    disk_free_bytes=10**10,
)


def test_all_is_well() -> None:
    assert {each.level for each in check_machine(GOOD)} == {Level.OK}


@pytest.mark.parametrize(
    ("change", "check", "level", "remedy"),
    [
        ({"clock_synchronized": False}, "clock", Level.WARNING, "chrony"),
        ({"clock_doubt": "2.0 h behind"}, "clock", Level.WARNING, "timedatectl"),
        ({"leaving": [Path("/x/router-1")]}, "routers", Level.WARNING, "switchboard status"),
        ({"buffer_cut": "little"}, "buffers", Level.WARNING, "net.core.rmem_max = 4194304"),
        ({"open_files": 256}, "files", Level.PROBLEM, "ulimit -Hn 4096"),
        ({"python": (3, 10, 9)}, "versions", Level.PROBLEM, "Python 3.11"),
        ({"libzmq": (4, 2, 5)}, "versions", Level.PROBLEM, "pyzmq"),
        ({"core": "pure Python"}, "core", Level.WARNING, "compiler"),
        ({"core": "pure Python (SWITCHBOARD_PURE=1)"}, "core", Level.WARNING, "out of the environment"),
        ({"data_dir_failure": "/x cannot be written"}, "data", Level.PROBLEM, "SWITCHBOARD_DATA_DIR"),
        ({"open_to_others": [Path("/x")]}, "privacy", Level.WARNING, "chmod -R go-rwx /x"),
        ({"damaged": ["location.db was found damaged"]}, "damage", Level.PROBLEM, "smartctl"),
        ({"lacks_users": True}, "users", Level.PROBLEM, "switchboard user add"),
        ({"tls_problem": "no key"}, "tls", Level.PROBLEM, "switchboard tls show"),
        ({"tls_doubts": ["it has expired"]}, "tls", Level.WARNING, "docs/SECURITY.md#tls"),
        ({"disk_free_bytes": 5 * 10**8}, "disk", Level.WARNING, "make room"),
        ({"disk_free_bytes": 10**7}, "disk", Level.PROBLEM, "make room"),
    ],
)
def test_what_is_wrong(change: dict[str, Any], check: str, level: Level, remedy: str) -> None:
    wrong = [each for each in check_machine(replace(GOOD, **change)) if each.level is not Level.OK]
    assert [(each.check, each.level, remedy in each.remedy) for each in wrong] == [(check, level, True)]


def test_a_core_that_is_being_compiled_needs_nobody() -> None:
    (found,) = (
        each for each in check_machine(replace(GOOD, core=f"pure {COMPILING}")) if each.check == "core"
    )
    assert found.level is Level.OK


def test_a_system_that_does_not_tell_of_its_clock() -> None:
    found = list(check_machine(replace(GOOD, clock_synchronized=None)))
    assert {each.level for each in found} == {Level.OK}


def test_a_certificate_that_is_good() -> None:
    found = [each for each in check_machine(replace(GOOD, tls_until="2027-11-29")) if each.check == "tls"]
    assert [(each.level, each.found) for each in found] == [
        (Level.OK, "the certificate is valid until 2027-11-29")
    ]
