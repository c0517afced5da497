"""URLs of a PostgreSQL server, as libpq knows them (docs/LOCATION.md). Nothing here needs psycopg."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from switchboard.storage.server_url import shown_of

SCHEMES: Final = ("postgresql", "postgres")
PORT: Final = 5432
SCHEMA: Final = "switchboard"
"""The schema of our tables, unless the URL names another."""
LIBPQ_OPTIONS: Final = frozenset(
    (
        "host", "port", "sslmode", "sslrootcert", "sslcert", "sslkey", "sslcrl", "ssl_min_protocol_version",
        "passfile", "channel_binding", "require_auth", "target_session_attrs", "load_balance_hosts",
        "gssencmode", "krbsrvname",
    )
)  # fmt: skip
_OPTIONS: Final = LIBPQ_OPTIONS | {"schema", "password_file"}
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """What such a URL says.

    `parameters`: those of a connection, as libpq names them; without a password if `password_file` has it.
    """

    parameters: dict[str, str]
    schema: str
    password_file: Path | None
    shown: str
    """For people: without passwords."""

    @classmethod
    def parse(cls, text: str, password_file: Path | None = None) -> "PostgresUrl":
        """ValueError says, without passwords, what is wrong. `password_file`: from elsewhere in the settings."""
        shown = shown_of(text)
        scheme, separator, rest = text.partition("://")
        if not separator or scheme.lower() not in SCHEMES:
            raise ValueError(f"{shown} does not begin with postgresql://")
        try:
            found = urlsplit(f"//{rest}")
        except ValueError:
            raise ValueError(f"{shown}: the host is no address") from None
        options = dict(parse_qsl(found.query, keep_blank_values=True))
        if unknown := options.keys() - _OPTIONS:
            raise ValueError(f"{shown} has an unknown option {min(unknown)}")
        schema = options.pop("schema", SCHEMA)
        if not _SCHEMA.fullmatch(schema) or schema.startswith("pg_"):
            raise ValueError(
                f"{shown}: schema has small letters, digits and _ only, 63 at most, and no pg_ in front"
            )
        named_file = options.pop("password_file", "")
        file = Path(named_file) if named_file else password_file
        return cls(_parameters(found.netloc, unquote(found.path), options, shown), schema, file, shown)


def is_postgres(text: str) -> bool:
    """Whether a setting means PostgreSQL."""
    return text.partition("://")[0].lower() in SCHEMES and "://" in text


def _parameters(netloc: str, path: str, options: dict[str, str], shown: str) -> dict[str, str]:
    access, _, hosts = netloc.rpartition("@")
    user, _, password = access.partition(":")
    database = path.removeprefix("/")
    if "/" in database:
        raise ValueError(f"{shown}: behind the host there is at most the name of a database")
    parameters = {"user": unquote(user), "password": unquote(password), "dbname": database}
    if hosts:
        pairs = [_host_and_port(each, shown) for each in hosts.split(",")]
        parameters["host"] = ",".join(host for host, _ in pairs)
        parameters["port"] = ",".join(str(port) for _, port in pairs)
        if len(pairs) > 1:
            parameters["target_session_attrs"] = "read-write"
    return {key: value for key, value in (parameters | options).items() if value}


def _host_and_port(text: str, shown: str) -> tuple[str, int]:
    try:
        found = urlsplit(f"//{text}")
        host, port = unquote(found.hostname or ""), found.port
    except ValueError:
        raise ValueError(f"{shown}: {text!r} is no host with a port") from None
    if not host:
        raise ValueError(f"{shown} names no host where there should be one")
    return host, port or PORT
