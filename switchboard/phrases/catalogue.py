"""The catalogues of reason phrases: the built-in ones and an operator's, read again when they change."""

import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, StringConstraints, ValidationError

MAX_PHRASE = 100
CODE = re.compile(r"[1-6][0-9]{2}")
WRITABLE = re.compile(
    r"%[0-9A-Fa-f]{2}|[A-Za-z0-9;/?:@&=+$,\-_.!~*'() ]|[\u00a0-\u2027\u202a-\ud7ff\ue000-\U0010ffff]"
)
"""What a Reason-Phrase may hold (§25.1), without controls and line separators."""


class CatalogueError(Exception):
    """A catalogue cannot be used. The text says at which line or field, and why."""


def _check_code(text: str) -> str:
    if not CODE.fullmatch(text):
        raise ValueError("a status code from 100 to 699 is wanted")
    return text


def _check_phrase(text: str) -> str:
    if rest := WRITABLE.sub("", text):
        raise ValueError(f"{rest[0]!a} cannot stand in a reason phrase")
    return text


Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_PHRASE)]
Code = Annotated[str, AfterValidator(_check_code)]
Phrase = Annotated[Name, AfterValidator(_check_phrase)]


class Meta(BaseModel):
    """The language's name, in itself and in English."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Name
    english: Name


class Catalogue(BaseModel):
    """Phrases by status code, the code as three digits. Some or all codes; `meta` is for people."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    meta: Meta | None = None
    phrases: dict[Code, Phrase]


def parse_catalogue(data: bytes) -> Catalogue:
    """Return the catalogue in the TOML text `data` (UTF-8, with or without BOM); `CatalogueError`."""
    try:
        return Catalogue.model_validate(tomllib.loads(data.decode("utf-8-sig")))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise CatalogueError(f"line {line}: this is not UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise CatalogueError(f"this is no TOML: {error}") from error
    except ValidationError as error:
        raise CatalogueError(_explain(error)) from error


def _explain(error: ValidationError) -> str:
    findings = []
    for found in error.errors():
        field = ".".join(str(step) for step in found["loc"] if step != "[key]")
        findings.append(f"{field}: {found['msg'].removeprefix('Value error, ')}")
    return "; ".join(findings)


@cache
def builtin_catalogues() -> dict[str, Catalogue]:
    """The catalogues that come with the package: language -> catalogue, complete for IANA's codes."""
    files = resources.files("switchboard.phrases").joinpath("catalogues").iterdir()
    return {
        file.name.removesuffix(".toml"): parse_catalogue(file.read_bytes())
        for file in files
        if file.name.endswith(".toml")
    }


LANGUAGE = re.compile(r"[a-z]{2,8}(-[a-z0-9]{1,8})*")
SUFFIX = ".toml"
Stamp = tuple[int, int, int, int]
"""Instants of the last changes of content and of status (ns), size, inode."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with a file, and what the operator should do."""

    file: str
    found: str
    remedy: str


class CatalogueDirectory:
    """Owns `catalogues`, language -> the operator's own catalogue; a broken file leaves the former one there.

    It has no clock: its owner calls `refresh` at the start and then as often as a change is to be seen.
    """

    def __init__(self, directory: Path | None) -> None:
        self.catalogues: dict[str, Catalogue] = {}
        self._directory = directory
        self._seen: dict[Path, Stamp] = {}
        self._trouble: Problem | None = None

    def refresh(self) -> tuple[bool, list[Problem]]:
        """Look at the directory. Return whether `catalogues` differ now, and what is newly wrong."""
        before = dict(self.catalogues)
        stamps, problems = self._look()
        for path in self._seen.keys() - stamps.keys():
            self.catalogues.pop(path.stem, None)
        changed = [path for path, stamp in stamps.items() if self._seen.get(path) != stamp]
        self._seen = stamps
        problems += filter(None, map(self._read, sorted(changed)))
        return self.catalogues != before, problems

    def _look(self) -> tuple[dict[Path, Stamp], list[Problem]]:
        stamps, trouble = self._seen, None
        try:
            stamps = dict(_stamps(self._directory)) if self._directory else {}
        except OSError as error:
            trouble = Problem(
                str(self._directory), _why(error), "make phrases_dir a directory that can be read"
            )
            stamps = {} if isinstance(error, FileNotFoundError) else stamps
        news = [trouble] if trouble and trouble != self._trouble else []
        self._trouble = trouble
        return stamps, news

    def _read(self, path: Path) -> Problem | None:
        if not LANGUAGE.fullmatch(path.stem):
            return Problem(
                str(path), "its name is no language", "name it by a tag, such as sk.toml, de-at.toml"
            )
        try:
            self.catalogues[path.stem] = parse_catalogue(path.read_bytes())
        except OSError as error:
            return Problem(str(path), _why(error), "make it readable; the phrases so far stay in force")
        except CatalogueError as error:
            return Problem(str(path), str(error), "correct the file; the phrases so far stay in force")
        return None


def _why(error: OSError) -> str:
    return error.strerror or str(error)


def _stamps(directory: Path) -> Iterator[tuple[Path, Stamp]]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(SUFFIX) and not entry.name.startswith(".") and entry.is_file():
                status = entry.stat()
                stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
                yield Path(entry.path), stamp


def available_languages(phrases_dir: Path | None) -> tuple[str, ...]:
    """The languages that can be chosen: ours and those of the operator's good files, sorted."""
    own = CatalogueDirectory(phrases_dir)
    own.refresh()
    return tuple(sorted({*builtin_catalogues(), *own.catalogues}))
