"""How one gets to a Redis or Valkey server with redis-py, and what its errors mean (see `redis_location.py`)."""

import errno
import os
import re
import ssl
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import redis
import redis.cluster
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from switchboard.registrar.redis_scripts import SCHEMA
from switchboard.registrar.redis_url import RedisUrl

TIMEOUT_S: Final = 1.0
"""A server that does not answer for this time is away."""
_NUMBERS: Final = {
    "OOM": (errno.ENOMEM, "out of memory (maxmemory)"),
    "READONLY": (errno.EROFS, "it is a replica, which cannot be written"),
    "MISCONF": (errno.EIO, "it cannot write to its disk"),
    "NOREPLICAS": (errno.EAGAIN, "it has fewer replicas than min-replicas-to-write"),
    "LOADING": (errno.EAGAIN, "it is starting"),
    "CLUSTERDOWN": (errno.EHOSTUNREACH, "the cluster is down"),
    "WRONGTYPE": (errno.EEXIST, "another program has a key in our space; choose another prefix"),
    "MOVED": (errno.EREMCHG, "it is a node of a cluster: the URL has to begin with redis+cluster://"),
    "ASK": (errno.EREMCHG, "it is a node of a cluster: the URL has to begin with redis+cluster://"),
    "CROSSSLOT": (errno.EREMCHG, "it is a node of a cluster: the URL has to begin with redis+cluster://"),
    "NOPERM": (errno.EACCES, "the user may not do that (docs/LOCATION.md has the ACL)"),
    "NOAUTH": (errno.EACCES, "it wants a password"),
    "WRONGPASS": (errno.EACCES, "the user or the password is wrong"),
}
"""By a word of the server's error: the system's error that is most like it, and what to tell people."""
_CODES: Final = (
    (redis.exceptions.OutOfMemoryError, "OOM"),
    (redis.ReadOnlyError, "READONLY"),
    (redis.exceptions.NoPermissionError, "NOPERM"),
    (redis.BusyLoadingError, "LOADING"),
    (redis.exceptions.ClusterDownError, "CLUSTERDOWN"),
    (redis.exceptions.MovedError, "MOVED"),
    (redis.exceptions.AskError, "ASK"),
    (redis.exceptions.ClusterCrossSlotError, "CROSSSLOT"),
    (redis.AuthenticationError, "WRONGPASS"),
)


class _FromFile(redis.CredentialProvider):
    """The password is read at each connection, so it may change."""

    def __init__(self, user: str, file: Path) -> None:
        self._user, self._file = user, file

    def get_credentials(self) -> tuple[str] | tuple[str, str]:
        password = self._file.read_text().strip()
        return (self._user, password) if self._user else (password,)


def _sentinel(says_master: Callable[[tuple[str, int]], bool], *arguments: Any, **more: Any) -> Any:
    """A Sentinel client that does not wait until the Sentinels say who has taken over.

    They ask a replica whom they have promoted once a second. While they know of no server, one of its replicas that
    says that it is the master is the one: nobody else has made it that.
    """
    module: Any = redis.sentinel

    class Sentinel(module.Sentinel):  # type: ignore[misc]
        def discover_master(self, service_name: str) -> Any:
            try:
                return super().discover_master(service_name)
            except module.MasterNotFoundError:
                found = list(filter(says_master, self.discover_slaves(service_name)))
                if len(found) != 1:
                    raise
                return found[0]

    return Sentinel(*arguments, **more)


class Access:
    """The way to the server of `url`: alone, in a cluster, or the one that Sentinels name."""

    def __init__(self, url: RedisUrl, password_file: Path | None) -> None:
        self.url = url
        self._password_file = password_file

    def open(self) -> Any:
        """A client of redis-py. RedisError, OSError."""
        url, common = self.url, self._common()
        if url.kind == "unix":
            return redis.Redis(unix_socket_path=url.path, db=url.db, **common)
        tls = self._tls() if url.has_tls else {}
        if url.kind == "cluster":
            module: Any = redis.cluster
            nodes = [module.ClusterNode(*each) for each in url.nodes]
            return module.RedisCluster(startup_nodes=nodes, **common, **tls)
        if url.kind == "sentinel":
            return self._open_by_sentinel(common | tls, tls)
        [(host, port)] = url.nodes[:1]
        return redis.Redis(host=host, port=port, db=url.db, **common, **tls)

    def _open_by_sentinel(self, common: dict[str, Any], tls: dict[str, Any]) -> Any:
        options = self.url.options
        access = {
            "username": options.get("sentinel_user") or None,
            "password": options.get("sentinel_password") or None,
            "socket_timeout": TIMEOUT_S / 4,
            "socket_connect_timeout": TIMEOUT_S / 4,
            "retry": Retry(NoBackoff(), 0),
        }
        promoted = partial(self._say_master, common | {"socket_timeout": TIMEOUT_S / 4})
        sentinel = _sentinel(promoted, list(self.url.nodes), sentinel_kwargs=access | tls)
        return sentinel.master_for(self.url.service, db=self.url.db, **common)

    def _say_master(self, common: dict[str, Any], address: tuple[str, int]) -> bool:
        host, port = address
        try:
            with redis.Redis(host=host, port=port, db=self.url.db, **common) as client:
                return bool(client.info("replication").get("role") == "master")
        except (redis.RedisError, OSError):
            return False

    def _common(self) -> dict[str, Any]:
        url, file = self.url, self._password_file
        access: dict[str, Any] = {"username": url.user or None, "password": url.password or None}
        if file:
            access = {"credential_provider": _FromFile(url.user, file)}
        return {
            **access,
            "socket_timeout": TIMEOUT_S,
            "socket_connect_timeout": TIMEOUT_S / 2,
            "retry": Retry(NoBackoff(), 1 if url.kind == "cluster" else 0),
            "socket_keepalive": True,
            "protocol": 2,
            "client_name": "switchboard",
        }

    def _tls(self) -> dict[str, Any]:
        options = self.url.options
        return {
            "ssl": True,
            "ssl_ca_certs": options.get("ca"),
            "ssl_certfile": options.get("certificate"),
            "ssl_keyfile": options.get("key"),
        }


def explained(error: Exception) -> tuple[int, str]:
    """The system's error that is most like an error of redis-py, and what to tell people.

    The library takes the first word off some errors, and makes a class of it.
    """
    code = next((code for each, code in _CODES if isinstance(error, each)), "")
    for word in (code, *re.findall(r"[A-Z]{3,}", str(error))):
        if word in _NUMBERS:
            return _NUMBERS[word]
    if any(
        each in str(error) for each in ("can't run this command", "has no permissions")
    ):  # said of a script
        return _NUMBERS["NOPERM"]
    if "SCHEMA" in str(error):
        return errno.EPROTO, f"a later program has written it ({error}); this one knows schema {SCHEMA}"
    if isinstance(error, (redis.TimeoutError, TimeoutError)):
        return errno.ETIMEDOUT, f"no answer within {TIMEOUT_S:g} s"
    number = _errno_of(error)
    if number > 0:
        return number, os.strerror(number)
    return errno.EHOSTUNREACH, _first_line(error)


def _errno_of(error: BaseException | None) -> int:
    """Of an error of the system that is somewhere behind it; below 0: of a name's look-up; 0: there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
            return error.errno
        error = error.__cause__ or error.__context__
    return 0


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
