"""A catalogue: the reason phrases of one language, one TOML file (RFC 3261 §21, §25.1 Reason-Phrase)."""

import re
import tomllib
from functools import cache
from importlib import resources
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
