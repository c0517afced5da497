"""How fast records of calls are shipped from cdr.jsonl into PostgreSQL, and what a record costs.

python -m bench.shipping [--records 200000]

A backlog, as after a database was away, into a server of its own with its default durability.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import psutil
from postgres_server import PostgresServer, postgres_server

from switchboard.journal.postgres_ledger import PostgresLedger
from switchboard.journal.record import CallDetailRecord, Outcome, Party, timestamp
from switchboard.journal.shipper import Shipper
from switchboard.journal.spool import Spool
from switchboard.postgres.url import PostgresUrl

BEGAN_AT = 1_795_341_600.0
MICRO = 1e6


class Found(NamedTuple):
    """Records a second; CPU of a record, µs: the shipper's and the server's."""

    rate: float
    shipper_us: float
    server_us: float


def lines(count: int) -> Iterator[bytes]:
    """Of answered calls, 250 a second."""
    for number in range(count):
        at = BEGAN_AT + number / 250
        began, rang, answered, ended = (timestamp(at + after_s) for after_s in (0, 0.1, 4, 94.5))
        yield CallDetailRecord(
            call_id=f"{number:032x}@10.1.2.3",
            caller=f"sip:user{number % 977}@switchboard.test",
            callee=f"sip:user{number % 1009}@switchboard.test",
            started_at=began,
            ringing_at=rang,
            answered_at=answered,
            ended_at=ended,
            duration_s=90.5,
            outcome=Outcome.ANSWERED,
            status=200,
            ended_by=Party.CALLER,
        ).to_line()


def measured(path: Path, server: PostgresServer, count: int) -> Found:
    """Ship the file, whose records are `count`."""
    database = server.database()
    url = PostgresUrl.parse(server.url(database))
    PostgresLedger(url).close()  # makes the tables
    shipper = Shipper(Spool(path), "bench", lambda: PostgresLedger(url), print)
    began, ours, theirs = time.monotonic(), time.process_time(), _cpu_s(server)
    while shipper.step():
        pass
    took_s, ours, theirs = time.monotonic() - began, time.process_time() - ours, _cpu_s(server) - theirs
    [(rows,)] = server.do("SELECT count(*) FROM switchboard.calls", database=database)
    assert rows == count, f"{rows} rows of {count} records"
    shipper.close()
    return Found(count / took_s, ours / count * MICRO, theirs / count * MICRO)


def _cpu_s(server: PostgresServer) -> float:
    first = psutil.Process(server.process.pid)
    times = [each.cpu_times() for each in (first, *first.children(recursive=True))]
    return sum(each.user + each.system for each in times)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--records", type=int, default=200_000)
    count = parser.parse_args().records
    with TemporaryDirectory() as directory, postgres_server() as server:
        path = Path(directory) / "cdr.jsonl"
        with path.open("wb") as file:
            file.writelines(lines(count))
        found = measured(path, server, count)
    print(f"records a second        {found.rate:10.0f}")
    print(f"CPU of a record, µs     {found.shipper_us:10.1f}   and the server's {found.server_us:.1f}")


if __name__ == "__main__":
    main()
