"""`switchboard backup`: a copy of all persistent data of this host, whether the switchboard runs or not."""

import hashlib
import json
import os
import shutil
import socket
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.running import answers, call_or_exit, private, settings_or_exit
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here
from switchboard.storage.database import Schema, connect_to_read, schema_version
from switchboard.storage.durable import READABLE, replace_file, sync
from switchboard.storage.mending import damage_of
from switchboard.storage.restoring import copy_database

MANIFEST = "manifest.json"
VERSION = 1
ANSWER_S = 20.0
KEYS, AUTH_KEY = "keys", "auth.key"
TRUNKS, PASSWORD = "trunks", ".password"
TLS, TLS_FILES = Path("tls"), ("ca.pem", "ca.key", "cert.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class Part:
    """What can be restored by itself. `files`: by their names in a backup, where they belong; a schema if it has one.

    `component`: whose worker owns them; None: nobody writes to them, and who needs them reads them.
    """

    files: Mapping[str, tuple[Path, Schema | None]]
    component: Component | None


def parts_of(settings: Settings) -> dict[str, Part]:
    """What this host has, by name."""
    from switchboard.auth.user_store import SCHEMA as USERS  # 50 ms, all of them
    from switchboard.history.store import SCHEMA as HISTORY
    from switchboard.journal.state import SCHEMA as JOURNAL
    from switchboard.messages.store import SCHEMA as MESSAGES
    from switchboard.presence.store import SCHEMA as PRESENCE
    from switchboard.registrar.rule_store import SCHEMA as RULES
    from switchboard.registrar.sqlite import SCHEMA as BINDINGS

    found: dict[str, Part] = {}
    if is_here("registrar.0", settings):
        found["bindings"] = Part({"location.db": (settings.store_path, BINDINGS)}, Component.REGISTRAR)
        users = {"users.db": (settings.users_path, USERS), "rules.db": (settings.rules_path, RULES)}
        found["users"] = Part(users, Component.REGISTRAR)
    if is_here("journal.0", settings):
        files = {
            "journal.db": (settings.journal_path, JOURNAL),
            "cdr.jsonl": (settings.cdr_path, None),
            "journal.name": (settings.journal_name_path, None),
        }
        found["journal"] = Part(files, Component.JOURNAL)
    if is_here("history.0", settings):
        found["history"] = Part({"history.db": (settings.history_path, HISTORY)}, Component.HISTORY)
    if is_here("presence.0", settings) and settings.presence:
        found["presence"] = Part({"presence.db": (settings.presence_path, PRESENCE)}, Component.PRESENCE)
    if is_here("presence.0", settings) and settings.keep_messages_days:
        found["messages"] = Part({"messages.db": (settings.messages_path, MESSAGES)}, Component.PRESENCE)
    if is_here("console.0", settings):
        texts = {
            "console.names": (settings.console_names_path, None),
            "console.links": (settings.console_links_path, None),
        }
        found["names"] = Part(texts, Component.CONSOLE)
    passwords = sorted(settings.trunks_path.glob(f"*{PASSWORD}"))
    found[TRUNKS] = Part({f"{TRUNKS}/{path.name}": (path, None) for path in passwords}, None)
    found[KEYS] = Part({str(name): (path, None) for name, path in _key_files(settings)}, None)
    return found


def _key_files(settings: Settings) -> Iterator[tuple[Path, Path]]:
    for path in (settings.data_dir / AUTH_KEY, settings.console_key_path):
        yield Path(path.name), path
    names = {path.name for path in settings.keys_path.glob("*") if path.is_file()}
    yield from ((Path(KEYS) / name, settings.keys_path / name) for name in sorted(names))
    yield from (
        (Path("tls") / name, path) for name in TLS_FILES if (path := settings.tls_path / name).exists()
    )


Directory = Annotated[Path, typer.Argument(metavar="DIR", help="The backup.")]
WithHistory = Annotated[bool, typer.Option("--history", help="The messages of past calls, too.")]
Wanted = Annotated[
    list[str] | None, typer.Argument(metavar="[PART]…", help="Which parts; all of them without.")
]


def backup(directory: Directory, history: WithHistory = False, as_json: JsonOption = False) -> None:
    """Write bindings, users, journal and keys of this host to a new directory, while it runs or not."""
    settings = settings_or_exit()
    try:
        with private():
            directory.mkdir(parents=True, exist_ok=True)
            if any(directory.iterdir()):
                fail(f"{directory} is not empty: name a new directory.", MISUSED)
            with _whole_or_nothing(directory):
                files = dict(_copied(settings, directory, history))
                _write_manifest(directory, files)
    except (OSError, sqlite3.Error) as error:
        fail(f"There is no backup in {directory}: {error}.")
    if as_json:
        print_json({"directory": str(directory), "files": files})
        return
    print_table(("file", "octets"), [(name, each["octets"]) for name, each in files.items()], "")
    say(f"All of it is in {directory}, for its owner only. It comes back by: switchboard restore {directory}")


@contextmanager
def _whole_or_nothing(directory: Path) -> Iterator[None]:
    """If the block fails, the directory is as empty as before: it can be tried again, and holds no secrets."""
    try:
        yield
    except BaseException:
        for each in directory.iterdir():
            if each.is_dir():
                shutil.rmtree(each, ignore_errors=True)
            else:
                each.unlink(missing_ok=True)
        raise


def _copied(settings: Settings, directory: Path, history: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Copy the files, the journal's memory before its records: what is later in these is found there."""
    for name, part in parts_of(settings).items():
        if name == "history" and not history:
            continue
        for file, (path, schema) in part.files.items():
            target = directory / file
            if not path.exists():
                continue
            target.parent.mkdir(exist_ok=True)
            if schema is None:
                _copy(path, target)
            elif not _ask_for_image(settings, name, target):
                with closing(connect_to_read(path)) as database:
                    copy_database(database, target)
            if schema and (wrong := fault_of(target, schema)):
                fail(f"{path} cannot be backed up: {wrong}.")
            yield file, {"part": name, "octets": target.stat().st_size, "sha256": sum_of(target)}


def _ask_for_image(settings: Settings, name: str, target: Path) -> bool:
    """Of journal.db, which the journal has for itself while it runs; False: it does not."""
    journal = endpoints_of(settings).ask("journal")
    if name != "journal" or not answers(settings, journal, "stats"):
        return False
    target.write_bytes(call_or_exit(settings, journal, "state.image", None, ANSWER_S))
    sync(target)
    return True


def _copy(path: Path, target: Path) -> None:
    """Of a file that grows by lines, the whole ones."""
    shutil.copyfile(path, target)
    if path.suffix == ".jsonl":
        data = target.read_bytes()
        os.truncate(target, data.rfind(b"\n") + 1)
    sync(target)


def _write_manifest(directory: Path, files: Mapping[str, Any]) -> None:
    made = {
        "backup_of": "switchboard",
        "version": VERSION,
        "host": socket.gethostname(),
        "made_at": time.time(),
    }
    octets = json.dumps({**made, "files": files}, indent=2).encode()
    replace_file(directory / MANIFEST, octets, READABLE)


def fault_of(path: Path, schema: Schema) -> str:
    """What is wrong with a database of a backup; "" if nothing is."""
    try:
        with closing(connect_to_read(path)) as database:
            if schema_version(database) != schema.version:
                return f"it has schema {schema_version(database)}, this program knows {schema.version}"
            return damage_of(database, path, schema.check)
    except sqlite3.Error as error:
        return str(error)


def sum_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
