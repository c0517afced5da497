"""A router's log over its lives, and what it keeps of an older boot or of yesterday."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from flows import udp
from full_disk import file_limit
from msgpack import Unpacker  # type: ignore[import-untyped]
from playbook import HOST, LUKAS, Board, request

from switchboard.auth.nonce import Nonce, Replays
from switchboard.codec import pack
from switchboard.core.router_core import RouterCore
from switchboard.sip.scan import scan
from switchboard.wal import router_log
from switchboard.wal.router_log import UNSYNCED, RouterLog

LIMIT_S = 20.0
EVENT = pack(["ringing", "call-1", "from-1", 1.0])
INVITE = request("INVITE", "sip:lenka@10.0.0.1")


def make_core(log: RouterLog) -> RouterCore:
    """A core that keeps its saved transactions in `log`."""
    board = Board(fragile=False)
    board.bind("lenka", "sip:lenka@10.0.0.12:5060")
    core = RouterCore(board.proxy.env, log.keyed, native=False)
    if log.is_rebooted:
        core.forget_units()
    return core


def begin_call(core: RouterCore, now: float) -> None:
    core.receive_items([[udp(*LUKAS, HOST).pack(), scan(INVITE), INVITE]], now, now)
    core.take(now)


def write_call(directory: Path) -> None:
    """A first life: one call rings, two events wait for the journal."""
    log = RouterLog(directory)
    begin_call(make_core(log), 1000.0)
    log.note([EVENT, EVENT])
    log.commit()
    log.close()


def restored(directory: Path, now: float = 1001.0) -> tuple[int, RouterLog]:
    """The next life: how many saved transactions it takes up."""
    log = RouterLog(directory)
    return make_core(log).restore(now, now), log


def waiting(log: RouterLog) -> list[int]:
    """The numbers of the events that are to be told to the journal."""
    _, octets, _ = log.events.take(0.0)
    unpacker = Unpacker()
    unpacker.feed(octets)
    return [number for number, *_ in unpacker]


def test_the_next_life_goes_on(tmp_path: Path) -> None:
    write_call(tmp_path)
    count, log = restored(tmp_path)
    assert count == 1
    assert waiting(log) == [1, 2]
    assert log.events.put(pack(["next"])) == 3


def test_acknowledged_events_are_not_told_again(tmp_path: Path) -> None:
    write_call(tmp_path)
    _, log = restored(tmp_path)
    log.acknowledge("another series", 2, 0.0)
    assert log.events.waiting == 2
    log.acknowledge(log.series, 1, 0.0)
    log.commit()
    log.close()
    _, log = restored(tmp_path)
    assert waiting(log) == [2]


def test_what_the_queue_drops_leaves_the_log(tmp_path: Path) -> None:
    """A journal that is away for long fills neither memory nor the disk."""
    log = RouterLog(tmp_path)
    log.events.keep = 3
    log.note([EVENT] * 5)
    log.commit()
    log.close()
    _, log = restored(tmp_path)
    assert waiting(log) == [3, 4, 5]


def test_the_series_goes_on_when_all_is_acknowledged(tmp_path: Path) -> None:
    write_call(tmp_path)
    _, log = restored(tmp_path)
    log.acknowledge(log.series, 2, 0.0)
    log.commit()
    log.close()
    _, again = restored(tmp_path)
    assert (again.series, again.events.put(pack(["next"]))) == (log.series, 3)


@pytest.fixture
def reboot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Let the next life be one after a restart of the machine."""
    boot_id = tmp_path / "boot_id"

    def happen() -> None:
        boot_id.write_text("another boot")
        monkeypatch.setattr("switchboard.clock._BOOT_ID", boot_id)

    return happen


def test_after_a_reboot_only_the_events_are_left(tmp_path: Path, reboot: Callable[[], None]) -> None:
    write_call(tmp_path / "log")
    reboot()
    count, log = restored(tmp_path / "log")
    assert (count, log.events.waiting) == (0, 2)


def test_after_a_reboot_no_number_is_used_again(tmp_path: Path, reboot: Callable[[], None]) -> None:
    """The journal may have seen numbers that had not reached our disk."""
    write_call(tmp_path / "log")
    reboot()
    _, log = restored(tmp_path / "log")
    assert log.events.put(pack(["next"])) == 2 + UNSYNCED + 1


def test_after_a_reboot_with_nothing_to_tell_the_series_is_new(
    tmp_path: Path, reboot: Callable[[], None]
) -> None:
    write_call(tmp_path / "log")
    _, log = restored(tmp_path / "log")
    log.acknowledge(log.series, 2, 0.0)
    log.commit()
    log.close()
    reboot()
    _, again = restored(tmp_path / "log")
    assert again.series != log.series
    assert again.events.put(pack(["next"])) == 1


def test_the_end_of_an_old_unit_spares_a_new_one_of_its_name(tmp_path: Path) -> None:
    """A server transaction is over before its client transactions are: its key may be taken again."""
    log = RouterLog(tmp_path)
    old = make_core(log)
    new = make_core(log)
    new._saved.numbers = old._saved.numbers
    for now, core in ((1000.0, old), (1001.0, new)):
        begin_call(core, now)
        log.commit()
    while (deadline := old.next_deadline) is not None:
        old.advance(deadline, deadline)
        old.take(deadline)
    log.commit()
    log.close()
    assert restored(tmp_path)[0] == 1


