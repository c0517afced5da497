"""`.ci/run` installs whatever a test requires: on a fresh machine no test is skipped, or fails for a program's lack."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent
RUN = (TESTS.parent / ".ci" / "run").read_text()
PACKAGES = {
    "baresip": "baresip-core",
    "btrfs": "btrfs-progs",
    "chromium": "chromium",
    "fail2ban-regex": "fail2ban",
    "gcc": "gcc",
    "initdb": "postgresql",
    "ip": "iproute2",
    "kamailio": "kamailio",
    "linphonec": "linphone-cli",
    "mkfs.btrfs": "btrfs-progs",
    "mkfs.ext4": "e2fsprogs",
    "nft": "nftables",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
    "promtool": "prometheus",
    "redis-server": "redis-server",
    "rtpengine": "rtpengine-daemon",
    "sipp": "sip-tester",
    "ss": "iproute2",
    "sysctl": "procps",
    "systemd-analyze": "systemd",
    "tcpdump": "tcpdump",
    "tshark": "tshark",
    "umount": "mount",
    "unshare": "util-linux",
    "zbarimg": "zbar-tools",
}
"""Debian's, of each program that a test requires or starts."""
OF_PYPI = {"hadolint", "kubernetes-validate"}
ESSENTIAL = {"util-linux"}
"""Each Debian has these."""


def required() -> Iterator[str]:
    """The programs that the tests name where they require some."""
    for path in TESTS.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require_tools":
                yield from (str(each.value) for each in node.args if isinstance(each, ast.Constant))


def test_it_is_known_which_package_has_a_program_that_a_test_requires() -> None:
    assert set(required()) - OF_PYPI - PACKAGES.keys() == set()


def test_all_packages_are_installed() -> None:
    installed = set(" ".join(re.findall(r'TOOLS="([^"]+)"', RUN)).split())
    assert set(PACKAGES.values()) - ESSENTIAL - installed == set()
