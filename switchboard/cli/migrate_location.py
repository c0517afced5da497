"""`switchboard migrate` for registrations, users and their rules: between the files of a registrar and servers."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from switchboard.auth.user_store import USERS, UserStore
from switchboard.cli.output import MISUSED, fail, print_json, progress, say
from switchboard.cli.running import answers
from switchboard.postgres.url import PostgresUrl, is_postgres
from switchboard.registrar.moving import USERS_AT_ONCE, Copied, Known, from_remote, into_file, into_remote
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.remote import Remote
from switchboard.registrar.rule_store import RULES, RuleStore
from switchboard.registrar.sqlite import SqliteStore, read_snapshot
from switchboard.settings.location import check_postgres, location_of
from switchboard.settings.model import Settings, SettingsError
from switchboard.settings.site import endpoints_of
from switchboard.storage.record_store import Table, read_page
from switchboard.storage.records import Numbered, R
from switchboard.storage.unusable import NotWritten, RemoteError, UnusableFile

if TYPE_CHECKING:
    from switchboard.postgres.records import PostgresRecords

Content = Literal["location", "users", "rules"]
WORDS: dict[Content, str] = {
    "location": "registered users",
    "users": "users with passwords",
    "rules": "rules of users and groups",
}
RECORDS_AT_ONCE = 500
R_in = TypeVar("R_in", bound=Numbered, contravariant=True)


def contents_of(source: str, target: str) -> list[Content]:
    """What two places have in common; [] if they do not fit together."""
    if source == target:
        return []
    return [each for each in WORDS if each in _contents(source) and each in _contents(target)]


def _contents(place: str) -> set[Content]:
    if is_postgres(place):
        return {"location", "users", "rules"}
    name = "" if "://" in place else Path(place).name
    return {"rules"} if name.startswith("rules") else {"users"} if name.startswith("users") else {"location"}


def move(settings: Settings, source: str, target: str, as_json: bool) -> None:
    """Copy what the target lacks or has an earlier state of, and say how much that was."""
    told: dict[Content, Copied] = {}
    try:
        for place in (source, target):
            _check_url(place)
        for each in contents_of(source, target):
            told[each] = _MOVES[each](settings, source, target)
    except (SettingsError, ValueError) as error:
        fail(str(error), MISUSED)
    except (RemoteError, NotWritten, UnusableFile) as error:
        fail(f"{str(error).rstrip('.')}. Run it again: what is copied stays so.")
    if as_json:
        print_json({each: copied._asdict() for each, copied in told.items()})
    for each, copied in told.items():
        say(f"Copied, {WORDS[each]}: {copied.copied}. There already, or later there: {copied.there}.")
        if copied.damaged:
            say(f"Records that are none, left out: {copied.damaged}.")


def _check_url(place: str) -> None:
    """ValueError."""
    if is_postgres(place):
        PostgresUrl.parse(place)
    elif "://" in place:
        RedisUrl.parse(place)


def _sum(what: Content, steps: Iterator[Copied], count: int) -> Copied:
    total = Copied()
    with progress(f"Copying {WORDS[what]}", count) as step:
        for each in steps:
            total += each
            step("")
    return total


def _move_location(settings: Settings, source: str, target: str) -> Copied:
    users, damaged = _read_location(settings, source)
    steps = _to_server if "://" in target else _to_file
    copied = _sum("location", steps(settings, users, target), len(users) // USERS_AT_ONCE + 1)
    return copied + Copied(read=damaged, damaged=damaged)


def _read_location(settings: Settings, source: str) -> tuple[list[Known], int]:
    if "://" in source:
        with closing(_remote(settings, source)) as remote:
            return from_remote(remote)
    bindings = read_snapshot(_existing(source))[1]
    return [Known(user, 0, each) for user, each in bindings.items()], 0


def _to_server(settings: Settings, users: Sequence[Known], target: str) -> Iterator[Copied]:
    with closing(_remote(settings, target)) as remote:
        remote.check()
        remote.begin()
        yield from into_remote(users, remote, time.time())


def _to_file(settings: Settings, users: Sequence[Known], target: str) -> Iterator[Copied]:
    _see_that_nobody_writes(settings, Path(target), settings.store_path)
    with closing(SqliteStore(Path(target))) as store:
        yield from into_file(users, store, time.time())


def _remote(settings: Settings, url: str) -> Remote:
    """SettingsError, ValueError."""
    file = settings.location_password_file if url == settings.location else None
    place = {"location": url, "location_password_file": file, "location_wait_replicas": 0}
    location = location_of(settings.model_copy(update=place), time.time)
    assert location is not None
    return location.connect()


class Merging(Protocol[R_in]):
    """Where records can be put."""

    def merge(self, records: Sequence[R_in]) -> int: ...
    def close(self) -> None: ...


def _move_users(settings: Settings, source: str, target: str) -> Copied:
    return _move_records("users", USERS, UserStore, settings.users_path, settings, source, target)


def _move_rules(settings: Settings, source: str, target: str) -> Copied:
    return _move_records("rules", RULES, RuleStore, settings.rules_path, settings, source, target)


_MOVES: dict[Content, Callable[[Settings, str, str], Copied]] = {
    "location": _move_location,
    "users": _move_users,
    "rules": _move_rules,
}


def _move_records(
    what: Content,
    table: Table[R],
    store: Callable[[Path], Merging[R]],
    own: Path,
    settings: Settings,
    source: str,
    target: str,
) -> Copied:
    """`store`: opens a file of such records; `own`: that of the registrar."""
    records = _read_records(table, source)

    def steps() -> Iterator[Copied]:
        with closing(there):
            for at in range(0, len(records), RECORDS_AT_ONCE):
                part = records[at : at + RECORDS_AT_ONCE]
                copied = there.merge(part)
                yield Copied(len(part), copied, len(part) - copied)

    if not is_postgres(target):
        _see_that_nobody_writes(settings, Path(target), own)
    there: Merging[R] = _on_server(table, target) if is_postgres(target) else store(Path(target))
    return _sum(what, steps(), len(records) // RECORDS_AT_ONCE + 1)


def _read_records(table: Table[R], source: str) -> Sequence[R]:
    if not is_postgres(source):
        page = read_page(table, _existing(source), 0, -1)
        return page.records if page else []
    with closing(_on_server(table, source)) as remote:
        return remote.since("", 0).records


def _on_server(table: Table[R], url: str) -> "PostgresRecords[R]":
    from switchboard.postgres.records import PostgresRecords

    check_postgres(f"{table.name} are")
    remote = PostgresRecords(table, PostgresUrl.parse(url))
    remote.check()
    return remote


def _existing(source: str) -> Path:
    path = Path(source)
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    return path


def _see_that_nobody_writes(settings: Settings, target: Path, own: Path) -> None:
    """A command ends with status 2 if the registrar has the file."""
    is_own = target.exists() and own.exists() and target.samefile(own)
    if is_own and answers(settings, endpoints_of(settings).ask("registrar"), "stats"):
        fail(f"The registrar writes to {target}: name another file, or stop the registrar first.", MISUSED)
