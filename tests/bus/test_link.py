"""Connections between two hosts, which are two contexts here: what ended one for libzmq does not end it for us."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from threading import Thread

import pytest
import zmq
from bus.contexts import OwningContext

from switchboard.bus import host_names
from switchboard.bus.context import BusContext, Keys, load_keys, make_keys
from switchboard.bus.guard import fingerprint
from switchboard.bus.host_names import HostNames
from switchboard.bus.link import NAMELESS, RENEW_S, SILENT_S, Link

ALPHA, BETA = "127.0.0.1", "127.0.0.2"
ADDRESSES = {"alpha": ALPHA, "beta": BETA}
LIMIT_S = 20.0
POLL_MS = 10
Answer = Callable[[socket.socket], None]


@contextmanager
def context_with(keys: Keys) -> Iterator[BusContext]:
    context = OwningContext()
    context.keys = keys
    yield context
    context.destroy(linger=0)


class Meeting:
    """Beta has a link to alpha's inbox; `later_s` goes before our clock."""

    def __init__(self, here: BusContext, there: BusContext, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind((ALPHA, 0))
            self.port = probe.getsockname()[1]
        self.endpoint = f"tcp://{ALPHA}:{self.port}"
        self.here, self.there = here, there
        self.later_s = 0.0
        self.link: Link

    def connect(self, kind: int = zmq.PUSH) -> None:
        sender = self.there.socket(kind)
        sender.set(zmq.LINGER, 0)
        sender.set(zmq.RECONNECT_IVL, 20)
        if kind == zmq.PUSH:
            sender.set(zmq.IMMEDIATE, 1)
        else:
            sender.subscribe(b"")
        self.link = self.there.link(sender, self.endpoint)

    def learn(self, public: bytes, host: str = "beta") -> None:
        """The operator copies a public key to where the other host reads it."""
        (self.folder / f"{host}.key").write_text(f'curve\n    public-key = "{public.decode()}"\n')

    def wait_until(self, condition: Callable[[], bool]) -> None:
        until = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < until, "it never came"
            assert self.link.monitor
            self.link.monitor.poll(POLL_MS)
            if self.here.guard:
                self.here.guard.serve()
            self.there.look(time.monotonic() + self.later_s)

    @contextmanager
    def stranger(self, answer: Answer) -> Iterator[None]:
        """Who answers on alpha's port meanwhile."""
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((ALPHA, self.port))
            listener.listen()
            thread = Thread(target=_accept, args=(listener, answer), daemon=True)
            thread.start()
            yield
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT_S)


def _accept(listener: socket.socket, answer: Answer) -> None:
    accepted = []
    try:
        while True:
            accepted.append(listener.accept()[0])
            answer(accepted[-1])
    except OSError:
        for each in accepted:
            each.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_keys(tmp_path, ADDRESSES)
    return tmp_path


@pytest.fixture
def meeting(folder: Path) -> Iterator[Meeting]:
    alpha, beta = (load_keys(folder, name, ADDRESSES) for name in ADDRESSES)
    with context_with(alpha) as here, context_with(beta) as there:
        yield Meeting(here, there, folder)


@pytest.fixture
def replaced(folder: Path) -> Iterator[Meeting]:
    """Beta has new keys, and alpha the old one of beta."""
    alpha = load_keys(folder, "alpha", ADDRESSES)
    theirs = zmq.curve_keypair()
    with context_with(alpha) as here, context_with(Keys(*theirs, alpha.publics)) as there:
        here.read_keys = partial(load_keys, folder, "alpha", ADDRESSES)
        yield Meeting(here, there, folder)


def hears(meeting: Meeting, inbox: zmq.Socket[bytes]) -> bool:
    if meeting.link.is_connected:
        meeting.link.socket.send(b"hello", zmq.NOBLOCK)
    return bool(inbox.poll(POLL_MS))


@pytest.mark.parametrize("kind", [zmq.PUSH, zmq.SUB])
def test_who_was_refused_is_let_in_once_its_key_is_known(replaced: Meeting, kind: int) -> None:
    """The other host is restarted with the new key, and this one is not."""
    (inbox,) = replaced.here.listen(zmq.PULL if kind == zmq.PUSH else zmq.XPUB, [replaced.endpoint])
    replaced.connect(kind)
    replaced.wait_until(lambda: bool(replaced.link.reason))
    keys = replaced.there.keys
    assert keys
    own = fingerprint(keys.public)
    assert replaced.link.reason == f"it refuses this host's key {own}, which it does not know"
    assert not replaced.link.is_connected
    guard = replaced.here.guard
    assert guard
    refused = guard.refused
    replaced.later_s += RENEW_S
    replaced.wait_until(lambda: guard.refused > refused)  # it tries again, and says who it is again
    replaced.learn(keys.public)
    guard.look(time.monotonic())
    replaced.later_s += SILENT_S
    replaced.wait_until(lambda: replaced.link.is_connected)
    assert (replaced.link.reason, replaced.link.renewed >= 2) == ("", True)
    if kind == zmq.PUSH:
        replaced.wait_until(lambda: hears(replaced, inbox))
    else:
        assert inbox.poll(int(LIMIT_S * 1000))
        assert inbox.recv() == b"\x01"  # what was subscribed to is subscribed to again


