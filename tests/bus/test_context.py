"""Sockets between two hosts, which are two contexts here: who has a key of ours is heard, nobody else."""

import socket
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
import zmq
from bus.contexts import OwningContext
from mounts import read_only

from switchboard.bus.context import (
    BusContext,
    Keys,
    KeysError,
    NotListeningError,
    load_keys,
    make_keys,
)
from switchboard.bus.guard import fingerprint

ADDRESSES = {"alpha": "10.0.0.1", "beta": "2001:db8::2"}


def test_each_host_gets_a_pair_once(tmp_path: Path) -> None:
    directory = tmp_path / "keys"
    assert make_keys(directory, ADDRESSES) == ["alpha", "beta"]
    before = (directory / "alpha.key").read_bytes()
    assert make_keys(directory, [*ADDRESSES, "gamma"]) == ["gamma"]
    assert (directory / "alpha.key").read_bytes() == before
    for file in directory.glob("*.key_secret"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_a_host_has_its_own_secret_and_all_public_keys(tmp_path: Path) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / "beta.key_secret").unlink()
    keys = load_keys(tmp_path, "alpha", ADDRESSES)
    assert zmq.curve_public(keys.secret) == keys.public == keys.server_key("tcp://10.0.0.1:7100")
    assert keys.server_key("tcp://[2001:db8::2]:7101") not in (keys.public, b"")


@pytest.mark.parametrize("missing", ["alpha.key", "beta.key", "alpha.key_secret"])
def test_missing_key(tmp_path: Path, missing: str) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / missing).unlink()
    with pytest.raises(KeysError, match=rf"{missing} is missing\. Make the keys .*`switchboard keys`"):
        load_keys(tmp_path, "alpha", ADDRESSES)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660])
def test_a_secret_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    make_keys(tmp_path, ADDRESSES)
    secret = tmp_path / "alpha.key_secret"
    secret.chmod(mode)
    with pytest.raises(KeysError, match=rf"alpha\.key_secret may be read .*: chmod 600 {secret}"):
        load_keys(tmp_path, "alpha", ADDRESSES)
    secret.chmod(0o600)
    assert load_keys(tmp_path, "alpha", ADDRESSES)


def test_file_that_holds_no_key(tmp_path: Path) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / "beta.key").write_text("hello")
    with pytest.raises(KeysError, match=r"beta\.key cannot be read"):
        load_keys(tmp_path, "alpha", ADDRESSES)


def test_public_key_in_the_place_of_the_secret_one(tmp_path: Path) -> None:
    make_keys(tmp_path, ADDRESSES)
    (tmp_path / "alpha.key_secret").write_bytes((tmp_path / "alpha.key").read_bytes())
    with pytest.raises(KeysError, match=r"alpha\.key_secret holds no secret key"):
        load_keys(tmp_path, "alpha", ADDRESSES)


ALPHA, BETA = "127.0.0.1", "127.0.0.2"
LIMIT_S = 20.0
POLL_MS = 10


@contextmanager
def context_with(keys: Keys) -> Iterator[BusContext]:
    context = OwningContext()
    context.keys = keys
    yield context
    context.destroy(linger=0)


@pytest.fixture
def alpha(tmp_path: Path) -> Keys:
    make_keys(tmp_path, ("alpha", "beta"))
    return load_keys(tmp_path, "alpha", {"alpha": ALPHA, "beta": BETA})


@pytest.fixture
def beta(tmp_path: Path, alpha: Keys) -> Keys:  # noqa: ARG001 (alpha makes the keys)
    return load_keys(tmp_path, "beta", {"alpha": ALPHA, "beta": BETA})


@pytest.fixture
def endpoint() -> str:
    with socket.socket() as probe:
        probe.bind((ALPHA, 0))
        return f"tcp://{ALPHA}:{probe.getsockname()[1]}"


def serve_until(context: BusContext, condition: Callable[[], bool]) -> None:
    assert context.guard
    until = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < until, "it never came"
        context.guard.socket.poll(POLL_MS)
        context.guard.serve()


def test_a_host_with_a_key_is_heard(alpha: Keys, beta: Keys, endpoint: str) -> None:
    with ExitStack() as stack:
        here, there = (stack.enter_context(context_with(keys)) for keys in (alpha, beta))
        (inbox,) = here.listen(zmq.PULL, [endpoint], rcvhwm=64)
        assert inbox.get(zmq.RCVHWM) == 64
        sender = there.socket(zmq.PUSH)
        there.connect(sender, endpoint)
        sender.send(b"hello")
        serve_until(here, lambda: bool(inbox.poll(0)))
        assert inbox.recv() == b"hello"
        assert here.guard
        assert here.guard.refused == 0


def test_an_unknown_key_is_refused_and_counted(tmp_path: Path, alpha: Keys, endpoint: str) -> None:
    make_keys(tmp_path / "others", ("alpha", "stranger"))
    known = {"stranger": BETA, "alpha": ALPHA}
    theirs = load_keys(tmp_path / "others", "stranger", known)
    stranger = Keys(theirs.public, theirs.secret, {ALPHA: alpha.public})
    with ExitStack() as stack:
        here, there = (stack.enter_context(context_with(keys)) for keys in (alpha, stranger))
        (inbox,) = here.listen(zmq.PULL, [endpoint])
        sender = there.socket(zmq.PUSH)
        there.connect(sender, endpoint)
        sender.send(b"let me in")
        guard = here.guard
        assert guard
        serve_until(here, lambda: guard.refused > 0)
        (line,) = guard.look(0.0)
        assert line.startswith(f"127.0.0.1 is refused, its key {fingerprint(theirs.public)} is unknown here")
        assert not inbox.poll(POLL_MS)


def test_who_speaks_without_encryption_is_not_heard(alpha: Keys, endpoint: str) -> None:
    with context_with(alpha) as here, context_with(alpha) as there:
        (inbox,) = here.listen(zmq.PULL, [endpoint])
        failures = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
        monitor = inbox.get_monitor_socket(failures)
        plain = there.socket(zmq.PUSH)
        plain.connect(endpoint)
        plain.send(b"let me in")
        serve_until(here, lambda: bool(monitor.poll(0)))
        assert not inbox.poll(POLL_MS)
        inbox.disable_monitor()


def test_a_port_that_is_taken_is_told(alpha: Keys, endpoint: str) -> None:
    with context_with(alpha) as here, context_with(alpha) as other:
        here.listen(zmq.PULL, [endpoint])
        with pytest.raises(NotListeningError, match="cannot be listened on: Address already in use"):
            other.listen(zmq.PULL, [endpoint])


def test_what_stays_on_the_host_needs_no_key() -> None:
    context = OwningContext()
    (inbox,) = context.listen(zmq.PULL, ["inproc://inbox"])
    sender = context.socket(zmq.PUSH)
    context.connect(sender, "inproc://inbox")
    sender.send(b"hello")
    assert inbox.recv() == b"hello"
    assert context.guard is None
    context.destroy(linger=0)


def test_a_socket_on_a_file_system_that_cannot_be_written_is_told_of_in_words(tmp_path: Path) -> None:
    path = tmp_path / "run" / "router.0.in"
    path.parent.mkdir()
    with closing(socket.socket(socket.AF_UNIX)) as left_behind:
        left_behind.bind(str(path))
    words = "listened on: Read-only file system. Its directory must"
    with BusContext() as context, read_only(path.parent), pytest.raises(NotListeningError, match=words):
        context.listen(zmq.PULL, [f"ipc://{path}"])
    with BusContext() as context:
        (bound,) = context.listen(zmq.PULL, [f"ipc://{path}"])
        bound.close()
