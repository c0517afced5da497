"""The contract of a ledger, with a real server; what it cannot store; its views."""

import errno
import json
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from journal.scripts import finished
from postgres_server import PostgresServer
from redis_server import free_port

from switchboard.journal.ledger import Known, RowsRefused
from switchboard.journal.postgres_ledger import ROWS_AT_ONCE, PostgresLedger
from switchboard.journal.row import Row
from switchboard.journal.shipper import Shipper
from switchboard.journal.spool import Place, Spool
from switchboard.postgres.url import PostgresUrl
from switchboard.storage.unusable import RemoteError

HERE = "here"
START = Known(Place("key", 0, "none"), False)


class Database:
    def __init__(self, server: PostgresServer) -> None:
        self.server = server
        self.name = server.database()
        server.do(f"ALTER DATABASE {self.name} SET search_path = switchboard")
        self.url = PostgresUrl.parse(server.url(self.name))

    def connect(self) -> PostgresLedger:
        return PostgresLedger(self.url)

    def do(self, statement: str, *values: Any) -> list[Any]:
        return self.server.do(statement, *values, database=self.name)


@pytest.fixture
def database(postgres: PostgresServer) -> Database:
    return Database(postgres)


@pytest.fixture
def ledger(database: Database) -> Iterator[PostgresLedger]:
    with closing(database.connect()) as ledger:
        yield ledger


def row_of(call_id: str = "one", switchboard: str = HERE, **values: object) -> Row:
    line = json.dumps(json.loads(finished(call_id).to_line()) | values).encode()
    row = Row.of(line, switchboard)
    assert row
    return row


def rows_of(ledger: PostgresLedger) -> list[Row]:
    return sorted(row for page in ledger.pages() for row in page)


ODD = [
    row_of(),
    row_of(
        "other", "there", answered_at="2026-11-22T10:00:00.001Z", duration_s=3599.999, of_later={"a": [1]}
    ),
    row_of("nul\0", caller="\0\0", of_later="\0"),
    row_of("ž\U0001f4de'\"\\,{}()\t", callee="NULL", status=-(2**31)),
    row_of("old", started_at="1970-01-01T00:00:00.000Z", ended_at="9999-12-31T23:59:59.999Z"),
    row_of("long", caller="x" * 100_000),
]


def test_rows_come_back_as_they_were_shipped(ledger: PostgresLedger) -> None:
    ledger.ship(ODD, HERE, START)
    found = rows_of(ledger)
    assert [each._replace(more=None) for each in found] == sorted(each._replace(more=None) for each in ODD)
    assert {each.id: each.more and json.loads(each.more) for each in found} == {
        each.id: each.more and json.loads(each.more) for each in ODD
    }
    assert [Row.of(each.to_line(), "elsewhere") for each in found] == found


def test_rows_come_in_the_order_in_which_calls_ended(ledger: PostgresLedger) -> None:
    rows = [row_of(str(each), ended_at=f"2026-11-30T10:{each:02}:00.000Z") for each in range(60)]
    ledger.ship(rows[::-1] * 10 + [row_of(f"later {each}") for each in range(ROWS_AT_ONCE)], HERE, START)
    pages = list(ledger.pages())
    assert [len(page) for page in pages] == [ROWS_AT_ONCE, 60]
    ended = [row.ended_at for page in pages for row in page]
    assert ended == sorted(ended)


def test_what_is_shipped_again_makes_no_second_row(ledger: PostgresLedger) -> None:
    for _ in range(2):
        ledger.ship([row_of("one"), row_of("two"), row_of("one")], HERE, START)
    assert len(rows_of(ledger)) == ledger.count() == 2
    assert ledger.add([row_of("two"), row_of("three")]) == 1


def test_a_place_is_remembered_for_each_switchboard_and_file(ledger: PostgresLedger) -> None:
    assert ledger.known(HERE, "key") is None
    later = Known(Place("key", 2**40, "seen"), True)
    ledger.ship([], HERE, START)
    ledger.ship([row_of()], HERE, later)
    ledger.ship([], "there", START)
    assert (ledger.known(HERE, "key"), ledger.known("there", "key")) == (later, START)
    assert ledger.known(HERE, "other") is None


@pytest.mark.parametrize(
    "odd", [row_of("odd", status=2**40), row_of("odd", duration_s=1e12), row_of("odd", of_later=1)]
)
def test_of_rows_that_it_refuses_none_is_there_and_the_place_stays(ledger: PostgresLedger, odd: Row) -> None:
    odd = odd._replace(more='{"a": 1e999999}') if odd.more else odd
    ledger.ship([], HERE, START)
    with pytest.raises(RowsRefused):
        ledger.ship([row_of("one"), odd], HERE, Known(Place("key", 9, "seen"), False))
    assert (ledger.count(), ledger.known(HERE, "key")) == (0, START)


