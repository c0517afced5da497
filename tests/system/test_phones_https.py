"""The console's phone at an https address that is not localhost, where browsers allow the microphone by that alone."""

import socket
from collections.abc import Iterator
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect
from system.browser import VOICE_FLAGS, open_browser, open_page, serious_flaws
from system.harness import PATIENCE_S, Switchboard, free_port, wait_until
from system.test_phones_web import register, user_of

from switchboard.settings.password import hash_password

pytestmark = [pytest.mark.system, pytest.mark.phones]

NAME = "pbx.example.test"
PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser(*VOICE_FLAGS, f"--host-resolver-rules=MAP {NAME} 127.0.0.1") as running:
        yield running


@pytest.fixture(scope="module")
def office() -> Iterator[Switchboard]:
    """One whose console speaks TLS only."""
    settings = {
        "SWITCHBOARD_CONSOLE": f"127.0.0.1:{free_port('127.0.0.1')}",
        "SWITCHBOARD_CONSOLE_PASSWORD": str(hash_password(PASSWORD, b"s" * 16, log_n=12)),
        "SWITCHBOARD_CONSOLE_TLS": "on",
        "SWITCHBOARD_DOMAINS": NAME,
        "SWITCHBOARD_AUTH": "on",
        "SWITCHBOARD_TLS": "on",
        "SWITCHBOARD_TLS_PORT": str(free_port("127.0.0.1")),
    }
    with Switchboard(settings) as running:
        yield running


def log_in(page: Page) -> None:
    page.goto("/login")
    page.fill("#password", PASSWORD)
    page.press("#password", "Enter")
    expect(page.locator("h1")).to_have_text("Now")


def hear_voice(page: Page) -> None:
    """Return when more of the other side's voice has been played; AssertionError if that does not happen."""
    played = "document.getElementById('phone-voice').currentTime"
    before = page.evaluate(played)
    wait_until(lambda: page.evaluate(played) > before, "voice")


def test_a_call_between_pages_that_outlives_console_and_edge(browser: Browser, office: Switchboard) -> None:
    address = office.component("console")["address"]
    assert address.startswith("https://127.0.0.1:")
    url = address.replace("127.0.0.1", NAME)
    with open_page(browser, url) as anna, open_page(browser, url) as boris:
        anna.goto(url.replace("https:", "http:") + "login")
        assert anna.url == url + "login", "it was sent to https"
        for page, name in ((anna, "anna"), (boris, "boris")):
            log_in(page)
            register(page, name, user_of(office, name))
            expect(page.locator("#phone-state")).to_have_text("registered")
            assert page.evaluate("[isSecureContext, location.hostname]") == [True, NAME]
        assert all(cookie["secure"] for cookie in anna.context.cookies())
        listed = office.cli("connections").stdout
        assert [listed.count(name) for name in ("anna", "boris", "WSS", "TLSv1.3")] == [1, 1, 2, 2]
        anna.fill("#phone-callee", "boris")
        anna.press("#phone-callee", "Enter")
        boris.click("#phone-answer")
        for page in (anna, boris):
            expect(page.locator("#phone-progress")).to_contain_text("talking")
            hear_voice(page)
        for worker in ("console", "edge-stream", "router"):
            office.kill(worker)
        wait_until(lambda: office.is_up(), "everything up")
        for page in (anna, boris):
            hear_voice(page)
            expect(page.locator("#phone-state")).to_have_text("registered")
        assert [office.cli("connections").stdout.count(name) for name in ("anna", "boris")] == [1, 1]
        anna.click("#phone-hang-up")
        expect(boris.locator("#phone-dial")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 390])
def test_pages_with_connections_and_the_authority(
    browser: Browser, office: Switchboard, scheme: Literal["light", "dark"], width: int
) -> None:
    url = office.component("console")["address"]
    user = f"desk-{scheme}-{width}"
    with (
        open_page(browser, url, color_scheme=scheme, viewport={"width": width, "height": 800}) as page,
        socket.create_connection(office.address, PATIENCE_S),
    ):

        def check() -> None:
            assert serious_flaws(page) == [], page.url
            assert page.evaluate("document.documentElement.scrollWidth") <= width, page.url

        log_in(page)
        page.goto("/connections")
        expect(page.locator("tbody tr", has_text="nobody yet")).not_to_have_count(0)
        check()
        user_of(office, user)
        page.goto(f"/users/one?user={user}")
        page.locator("summary", has_text="has to trust this switchboard").click()
        check()
        page.select_option("#transport", "tls")
        page.get_by_role("button", name="Make a link and QR code").click()
        page.get_by_role("button", name="Make a link with a new password").click()
        expect(page.locator("main")).to_contain_text("First let the phone trust this switchboard")
        check()
