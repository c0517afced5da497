"""Registrations and users while their files cannot be written, or are damaged: on real file systems, by real locks."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from full_disk import SmallDisk, failing_disk, small_disk
from storage.damage import KINDS, PAGE, flip, overwrite, pages_of
from system.harness import Switchboard, wait_until
from system.net import Net
from system.sip_transactions import ClientTransaction, ServerTransaction
from system.sipmsg import uri_in
from system.user_agent import UserAgent, registered

from switchboard.registrar.binding import Binding
from switchboard.registrar.sqlite import SqliteStore

pytestmark = pytest.mark.system

ROOM = 64_000_000
BACK_WITHIN_S = 10.0
NO_HISTORY = {"SWITCHBOARD_HISTORY": "off"}
"""It gives its room back first: the disk would not be full."""


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
    """Soon a REGISTER gets its 200, without anybody's help."""
    wait_until(lambda: _status(phone.net, phone.register(expires=900)) == 200, "a 200", BACK_WITHIN_S)


def _status(net: Net, request: ClientTransaction) -> int:
    return net.wait_for(lambda: next(iter(request.statuses()), None), "an answer")


@contextmanager
def locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        yield
        stranger.execute("ROLLBACK")


def test_full_disk(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", ROOM) as disk,
        running(disk.path / "data", **NO_HISTORY) as (board, net),
    ):
        phone, other = registered(net, "lukas"), UserAgent(net, "eva")
        disk.fill()
        assert_refuses_changes(phone, [phone.contact])
        other.register(expires=600).expect(503)
        kill_registrar(board)
        assert_refuses_changes(phone, [phone.contact])
        assert "registrar.0: up, but cannot write: No space left" in board.cli("status", check=False).stderr
        disk.free()
        assert_back(phone)
        other.register(expires=600).expect(200)


@pytest.mark.parametrize(
    ("fault", "words", "name"),
    [
        ("become_read_only", "Read-only file system", "data"),
        ("become_read_only", "Read-only file system", "d" * 100),
        ("die", "Input/output error", "data"),
    ],
    ids=["read-only", "read-only, with the sockets elsewhere", "dead"],
)
def test_a_disk_that_fails(tmp_path: Path, fault: str, words: str, name: str) -> None:
    with failing_disk(tmp_path / "disk", ROOM) as disk:
        data = disk.path / name
        data.mkdir()
        with small_disk(data / "run", ROOM), running(data, **NO_HISTORY) as (switchboard, net):
            phone = registered(net, "lukas")
            getattr(disk, fault)()
            assert_refuses_changes(phone, [phone.contact])
            assert words in switchboard.cli("status", check=False).stderr
            if fault == "become_read_only":
                kill_registrar(switchboard)
                assert_refuses_changes(phone, [phone.contact])


