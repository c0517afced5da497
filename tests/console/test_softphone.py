"""The page Phone."""

from pathlib import Path

import pytest
from console.conftest import PASSWORD_HASH, Open

from switchboard import console

STATIC = Path(console.__file__).parent / "static"
VERSION = "3.13.8"


@pytest.mark.parametrize(
    ("settings", "url", "domain"),
    [
        ({"domains": ("pbx.example",)}, "http://127.0.0.1:8080", "pbx.example"),
        ({}, "http://127.0.0.1:8080", "127.0.0.1"),
        ({"sip_host": "127.0.0.2"}, "http://localhost:8080", "127.0.0.2"),
    ],
)
def test_users_are_where_the_switchboard_is(
    open_console: Open, settings: dict[str, object], url: str, domain: str
) -> None:
    page = open_console(url, **settings).get("/softphone")
    assert page.status_code == 200
    assert f'data-domain="{domain}" data-socket="/sip"' in page.text


def test_the_page_is_the_consoles(open_console: Open) -> None:
    assert (
        open_console(console_password=PASSWORD_HASH).get("/softphone").headers["location"]
        == "/login?next=/softphone"
    )


def test_jssip_is_the_one_that_the_tests_have_and_its_licence_is_beside_it() -> None:
    assert f'"{VERSION}"' in (STATIC / "jssip.js").read_text()
    licences = (STATIC / "jssip.txt").read_text()
    assert f"jssip {VERSION}" in licences
    assert licences.count("MIT") >= 4
