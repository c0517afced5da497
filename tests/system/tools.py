"""The programs that a system test needs: found, or the test is skipped; in CI their absence is a failure."""

import os
import shutil
from importlib.util import find_spec
from typing import NoReturn

import pytest


def require_tools(*names: str) -> None:
    """Skip the calling test (fail it when CI=true) unless all programs `names` are on the PATH."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        refuse(f"not installed: {', '.join(missing)}")


def is_installed(name: str) -> bool:
    """Whether the program `name` is on the PATH; in CI it has to be."""
    if os.environ.get("CI") == "true":
        require_tools(name)
    return shutil.which(name) is not None


def require_modules(*names: str) -> None:
    """Skip the calling test (fail it when CI=true) unless all these modules can be imported."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        refuse(f"not installed: {', '.join(missing)} (pip install -e .[dev])")


def require_root() -> None:
    """Skip the calling test (fail it when CI=true) unless it runs as root."""
    if os.geteuid() != 0:
        refuse("namespaces and mounts need root")


def require_tun() -> None:
    """Skip the calling test (fail it when CI=true) unless this machine has TUN devices."""
    if not os.path.exists("/dev/net/tun"):
        refuse("there is no /dev/net/tun")


def refuse(reason: str) -> NoReturn:
    """Skip the calling test; fail it when CI=true."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
