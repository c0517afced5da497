"""A console without its process: the application, and browsers that ask it."""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from switchboard.bus.context import BusContext
from switchboard.console.app import make_app
from switchboard.settings.model import Settings
from switchboard.settings.password import hash_password

HERE = "http://127.0.0.1:8080"
PASSWORD = "correct horse battery"
PASSWORD_HASH = str(hash_password(PASSWORD, b"s" * 16, log_n=12))
Open = Callable[..., TestClient]


@pytest.fixture
def data_dir() -> Iterator[Path]:
    """Short enough for the sockets below it."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        yield Path(directory)


@pytest.fixture
def open_console(data_dir: Path) -> Iterator[Open]:
    """`open_console(**settings)`: a browser at a console with these settings."""
    with BusContext() as context, ExitStack() as stack:

        def start(base_url: str = HERE, **settings: object) -> TestClient:
            app = make_app(Settings(data_dir=data_dir, routers=1, **settings), context, b"k" * 32)  # type: ignore[arg-type]
            return stack.enter_context(TestClient(app, base_url, follow_redirects=False))

        yield start


def token_of(page: str) -> str:
    """The token in the first form of a page."""
    return page.partition('name="csrf" value="')[2].partition('"')[0]