def test_the_shipper_leaves_out_what_the_server_cannot_store(database: Database, tmp_path: Path) -> None:
    lines = [finished(f"call {each}").to_line() for each in range(9)]
    lines[3] = lines[3].replace(b'"status": 603', b'"status": 6030000000000')
    (tmp_path / "cdr.jsonl").write_bytes(b"".join(lines))
    warnings: list[str] = []
    shipper = Shipper(Spool(tmp_path / "cdr.jsonl"), HERE, database.connect, warnings.append)
    with closing(shipper):
        while shipper.step():
            pass
    [found] = database.do("SELECT count(*) FROM calls")
    assert (found, shipper.refused) == ((8,), 1)
    assert "call 3" in warnings[0]


def test_a_server_that_is_away_is_told_in_words() -> None:
    with pytest.raises(RemoteError, match="Connection refused"):
        PostgresLedger(PostgresUrl.parse(f"postgresql://127.0.0.1:{free_port()}"))


def test_a_connection_that_was_ended_is_told(database: Database, ledger: PostgresLedger) -> None:
    database.do(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = %s",
        database.name,
    )
    with pytest.raises(RemoteError):
        ledger.ship([row_of()], HERE, START)


def test_a_server_that_cannot_be_written_is_told_in_words(database: Database) -> None:
    with closing(database.connect()) as ledger:
        ledger.ship([], HERE, START)
    database.do(f"ALTER DATABASE {database.name} SET default_transaction_read_only = on")
    with closing(database.connect()) as ledger:
        with pytest.raises(RemoteError, match="read-only"):
            ledger.check()
        with pytest.raises(RemoteError, match="read-only"):
            ledger.ship([row_of()], HERE, START)


FULL = """
CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'could not extend file' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER full_disk BEFORE INSERT ON calls FOR EACH ROW EXECUTE FUNCTION full_disk()
"""


def test_on_a_full_disk_rows_wait_and_none_is_left_out(database: Database, tmp_path: Path) -> None:
    (tmp_path / "cdr.jsonl").write_bytes(finished("one").to_line())
    shipper = Shipper(Spool(tmp_path / "cdr.jsonl"), HERE, database.connect, print)
    with closing(database.connect()), closing(shipper):
        database.do(FULL)
        with pytest.raises(RemoteError, match="its disk is full") as caught:
            shipper.step()
        assert (caught.value.number, shipper.waiting, shipper.refused) == (errno.ENOSPC, 1, 0)
        database.do("DROP TRIGGER full_disk ON calls")
        while shipper.step():
            pass
        assert database.do("SELECT call_id FROM calls") == [("one",)]
        assert shipper.waiting == 0


@pytest.mark.usefixtures("ledger")
def test_a_later_schema_is_left_alone(database: Database) -> None:
    database.do("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(RemoteError, match="a later program"):
        database.connect()


def test_tables_that_were_dropped_are_told_in_words(database: Database, ledger: PostgresLedger) -> None:
    database.do("DROP TABLE calls CASCADE")
    with pytest.raises(RemoteError, match="a table of ours is missing"):
        ledger.ship([row_of()], HERE, START)


CALLER, CALLEE = "sips:eva@example.com:5061;transport=tls", "sip:+421900123456@example.com"
ANSWERED = {
    "caller": CALLER,
    "callee": CALLEE,
    "outcome": "answered",
    "answered_at": "2026-11-01T10:00:05.000Z",
}


def test_views_for_billing(database: Database, ledger: PostgresLedger) -> None:
    at = {"started_at": "2026-11-01T10:00:00.000Z"}
    rows = [
        row_of("1", **ANSWERED, **at, duration_s=61.5),
        row_of("2", **ANSWERED, **at, duration_s=1.0),
        row_of("3", caller=CALLER, callee="sip:jan@example.com", started_at="2026-11-30T12:00:00.000Z"),
        row_of("4", **ANSWERED | {"callee": "tel:112"}, **at, duration_s=10.0),
    ]
    ledger.ship(rows, HERE, START)
    eva = "placed, placed_answered, received, missed, placed_s FROM"
    where = "WHERE \"user\" = 'eva@example.com' ORDER BY 1"
    assert database.do(f"SELECT month::text, {eva} calls_by_user_and_month {where}") == [
        ("2026-11-01", 4, 3, 0, 0, Decimal("72.500"))
    ]
    assert [row[:2] for row in database.do(f"SELECT day::text, {eva} calls_by_user_and_day {where}")] == [
        ("2026-11-01", 3),
        ("2026-11-30", 1),
    ]
    [missed] = database.do(
        "SELECT received, missed FROM calls_by_user_and_day WHERE \"user\" = 'jan@example.com'"
    )
    assert missed == (1, 1)
    database.do("INSERT INTO rates (prefix, per_minute, per_call) VALUES ('+', 9, 9), ('+421', 0.6, 0.01)")
    priced = database.do('SELECT "user", prefix, price FROM priced_calls ORDER BY price')
    assert priced == [
        ("eva@example.com", "+421", Decimal("0.6100")),
        ("eva@example.com", "+421", Decimal("1.2100")),
        ("eva@example.com", None, None),
    ]


@pytest.mark.usefixtures("ledger")
def test_a_rate_has_to_be_one(database: Database) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        database.do("INSERT INTO rates (prefix, per_minute, step_s) VALUES ('+', 1, 0)")
