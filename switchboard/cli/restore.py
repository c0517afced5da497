"""`switchboard restore`: brings back what `backup` has copied; each file's owner puts it in place as it begins."""

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from switchboard.cli.backup import (
    AUTH_KEY,
    KEYS,
    MANIFEST,
    PASSWORD,
    TLS,
    TLS_FILES,
    TRUNKS,
    VERSION,
    Directory,
    Part,
    fault_of,
    parts_of,
    sum_of,
)
from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import answers, call_or_exit, check_owner, private, settings_or_exit
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, host_of
from switchboard.storage.restoring import MARK, discard, prepare, take_restored, waiting
from switchboard.supervisor.supervisor import DEADLINE_S

Wanted = Annotated[
    list[str] | None, typer.Argument(metavar="[PART]…", help="Which parts; all of them without.")
]


def restore(directory: Directory, wanted: Wanted = None, as_json: JsonOption = False) -> None:
    """Bring back a backup, or parts of it; what runs takes it over, and what was there is kept."""
    settings = settings_or_exit()
    manifest = _manifest(directory)
    parts = parts_of(settings)
    names = _chosen(wanted or [], manifest, parts)
    _check(directory, manifest, [parts[name] for name in names], names)
    check_owner(settings)
    said: list[str] = []
    changed_keys: list[str] = []
    try:
        with private(), _all_or_none([parts[name] for name in names]):
            for name in names:
                if name == KEYS:
                    changed_keys = _keys_in_place(settings, directory, manifest)
                elif name == TRUNKS:
                    said += _passwords_in_place(settings, directory, manifest)
                else:
                    said += _prepared(directory, manifest, name, parts[name])
    except (OSError, sqlite3.Error) as error:
        fail(
            f"Not all could be made ready: {error}. Bindings, users, records and history are what they were."
        )
    said += [*_take_over(settings, [parts[name] for name in names]), *changed_keys]
    if changed_keys:
        said.append(
            "keys are in force after: switchboard restart --all (and, if hosts' keys changed, of the parents)"
        )
    if as_json:
        print_json({"parts": names, "done": said})
    for line in said if not as_json else ():
        say(line)


def _manifest(directory: Path) -> Mapping[str, Any]:
    try:
        found: Mapping[str, Any] = json.loads((directory / MANIFEST).read_bytes())
        is_ours = found["backup_of"] == "switchboard" and isinstance(found["files"], dict)
    except (OSError, ValueError, KeyError, TypeError):
        is_ours = False
    if not is_ours:
        fail(f"{directory} is no backup of a switchboard, or not all of one: nothing was changed.")
    if found["version"] != VERSION:
        fail(f"{directory} is a backup of version {found['version']}, this program knows {VERSION}.")
    return found


def _chosen(wanted: Sequence[str], manifest: Mapping[str, Any], parts: Mapping[str, Part]) -> list[str]:
    there = {each["part"] for each in manifest["files"].values()} & parts.keys()
    if unknown := [name for name in wanted if name not in there]:
        has = ", ".join(name for name in parts if name in there)
        fail(f"There is no {', '.join(unknown)} in it that belongs to this host. There are: {has}.", MISUSED)
    return [name for name in parts if name in (wanted or there)]


def _check(directory: Path, manifest: Mapping[str, Any], parts: Sequence[Part], names: Sequence[str]) -> None:
    """All is as it was when the backup was made."""
    schemas = {file: schema for part in parts for file, (_, schema) in part.files.items()}
    for file, told in manifest["files"].items():
        if told["part"] not in names:
            continue
        schema = schemas.get(file)
        try:
            wrong = (
                ""
                if sum_of(directory / file) == told["sha256"]
                else "it is not what it was when the backup was made"
            )
            wrong = wrong or (fault_of(directory / file, schema) if schema else "")
        except OSError as error:
            wrong = str(error)
        if wrong:
            fail(f"{directory / file} is of no use: {wrong}. Nothing was changed.")