def test_what_is_over_is_forgotten(tmp_path: Path) -> None:
    write_call(tmp_path)
    count, log = restored(tmp_path, now=1000.0 + 185 + 33)
    assert count == 0
    log.commit()
    log.close()
    assert restored(tmp_path)[0] == 0


ONE, OTHER = b"0123456789", b"abcdefghij"
"""Identities of nonces."""


def keep_nonces(directory: Path, *changes: dict[bytes, bytes | None], commit: bool = True) -> None:
    """A life in which the uses of nonces changed so."""
    log = RouterLog(directory)
    for change in changes:
        log.keep_nonces(change)
        if commit:
            log.commit()
    log.close()


def kept_nonces(directory: Path) -> dict[bytes, bytes]:
    """What the next life knows of them."""
    log = RouterLog(directory)
    log.close()
    return dict(log.nonces)


def test_the_next_life_knows_the_last_use_of_each_nonce(tmp_path: Path) -> None:
    keep_nonces(tmp_path, {ONE: b"first", OTHER: b"first"}, {ONE: b"second"})
    assert kept_nonces(tmp_path) == {ONE: b"second", OTHER: b"first"}
    assert kept_nonces(tmp_path) == {ONE: b"second", OTHER: b"first"}


def test_a_forgotten_nonce_is_forgotten_in_the_next_life(tmp_path: Path) -> None:
    keep_nonces(tmp_path, {ONE: b"first", OTHER: b"first"}, {ONE: None})
    assert kept_nonces(tmp_path) == {OTHER: b"first"}


def test_uses_are_kept_with_the_commit_and_not_before(tmp_path: Path) -> None:
    keep_nonces(tmp_path, {ONE: b"first"})
    keep_nonces(tmp_path, {ONE: b"second"}, commit=False)
    assert kept_nonces(tmp_path) == {ONE: b"first"}


def test_nonces_of_another_boot_are_worth_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_nonces(tmp_path, {ONE: b"first"})
    monkeypatch.setattr(router_log, "boot_id", lambda: b"another")
    assert kept_nonces(tmp_path) == {}
    assert kept_nonces(tmp_path) == {}


def test_a_replay_is_refused_in_the_next_life(tmp_path: Path) -> None:
    """From the count to the log and back."""
    nonce, used = Nonce(ONE, int.from_bytes(ONE[:4], "big")), Replays(300.0)
    assert used.use(nonce, 1, nonce.issued_at)
    keep_nonces(tmp_path, used.take_changes())
    successor = Replays(300.0, kept_nonces(tmp_path).items())
    assert not successor.use(nonce, 1, nonce.issued_at)
    assert successor.use(nonce, 2, nonce.issued_at)


def test_calls_and_events_stay_beside_nonces(tmp_path: Path) -> None:
    write_call(tmp_path)
    keep_nonces(tmp_path, {ONE: b"first"})
    count, log = restored(tmp_path)
    assert (count, dict(log.nonces)) == (1, {ONE: b"first"})
    assert waiting(log) == [1, 2]


def end_without_room(directory: Path) -> RouterLog:
    """A life that could not write its end: an event was acknowledged, one more told, a nonce used again."""
    log = RouterLog(directory)
    log.note([EVENT, EVENT])
    log.keep_nonces({ONE: b"first"})
    log.commit()
    with file_limit(log.size + 10):
        log.note([EVENT])
        log.acknowledge(log.series, 1, 0.0)
        log.keep_nonces({ONE: b"second"})
        log.commit()
    log.writing.look()
    log.close()
    return log


def test_without_room_it_goes_on_and_says_so(tmp_path: Path) -> None:
    log = end_without_room(tmp_path)
    assert waiting(log) == [2, 3]
    assert log.writing.note().startswith(f"up, but cannot write: File too large ({tmp_path}); calls go on")
    assert log.writing.failures == 1


def test_after_a_log_that_is_behind_no_number_is_used_again(tmp_path: Path) -> None:
    end_without_room(tmp_path)
    log = RouterLog(tmp_path)
    assert waiting(log) == [1, 2]
    assert log.events.put(EVENT) > 2 + UNSYNCED


def test_after_a_log_that_is_behind_no_nonce_is_accepted_again(tmp_path: Path) -> None:
    before = end_without_room(tmp_path)
    lives = []
    for _ in range(2):
        log = RouterLog(tmp_path)
        log.commit()
        log.close()
        lives.append(log.issuer)
        assert log.nonces == []
    assert lives[0] == lives[1] != before.issuer


def test_once_there_is_room_the_next_life_goes_on_as_ever(tmp_path: Path) -> None:
    log = RouterLog(tmp_path)
    with file_limit(20):
        log.note([EVENT, EVENT])
        log.commit()
    assert log.keyed.error
    until = time.monotonic() + LIMIT_S
    while log.keyed.error:
        assert time.monotonic() < until, "it never tried again"
        log.commit()
    log.writing.look()
    assert log.writing.error == 0
    log.close()
    again = RouterLog(tmp_path)
    assert (again.series, again.issuer, waiting(again)) == (log.series, log.issuer, [1, 2])
    assert again.events.put(EVENT) == 3
