"""The history on disk, written and read again."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from full_disk import file_limit
from history.wire import CALL_ID, SECOND, START, call, refused, request
from storage.damage import KINDS, overwrite, pages_of

from switchboard.history.reader import HistoryReader
from switchboard.history.seen import Direction, Seen
from switchboard.history.space import Space
from switchboard.history.store import MESSAGES_A_CALL, HistoryError, HistoryStore, Limits
from switchboard.history.summary import SummaryKind
from switchboard.storage.image import wal_of
from switchboard.storage.mending import reports

LIMITS = Limits(calls=100, age_s=3600, bytes=1 << 20)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.db"


@pytest.fixture
def store(path: Path) -> Iterator[HistoryStore]:
    store = HistoryStore(path, LIMITS)
    yield store
    store.close()


def moved(seen: list[Seen], seconds: float) -> list[Seen]:
    return [each._replace(at_ns=each.at_ns + int(seconds * SECOND)) for each in seen]


def test_messages_come_back_as_they_were(store: HistoryStore, path: Path) -> None:
    store.add({CALL_ID: call()})
    assert HistoryReader(path).messages(CALL_ID) == call()
    assert HistoryReader(path).messages("another") == []


def test_a_call_may_come_in_parcels(store: HistoryStore, path: Path) -> None:
    for each in call():
        store.add({CALL_ID: [each]})
    found = HistoryReader(path).summary(CALL_ID)
    assert found is not None
    assert (found.outcome, found.messages) == ("answered", 13)
    assert HistoryReader(path).messages(CALL_ID) == call()


def test_a_new_writer_goes_on(store: HistoryStore, path: Path) -> None:
    store.add({CALL_ID: call()[:5]})
    store.close()
    with closing(HistoryStore(path, LIMITS)) as later:
        later.add({CALL_ID: call()[5:]})
    found = HistoryReader(path).summary(CALL_ID)
    assert found is not None
    assert (found.outcome, found.started_ns, found.messages) == ("answered", START, 13)


def test_secrets_are_not_kept(store: HistoryStore, path: Path) -> None:
    raw = request("INVITE", extra="Proxy-Authorization: Digest response=hush\r\n")
    store.add({CALL_ID: [call()[0]._replace(raw=raw)]})
    assert b"Proxy-Authorization: Digest response=***\r\n" in HistoryReader(path).messages(CALL_ID)[0].raw
    store.close()
    assert b"hush" not in path.read_bytes()


def test_the_file_is_for_its_owner_only(store: HistoryStore, path: Path) -> None:
    store.add({CALL_ID: call()})
    assert path.stat().st_mode & 0o777 == 0o600


def test_recent(store: HistoryStore, path: Path) -> None:
    store.add({"one": call(), "two": moved(refused(486, "Busy"), 60), "three": moved(call()[:1], 120)})
    reader = HistoryReader(path)

    def names(**wanted: object) -> list[str]:
        return [each.call_id for each in reader.recent(**wanted)]  # type: ignore[arg-type]

    assert names() == ["three", "two", "one"]
    assert names(at_most=1) == ["three"]
    assert names(user="lenka") == names(user="lukas") == names()
    assert names(user="nobody") == names(kind=SummaryKind.REGISTRATION) == []
    assert names(kind=None, outcomes=["busy", "answered"]) == ["two", "one"]
    assert names(since_ns=START + SECOND) == ["three", "two"]
    assert names(until_ns=START + SECOND) == ["one"]


def test_the_oldest_is_forgotten_beyond_a_number(path: Path) -> None:
    with closing(HistoryStore(path, Limits(calls=2, age_s=3600, bytes=1 << 20))) as store:
        store.add({f"call {number}": moved(call(), number) for number in range(4)})
        store.trim(START)
        assert store.forgotten == 2
    assert [each.call_id for each in HistoryReader(path).recent()] == ["call 3", "call 2"]
    assert HistoryReader(path).messages("call 0") == []


SMALL = Limits(calls=10_000, age_s=3600, bytes=1 << 20)


def taken(path: Path) -> int:
    """By the file and its log."""
    return sum(each.stat().st_size for each in (path, wal_of(path)) if each.exists())


def add_calls(store: HistoryStore, first: int, count: int) -> int:
    """One call a commit in four parcels, each later than the one before; the most that was taken meanwhile."""
    most = 0
    for number in range(first, first + count):
        messages = moved(call(), number)
        for part in range(0, len(messages), 4):
            store.add({f"call {number}": messages[part : part + 4]})
            most = max(most, taken(store._path))
    return most


def test_the_limit_holds_for_file_and_log_together_at_any_instant(path: Path) -> None:
    with closing(HistoryStore(path, SMALL)) as store:
        assert add_calls(store, 0, 150) <= SMALL.bytes
        store.add({f"more {number}": moved(call(), 150 + number) for number in range(300)})
        assert taken(path) <= SMALL.bytes
        store.trim(START)
        kept = [each.call_id for each in HistoryReader(path).recent(at_most=1000)]
        assert kept[0] == "more 299"
        assert 50 < len(kept) < 300
        assert (store.unwritten, store.writing.error) == (0, 0)


def test_a_reader_that_stays_does_not_let_the_log_grow(path: Path) -> None:
    with closing(HistoryStore(path, SMALL)) as store:
        add_calls(store, 0, 10)
        with closing(sqlite3.connect(path, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM calls").fetchone()
            assert add_calls(store, 10, 30) <= SMALL.bytes
            assert store.unwritten > 0
            assert "locked by another program" in store.writing.note()
        before = store.unwritten
        assert add_calls(store, 40, 10) <= SMALL.bytes
        assert (store.unwritten, store.writing.error) == (before, 0)


def test_a_file_that_is_larger_than_the_limit_shrinks(path: Path) -> None:
    """Also one whose pages could not be given back, as it was made before."""
    with closing(HistoryStore(path, Limits(10_000, 3600, 8 << 20))) as store:
        store.add({f"call {number}": moved(call(), number) for number in range(300)})
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.executescript("PRAGMA auto_vacuum = NONE; VACUUM;")
    with closing(HistoryStore(path, SMALL)) as store:
        store.trim(START)
        assert taken(path) <= SMALL.bytes
        assert len(HistoryReader(path).recent(at_most=1000)) > 50


def test_while_others_need_the_room_the_oldest_goes_and_nothing_comes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with closing(HistoryStore(path, SMALL)) as store:
        add_calls(store, 0, 100)
        before = taken(path)
        with monkeypatch.context() as tight:
            tight.setattr(Space, "lacking", lambda _: max(0, taken(path) - before // 2))
            store.trim(START)
            assert taken(path) <= before // 2
            store.trim(START)
            assert store.writing.error == 0
            tight.setattr(Space, "lacking", lambda _: 1 << 30)
            store.add({"another": call()})
            assert (store.unwritten, store.writing.error) == (13, errno.ENOSPC)
        assert HistoryReader(path).recent() == []
        store.add({"another": call()})
        assert (store.unwritten, store.writing.error) == (13, 0)
        assert [each.call_id for each in HistoryReader(path).recent()] == ["another"]


def test_where_not_even_a_deletion_has_room_all_of_it_goes(store: HistoryStore, path: Path) -> None:
    add_calls(store, 0, 20)
    assert store._database is not None
    store._database.execute("PRAGMA max_page_count = 10")
    add_calls(store, 20, 1)
    assert store.writing.failures > 0
    assert store.unwritten > 0
    store.add({"another": call()})
    assert store.writing.error == 0
    assert len(HistoryReader(path).recent()) <= 2


def test_it_starts_where_nothing_can_be_written(path: Path) -> None:
    with file_limit(0):
        store = HistoryStore(path, SMALL)
        store.add({"one": call()})
        assert (store.unwritten, store.writing.error) == (13, errno.EIO)
    store.add({"two": call()})
    assert (store.unwritten, store.writing.error) == (13, 0)
    store.close()
    assert [each.call_id for each in HistoryReader(path).recent()] == ["two"]


def test_who_was_silent_for_long_is_forgotten(store: HistoryStore, path: Path) -> None:
    store.add({"one": call(), "two": moved(call(), 100)})
    store.trim(call()[-1].at_ns + int((LIMITS.age_s + 50) * SECOND))
    assert [each.call_id for each in HistoryReader(path).recent()] == ["two"]
    store.add({"one": call()[:1]})
    found = HistoryReader(path).summary("one")
    assert found is not None
    assert found.messages == 1, "what was forgotten begins anew"


def test_one_call_cannot_fill_it(store: HistoryStore, path: Path) -> None:
    store.add({CALL_ID: call()[:1] * (MESSAGES_A_CALL + 5)})
    store.add({CALL_ID: call()[:1]})
    assert store.cut == 6
    assert len(HistoryReader(path).messages(CALL_ID)) == MESSAGES_A_CALL


def test_hops_are_kept(store: HistoryStore, path: Path) -> None:
    hop = call()[0]._replace(direction=Direction.HOP, hop="router.0")
    store.add({CALL_ID: [hop]})
    assert HistoryReader(path).messages(CALL_ID) == [hop]


def test_no_file(path: Path) -> None:
    with pytest.raises(HistoryError, match="There is no history"):
        HistoryReader(path).recent()


def test_a_file_of_somebody_else_is_set_aside_by_its_owner(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(HistoryError, match="cannot be used"):
        HistoryReader(path).recent()
    with pytest.raises(HistoryError, match="cannot be used"):
        HistoryReader(path).messages(CALL_ID)
    with closing(HistoryStore(path, LIMITS)):
        assert len(reports(path)) == 1
    assert HistoryReader(path).recent() == []


def test_of_a_damaged_file_the_messages_of_other_calls_go_on(path: Path) -> None:
    with closing(HistoryStore(path, LIMITS)) as store:
        for number in range(60):
            store.add({f"call-{number}": call()})
    overwrite(path, pages_of(path) // 2, KINDS["rubbish"])
    with closing(HistoryStore(path, LIMITS)) as again:
        again.add({"new": call()})
    reader = HistoryReader(path)
    kept = [number for number in range(60) if reader.messages(f"call-{number}")]
    assert 20 < len(kept) <= 60
    assert len(reports(path)) == 1


def test_a_file_of_another_version(path: Path) -> None:
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    with pytest.raises(HistoryError, match="schema 99"):
        HistoryStore(path, LIMITS)


def test_what_is_no_utf8_is_kept_as_well_as_can_be(store: HistoryStore, path: Path) -> None:
    spoilt = [each._replace(raw=each.raw.replace(b"lukas", b"luk\xb0s")) for each in call()]
    store.add({"call\udcb0id": spoilt})
    assert HistoryReader(path).messages("call?id") == spoilt
    found = HistoryReader(path).summary("call\udcb0id")
    assert found is not None
    assert "luk?s" in found.caller