@contextmanager
def _all_or_none(parts: Sequence[Part]) -> Iterator[None]:
    """If the block fails, nothing waits for an owner: it would be taken over when that begins anew, unasked."""
    try:
        yield
    except BaseException:
        for path in (path for part in parts for path, _ in part.files.values()):
            with suppress(OSError):
                discard(path)
        raise


def _prepared(directory: Path, manifest: Mapping[str, Any], name: str, part: Part) -> list[str]:
    """Let the files wait for their owner."""
    at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(manifest["made_at"]))
    for file, (path, schema) in part.files.items():
        if file in manifest["files"]:
            prepare(directory / file, path, schema.plan.renew if schema else "")
    return [f"{name}: those of {at} are ready"]


def _keys_in_place(settings: Settings, directory: Path, manifest: Mapping[str, Any]) -> list[str]:
    """Keys that differ, or are missing, are put in place at once: they are read at a start only."""
    files = [Path(file) for file, told in manifest["files"].items() if told["part"] == KEYS]
    places = [(directory / file, _place_of_key(settings, file)) for file in files]
    return [f"key {each}" for each in _in_place(places)]


def _passwords_in_place(settings: Settings, directory: Path, manifest: Mapping[str, Any]) -> list[str]:
    """The same with trunks' passwords, which count at once."""
    files = [Path(file) for file, told in manifest["files"].items() if told["part"] == TRUNKS]
    for file in files:
        if file.parts[:-1] != (TRUNKS,) or file.suffix != PASSWORD:
            fail(f"{file} is no password of a trunk.")
    places = [(directory / file, settings.trunks_path / file.name) for file in files]
    return [f"trunk password {each}" for each in _in_place(places)]


def _in_place(places: Iterable[tuple[Path, Path]]) -> Iterator[str]:
    """Put these copies in place, at once; what was done, for those that differed."""
    for source, path in places:
        if path.exists() and path.read_bytes() == source.read_bytes():
            continue
        path.parent.mkdir(mode=0o700, exist_ok=True)
        prepare(source, path)
        kept = take_restored(path)
        was = f"; the one before is kept as {kept.name}" if kept and kept.exists() else ""
        yield f"{path.name}: put in place{was}"


def _place_of_key(settings: Settings, file: Path) -> Path:
    if file.name == str(file) and file.name in (settings.console_key_path.name, AUTH_KEY):
        return settings.data_dir / file
    if file.parent == TLS and file.name in TLS_FILES:
        return settings.tls_path / file.name
    if file.parts[:-1] != (KEYS,) or file.name == "..":
        fail(f"{file} is no key of a switchboard.")
    return settings.keys_path / file.name


def _take_over(settings: Settings, parts: Sequence[Part]) -> list[str]:
    """Have the owners begin anew, or do their part where none runs."""
    said = []
    for component in dict.fromkeys(part.component for part in parts if part.component):
        paths = [path for part in parts if part.component is component for path, _ in part.files.values()]
        said.append(_restarted(settings, component) or _put_in_place(paths))
        said += [f"{path.name}: what was there is kept as {kept}" for path in paths if (kept := _kept(path))]
        if any(waiting(path).exists() for path in paths):
            fail(
                "\n".join(
                    [*said, f"{component} has not taken it over yet: it will when it starts. See its log."]
                )
            )
    return said


def _restarted(settings: Settings, component: Component) -> str:
    """Restart the workers of a component of this host; "" if none runs. Ends the command if one does not begin anew."""
    server = endpoints_of(settings).control(component, host_of(f"{component}.0", settings))
    if not answers(settings, server, "status"):
        return ""
    workers = call_or_exit(settings, server, "restart", None, DEADLINE_S + 1)
    return f"{', '.join(workers)}: restarted, with what was restored"


def _put_in_place(paths: Sequence[Path]) -> str:
    for path in paths:
        take_restored(path)
    return "nothing runs that owns it: it is in place for the next start"


def _kept(path: Path) -> str:
    found = sorted(path.parent.glob(f"{path.name}{MARK}*"))
    return found[-1].name if found else ""
