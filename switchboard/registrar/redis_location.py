"""A location on Redis or Valkey (see `remote.py`). The module needs redis-py, and is imported only where it is used."""

import errno
import hashlib
import os
import re
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import redis
import redis.cluster
import redis.sentinel
from redis.backoff import NoBackoff
from redis.retry import Retry

from switchboard.registrar.redis_exchange import Exchange, is_idle
from switchboard.registrar.redis_scripts import FOLLOW, PUT, SCHEMA
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.remote import ABSENT, Answer, Followed, Kept, Outcome, Put, RemoteError

TIMEOUT_S: Final = 1.0
"""A server that does not answer for this time is away."""
USERS_AT_ONCE: Final = 64
"""In one step of the server; a pipeline has as many steps as are needed."""
ENTRIES_KEPT: Final = 2000
"""Of a log: each has the users of one step."""
ENTRIES_AT_ONCE: Final = 21
"""That are read in one step, the one read last among them."""
KEYS_AT_ONCE: Final = 500
OCTETS_AT_ONCE: Final = 32_768
"""Of a batch that is sent without waiting: it fits into the kernel's buffer, even if the server reads nothing."""
HEAD_OCTETS: Final = 160
"""Of a user's part of it, besides the record."""
CLOCK_DOUBT_S: Final = 2.0
_VALUE = re.compile(rb"([0-9]{1,16}):([0-9]{1,16}):")
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


class RedisLocation:
    """Where it is, and how one gets there. `clock`: epoch s of ours.

    `wait_replicas`: so many of its replicas have to have a change before it counts as made.
    """

    def __init__(
        self,
        url: RedisUrl,
        clock: Callable[[], float],
        password_file: Path | None = None,
        wait_replicas: int = 0,
    ) -> None:
        self.url = url
        self.clock = clock
        self.wait_replicas = wait_replicas
        self.writer = os.urandom(8).hex()
        self._password_file = password_file

    def connect(self) -> "RedisRemote":
        """Return one that connects at its first call, and again after each error."""
        return RedisRemote(self)

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


