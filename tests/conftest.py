"""Real ZeroMQ in a short directory of its own (the path of a Unix socket is limited to 107 bytes)."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
import repeatable
from bus.contexts import OwningContext

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints

if TYPE_CHECKING:
    from postgres_server import PostgresServer

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


@pytest.fixture(scope="session")
def postgres_process() -> "Iterator[PostgresServer]":
    from system.tools import require_modules

    require_modules("psycopg", "alembic", "sqlalchemy")
    from postgres_server import postgres_server

    with postgres_server("fsync=off") as server:  # a start after a kill need not sync hundreds of files
        yield server


@pytest.fixture
def postgres(postgres_process: "PostgresServer") -> "Iterator[PostgresServer]":
    """One server for all tests; each takes a database of its own. A test that has killed it need not start it again."""
    yield postgres_process
    if postgres_process.process.poll() is not None:
        postgres_process.start()
