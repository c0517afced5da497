"""The console in a real browser, while fake phones and SIPp place calls."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from system.browser import PATIENCE_MS, open_browser, open_page, serious_flaws
from system.dialog import Call, hang_up, place_call
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.sipp import Sipp
from system.tools import require_tools
from system.user_agent import UserAgent, registered

from switchboard.lab.phone import Line, Phone, is_response

pytestmark = pytest.mark.system

CALLS = 5
UP = len(("INVITE", "100", "INVITE", "180", "180", "200", "200", "ACK", "ACK"))
ENDED = UP + len(("BYE", "BYE", "200", "200"))
DECLINED = len(("INVITE", "100", "INVITE", "603", "ACK", "603", "ACK"))
"""So many messages make a call."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as running:
        yield running


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    """One that speaks Slovak, with a console."""
    settings = {"SWITCHBOARD_CONSOLE": f"127.0.0.1:{free_port('127.0.0.1')}", "SWITCHBOARD_LANGUAGE": "sk"}
    with Switchboard(settings) as running:
        yield running


@pytest.fixture(scope="module")
def url(switchboard: Switchboard) -> str:
    """Where the console is."""
    return switchboard.component("console")["address"]


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    with Net(switchboard.address) as phones:
        yield phones


@pytest.fixture
def page(browser: Browser, url: str) -> Iterator[Page]:
    with open_page(browser, url) as opened:
        yield opened


@pytest.fixture
def phones(net: Net) -> tuple[UserAgent, UserAgent]:
    return registered(net, "lukas"), registered(net, "lenka")


def ended_call(phones: tuple[UserAgent, UserAgent], switchboard: Switchboard) -> Call:
    """A call that was answered and is in the journal."""
    call = place_call(*phones)
    hang_up(call.caller, call.callee)
    switchboard.wait_record(call.call_id)
    return call


def declined_call(phones: tuple[UserAgent, UserAgent], switchboard: Switchboard) -> str:
    """The Call-ID of one that was declined."""
    caller, callee = phones
    invite = caller.invite(callee.aor)
    callee.expect("INVITE").reply(603)
    invite.expect(603)
    call_id = invite.request.get("call-id")
    assert call_id
    switchboard.wait_record(call_id)
    return call_id


def open_call(page: Page, call_id: str, messages: int) -> None:
    """Show a call as soon as the history has so many messages of it."""

    def shown() -> bool:
        if not page.request.get(f"/call?call_id={call_id}").ok:
            return False
        page.goto(f"/call?call_id={call_id}")
        return page.locator("a.line").count() >= messages

    wait_until(shown, f"{messages} messages in the history")


def test_status_and_banner_tell_where_it_is(switchboard: Switchboard, url: str) -> None:
    wait_until(lambda: f"Console                {url}" in switchboard.log(), "the banner")
    assert f"console: {url}" in switchboard.cli("status").stderr


def test_now_follows_a_call(page: Page, phones: tuple[UserAgent, UserAgent]) -> None:
    page.goto("/")
    caller, callee = phones
    expect(page.locator("#live-phones")).to_contain_text(caller.user)
    call = place_call(caller, callee)
    row = page.locator("#live-calls tr", has_text=caller.user)
    expect(row).to_contain_text("up")
    expect(row.locator("time")).to_have_text(re.compile(r"[1-9][0-9]*s"))
    hang_up(call.caller, call.callee)
    expect(row).to_have_count(0)


def test_now_counts_what_sipp_does(page: Page, switchboard: Switchboard, net: Net, tmp_path: Path) -> None:
    require_tools("sipp")
    page.goto("/")
    with Sipp("callee", tmp_path, switchboard.address, "-m", str(CALLS)) as answering:
        callee = UserAgent(net, "sipp")
        callee.register([f"<sip:callee@{answering.address[0]}:{answering.address[1]}>"]).expect(200)
        options = ["-s", callee.user, "-r", "2", "-m", str(CALLS), "-l", str(CALLS)]
        with Sipp("caller", tmp_path, switchboard.address, *options) as calling:
            rate = page.locator(".figure", has_text="Calls a second").locator(".value")
            expect(rate).not_to_have_text("0")
            assert calling.wait(30) == 0
    wait_until(lambda: journal_rows(page, callee.user) == CALLS, "the calls in the journal")
    expect(page.locator("tbody tr").first).to_contain_text("answered")


