"""URLs of a location on Redis or Valkey, in all the ways in which these are run (docs/LOCATION.md)."""

import re
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from switchboard.storage.server_url import shown_of

Kind = Literal["single", "unix", "sentinel", "cluster"]
PORT: Final = 6379
SENTINEL_PORT: Final = 26379
CLUSTER_SHARDS: Final = 16
"""So many parts the bindings of a cluster have; all registrars have to agree on it."""
_KINDS: Final[dict[str, tuple[Kind, bool]]] = {
    "redis": ("single", False),
    "rediss": ("single", True),
    "unix": ("unix", False),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
}
"""By the scheme: the kind, and whether it speaks TLS."""
_OPTIONS: Final = frozenset(
    ("prefix", "db", "ca", "certificate", "key", "sentinel_user", "sentinel_password")
)
_PREFIX = re.compile(r"[A-Za-z0-9._:-]{1,64}")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """What such a URL says. `nodes`: hosts and ports, of the server, its Sentinels, or some of a cluster's nodes."""

    kind: Kind
    has_tls: bool
    nodes: tuple[tuple[str, int], ...]
    path: str
    service: str
    db: int
    user: str
    password: str
    prefix: str
    options: dict[str, str]
    shown: str
    """For people: without passwords."""

    @property
    def shards(self) -> int:
        """Into how many parts users are divided, each of which is on one node."""
        return CLUSTER_SHARDS if self.kind == "cluster" else 1

    @classmethod
    def parse(cls, text: str) -> "RedisUrl":
        """ValueError says, without passwords, what is wrong."""
        scheme, _, rest = text.partition("://")
        kind, has_tls = _KINDS.get(scheme.lower().replace("valkey", "redis"), (None, False))
        shown = shown_of(text)
        if kind is None or "://" not in text:
            raise ValueError(f"{shown} has none of the schemes {', '.join(_KINDS)}")
        found = urlsplit(f"//{rest}")
        options = dict(parse_qsl(found.query, keep_blank_values=True))
        if unknown := options.keys() - _OPTIONS:
            raise ValueError(f"{shown} has an unknown option {min(unknown)}")
        access, _, hosts = found.netloc.rpartition("@")
        user, _, password = access.partition(":")
        path = unquote(found.path)
        service, db = _service_and_db(kind, path, options, shown)
        prefix = options.get("prefix", "switchboard")
        if not _PREFIX.fullmatch(prefix):
            raise ValueError(f"{shown}: prefix has letters, digits and . _ : - only, 64 at most")
        return cls(
            kind,
            has_tls,
            () if kind == "unix" else _nodes(hosts, SENTINEL_PORT if kind == "sentinel" else PORT, shown),
            path if kind == "unix" else "",
            service,
            db,
            unquote(user),
            unquote(password),
            prefix,
            options,
            shown,
        )


def _service_and_db(kind: Kind, path: str, options: dict[str, str], shown: str) -> tuple[str, int]:
    parts = [] if kind == "unix" else list(filter(None, path.split("/")))
    service = parts.pop(0) if kind == "sentinel" and parts else ""
    if kind == "sentinel" and not service:
        raise ValueError(
            f"{shown}: the name that the Sentinels know the server by is missing, as in …/mymaster"
        )
    if kind == "unix" and not path:
        raise ValueError(f"{shown} names no socket")
    db = parts[0] if parts else options.get("db", "0")
    if len(parts) > 1 or not (db.isascii() and db.isdigit()):
        raise ValueError(f"{shown}: behind the host there is at most the number of a database")
    if kind == "cluster" and int(db):
        raise ValueError(f"{shown}: a cluster has one database only")
    return service, int(db)


def _nodes(hosts: str, port: int, shown: str) -> tuple[tuple[str, int], ...]:
    nodes = []
    for each in hosts.split(","):
        found = urlsplit(f"//{each}")
        try:
            host, named = found.hostname, found.port
        except ValueError as error:
            raise ValueError(f"{shown}: {each!r} is no host with a port") from error
        if not host:
            raise ValueError(f"{shown} names no host")
        nodes.append((host, named or port))
    return tuple(nodes)
