"""The operator's own catalogues: a directory of files LANG.toml, read again as they change."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from switchboard.phrases.catalogue import Catalogue, CatalogueError, builtin_catalogues, parse_catalogue

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
