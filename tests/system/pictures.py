"""Takes the pictures of the console that the documents show: python -m system.pictures DIRECTORY."""

import sys
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import Browser, expect
from system.browser import open_browser, open_page, photograph
from system.dialog import hang_up, place_call
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.user_agent import UserAgent

PHONES = {
    "lukas": "Linphone-Desktop/5.2.6",
    "lenka": "LinphoneAndroid/5.2.4",
    "marek": "Grandstream GXP2170 1.0.11",
    "zuzana": "baresip 3.10",
}
WINDOW = {"width": 1360, "height": 900}
CHARTED_S = 12_000


def main(directory: Path) -> None:
    """Start a switchboard, let phones call each other, and look at it."""
    directory.mkdir(parents=True, exist_ok=True)
    settings = {"SWITCHBOARD_CONSOLE": f"127.0.0.1:{free_port('127.0.0.1')}", "SWITCHBOARD_LANGUAGE": "sk"}
    with ExitStack() as stack:
        switchboard = stack.enter_context(Switchboard(settings))
        net = stack.enter_context(Net(switchboard.address))
        browser = stack.enter_context(open_browser())
        phones = {name: _register(net, name, program) for name, program in PHONES.items()}
        declined = _past_calls(switchboard, phones)
        _picture(browser, switchboard, directory, declined, phones)


def _register(net: Net, name: str, program: str) -> UserAgent:
    phone = UserAgent(net, name)
    phone.user = name
    headers = [("Contact", f"<{phone.contact}>"), ("Expires", "3600"), ("User-Agent", program)]
    request = phone.request("REGISTER", f"sip:{phone.domain}", headers, to=f"<{phone.aor}>")
    phone.start(request).expect(200)
    return phone


def _past_calls(switchboard: Switchboard, phones: dict[str, UserAgent]) -> str:
    """Calls of every kind; returns the Call-ID of one that was declined."""
    lukas, lenka, marek, zuzana = phones.values()
    for caller, callee in ((lukas, marek), (zuzana, lukas)):
        call = place_call(caller, callee)
        hang_up(call.caller, call.callee)
    _refused(marek, zuzana, 486)
    lukas.invite(f"sip:milan@{lukas.domain}").expect(404)
    declined = _refused(lukas, lenka, 603)
    switchboard.wait_cdr(5)
    return declined


def _refused(caller: UserAgent, callee: UserAgent, status: int) -> str:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    incoming.reply(status)
    invite.expect(status)
    return str(invite.request.get("call-id"))


def _picture(
    browser: Browser,
    switchboard: Switchboard,
    directory: Path,
    call_id: str,
    phones: dict[str, UserAgent],
) -> None:
    url = switchboard.component("console")["address"]
    call = f"/call?call_id={call_id}"
    lukas, lenka, marek, _ = phones.values()
    with open_page(browser, url, viewport=WINDOW) as page:
        wait_until(lambda: page.request.get(call).ok, "the call in the history")
        page.goto("/")
        running = place_call(marek, lenka)
        ringing = lukas.invite(phones["zuzana"].aor)
        incoming = phones["zuzana"].expect("INVITE")
        incoming.reply(180)
        ringing.expect(180)
        expect(page.locator("#live-calls tbody tr")).to_have_count(2)
        page.wait_for_timeout(CHARTED_S)
        photograph(page, directory, "now")
        page.goto("/journal")
        photograph(page, directory, "journal")
        page.goto(call)
        page.get_by_role("link", name="603 Odmietnut").last.click()
        expect(page.locator(".changes")).to_be_visible()
        photograph(page, directory, "call")
    with open_page(browser, url, viewport=WINDOW, color_scheme="dark") as page:
        page.goto(f"{call}&message=2")
        photograph(page, directory, "call-dark")
    incoming.reply(486)
    ringing.expect(486)
    hang_up(running.caller, running.callee)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
