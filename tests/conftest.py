"""Real ZeroMQ in a short directory of its own (the path of a Unix socket is limited to 107 bytes)."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import repeatable
from bus.contexts import OwningContext

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints

hypothesis.settings.register_profile("suite", deadline=None)  # an example's time tells of the machine
hypothesis.settings.load_profile("suite")


def pytest_configure(config: pytest.Config) -> None:
    if "REPEATABLE" in os.environ:
        config.pluginmanager.register(repeatable)


@pytest.fixture
def context() -> Iterator[BusContext]:
    context = OwningContext()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def endpoints() -> Iterator[Endpoints]:
    with tempfile.TemporaryDirectory(prefix="bus") as directory:
        yield Endpoints(Path(directory))
