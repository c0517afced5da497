"""A page calls a plain phone on UDP, and such a phone a page: rtpengine relays their voice, and translates it."""

from collections.abc import Iterator
from itertools import count

import pytest
from playwright.sync_api import Browser, Page
from system.dialog import Dialog
from system.harness import Switchboard, free_port
from system.media_engine import Ear, RtpEngine
from system.net import Net
from system.user_agent import UserAgent, registered
from system.web_phones import STACKS, WebPhone

pytest_plugins = ["system.web_fixtures"]
pytestmark = [pytest.mark.system, pytest.mark.phones]

_numbers = count(1)


@pytest.fixture(scope="module")
def port() -> int:
    return free_port("127.0.0.1")


@pytest.fixture(scope="module")
def switchboard(port: int) -> Iterator[Switchboard]:
    with RtpEngine() as engine:
        settings = {"SWITCHBOARD_MEDIA": engine.url, "SWITCHBOARD_WS_PORT": str(port)}
        with Switchboard({**settings, "SWITCHBOARD_TRANSPORTS": "udp,tcp,ws"}) as running:
            yield running


@pytest.fixture(scope="module")
def page(browser: Browser, site: str) -> Iterator[Page]:
    context = browser.new_context(base_url=site)
    opened = context.new_page()
    opened.goto("/")
    yield opened
    context.close()


@pytest.fixture(params=STACKS)
def web(request: pytest.FixtureRequest, page: Page, port: int, switchboard: Switchboard) -> WebPhone:
    user = f"web{next(_numbers)}"
    phone = WebPhone(page, request.param, f"ws://127.0.0.1:{port}/", switchboard.host, user)
    phone.wait_for("registered")
    return phone


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    with Net(switchboard.address, retransmits=True) as phones:
        yield phones


@pytest.fixture
def desk(net: Net) -> UserAgent:
    return registered(net, "desk")


@pytest.fixture
def ear() -> Iterator[Ear]:
    made = Ear()
    yield made
    made.close()


def test_a_page_calls_a_phone(web: WebPhone, desk: UserAgent, ear: Ear, switchboard: Switchboard) -> None:
    web.do("call", desk.user)
    incoming = desk.expect("INVITE")
    offer = incoming.request.body
    assert b" RTP/AVP " in offer
    assert not [
        word for word in (b"a=fingerprint", b"a=candidate", b"end-of-candidates", b"BUNDLE") if word in offer
    ]
    sent = incoming.reply(200, body=ear.sdp())
    dialog = Dialog.of_callee(desk, incoming, sent)
    dialog.expect("ACK")
    web.wait_for("talking")
    ear.wait_voice(offer)
    web.wait_voice_of(lambda: ear.wait_voice(offer))
    for each in [one for one in switchboard.status() if one["name"] == "router"]:
        switchboard.kill("router", each["instance"])
    web.wait_voice_of(lambda: ear.wait_voice(offer))
    bye = dialog.start("BYE")
    web.wait_for("ended")
    bye.expect(200)


def test_a_phone_calls_a_page(web: WebPhone, desk: UserAgent, ear: Ear) -> None:
    invite = desk.invite(f"sip:{web.user}@{desk.domain}", body=ear.sdp())
    web.wait_for("ringing")
    web.do("answer")
    answered = invite.expect(200)
    dialog = Dialog.of_caller(desk, invite, answered)
    dialog.acknowledge()
    web.wait_for("talking")
    assert b" RTP/AVP " in answered.body
    web.wait_voice_of(lambda: ear.wait_voice(answered.body))
    web.do("hangUp")
    dialog.expect("BYE").reply(200, routes=False)
    web.wait_for("ended")
