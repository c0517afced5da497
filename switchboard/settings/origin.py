"""Where a setting's value came from, and what to tell people about a bad one."""

import difflib
import os
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from switchboard.postgres.url import is_postgres
from switchboard.settings.star_codes import KEYS
from switchboard.storage.server_url import shown_of

PREFIX = "SWITCHBOARD_"
CONFIG_VARIABLE = "SWITCHBOARD_CONFIG"
DEFAULT_FILE = "switchboard.toml"
OTHER_VARIABLES = frozenset(
    PREFIX + name for name in ("CONFIG", "CONSOLE_SOCKET", "GO_FD", "PURE", "READY_FD", "SOCKETS", "TYPED")
)
NESTED_KEYS = {
    "users": ("language",),
    "dialplan": ("country", "emergency", "emergency_to", "rules"),
    "star_codes": KEYS,
    "trunks": (
        "registrar",
        "user",
        "auth_user",
        "password_file",
        "domain",
        "transport",
        "register",
        "expires_s",
        "identity",
        "caller",
        "callers",
        "numbers",
        "sources",
    ),
    "hosts": ("address", "components", "sip_addresses"),
    "access": ("allow", "deny", "answer", "methods"),
}
SHORT_FORMS = {"users_store": "users"}
"""By a setting: another one that may have its URL."""
SHOWN = dict.fromkeys(("location", "journal", "users", "users_store"), shown_of)
"""Of settings that may have a password in a URL: how people see them."""
FOLLOW_UP_ERRORS = frozenset({"default_factory_not_called"})


class SettingsError(Exception):
    """A setting is wrong. The text is for people: which one, whence, what is allowed.

    `brief` names the settings to blame in a few words.
    """

    def __init__(self, message: str, brief: str) -> None:
        super().__init__(message)
        self.brief = brief


@dataclass(frozen=True, slots=True)
class Origins:
    """What the environment and the file say; the environment comes first."""

    variables: Mapping[str, str]
    """Our environment variables: upper-case name -> text."""
    file: Path | None
    values: Mapping[str, Any]
    """The file's keys and values."""

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Origins":
        """Read SWITCHBOARD_CONFIG, else ./switchboard.toml if there is one. Raises SettingsError."""
        variables = {name.upper(): text for name, text in environ.items() if name.upper().startswith(PREFIX)}
        named = variables.get(CONFIG_VARIABLE, "")
        if not named and not Path(DEFAULT_FILE).exists():
            return cls(variables, None, {})
        file = Path(named or DEFAULT_FILE)
        return cls(variables, file, read_file(file))

    def of(self, key: str) -> str:
        """Say where the value of the top-level setting `key` came from."""
        if variable_of(key) in self.variables:
            return f"environment variable {variable_of(key)}"
        if key in self.values:
            return f"key {key} of file {self.file}"
        short = SHORT_FORMS.get(key)
        return self.of(short) if short and is_postgres(str(self._value(short))) else "default"

    def _value(self, key: str) -> Any:
        return self.variables.get(variable_of(key), self.values.get(key))

    def from_file(self) -> dict[str, Any]:
        """The file's values that no environment variable overrides."""
        return {key: value for key, value in self.values.items() if variable_of(key) not in self.variables}

    def unknown_variables(self, keys: Iterable[str]) -> list[str]:
        """Variables that look like ours but name none of the settings `keys`."""
        return sorted(set(self.variables) - OTHER_VARIABLES - {variable_of(key) for key in keys})


def variable_of(key: str) -> str:
    """The environment variable of a setting: `sip_port` -> `SWITCHBOARD_SIP_PORT`."""
    return PREFIX + key.upper()


def read_file(file: Path) -> dict[str, Any]:
    """The keys and values of a TOML file. Raises SettingsError."""
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except OSError as error:
        reason = f"cannot be read: {error.strerror}. The environment variable {CONFIG_VARIABLE} names it"
    except ValueError as error:
        reason = f"is no TOML: {error}"
    raise SettingsError(f"The settings file {file} {reason}.", f"bad settings file {file}")


def explain(error: ValidationError, origins: Origins, allowed: Mapping[str, str]) -> SettingsError:
    """Turn pydantic's findings into our words; `allowed` says for each key what it may be."""
    findings = [found for found in error.errors() if found["type"] not in FOLLOW_UP_ERRORS]
    names = dict.fromkeys(_name(found["loc"]) for found in findings)
    lines = [_explain_one(found, origins, allowed) for found in findings]
    return SettingsError("\n".join(lines), f"bad setting {', '.join(names)}")


def _explain_one(found: ErrorDetails, origins: Origins, allowed: Mapping[str, str]) -> str:
    where, reason = found["loc"], found["msg"].removeprefix("Value error, ")
    if not where:
        return f"Bad settings: {reason} ({_origins_named_in(reason, origins, allowed)})."
    name, key = _name(where), str(where[0])
    if found["type"] == "extra_forbidden":
        known = list(allowed) if len(where) == 1 else list(NESTED_KEYS[key])
        return f"Unknown setting {name} ({origins.of(key)}){_suggestion(str(where[-1]), known)}"
    value = shown(key, found["input"])
    return f"Bad setting {name}: {value!r} ({origins.of(key)}). {reason}. Allowed: {allowed[key]}."


def shown(key: str, value: object) -> object:
    """A setting's value as people see it: without a password."""
    return SHOWN[key](value) if key in SHOWN and isinstance(value, str) else value


def _name(where: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in where) or "expires"


def _suggestion(key: str, known: list[str]) -> str:
    near = difflib.get_close_matches(key, known, n=1)
    return f"; did you mean {near[0]}?" if near else f"; known are {', '.join(known)}."


def _origins_named_in(text: str, origins: Origins, keys: Iterable[str]) -> str:
    return "; ".join(f"{key}: {origins.of(key)}" for key in keys if key in text)
