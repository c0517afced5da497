from contextlib import suppress

import pytest

from switchboard.registrar.redis_url import CLUSTER_SHARDS, RedisUrl
from switchboard.storage.server_url import shown_of


def test_a_server() -> None:
    url = RedisUrl.parse("redis://sb:p%40ss@redis.example.com:6380/2?prefix=north")
    assert (url.kind, url.has_tls, url.nodes, url.db) == ("single", False, (("redis.example.com", 6380),), 2)
    assert (url.user, url.password, url.prefix, url.shards) == ("sb", "p@ss", "north", 1)
    assert url.shown == "redis://sb:…@redis.example.com:6380/2"


def test_what_is_left_out() -> None:
    url = RedisUrl.parse("rediss://[2001:db8::1]?ca=/etc/ca.pem")
    assert (url.nodes, url.has_tls, url.db, url.prefix) == ((("2001:db8::1", 6379),), True, 0, "switchboard")
    assert (url.user, url.password, url.options["ca"]) == ("", "", "/etc/ca.pem")


def test_a_socket() -> None:
    url = RedisUrl.parse("unix:///run/redis/redis.sock?db=3")
    assert (url.kind, url.path, url.db, url.nodes) == ("unix", "/run/redis/redis.sock", 3, ())


def test_sentinels() -> None:
    url = RedisUrl.parse("redis+sentinel://:secret@one,two:26380/mymaster/1?sentinel_password=other")
    assert (url.kind, url.nodes) == ("sentinel", (("one", 26379), ("two", 26380)))
    assert (url.service, url.db, url.password) == ("mymaster", 1, "secret")
    assert "other" not in url.shown
    assert "secret" not in url.shown


def test_a_cluster() -> None:
    url = RedisUrl.parse("valkey+cluster://one:7000,two:7001")
    assert (url.kind, url.nodes, url.shards) == ("cluster", (("one", 7000), ("two", 7001)), CLUSTER_SHARDS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("postgres://h", "none of the schemes"),
        ("redis", "none of the schemes"),
        ("redis://", "names no host"),
        ("redis://h:port", "no host with a port"),
        ("redis://h:99999", "no host with a port"),
        ("redis://h/one", "number of a database"),
        ("redis://h/1/2", "number of a database"),
        ("redis://h?colour=blue", "unknown option colour"),
        ("redis://h?prefix=a*b", "prefix has letters"),
        ("redis+sentinel://h", "is missing"),
        ("redis+cluster://h/1", "one database only"),
        ("unix://", "names no socket"),
    ],
)
def test_what_is_no_url_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        RedisUrl.parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "redis://user:secret@h/1",
        "redis://:secret@h:bad",
        "nosuch://a:secret@h",
        "redis://a:b@secret@h/x/y",
        "redis+sentinel://h/m?sentinel_password=secret&bad=1",
    ],
)
def test_what_is_shown_has_no_password(text: str) -> None:
    assert "secret" not in shown_of(text)
    with suppress(ValueError):
        assert "secret" not in RedisUrl.parse(text).shown


def test_an_error_shows_no_password() -> None:
    with pytest.raises(ValueError, match="none of the schemes") as caught:
        RedisUrl.parse("nosuch://a:secret@h")
    assert "secret" not in str(caught.value)