def test_now_shows_the_added_delay(page: Page) -> None:
    page.goto("/")
    figure = page.locator(".figure", has_text="Added delay")
    expect(figure.locator(".value")).to_have_text(re.compile(r"\d+(\.\d)? ms"))
    expect(figure.get_by_role("img")).to_have_accessible_name(
        re.compile("Added delay over the last five minutes")
    )
    first = figure.locator("polyline").get_attribute("points") or ""
    expect(figure.locator("polyline")).not_to_have_attribute("points", first)


def test_a_worker_is_restarted(page: Page, switchboard: Switchboard) -> None:
    before = switchboard.component("translator")["pid"]
    page.goto("/")
    page.locator("#workers-all > summary").click()
    page.get_by_role("button", name="Restart translator.0").click()
    expect(page.get_by_role("status").filter(has_text="Restarted.")).to_be_visible()
    after = switchboard.component("translator")
    assert after["pid"] != before
    assert after["state"] == "up"


def test_its_own_restart_and_death_leave_browsers_and_calls_alone(
    page: Page, switchboard: Switchboard, phones: tuple[UserAgent, UserAgent]
) -> None:
    page.goto("/")
    expect(page.locator("#live")).to_have_attribute("data-state", "live")
    call = place_call(*phones)
    old = switchboard.kill("console")
    switchboard.wait_component("console", lambda one: one["state"] == "up" and one["pid"] != old)
    expect(page.locator("#live")).to_have_attribute("data-state", "live", timeout=2 * PATIENCE_MS)
    page.locator("#workers-all > summary").click()
    page.get_by_role("button", name="Restart console.0").click()
    expect(page.get_by_role("status").filter(has_text="restarts")).to_be_visible()
    hang_up(call.caller, call.callee)
    switchboard.wait_record(call.call_id)


def test_the_page_of_a_call(
    page: Page, switchboard: Switchboard, phones: tuple[UserAgent, UserAgent]
) -> None:
    open_call(page, declined_call(phones, switchboard), DECLINED)
    expect(page.locator("#live-account")).to_contain_text("declined")
    expect(page.locator("#live-account")).to_contain_text("603 Odmietnut")
    expect(page.locator("a.line")).to_have_count(DECLINED)
    page.get_by_role("link", name=re.compile(r"603 Odmietnut.*changed: reason phrase")).click()
    message = page.locator("#message")
    expect(message.locator(".start")).to_have_text(re.compile("SIP/2.0 603 Odmietnut"))
    expect(message.locator(".changes")).to_contain_text("reason phrase")
    expect(message.get_by_role("link", name="RFC 3261 §20.42")).to_have_attribute(
        "href", "https://www.rfc-editor.org/rfc/rfc3261#section-20.42"
    )


def test_messages_by_keyboard(
    page: Page, switchboard: Switchboard, phones: tuple[UserAgent, UserAgent]
) -> None:
    open_call(page, ended_call(phones, switchboard).call_id, ENDED)
    page.locator("#message-1").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#message h2")).to_have_text(re.compile("^1: INVITE"))
    page.keyboard.press("ArrowDown")
    expect(page.locator("#message h2")).to_have_text(re.compile("^2: "))
    expect(page.locator("#message-2")).to_have_attribute("aria-current", "true")


def test_a_call_grows_while_it_runs(page: Page, phones: tuple[UserAgent, UserAgent]) -> None:
    call = place_call(*phones)
    open_call(page, call.call_id, UP)
    expect(page.locator("a.line", has_text="BYE")).to_have_count(0)
    hang_up(call.caller, call.callee)
    expect(page.locator("a.line.request", has_text="BYE")).to_have_count(2)
    expect(page.locator("#live-account")).to_contain_text("hung up")


