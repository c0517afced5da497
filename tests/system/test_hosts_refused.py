"""Two hosts of which one refused the other, or where a stranger stood in its place: when that is put right, all is."""

import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from threading import Thread

import pytest
from system.harness import START_S, wait_until
from system.hosts import ALPHA, BETA, PHONES, Hosts
from system.lan import Lan
from system.net import Net
from system.tools import require_root, require_tools
from system.user_agent import UserAgent

pytestmark = pytest.mark.system

BACK_WITHIN_S = 10.0
"""From the last process that is up to the answer to a REGISTER."""
ANSWER_S = 0.5
BUS_PORTS = range(7100, 7100 + 80)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    require_root()
    require_tools("ip")
    with (
        Lan([ALPHA, BETA, PHONES], servers=[ALPHA, BETA]) as lan,
        Hosts(lan, 1) as running,
        lan.entered(PHONES),
    ):
        yield running


def notes(hosts: Hosts, host: str, *workers: str) -> list[str]:
    """What `status`, asked on a host, says of workers there."""
    said = hosts.status(host)
    return [note for worker in workers for note in said[worker]["notes"]]


def wait_noted(hosts: Hosts, host: str, worker: str, text: str) -> str:
    def noted() -> str | None:
        return next((note for note in notes(hosts, host, worker) if text in note), None)

    return wait_until(noted, f"{worker}: {text}", START_S)


def wait_registered(hosts: Hosts) -> float:
    """How long it takes until a phone that tries again and again is registered (s)."""
    began_at = time.monotonic()
    with Net(hosts.address) as net:
        phone = UserAgent(net, "lukas")
        while not (asked := phone.register()).statuses() or asked.statuses()[-1] != 200:
            assert time.monotonic() - began_at < START_S, "nobody answers REGISTER"
            net.poll(lambda: 200 in asked.statuses(), ANSWER_S)
            if 200 in asked.statuses():
                break
    return time.monotonic() - began_at


def wait_up(hosts: Hosts, host: str, *workers: str) -> None:
    def up() -> bool:
        said = hosts.status(host)
        return all(said[worker]["state"] == "up" for worker in workers)

    wait_until(up, f"{', '.join(workers)} up", START_S)


def keys_of(hosts: Hosts, host: str) -> Path:
    return hosts.boards[host].data_dir / "keys"


@pytest.mark.parametrize("restarts", [False, True])
def test_a_host_with_new_keys_is_let_in_once_the_other_has_its_key(hosts: Hosts, restarts: bool) -> None:
    """The other one needs no restart, but may have one; the host itself has none."""
    alpha, beta = hosts.boards[ALPHA], hosts.boards[BETA]
    wait_registered(hosts)
    beta.stop()
    for name in ("beta.key", "beta.key_secret"):
        (keys_of(hosts, BETA) / name).unlink()
    beta.cli("keys")
    beta.start()
    told = wait_noted(hosts, BETA, "registrar.0", "it refuses this host's key ")
    assert told.startswith("edge-")
    key = told.partition("this host's key ")[2].partition(",")[0]
    refused = wait_noted(hosts, ALPHA, "edge-tx.0", f"its key {key} is unknown here")
    assert refused.endswith("copy its *.key to keys_dir here")
    alpha.wait_logged(f"its key {key} is unknown here")
    wait_noted(hosts, ALPHA, "edge-rx.0", "the key that this host has of it may be an old one")
    before = hosts.status(BETA)["registrar.0"]["pid"]
    if restarts:
        alpha.stop()
    shutil.copy(keys_of(hosts, BETA) / "beta.key", keys_of(hosts, ALPHA))
    if restarts:
        alpha.start()
        wait_up(hosts, ALPHA, "edge-rx.0", "edge-tx.0", "translator.0")
    assert wait_registered(hosts) < BACK_WITHIN_S
    wait_until(lambda: not notes(hosts, BETA, "registrar.0", "router.0"), "nothing to complain of", START_S)
    for asked in (ALPHA, BETA):  # the parents have heard of it, too
        wait_up(hosts, asked, "edge-rx.0", "router.0")
    assert hosts.status(BETA)["registrar.0"]["pid"] == before


@contextmanager
def web_servers(host: str) -> Iterator[None]:
    """Something that speaks HTTP at every port where the host would listen."""
    with ExitStack() as stack:
        for port in BUS_PORTS:
            listener = stack.enter_context(socket.socket())
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((host, port))
            listener.listen()
            Thread(target=_refuse, args=(listener,), daemon=True).start()
            stack.callback(listener.shutdown, socket.SHUT_RDWR)
        yield


def _refuse(listener: socket.socket) -> None:
    while True:
        try:
            visitor, _ = listener.accept()
        except OSError:
            return
        with visitor:
            visitor.recv(100)
            visitor.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def test_a_stranger_in_the_place_of_a_host_is_forgotten_when_it_is_there(hosts: Hosts) -> None:
    beta = hosts.boards[BETA]
    beta.stop()
    with hosts.lan.entered(BETA), web_servers(hosts.lan.backbone[BETA]):
        wait_noted(hosts, ALPHA, "edge-rx.0", "what answers there is not this switchboard")
    beta.start()
    wait_up(hosts, BETA, "registrar.0", "router.0")
    assert wait_registered(hosts) < BACK_WITHIN_S
    wait_until(lambda: not notes(hosts, ALPHA, "edge-rx.0", "edge-tx.0"), "all reached", START_S)
