"""Registrations and users while their files cannot be written, or are damaged: on real file systems, by real locks."""

import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from mounts import filled, needs_mounts, small_disk
from system.harness import Switchboard, wait_until
from system.net import Net
from system.sipmsg import uri_in
from system.user_agent import ClientTransaction, UserAgent, registered

pytestmark = pytest.mark.system

ROOM = 64_000_000
BACK_WITHIN_S = 1.0


@contextmanager
def running(data_dir: Path, **environment: str) -> Iterator[tuple[Switchboard, Net]]:
    with Switchboard(environment, data_dir=data_dir) as switchboard, Net(switchboard.address) as net:
        yield switchboard, net


def assert_refuses_changes(phone: UserAgent, bound: list[str]) -> None:
    """What changes something gets a 503 with Retry-After; a query is answered, and nothing has changed."""
    for request in (phone.register(expires=900), phone.register(expires=0)):
        refusal = request.expect(503)
        assert int(refusal.get("retry-after")) > 0
    assert [uri_in(each) for each in phone.bindings()] == bound


def assert_back(phone: UserAgent) -> None:
    """Within a second a REGISTER gets its 200, without anybody's help."""
    since = time.monotonic()
    wait_until(lambda: _status(phone.net, phone.register(expires=900)) == 200 or None, "a 200", 5.0)
    assert time.monotonic() - since < BACK_WITHIN_S


def _status(net: Net, request: ClientTransaction) -> int:
    return net.wait_for(lambda: next(iter(request.statuses()), None), "an answer")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        yield
        stranger.execute("ROLLBACK")


@needs_mounts
def test_full_disk(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path, ROOM),
        running(tmp_path / "data", SWITCHBOARD_HISTORY="off") as (switchboard, net),
    ):
        phone, other = registered(net, "lukas"), UserAgent(net, "eva")
        before = switchboard.component("registrar")["pid"]
        with filled(tmp_path):
            assert_refuses_changes(phone, [phone.contact])
            other.register(expires=600).expect(503)
            assert (
                "registrar.0: up, but cannot write: No space left"
                in switchboard.cli("status", check=False).stderr
            )
        assert_back(phone)
        other.register(expires=600).expect(200)
        assert switchboard.component("registrar")["pid"] == before


def test_foreign_lock(tmp_path: Path) -> None:
    with running(tmp_path) as (switchboard, net):
        phone = registered(net, "lukas")
        before = switchboard.component("registrar")["pid"]
        with locked(tmp_path / "location.db"):
            assert_refuses_changes(phone, [phone.contact])
            assert "locked by another program" in switchboard.cli("status", check=False).stderr
            switchboard.kill("registrar")
            switchboard.wait_component("registrar", lambda one: one["state"] == "up" and one["pid"] != before)
            assert_refuses_changes(phone, [phone.contact])
        assert_back(phone)


def damage(path: Path) -> None:
    """A page in the middle of the file becomes rubbish."""
    with path.open("r+b") as file:
        pages = path.stat().st_size // 4096
        file.seek(pages // 2 * 4096)
        file.write(random.Random(12).randbytes(4096))
