"""The API in the console's application, beside a registrar with its real store."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli.conftest import answering as answering
from console.conftest import data_dir as data_dir
from console.conftest import open_console as open_console
from console.registrars import a_registrar
from starlette.testclient import TestClient

from switchboard.auth.api_tokens import ApiTokens
from switchboard.settings.model import Settings

CONTACT = "sip:lenka@10.0.0.7:5060"
Ask = Callable[..., Any]


@pytest.fixture
def tokens(data_dir: Path) -> ApiTokens:
    return ApiTokens(data_dir / "api.tokens")


@pytest.fixture
def token(tokens: ApiTokens) -> str:
    return tokens.add("office", False, 1.0) or ""


@pytest.fixture
def browser(data_dir: Path, open_console: Callable[..., TestClient]) -> Iterator[TestClient]:
    """A console whose registrar has lenka's binding, and `auth` on."""
    settings = Settings(data_dir=data_dir, routers=1, auth="on")
    with a_registrar(settings, lenka=[CONTACT]):
        yield open_console(auth="on")


@pytest.fixture
def ask(browser: TestClient, token: str) -> Ask:
    """`ask(method, path, kind, …)` with a token that may do everything; `kind`: of the body."""

    def do(method: str, path: str, kind: str = "", **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {token}"} | ({"Content-Type": kind} if kind else {})
        return browser.request(method, f"/api/v1{path}", headers=headers, **more)

    return do
