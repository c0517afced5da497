"""Whatever happens to the octets of its files, a registrar starts, and binds nobody whom nobody has bound."""

import random
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from storage.damage import PAGE

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import make_entry
from switchboard.registrar.binding import Binding
from switchboard.registrar.sqlite import SqliteStore
from switchboard.storage.image import wal_of

BINDING = Binding("sip:a@h", 0.5, 9e9, source="h:5060", user_agent="x" * 80)
TRIES = 30
FILES = ("location.db", "users.db")


def damaged(octets: bytes, chance: random.Random) -> bytes:
    """A bit, or a stretch of rubbish or zeros, or a page that lies elsewhere, too; once or several times."""
    data = bytearray(octets)
    for _ in range(chance.choice((1, 1, 2, 20))):
        at = chance.randrange(len(data))
        size = min(chance.randrange(1, 5000), len(data) - at)
        match chance.randrange(4):
            case 0:
                data[at] ^= 1 << chance.randrange(8)
            case 1:
                data[at : at + size] = chance.randbytes(size)
            case 2:
                data[at : at + size] = bytes(size)
            case _:
                other = chance.randrange(len(data))
                page = data[other : other + min(PAGE, len(data) - at)]
                data[at : at + len(page)] = page
    return bytes(data)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in which both files, and their logs, have something."""
    written, copy = tmp_path_factory.mktemp("written"), tmp_path_factory.mktemp("files")
    with closing(SqliteStore(written / FILES[0])) as store, closing(UserStore(written / FILES[1])) as users:
        for number in range(100):
            with store.batch():
                for part in range(1 + number % 7 * 10):
                    store.put(f"user{number}-{part}", [BINDING._replace(cseq=number)])
        users.put([make_entry(f"user{number}", "r", "secret") for number in range(200)], 1.0)
        for name in FILES:
            for path in (written / name, wal_of(written / name)):
                shutil.copy(path, copy)
        yield copy


@pytest.mark.parametrize("seed", range(TRIES))
def test_a_registrar_starts_with_whatever_is_left(files: Path, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for path in files.iterdir():
        octets = path.read_bytes()
        (tmp_path / path.name).write_bytes(damaged(octets, chance) if chance.random() < 0.5 else octets)
    version = range(60, 64)  # where a file says of which version it is: another one's is left alone
    for name in FILES:
        with (tmp_path / name).open("r+b") as file:
            file.seek(version.start)
            file.write((files / name).read_bytes()[version.start : version.stop])
    with closing(SqliteStore(tmp_path / FILES[0])) as store:
        for user, bindings in store.snapshot()[1].items():
            assert bindings == [BINDING._replace(cseq=int(user[4:].split("-")[0]))]
        with store.batch():
            store.put("new", [BINDING])
    with closing(UserStore(tmp_path / FILES[1])) as users:
        users.put([make_entry("new", "r", "secret")], 1.0)
        assert all(each.user == "new" or each.user.startswith("user") for each in users.users())