def _http(sock: socket.socket) -> None:
    sock.recv(64)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    sock.close()


def _ssh(sock: socket.socket) -> None:
    sock.sendall(b"SSH-2.0-OpenSSH_9.2p1\r\n")


STRANGER = "what answers there is not this switchboard, or does not encrypt"


@pytest.mark.parametrize("answer", [_http, _ssh])
def test_a_stranger_on_the_port_is_named_and_forgotten(meeting: Meeting, answer: Answer) -> None:
    with meeting.stranger(answer):
        meeting.connect()
        meeting.wait_until(lambda: meeting.link.reason == STRANGER)
        meeting.later_s += SILENT_S
        meeting.wait_until(lambda: meeting.link.renewed > 0)
    (inbox,) = meeting.here.listen(zmq.PULL, [meeting.endpoint])
    meeting.later_s += SILENT_S + RENEW_S
    meeting.wait_until(lambda: hears(meeting, inbox))
    assert meeting.link.reason == ""


def test_who_does_not_encrypt_is_a_stranger(meeting: Meeting) -> None:
    plain = meeting.here.socket(zmq.PULL)
    plain.bind(meeting.endpoint)
    meeting.connect()
    meeting.wait_until(lambda: meeting.link.reason == STRANGER)


def test_an_old_key_of_the_other_host(folder: Path) -> None:
    """Once the new one is copied here, that one counts."""
    alpha, beta = (load_keys(folder, name, ADDRESSES) for name in ADDRESSES)
    other = Keys(*zmq.curve_keypair(), alpha.publics)
    with context_with(other) as here, context_with(beta) as there:
        there.read_keys = partial(load_keys, folder, "beta", ADDRESSES)
        meeting = Meeting(here, there, folder)
        (inbox,) = here.listen(zmq.PULL, [meeting.endpoint])
        meeting.connect()
        meeting.wait_until(
            lambda: meeting.link.reason.startswith("it hangs up; the key that this host has of it")
        )
        (folder / "alpha.key").write_text("half a file")  # nobody is to trip over that
        meeting.wait_until(lambda: bool(meeting.link.reason))
        meeting.learn(other.public, "alpha")
        meeting.later_s += SILENT_S
        meeting.wait_until(lambda: hears(meeting, inbox))


def test_who_accepts_and_says_nothing_is_left_after_a_while(meeting: Meeting) -> None:
    with meeting.stranger(lambda _sock: None):
        meeting.connect()
        meeting.wait_until(lambda: True)
        meeting.later_s += SILENT_S + 1
        meeting.wait_until(lambda: meeting.link.renewed > 0)
    (inbox,) = meeting.here.listen(zmq.PULL, [meeting.endpoint])
    meeting.wait_until(lambda: hears(meeting, inbox))


def test_a_connection_that_stands_is_left_alone(meeting: Meeting) -> None:
    """Also one whose peer takes nothing: what waits there is not lost."""
    (inbox,) = meeting.here.listen(zmq.PULL, [meeting.endpoint], rcvhwm=1)
    meeting.connect()
    meeting.wait_until(lambda: meeting.link.is_connected)
    meeting.later_s += 10 * SILENT_S
    meeting.there.look(time.monotonic() + meeting.later_s)
    assert meeting.link.renewed == 0
    meeting.wait_until(lambda: hears(meeting, inbox))


def test_a_closed_link_is_looked_at_no_more(meeting: Meeting) -> None:
    meeting.connect()
    meeting.link.close()
    meeting.there.look(time.monotonic() + 10 * SILENT_S)
    assert meeting.link.renewed == 0
    meeting.connect()
    assert list(meeting.there.links) == [meeting.link]


def test_on_the_host_nothing_is_watched(context: BusContext) -> None:
    link = context.link(context.socket(zmq.PUSH), "inproc://nobody")
    link.look(time.monotonic() + 10 * SILENT_S)
    assert (link.monitor, link.is_connected, link.renewed, link.name) == (None, True, 0, "inproc://nobody")


def test_a_host_is_reached_by_its_name_once_dns_knows_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_names, "FRESH_S", 0.1)
    alpha, beta = (load_keys(folder, name, {**ADDRESSES, "alpha": "alpha.lan"}) for name in ADDRESSES)
    known = {"alpha.lan": ""}
    with context_with(alpha) as here, context_with(beta) as there:
        there.names = HostNames(known.__getitem__)
        meeting = Meeting(here, there, folder)
        (inbox,) = here.listen(zmq.PULL, [f"tcp://*:{meeting.port}"])
        meeting.endpoint = f"tcp://alpha.lan:{meeting.port}"
        meeting.connect()
        assert (meeting.link.reason, meeting.link.is_connected) == (NAMELESS, False)
        known["alpha.lan"] = ALPHA
        meeting.later_s += RENEW_S
        meeting.wait_until(lambda: hears(meeting, inbox))
        assert meeting.link.reason == ""