def kill_registrar(switchboard: Switchboard) -> None:
    """Returns when the next one is up."""
    before = switchboard.kill("registrar")
    switchboard.wait_component("registrar", lambda one: one["state"] == "up" and one["pid"] != before)


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
    """A page with rows in the middle of the file becomes rubbish."""
    data = path.read_bytes()
    with_rows = [page for page in range(1, pages_of(path)) if data[page * PAGE] in (0x0A, 0x0D)]
    overwrite(path, with_rows[len(with_rows) // 2], KINDS["rubbish"])


def register_many(net: Net, count: int) -> list[UserAgent]:
    """One after the other, so that each is a commit of its own."""
    return [registered(net, f"user{number}") for number in range(count)]


def still_bound(phones: list[UserAgent]) -> int:
    return sum([uri_in(each) for each in phone.bindings()] == [phone.contact] for phone in phones)


def stopped(switchboard: Switchboard, change: Callable[[Path], None], path: Path) -> None:
    """Change a file while nothing runs."""
    switchboard.stop()
    change(path)
    switchboard.start()
    switchboard.wait_up()


PHONES = 60
COMMITS = 200


def test_a_bad_page_of_location_db(tmp_path: Path) -> None:
    with running(tmp_path) as (switchboard, net):
        phones = register_many(net, PHONES)
        stopped(switchboard, damage, tmp_path / "location.db")
        bound = still_bound(phones)
        assert 0.4 * PHONES < bound < PHONES
        said = switchboard.cli("status").stderr
        assert "location.db was found damaged" in said
        assert "pages could not be read" in said
        switchboard.wait_logged("location.db was found damaged")
        assert "location.db was found damaged" in switchboard.cli("doctor", "--json", check=False).stdout
        for phone in phones:
            phone.register().expect(200)
        assert still_bound(phones) == PHONES
        caller, callee = phones[0], phones[-1]
        call = caller.invite(callee.aor)
        callee.expect("INVITE").reply(486)
        call.expect(486)
        for each in tmp_path.glob("*.damaged-*"):
            each.unlink()
        assert "damaged" not in switchboard.cli("status").stderr


def fill_store(path: Path) -> None:
    """So many bindings that there may be room for the index of a log, and none for a whole new file."""
    path.parent.mkdir(mode=0o700)
    store = SqliteStore(path)
    for number in range(COMMITS):
        with store.batch():
            store.put(f"other{number}", [Binding("sip:o@192.0.2.1", 1.0, 4e9, user_agent="o" * 1000)])
    store.close()


def test_calls_reach_those_who_can_be_read_while_nobody_can_mend_the_file(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", ROOM) as disk:
        fill_store(disk.path / "data" / "location.db")
        with running(disk.path / "data", **NO_HISTORY) as (board, net):
            check_calls_while_nobody_can_mend(board, net, disk)


def check_calls_while_nobody_can_mend(board: Switchboard, net: Net, disk: SmallDisk) -> None:
    phones = register_many(net, PHONES)

    def damage_and_fill(path: Path) -> None:
        damage(path)
        disk.fill(leave=path.stat().st_size // 2)

    stopped(board, damage_and_fill, board.data_dir / "location.db")
    assert "registrar.0: up, but cannot write: No space left" in board.cli("status", check=False).stderr
    caller, callee = [each for each in phones if each.bindings()][:2]
    call = caller.invite(callee.aor)
    callee.expect("INVITE").reply(486)
    call.expect(486)
    disk.free()
    assert_back(caller)
    wait_until(lambda: "are those of memory" not in board.cli("status").stderr, "a whole file")
    assert callee.bindings()


def test_a_flipped_bit_in_the_log_of_location_db_loses_nobody(tmp_path: Path) -> None:
    with running(tmp_path) as (switchboard, net):
        phones = register_many(net, PHONES)
        log = tmp_path / "location.db-wal"
        whole, before = (tmp_path / "location.db").read_bytes(), log.read_bytes()

        def flipped(path: Path) -> None:
            path.write_bytes(whole)
            log.write_bytes(before)
            flip(log, len(before) // 2)

        stopped(switchboard, flipped, tmp_path / "location.db")
        assert still_bound(phones) == PHONES
        assert "its write-ahead log" in switchboard.cli("status").stderr


def test_a_bad_page_of_users_db_and_what_a_backup_brings_back(tmp_path: Path) -> None:
    environment = {"SWITCHBOARD_AUTH": "on"}
    data, backup = tmp_path / "data", tmp_path / "backup"
    csv = tmp_path / "users.csv"
    csv.write_text("".join(f"user{number},secret{number:03}\n" for number in range(200)))
    with running(data, **environment) as (switchboard, net):
        switchboard.cli("user", "import", str(csv))
        switchboard.cli("backup", str(backup))
        stopped(switchboard, damage, data / "users.db")
        listed = json.loads(switchboard.cli("user", "list", "--json").stdout)["users"]
        assert 100 < len(listed) < 200
        said = switchboard.cli("status").stderr
        gone = set(csv.read_text().replace(",", "\n").split()) - {each["user"] for each in listed}
        assert "users.db was found damaged" in said
        assert any(f" {name}," in said for name in gone)
        done = switchboard.cli("restore", str(backup), "users")
        assert "registrar.0: restarted" in done.stderr
        assert len(json.loads(switchboard.cli("user", "list", "--json").stdout)["users"]) == 200
        assert net.proxy


def test_an_emptied_users_db_is_told_of(tmp_path: Path) -> None:
    with running(tmp_path, SWITCHBOARD_AUTH="on") as (switchboard, _):
        switchboard.cli("user", "add", "lukas", "--generate")
        assert "no users" not in switchboard.cli("status").stderr
        stopped(switchboard, lambda path: os.truncate(path, 0), tmp_path / "users.db")
        assert "there are no users" in switchboard.cli("status").stderr
        assert "there are no users" in switchboard.cli("doctor", "--json", check=False).stdout


def test_a_flipped_bit_in_a_routers_log(tmp_path: Path) -> None:
    """The commits behind it count: calls that ring are answered by the next router."""
    with running(tmp_path, SWITCHBOARD_ROUTERS="1") as (switchboard, net):
        caller, callee = registered(net, "eva"), registered(net, "lukas")
        calls, rung = [], []
        for _ in range(20):
            calls.append(caller.invite(callee.aor))
            rung.append(callee.expect("INVITE"))
            rung[-1].reply(180)
            calls[-1].expect(180)
        with switchboard.kept_down("router"):
            log = min((tmp_path / "router-0").glob("*.log"))
            flip(log, log.stat().st_size // 3)
        refuse_until(net, rung, lambda: finals(calls) >= len(calls) - 1)
        wait_until(lambda: "was found damaged" in switchboard.cli("status").stderr, "a word about it")


def refuse_until(net: Net, rung: list[ServerTransaction], done: Callable[[], bool]) -> None:
    """Answer 486 again each second, as Timer G has it: what is on its way to a router that ends, ends with it."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        for incoming in rung:
            incoming.reply(486)
        if net.poll(done, 1.0):
            return
    raise AssertionError("answers did not come within 10 s")


def finals(calls: list[ClientTransaction]) -> int:
    return sum(486 in call.statuses() for call in calls)


def test_a_bad_page_of_journal_db_costs_no_record(tmp_path: Path) -> None:
    with running(tmp_path) as (switchboard, net):
        caller, callee = registered(net, "eva"), registered(net, "lukas")
        for number in range(30):
            call = caller.invite(callee.aor)
            callee.expect("INVITE").reply(486)
            call.expect(486)
            switchboard.wait_cdr(number + 1)
        stopped(switchboard, damage, tmp_path / "journal.db")
        call = caller.invite(callee.aor)
        callee.expect("INVITE").reply(486)
        call.expect(486)
        switchboard.wait_cdr(31)
        assert len({record["call_id"] for record in switchboard.cdr()}) == 31


def test_a_backup_of_a_running_switchboard_comes_back_while_it_runs(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup"
    with running(data) as (switchboard, net):
        phones = register_many(net, 20)
        call = phones[0].invite(phones[1].aor)
        phones[1].expect("INVITE").reply(486)
        call.expect(486)
        switchboard.wait_cdr(1)
        switchboard.cli("backup", str(backup))
        for phone in phones:
            phone.register(expires=0).expect(200)
        assert still_bound(phones) == 0
        done = switchboard.cli("restore", str(backup))
        assert "registrar.0: restarted" in done.stderr
        assert "journal.0: restarted" in done.stderr
        assert still_bound(phones) == 20
        call = phones[2].invite(phones[3].aor)
        phones[3].expect("INVITE").reply(486)
        call.expect(486)
        switchboard.wait_cdr(2)
