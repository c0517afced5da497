"""Linphone, baresip and pjsua2 see each other, over UDP and TCP, also when the presence worker is killed between."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from system.baresip import Baresip
from system.harness import Switchboard
from system.lan import HUB, Lan
from system.linphone import Linphone
from system.pjsua import Pjsua
from system.tools import require_modules, require_root, require_tools

pytestmark = [pytest.mark.system, pytest.mark.phones]


@pytest.fixture(scope="module")
def lan() -> Iterator[Lan]:
    require_root()
    require_tools("ip", "linphonec", "baresip")
    require_modules("pjsua2")
    with Lan(["lukas", "lenka", "peter"]) as made:
        yield made


@pytest.fixture(scope="module")
def board(lan: Lan) -> Iterator[Switchboard]:
    with Switchboard({"SWITCHBOARD_PRESENCE": "on"}, host=HUB, port=5060, namespace=lan.hub) as running:
        yield running


def test_phones_see_each_other(board: Switchboard, lan: Lan, tmp_path: Path) -> None:
    with ExitStack() as stack:
        lenka = stack.enter_context(Pjsua(lan, "lenka", "lenka", tmp_path / "lenka", publishes=True))
        lukas = stack.enter_context(Linphone(lan, "lukas", tmp_path / "lukas", friend="lenka"))
        peter = stack.enter_context(Baresip(lan, "peter", "peter", tmp_path / "peter", friend="lenka"))
        lenka.watch("lukas")
        lenka.wait_seen("lukas", "Online")
        lukas.wait_seen("lenka", "open")
        peter.wait_seen("lenka", "Online")
        lenka.publish("away")
        lukas.wait_seen("lenka", "away")
        pid = board.kill("presence")
        board.wait_component("presence", lambda one: one["state"] == "up" and one["pid"] != pid)
        lenka.publish("busy")
        lukas.wait_seen("lenka", "busy")
        peter.wait_seen("lenka", "Busy")
