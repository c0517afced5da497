"""A real browser: Debian's Chromium without a window, driven by Playwright."""

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright
from system.tools import require_tools

CHROMIUM = "chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VOICE_FLAGS = (
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--ignore-certificate-errors",
    "--allow-loopback-in-peer-connection",
    "--disable-features=WebRtcHideLocalIpsWithMdns",
)
"""A microphone that beeps, and calls within this machine."""
SERIOUS = ("serious", "critical")
PATIENCE_MS = 15_000.0
CUT = "Failed to load resource: net::"

expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def open_browser(*flags: str) -> Iterator[Browser]:
    """Chromium, with further `flags`; the test is skipped where there is none."""
    require_tools(CHROMIUM)
    with sync_playwright() as playwright:
        arguments = [*FLAGS, *flags]
        browser = playwright.chromium.launch(executable_path=shutil.which(CHROMIUM), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, base_url: str, **options: Any) -> Iterator[Page]:
    """A page whose script neither fails nor complains; AssertionError if it did.

    That a connection was cut is no complaint: a console may be killed.
    """
    context = browser.new_context(base_url=base_url, **options)
    context.set_default_timeout(PATIENCE_MS)
    page, said = context.new_page(), list[str]()
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text))
    try:
        yield page
        complaints = [line for line in said if not line.startswith(CUT)]
        assert not complaints, complaints
    finally:
        context.close()


def serious_flaws(page: Page) -> list[str]:
    """What axe-core finds serious or worse on the page: rule, and the elements that break it."""
    axe = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text()
    page.evaluate(axe)
    found: list[Mapping[str, Any]] = page.evaluate("axe.run().then(results => results.violations)")
    return [
        f"{flaw['id']}: {json.dumps([node['html'] for node in flaw['nodes']][:3])}"
        for flaw in found
        if flaw["impact"] in SERIOUS
    ]


def photograph(page: Page, directory: Path, name: str) -> None:
    """Keep a picture of what the window shows."""
    page.screenshot(path=directory / f"{name}.png")
