"""What JsSIP and SIP.js make of answers that the switchboard never gives (docs/BROWSERS.md)."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser
from system.harness import wait_until
from system.sipmsg import Headers
from system.web_phones import STACKS, WebPhone
from system.web_registrar import WebRegistrar

pytest_plugins = ["system.web_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]

WITHOUT_END = 50
SEEN_MS = 500.0
"""In this time SIP.js registers a hundred times."""


@contextmanager
def phone_at(browser: Browser, site: str, registrar: WebRegistrar, stack: str) -> Iterator[WebPhone]:
    """A phone of the stack, which registers there."""
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.goto("/")
    yield WebPhone(page, stack, registrar.url, "127.0.0.1", "lukas")
    context.close()


def complete(contact: str) -> Headers:
    return [("Contact", f"{without_expires(contact)};expires=600")]


def in_a_header(contact: str) -> Headers:
    return [("Contact", without_expires(contact)), ("Expires", "600")]


def nowhere(contact: str) -> Headers:
    return [("Contact", without_expires(contact))]


def no_contact(contact: str) -> Headers:  # noqa: ARG001
    return [("Expires", "600")]


def without_expires(contact: str) -> str:
    return contact.partition(";expires=")[0]


@pytest.mark.parametrize("stack", STACKS)
def test_a_complete_answer_is_all_they_want(browser: Browser, site: str, stack: str) -> None:
    with WebRegistrar(complete) as registrar, phone_at(browser, site, registrar, stack) as phone:
        phone.wait_for("registered")
        phone.pause(SEEN_MS)
        assert registrar.registrations == 1


@pytest.mark.parametrize("fields", [in_a_header, nowhere])
def test_sipjs_registers_without_end_if_its_contact_has_no_expires(
    browser: Browser, site: str, fields: Callable[[str], Headers]
) -> None:
    with WebRegistrar(fields) as registrar, phone_at(browser, site, registrar, "SIP.js"):
        wait_until(lambda: registrar.registrations > WITHOUT_END, "many REGISTERs")


@pytest.mark.parametrize("fields", [in_a_header, nowhere])
def test_jssip_needs_no_expires(browser: Browser, site: str, fields: Callable[[str], Headers]) -> None:
    with WebRegistrar(fields) as registrar, phone_at(browser, site, registrar, "JsSIP") as phone:
        phone.wait_for("registered")
        phone.pause(SEEN_MS)
        assert registrar.registrations == 1


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.parametrize(
    ("fields", "ahead"), [(no_contact, b""), (complete, b"\r\n"), (complete, b"\r\n\r\n")]
)
def test_they_miss_an_answer_without_contact_and_one_behind_a_line_end(
    browser: Browser, site: str, stack: str, fields: Callable[[str], Headers], ahead: bytes
) -> None:
    with WebRegistrar(fields, ahead) as registrar, phone_at(browser, site, registrar, stack) as phone:
        wait_until(lambda: registrar.registrations, "a REGISTER")
        phone.pause(SEEN_MS)
        assert registrar.registrations == 1
        assert not phone.is_registered