def test_a_capture_opens_in_tshark(
    page: Page, switchboard: Switchboard, phones: tuple[UserAgent, UserAgent], tmp_path: Path
) -> None:
    require_tools("tshark")
    open_call(page, ended_call(phones, switchboard).call_id, ENDED)
    messages = page.locator("a.line").count()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download pcapng").click()
    path = tmp_path / "call.pcapng"
    download.value.save_as(path)
    lines = tshark(path, switchboard.port)
    assert len(lines) == messages
    assert "200 V poriadku" in "\n".join(lines)


def tshark(path: Path, port: int) -> list[str]:
    """What it says of each packet, all of which are SIP to it."""
    command = ["tshark", "-r", str(path), "-d", f"udp.port=={port},sip", "-Y", "sip && !_ws.malformed"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.splitlines()


def test_the_text_and_the_record(
    page: Page, switchboard: Switchboard, phones: tuple[UserAgent, UserAgent]
) -> None:
    call = ended_call(phones, switchboard)
    open_call(page, call.call_id, ENDED)
    text = page.request.get(f"/call.txt?call_id={call.call_id}").text()
    assert "INVITE" in text
    assert "▶" in text
    page.get_by_role("link", name="Open the journal's record").click()
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text("answered")


def test_a_registration_that_failed(page: Page, net: Net) -> None:
    phone = UserAgent(net, "brief")
    phone.register(expires=0, cseq=7).expect(200)
    phone.register(["<sip:one@127.0.0.1:6000>", "*"]).expect(400)

    def shown() -> bool:
        page.goto(f"/registrations?user={phone.user}")
        return page.locator("article").count() > 0

    wait_until(shown, "the registration among those that failed")
    expect(page.locator("article")).to_contain_text(phone.user)
    expect(page.locator("article .badge")).to_contain_text("400")


def test_the_code_for_a_phone(page: Page, url: str, tmp_path: Path) -> None:
    require_tools("zbarimg")
    page.goto("/phones")
    page.get_by_label("User").fill("lukas")
    page.get_by_role("button", name="Make a link").click()
    shown = page.locator("code.url").inner_text()
    assert shown.startswith(f"{url}provisioning/")
    page.locator(".code").screenshot(path=tmp_path / "code.png")
    command = ["zbarimg", "--quiet", "--raw", str(tmp_path / "code.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == shown
    assert page.request.get(shown).ok
    assert page.request.get(shown).status == 404


def test_phones_of_users_with_passwords(browser: Browser) -> None:
    settings = {"SWITCHBOARD_CONSOLE": f"127.0.0.1:{free_port('127.0.0.1')}", "SWITCHBOARD_AUTH": "on"}
    with (
        Switchboard(settings) as running,
        open_page(browser, running.component("console")["address"]) as page,
    ):
        first = ha1_of_a_link(page, ask_for_a_link)
        users = json.loads(running.cli("user", "list", "--json").stdout)["users"]
        assert [user["user"] for user in users] == ["lukas"]
        second = ha1_of_a_link(page, insist_on_a_link)
        assert re.fullmatch("[0-9a-f]{64}", second)
        assert first != second
        running.wait_logged("user has a new password")
        assert not {secret for secret in (first, second) if secret in running.log()}


def ask_for_a_link(page: Page) -> None:
    """One for the phone of lukas."""
    page.goto("/phones")
    page.get_by_label("User").fill("lukas")
    page.get_by_role("button", name="Make a link").click()


def insist_on_a_link(page: Page) -> None:
    """The same, though there is a password already."""
    ask_for_a_link(page)
    expect(page.get_by_role("alert")).to_contain_text("lukas has a password already")
    assert serious_flaws(page) == []
    page.get_by_role("button", name="Make a link with a new password").click()


def ha1_of_a_link(page: Page, make: Callable[[Page], None]) -> str:
    """What the phone gets by a link that somebody makes, and the page does not show."""
    make(page)
    shown = page.locator("code.url").inner_text()
    xml = page.request.get(shown).text()
    ha1 = re.search(r'name="ha1"[^>]*>(\w+)<', xml)
    assert ha1, xml
    assert ha1[1] not in page.content()
    return ha1[1]


def test_from_nothing_to_a_user_and_a_call(browser: Browser) -> None:
    settings = {"SWITCHBOARD_CONSOLE": f"127.0.0.1:{free_port('127.0.0.1')}", "SWITCHBOARD_AUTH": "on"}
    with (
        Switchboard(settings) as running,
        open_page(browser, running.component("console")["address"]) as page,
    ):
        page.goto("/")
        page.get_by_role("button", name="Place a demonstration call").click()
        expect(page.locator(".account")).to_contain_text("They talked for", timeout=PATIENCE_MS)
        page.goto("/")
        expect(page.locator("#live-latest")).to_contain_text("lab-boris", timeout=PATIENCE_MS)
        wait_until(lambda: counts_a_call(page, running), "today's call", PATIENCE_MS / 1000)
        page.get_by_role("link", name="Add a user").click()
        page.get_by_label("User name").fill("lukas")
        page.get_by_role("button", name="Add user").click()
        password = page.locator("dt:text-is('Password') + dd code").inner_text()
        with closing(Phone("lukas", *running.address, password=password)) as phone:
            line = Line([phone], lambda _seen: None)
            line.exchange(phone, phone.identity.register(600), phone, is_response(200, "REGISTER"))
            page.goto("/users/one?user=lukas")
            page.get_by_role("button", name="Remove the registration").click()
            expect(page.get_by_role("status")).to_contain_text("The registration was removed.")
            expect(page.locator("main")).to_contain_text("No phone of lukas is registered.")
        page.get_by_text("Remove lukas").first.click()
        page.get_by_role("button", name="Remove lukas").click()
        expect(page.locator("main")).to_contain_text("There is no user yet.")
        assert json.loads(running.cli("user", "list", "--json").stdout)["users"] == []


def counts_a_call(page: Page, board: Switchboard) -> bool:
    """Whether the tile counts one call of today; places another when midnight came after the last one began."""
    latest = datetime.fromisoformat(board.cdr()[-1]["started_at"])
    if latest.astimezone().date() != datetime.now().astimezone().date():
        board.cli("lab", "call")
    return "1 answered" in page.locator("#live-today").inner_text()


def test_the_way_of_people_who_only_type(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    for name in ("Switchboard", "Now", "Journal"):
        page.keyboard.press("Tab")
        expect(page.locator(":focus")).to_contain_text(name)
    page.keyboard.press("Enter")
    expect(page).to_have_title(re.compile("Journal"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_serious_for_axe(
    browser: Browser,
    switchboard: Switchboard,
    url: str,
    phones: tuple[UserAgent, UserAgent],
    scheme: str,
    width: int,
) -> None:
    running, call_id = place_call(*phones), declined_call(phones, switchboard)
    switchboard.cli("group", "add", "office", phones[0].user)
    options: Mapping[str, object] = {"color_scheme": scheme, "viewport": {"width": width, "height": 800}}
    with ExitStack() as stack:
        page = stack.enter_context(open_page(browser, url, **options))
        open_call(page, call_id, DECLINED)
        paths = [
            "/",
            "/journal",
            "/journal/days",
            "/phrases?code=486",
            "/registrations",
            "/phones",
            "/users",
            "/connections",
            "/groups",
        ]
        for path in [*paths, f"/users/one?user={phones[0].user}", f"/call?call_id={call_id}&message=2"]:
            page.goto(path)
            assert serious_flaws(page) == [], path
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    hang_up(running.caller, running.callee)


def journal_rows(page: Page, user: str) -> int:
    """How many calls of `user` the journal's page has now."""
    page.goto(f"/journal?user={user}")
    return page.locator("tbody tr").count()
