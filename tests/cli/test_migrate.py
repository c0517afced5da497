import json
from pathlib import Path

from cli.conftest import Run
from journal.scripts import finished
from postgres_server import PostgresServer
from redis_server import free_port


def test_records_go_into_a_database_and_back(
    switchboard: Run, data_dir: Path, postgres: PostgresServer
) -> None:
    url = postgres.url(postgres.database())
    lines = [finished(name).to_line() for name in ("one", "two", "three")]
    (data_dir / "cdr.jsonl").write_bytes(b"".join(lines) + b"torn\n")
    told = switchboard("migrate", "--from", "cdr.jsonl", "--to", url)
    assert (told.status, told.stdout) == (0, "")
    assert told.stderr == (
        "Records copied: 3. They were there already: 0.\nLines without a record, left out: 1.\n"
    )
    told = switchboard("migrate", "--from", url, "--to", "back.jsonl")
    assert told.stderr == "Records copied: 3. They were there already: 0.\n"
    told = switchboard("migrate", "--from", url, "--to", "cdr.jsonl")
    assert told.stderr == "Records copied: 0. They were there already: 3.\n"
    told = switchboard("migrate", "--from", "back.jsonl", "--to", url, "--json")
    assert json.loads(told.stdout) == {"read": 3, "added": 0, "damaged": 0, "refused": 0}
    assert told.stderr == "Records copied: 0. They were there already: 3.\n"
    assert len((data_dir / "back.jsonl").read_bytes().splitlines()) == 3


def test_what_is_wrong_is_said_in_words(switchboard: Run) -> None:
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/calls"
    for source, target, words in (
        ("cdr.jsonl", url, "127.0.0.1"),
        ("nowhere.jsonl", url, "cannot be used: Connection refused"),
        ("cdr.jsonl", "postgresql://user:secret@h:x/d", "'h:x' is no host with a port"),
        ("cdr.jsonl", "other.jsonl", "Nobody knows how to copy cdr.jsonl to other.jsonl"),
        (url, "/nowhere/cdr.jsonl", "cannot be used"),
    ):
        told = switchboard("migrate", "--from", source, "--to", target)
        assert told.status != 0
        assert words in told.stderr
        assert "secret" not in told.stderr