class RedisRemote:
    """One connection (see `Remote`)."""

    def __init__(self, location: RedisLocation) -> None:
        self.ahead_s = 0.0
        self.foreign = 0
        self._location = location
        self._shards = [f"{{{location.url.prefix}:{each}}}:".encode() for each in range(location.url.shards)]
        self._last: list[bytes] | None = None
        self._client: Any = None
        self._connection: Any = None  # the one that was used last

    def check(self) -> None:
        """As in `Remote`; so a server without room, or a replica, is told before REGISTERs meet it."""
        for shard in self._shards:
            self._guarded(partial(self._check, shard))

    def put(self, puts: Sequence[Put]) -> list[Outcome]:
        """As in `Remote`; the steps of one pipeline, each of which has users of one shard."""
        steps = list(self._steps(puts))
        answers = self._guarded(lambda client: self._run(client, PUT, self._put_calls(steps)))
        return self._outcomes(puts, steps, answers)

    def ask(self, puts: Sequence[Put], within_s: float) -> Answer:
        """As in `Remote`: all is left to who may wait in a cluster, without a connection, and of a large batch."""
        octets = sum(HEAD_OCTETS + len(put.record) for put in puts)
        if self._is_cluster or octets > OCTETS_AT_ONCE or not is_idle(self._connection):
            return partial(self.put, puts)
        steps = list(self._steps(puts))
        calls, before = self._put_calls(steps), self._location.clock()

        exchange = self._guarded(lambda client: self._send(client, PUT, calls, "EVALSHA", _sha(PUT)))

        def answer() -> list[Outcome]:
            answers = self._guarded(
                lambda client: self._completed(client, PUT, calls, self._read(exchange, PUT), before)
            )
            return self._outcomes(puts, steps, answers)

        is_answered = self._guarded(lambda _: exchange.is_answered(within_s))
        return answer() if is_answered and not exchange.lacks_script else answer

    def _outcomes(
        self, puts: Sequence[Put], steps: Sequence[tuple[bytes, list[Put]]], answers: Sequence[Any]
    ) -> list[Outcome]:
        found: dict[str, Outcome] = {}
        for (_, part), answer in zip(steps, answers, strict=True):
            for put, result in zip(part, answer[2:], strict=True):
                found[put.user] = self._outcome(put, result)
        return [found[put.user] for put in puts]

    def begin(self) -> None:
        """As in `Remote`."""
        self._last = [b""] * len(self._shards)
        self._last = [answer[2] for answer in self._follow_all()]

    def load(self) -> Iterator[list[Kept]]:
        """As in `Remote`: SCAN and MGET."""
        match = f"{{{self._location.url.prefix}:*}}:user:*"
        keys = self._guarded(lambda client: client.scan_iter(match=match, count=KEYS_AT_ONCE))
        by_shard: dict[bytes, list[bytes]] = {shard: [] for shard in self._shards}
        for key in self._guarded_iteration(keys):
            shard = next((each for each in self._shards if key.startswith(each)), None)
            if shard is None:
                self.foreign += 1
                continue
            by_shard[shard].append(key)
            if len(by_shard[shard]) >= KEYS_AT_ONCE:
                yield self._get(shard, by_shard[shard])
                by_shard[shard] = []
        for shard, left in by_shard.items():
            if left:
                yield self._get(shard, left)

    def follow(self) -> Followed:
        """As in `Remote`."""
        assert self._last is not None
        changes: list[Kept] = []
        is_lost = False
        for place, answer in enumerate(self._follow_all()):
            if not answer[2]:
                is_lost = True
                continue
            self._last[place] = answer[2]
            found = zip(answer[3::2], answer[4::2], strict=True)
            changes += [kept for name, value in found if (kept := self._kept(_text(name), value))]
        return Followed(changes, is_lost)

    def is_known(self) -> bool:
        """As in `Remote`."""
        return self._last is not None and b"" not in self._last

    def doubts(self) -> list[tuple[str, str]]:
        """As in `Remote`, by INFO and TIME."""
        self.check()
        found: dict[str, Any] = self._guarded(lambda client: client.info())
        seconds, micros = self._guarded(lambda client: client.time())
        self.ahead_s = seconds + micros / 1e6 - self._location.clock()
        return list(_doubts(found, self.ahead_s))

    def close(self) -> None:
        """As in `Remote`."""
        client, self._client, self._connection = self._client, None, None
        if client is not None:
            client.close()

    def _check(self, shard: bytes, client: Any) -> None:
        key, wanted = shard + b"check", self._location.wait_replicas
        client.execute_command("SET", key, b"1", "PX", 1000)
        if wanted:
            self._wait(client, key)

    def _wait(self, client: Any, key: bytes) -> None:
        """For the replicas, on the connection that has just written the key."""
        wanted = self._location.wait_replicas
        node = {"target_nodes": client.get_node_from_key(key)} if self._is_cluster else {}
        self._check_replicas(client.execute_command("WAIT", wanted, int(TIMEOUT_S * 500), **node))

    def _check_replicas(self, count: int) -> None:
        wanted = self._location.wait_replicas
        if count < wanted:
            text = f"{count} of its replicas have a change, location_wait_replicas is {wanted}"
            raise RemoteError(self._told(text), errno.EAGAIN)

    @property
    def _is_cluster(self) -> bool:
        return self._location.url.kind == "cluster"

    def _shard_of(self, name: bytes) -> bytes:
        return self._shards[crc32(name) % len(self._shards)] if len(self._shards) > 1 else self._shards[0]

    def _steps(self, puts: Iterable[Put]) -> Iterator[tuple[bytes, list[Put]]]:
        by_shard: dict[bytes, list[Put]] = {}
        for put in puts:
            by_shard.setdefault(self._shard_of(_octets(put.user)), []).append(put)
        for shard, found in by_shard.items():
            for start in range(0, len(found), USERS_AT_ONCE):
                yield shard, found[start : start + USERS_AT_ONCE]

    def _put_calls(self, steps: Iterable[tuple[bytes, list[Put]]]) -> list[list[Any]]:
        return [self._put_call(shard, part) for shard, part in steps]

    def _put_call(self, shard: bytes, puts: Sequence[Put]) -> list[Any]:
        """The keys' number, the keys, and the arguments."""
        names = [_octets(put.user) for put in puts]
        keys = [shard + b"state", shard + b"log", *(shard + b"user:" + name for name in names)]
        call: list[Any] = [len(keys), *keys, SCHEMA, self._location.writer, ENTRIES_KEPT]
        for name, put in zip(names, puts, strict=True):
            call += (name, put.version, max(0, int(put.left_s * 1000)), put.record)
        return call

    def _follow_all(self) -> list[Any]:
        assert self._last is not None
        calls = [
            [2, shard + b"state", shard + b"log", SCHEMA, self._location.writer, last, ENTRIES_AT_ONCE]
            for shard, last in zip(self._shards, self._last, strict=True)
        ]
        answers: list[Any] = self._guarded(lambda client: self._run(client, FOLLOW, calls))
        return answers

    def _run(self, client: Any, script: str, calls: Sequence[list[Any]]) -> list[Any]:
        """The answers to calls of a script, all in one pipeline; in a cluster, one of each node."""
        before = self._location.clock()
        answers = self._pipeline(client, script, calls, "EVALSHA", _sha(script))
        return self._completed(client, script, calls, answers, before)

    def _completed(
        self, client: Any, script: str, calls: Sequence[list[Any]], answers: list[Any], before: float
    ) -> list[Any]:
        """With the answers to the calls for which the server did not have the script."""
        missing = [
            place for place, each in enumerate(answers) if isinstance(each, redis.exceptions.NoScriptError)
        ]
        if missing:
            again = self._pipeline(client, script, [calls[each] for each in missing], "EVAL", script)
            for place, answer in zip(missing, again, strict=True):
                answers[place] = answer
        for each in answers:
            if isinstance(each, Exception):
                raise each
        now_at = (before + self._location.clock()) / 2
        if answers:
            self.ahead_s = int(answers[0][0]) + int(answers[0][1]) / 1e6 - now_at
        return answers

    def _pipeline(self, client: Any, script: str, calls: Sequence[list[Any]], *how: str) -> list[Any]:
        if not self._is_cluster:
            return self._read(self._send(client, script, calls, *how), script)
        with client.pipeline(transaction=False) as pipeline:
            for call in calls:
                pipeline.execute_command(*how, *call)
            answers: list[Any] = pipeline.execute(raise_on_error=False)
        if self._awaited(script):
            for key in {client.get_node_from_key(call[1]): call[1] for call in calls}.values():
                self._wait(client, key)
        return answers

    def _send(self, client: Any, script: str, calls: Sequence[list[Any]], *how: str) -> Exchange:
        wanted = self._awaited(script)
        wait = [("WAIT", wanted, int(TIMEOUT_S * 500))] if wanted else []
        return Exchange(client, [*((*how, *call) for call in calls), *wait])

    def _read(self, exchange: Exchange, script: str) -> list[Any]:
        answers = exchange.answers()
        self._connection = exchange.connection
        if self._awaited(script) and not isinstance(count := answers.pop(), Exception):
            self._check_replicas(count)
        return answers

    def _awaited(self, script: str) -> int:
        return self._location.wait_replicas if script is PUT else 0

    def _get(self, shard: bytes, keys: list[bytes]) -> list[Kept]:
        start = len(shard + b"user:")
        values = self._guarded(lambda client: client.execute_command("MGET", *keys))
        found = zip(keys, values, strict=True)
        return [kept for key, value in found if value and (kept := self._kept(_text(key[start:]), value))]

    def _outcome(self, put: Put, result: Any) -> Outcome:
        if isinstance(result, int):
            return Outcome(True, Kept(put.user, result, put.record))
        return Outcome(False, self._kept(put.user, result) or Kept(put.user, ABSENT, b""))

    def _kept(self, user: str, value: bytes) -> Kept | None:
        """None for a value that is none of ours."""
        head = _VALUE.match(value)
        if head is None:
            self.foreign += bool(value)
            return None
        return Kept(user, int(head[1]), value[head.end() :])

    def _guarded(self, act: Callable[[Any], Any]) -> Any:
        try:
            if self._client is None:
                self._client = self._location.open()
            return act(self._client)
        except RemoteError:
            raise
        except (redis.RedisError, OSError, ValueError) as error:
            raise self._error(error) from error

    def _guarded_iteration(self, keys: Iterator[bytes]) -> Iterator[bytes]:
        try:
            yield from keys
        except (redis.RedisError, OSError) as error:
            raise self._error(error) from error

    def _error(self, error: Exception) -> RemoteError:
        """The next call connects anew."""
        try:
            self.close()
        except (redis.RedisError, OSError):
            self._client = None
        number, text = self._explained(error)
        return RemoteError(self._told(text), number)

    def _told(self, text: str) -> str:
        return f"{self._location.url.shown}: {text}"

    def _explained(self, error: Exception) -> tuple[int, str]:
        """The library takes the first word off some errors, and makes a class of it."""
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


def _doubts(found: Mapping[str, Any], ahead_s: float) -> Iterator[tuple[str, str]]:
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and found.get("maxmemory"):
        yield f"maxmemory-policy is {policy}: a full server removes registrations", "set it to noeviction"
    if not found.get("aof_enabled"):
        yield "without appendonly a restart of the server loses registrations", "set appendonly to yes"
    if abs(ahead_s) >= CLOCK_DOUBT_S:
        yield f"its clock differs from ours by {abs(ahead_s):.0f} s", "let both follow a time server"


def _errno_of(error: BaseException | None) -> int:
    """Of an error of the system that is somewhere behind it; below 0: of a name's look-up; 0: there is none."""
    while error is not None:
        if isinstance(error, OSError) and error.errno and not isinstance(error, ssl.SSLError):
            return error.errno
        error = error.__cause__ or error.__context__
    return 0


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _sha(script: str) -> str:
    return _SHAS.setdefault(script, hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest())


_SHAS: dict[str, str] = {}


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
