"""Fixtures of the tests with phones in web pages."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser
from system.browser import VOICE_FLAGS, open_browser
from system.web_phones import build_phones, served


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a page with the phones."""
    directory = tmp_path_factory.mktemp("web")
    build_phones(directory)
    with served(directory) as url:
        yield url


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium with a microphone."""
    with open_browser(*VOICE_FLAGS) as running:
        yield running
