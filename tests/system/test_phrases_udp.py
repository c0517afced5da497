"""Reason phrases on the wire in the language that was chosen."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.harness import Switchboard
from system.net import Net
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

KNOWN_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def phrases_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The operator's own catalogues."""
    return tmp_path_factory.mktemp("phrases")


@pytest.fixture(scope="module")
def switchboard(phrases_dir: Path) -> Iterator[Switchboard]:
    """A switchboard that speaks Slovak."""
    environment = {"SWITCHBOARD_LANGUAGE": "sk", "SWITCHBOARD_PHRASES_DIR": str(phrases_dir)}
    with Switchboard(environment) as running:
        yield running


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


@pytest.fixture
def callee(net: Net) -> UserAgent:
    return registered(net, "lukas")


def ringing_phrase(caller: UserAgent, callee: UserAgent, language: str = "") -> str:
    """The phrase of the 180 of a call that is then refused."""
    invite = caller.invite(callee.aor, [("Accept-Language", language)] if language else [])
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    ringing = invite.expect(180)
    incoming.reply(486)
    incoming.expect_ack()
    invite.expect(486)
    return ringing.reason


@pytest.mark.parametrize(
    ("status", "phrase"),
    [
        (406, "Neprijateľné"),
        (408, "Nedostupný"),
        (486, "Obsadené"),
        (603, "Odmietnutie"),
        (400, "Zlá požiadavka"),
    ],
)
def test_phrases_of_a_refused_call(caller: UserAgent, callee: UserAgent, status: int, phrase: str) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    assert invite.expect(100).reason == "Skúšanie"
    incoming.reply(180)
    assert invite.expect(180).reason == "Zvonenie"
    incoming.reply(status, "Original Words")
    incoming.expect_ack()
    assert invite.expect(status).reason == phrase


def test_phrase_of_a_cancelled_call(caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    caller.cancel(invite).expect(200)
    callee.expect("CANCEL").reply(200, routes=False)
    incoming.reply(487)
    assert invite.expect(487).reason == "Žiadosť zrušená"


def test_nothing_but_the_phrase_changes(caller: UserAgent, callee: UserAgent) -> None:
    invite = caller.invite(callee.aor)
    incoming = callee.expect("INVITE")
    sent = incoming.reply(183, "Original Words", [("X-Odd", "Original Words")], b"Original Words")
    received = invite.expect(183)
    assert received.without("via", "content-length") == sent.without("via")
    assert received.body == sent.body


def test_language_of_the_caller(caller: UserAgent, callee: UserAgent) -> None:
    assert ringing_phrase(caller, callee, "de;q=0.5, en") == "Ringing"
    assert ringing_phrase(caller, callee, "de, en;q=0.5") == "Es klingelt"
    assert ringing_phrase(caller, callee) == "Zvonenie"


def test_phrases_go_on_without_the_translator(
    switchboard: Switchboard, caller: UserAgent, callee: UserAgent
) -> None:
    """Routers have its tables."""
    wait_for_phrase(caller, callee, "Zvonenie")
    with switchboard.kept_down("translator"):
        assert ringing_phrase(caller, callee) == "Zvonenie"
    switchboard.wait_component("translator", lambda one: one["state"] == "up")
    assert ringing_phrase(caller, callee) == "Zvonenie"


def test_a_changed_catalogue_is_soon_in_force(
    switchboard: Switchboard, phrases_dir: Path, caller: UserAgent, callee: UserAgent
) -> None:
    own = phrases_dir / "sk.toml"
    for phrase in ("Cŕŕŕn", "Drnčanie"):
        own.write_text(f'[phrases]\n180 = "{phrase}"\n')
        wait_for_phrase(caller, callee, phrase)
    own.write_text("[phrases\n180 = ")
    switchboard.wait_logged(str(own))
    assert ringing_phrase(caller, callee) == "Drnčanie"
    own.unlink()
    wait_for_phrase(caller, callee, "Zvonenie")


def wait_for_phrase(caller: UserAgent, callee: UserAgent, phrase: str) -> None:
    """Call until the 180 bears this phrase."""
    deadline = time.monotonic() + KNOWN_WITHIN_S
    while (heard := ringing_phrase(caller, callee)) != phrase:
        assert time.monotonic() < deadline, f"{heard!r} instead of {phrase!r} after {KNOWN_WITHIN_S:g} s"
