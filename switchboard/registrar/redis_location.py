"""A location on Redis or Valkey (see `remote.py`). The module needs redis-py, and is imported only where it is used."""

import errno
import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final
from zlib import crc32

import redis
import redis.cluster
import redis.sentinel

from switchboard.registrar.redis_client import TIMEOUT_S, Access, explained
from switchboard.registrar.redis_exchange import Exchange, is_idle
from switchboard.registrar.redis_scripts import FOLLOW, PUT, SCHEMA
from switchboard.registrar.redis_url import RedisUrl
from switchboard.registrar.remote import ABSENT, Answer, Followed, Kept, Outcome, Put, RemoteError

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
        self.open = Access(url, password_file).open
        """Makes a client of redis-py. RedisError, OSError."""

    def connect(self) -> "RedisRemote":
        """Return one that connects at its first call, and again after each error."""
        return RedisRemote(self)


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
        number, text = explained(error)
        return RemoteError(self._told(text), number)

    def _told(self, text: str) -> str:
        return f"{self._location.url.shown}: {text}"


def _doubts(found: Mapping[str, Any], ahead_s: float) -> Iterator[tuple[str, str]]:
    policy = found.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and found.get("maxmemory"):
        yield f"maxmemory-policy is {policy}: a full server removes registrations", "set it to noeviction"
    if not found.get("aof_enabled"):
        yield "without appendonly a restart of the server loses registrations", "set appendonly to yes"
    if abs(ahead_s) >= CLOCK_DOUBT_S:
        yield f"its clock differs from ours by {abs(ahead_s):.0f} s", "let both follow a time server"


def _sha(script: str) -> str:
    return _SHAS.setdefault(script, hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest())


_SHAS: dict[str, str] = {}


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _text(octets: bytes) -> str:
    return octets.decode("utf-8", "surrogateescape")
