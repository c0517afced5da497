"""Phones in web pages (RFC 7118): JsSIP and SIP.js register, call one another and a phone on UDP, and survive kills."""

from collections.abc import Iterator
from itertools import count, product
from typing import Protocol

import pytest
from playwright.sync_api import Browser, Page, expect
from system.browser import PATIENCE_MS, open_page, serious_flaws
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.user_agent import registered
from system.web_phones import STACKS, WebPhone

pytest_plugins = ["system.web_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]

PAIRS = list(product(STACKS, STACKS))
_numbers = count(1)


class MakePhone(Protocol):
    """Makes a registered phone of a stack, over `wss` or `ws`."""

    def __call__(self, stack: str, scheme: str = "ws") -> WebPhone: ...


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {scheme: free_port("127.0.0.1") for scheme in ("ws", "wss")}


@pytest.fixture(scope="module")
def switchboard(ports: dict[str, int]) -> Iterator[Switchboard]:
    settings = {f"SWITCHBOARD_{scheme.upper()}_PORT": str(port) for scheme, port in ports.items()}
    with Switchboard({**settings, "SWITCHBOARD_TRANSPORTS": "udp,tcp,ws,wss"}) as running:
        yield running


@pytest.fixture
def make_phone(
    browser: Browser, site: str, ports: dict[str, int], switchboard: Switchboard
) -> Iterator[MakePhone]:
    context = browser.new_context(base_url=site)
    page = context.new_page()
    page.goto("/")

    def make(stack: str, scheme: str = "ws") -> WebPhone:
        user = f"web{next(_numbers)}"
        phone = WebPhone(page, stack, f"{scheme}://127.0.0.1:{ports[scheme]}/", switchboard.host, user)
        phone.wait_for("registered")
        return phone

    yield make
    context.close()


def connect(caller: WebPhone, callee: WebPhone) -> None:
    """Place a call that is answered."""
    caller.do("call", callee.user)
    callee.wait_for("ringing")
    callee.do("answer")
    for phone in (caller, callee):
        phone.wait_for("talking")


@pytest.mark.parametrize(("caller", "callee"), PAIRS)
def test_they_call_one_another_with_voice_both_ways(make_phone: MakePhone, caller: str, callee: str) -> None:
    ours, theirs = make_phone(caller), make_phone(callee)
    connect(ours, theirs)
    for phone in (ours, theirs):
        phone.wait_voice()
    theirs.do("hangUp")
    for phone in (ours, theirs):
        phone.wait_for("ended")


@pytest.mark.parametrize(("sender", "receiver"), PAIRS)
def test_a_message_arrives(make_phone: MakePhone, sender: str, receiver: str) -> None:
    ours, theirs = make_phone(sender), make_phone(receiver)
    ours.do("send", theirs.user, "Dobrý deň")
    theirs.wait_for("message Dobrý deň")
    ours.wait_for("sent")


@pytest.mark.parametrize("stack", STACKS)
def test_a_caller_gives_up(make_phone: MakePhone, stack: str) -> None:
    ours, theirs = make_phone(stack), make_phone("JsSIP")
    ours.do("call", theirs.user)
    theirs.wait_for("ringing")
    ours.wait_for("progress")
    ours.do("hangUp")
    theirs.wait_for("failed Canceled")


@pytest.mark.parametrize("stack", STACKS)
def test_a_phone_on_udp_cannot_take_an_encrypted_call_and_says_so(
    make_phone: MakePhone, net: Net, stack: str
) -> None:
    desk = registered(net, "desk")
    phone = make_phone(stack)
    phone.do("call", desk.user)
    invite = desk.expect("INVITE")
    assert b"UDP/TLS/RTP/SAVPF" in invite.request.body
    assert {"JsSIP": ";gr=", "SIP.js": ".invalid"}[stack] in invite.request.get("contact")
    invite.reply(488, "Not Acceptable Here")
    invite.expect_ack()
    phone.wait_for("failed 488")


@pytest.mark.parametrize(("stack", "status"), [("JsSIP", 488), ("SIP.js", 480)])
def test_a_page_cannot_take_a_plain_call_and_says_so(
    make_phone: MakePhone, net: Net, stack: str, status: int
) -> None:
    desk = registered(net, "desk")
    phone = make_phone(stack)
    invite = desk.invite(f"sip:{phone.user}@{desk.domain}")
    phone.wait_for("ringing")
    phone.do("answer")
    invite.expect(status)


@pytest.mark.parametrize("stack", STACKS)
def test_a_phone_on_udp_reaches_a_page_by_the_contact_that_leads_nowhere(
    make_phone: MakePhone, net: Net, stack: str
) -> None:
    desk = registered(net, "desk")
    phone = make_phone(stack)
    message = desk.ask(
        "MESSAGE", f"sip:{phone.user}@{desk.domain}", [("Content-Type", "text/plain")], b"hello"
    )
    phone.wait_for("message hello")
    message.expect(200)


def test_jssip_comes_back_by_itself_after_its_socket_closed(make_phone: MakePhone) -> None:
    ours, theirs = make_phone("JsSIP"), make_phone("JsSIP")
    theirs.do("cut")
    theirs.wait_for("disconnected")
    theirs.wait_for("registered")
    ours.do("send", theirs.user, "again")
    theirs.wait_for("message again")


def test_sipjs_thinks_it_is_registered_when_its_socket_has_closed_and_its_binding_is_gone(
    make_phone: MakePhone, switchboard: Switchboard
) -> None:
    ours, theirs = make_phone("JsSIP"), make_phone("SIP.js")
    theirs.do("cut")
    theirs.wait_for("disconnected")
    wait_until(lambda: theirs.user not in switchboard.cli("bindings").stdout, "the end of the binding")
    assert theirs.is_registered
    theirs.do("comeBack")
    theirs.wait_for("connected")
    ours.do("call", theirs.user)
    theirs.wait_for("ringing")


@pytest.mark.parametrize(("caller", "callee"), PAIRS)
def test_calls_over_wss_outlive_an_edge_stream_that_is_killed_in_each_phase(
    make_phone: MakePhone, switchboard: Switchboard, caller: str, callee: str
) -> None:
    ours, theirs = make_phone(caller, "wss"), make_phone(callee, "wss")
    ours.do("call", theirs.user)
    switchboard.kill("edge-stream")
    theirs.wait_for("ringing")
    switchboard.kill("edge-stream")
    theirs.do("answer")
    for phone in (ours, theirs):
        phone.wait_for("talking")
        phone.wait_voice()
    switchboard.kill("edge-stream")
    for phone in (ours, theirs):
        phone.wait_voice()
    hang_up(ours, theirs)
    connect(theirs, ours)
    for phone in (ours, theirs):
        phone.wait_voice()
    hang_up(theirs, ours)


def hang_up(ours: WebPhone, theirs: WebPhone) -> None:
    """We hang up; nobody has lost a connection."""
    ours.do("hangUp")
    for phone in (ours, theirs):
        phone.wait_for("ended")
        assert "disconnected" not in phone.events()


@pytest.mark.parametrize("worker", ["router", "registrar"])
def test_a_call_outlives_a_killed_worker(
    make_phone: MakePhone, switchboard: Switchboard, worker: str
) -> None:
    ours, theirs = make_phone("JsSIP", "wss"), make_phone("SIP.js")
    connect(ours, theirs)
    for each in [one for one in switchboard.status() if one["name"] == worker]:
        switchboard.kill(worker, each["instance"])
    wait_until(lambda: switchboard.is_up(), "everything up")
    hang_up(theirs, ours)


@pytest.fixture(scope="module")
def office() -> Iterator[Switchboard]:
    """One with passwords and a console, and without a port for WebSockets."""
    settings = {"SWITCHBOARD_CONSOLE": f"127.0.0.1:{free_port('127.0.0.1')}", "SWITCHBOARD_AUTH": "on"}
    with Switchboard(settings) as running:
        yield running


def user_of(office: Switchboard, name: str) -> str:
    """Add a user, and return the password."""
    return office.cli("user", "add", name, "--generate").stdout.strip()


@pytest.mark.parametrize("stack", STACKS)
def test_passwords_at_the_consoles_address(
    browser: Browser, site: str, office: Switchboard, stack: str
) -> None:
    url = office.component("console")["address"].replace("http:", "ws:") + "sip"
    page = browser.new_page(base_url=site)
    page.goto("/")
    names = [f"{each}-{stack.lower().replace('.', '')}" for each in ("lukas", "lenka")]
    caller, callee = (WebPhone(page, stack, url, office.host, name, user_of(office, name)) for name in names)
    for phone in (caller, callee):
        phone.wait_for("registered")
    connect(caller, callee)
    office.kill("console")
    office.wait_component("console", lambda one: one["state"] == "up")
    callee.do("hangUp")
    for phone in (caller, callee):
        phone.wait_for("ended")
        assert "disconnected" not in phone.events()
    page.close()


def register(page: Page, name: str, password: str) -> None:
    """Open the console's phone, and fill in its form."""
    page.goto("/softphone")
    page.fill("#phone-user", name)
    page.fill("#phone-password", password)
    page.click("#phone-register button.main")


def test_the_consoles_phone(browser: Browser, office: Switchboard) -> None:
    url = office.component("console")["address"]
    passwords = {name: user_of(office, name) for name in ("anna", "boris")}
    with (
        open_page(browser, url, viewport={"width": 1360, "height": 800}, color_scheme="light") as anna,
        open_page(browser, url, viewport={"width": 390, "height": 800}, color_scheme="dark") as boris,
    ):
        register(anna, "anna", "wrong")
        expect(anna.locator("#phone-problem")).to_have_text("The user or the password is wrong.")
        for page, name in ((anna, "anna"), (boris, "boris")):
            register(page, name, passwords[name])
            expect(page.locator("#phone-state")).to_have_text("registered")
            assert not serious_flaws(page)
        anna.fill("#phone-callee", "boris")
        anna.press("#phone-callee", "Enter")
        expect(boris.locator("#phone-peer")).to_have_text("anna")
        expect(anna.locator("#phone-progress")).to_have_text("rings")
        boris.click("#phone-answer")
        for page in (anna, boris):
            expect(page.locator("#phone-progress")).to_contain_text("talking")
            assert not serious_flaws(page)
        boris.click("#phone-mute")
        expect(boris.locator("#phone-mute")).to_have_attribute("aria-pressed", "true")
        assert boris.evaluate("document.documentElement.scrollWidth") == 390
        anna.click("#phone-hang-up")
        expect(boris.locator("#phone-dial")).to_be_visible()
        anna.fill("#phone-callee", "nobody")
        anna.press("#phone-callee", "Enter")
        expect(anna.locator("#phone-problem")).to_have_text("nobody is not known here.", timeout=PATIENCE_MS)
