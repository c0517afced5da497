"""The page of a call while real Linphone phones are in it."""

from pathlib import Path

import pytest
from playwright.sync_api import expect
from system.browser import open_browser, open_page
from system.phone_lab import place_call, standing_lab

pytestmark = [pytest.mark.system, pytest.mark.phones]
CONSOLE = "127.0.0.1:8080"
PASSED = (
    "INVITE lenka from 10.77.0.11:5060 to switchboard",
    "INVITE lenka from switchboard to 10.77.0.12:5060",
    "180 Ringing (INVITE) from 10.77.0.12:5060 to switchboard",
    "180 Zvonenie (INVITE) from switchboard to 10.77.0.11:5060",
    "200 V poriadku (INVITE) from switchboard to 10.77.0.11:5060",
    "ACK lenka from switchboard to 10.77.0.12:5060",
    "BYE lenka from switchboard to 10.77.0.12:5060",
    "200 V poriadku (BYE) from switchboard to 10.77.0.11:5060",
)


def test_it_follows_the_call_of_two_linphones(tmp_path: Path) -> None:
    with (
        standing_lab(tmp_path, {"SWITCHBOARD_CONSOLE": CONSOLE}, ring_s=60) as lab,
        lab.lan.entered("hub"),
        open_browser() as browser,
        open_page(browser, f"http://{CONSOLE}") as page,
    ):
        page.goto("/")
        expect(page.locator("#live-phones")).to_contain_text("Linphone")
        ours, theirs = place_call(lab.lukas, lab.lenka)
        row = page.locator("#live-calls tr", has_text="lukas")
        expect(row).to_contain_text("ringing")
        row.get_by_role("link", name="Ladder").click()
        account = page.locator("#live-account")
        expect(account).to_contain_text("lukas called lenka")
        lab.lenka.answer(theirs)
        lab.lukas.wait_media(ours)
        lab.lukas.hang_up(ours)
        expect(account).to_contain_text("lukas hung up")
        for label in PASSED:
            expect(page.get_by_role("link", name=label)).to_be_visible()
