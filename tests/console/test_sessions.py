"""The console's sessions and their key."""

from pathlib import Path

import pytest

from switchboard.console.ended import EndedSessions
from switchboard.console.sessions import ID_BYTES, LIFETIME_S, Sessions, load_key
from switchboard.storage.unusable import UnusableFile

KEY = b"k" * 32
NOW = 1_800_000_000.0
SESSIONS = Sessions(KEY, "hash")
ADMIN = SESSIONS.open(True, NOW, b"a" * ID_BYTES)


def test_a_cookie_is_its_session() -> None:
    assert SESSIONS.read(SESSIONS.cookie(ADMIN), NOW) == ADMIN
    assert Sessions(KEY, "hash").read(SESSIONS.cookie(ADMIN), NOW) == ADMIN, "also after a restart"


def test_it_ends() -> None:
    assert SESSIONS.read(SESSIONS.cookie(ADMIN), NOW + LIFETIME_S) is None


def test_after_a_logout_no_copy_of_the_cookie_opens_anything(tmp_path: Path) -> None:
    path = tmp_path / "console.ended"
    sessions = Sessions(KEY, "hash", ended=EndedSessions(path, LIFETIME_S, NOW))
    other = sessions.open(True, NOW, b"o" * ID_BYTES)
    sessions.end(ADMIN, NOW + 5)
    sessions.ended.save()
    after_restart = Sessions(KEY, "hash", ended=EndedSessions(path, LIFETIME_S, NOW))
    for each in (sessions, after_restart):
        assert each.read(SESSIONS.cookie(ADMIN), NOW + 6) is None
        assert each.read(SESSIONS.cookie(other), NOW + 6) == other


def test_a_visitor_has_nothing_to_end() -> None:
    sessions = Sessions(KEY, "hash")
    visitor = sessions.open(False, NOW, b"v" * ID_BYTES)
    sessions.end(visitor, NOW)
    assert sessions.read(sessions.cookie(visitor), NOW) == visitor
    assert sessions.ended.is_saved


def test_a_browser_is_known_again_but_opens_nothing() -> None:
    cookie = SESSIONS.browser_cookie("ab", NOW + 10)
    assert SESSIONS.read_browser(cookie, NOW) == "ab"
    assert SESSIONS.read_browser(cookie, NOW + 10) == ""
    assert SESSIONS.read_browser(cookie.replace("ab.", "cd."), NOW) == ""
    assert SESSIONS.read_browser(SESSIONS.cookie(ADMIN), NOW) == ""
    assert SESSIONS.read(cookie, NOW) is None
    assert Sessions(KEY, "other").read_browser(cookie, NOW) == ""


def test_another_password_ends_it() -> None:
    assert Sessions(KEY, "other").read(SESSIONS.cookie(ADMIN), NOW) is None


@pytest.mark.parametrize("cookie", ["", ".", "a.1.1.b", "é", "..."])
def test_what_is_no_cookie_of_ours(cookie: str) -> None:
    assert SESSIONS.read(cookie, NOW) is None


def test_a_visitor_cannot_become_admin() -> None:
    visitor = SESSIONS.open(False, NOW, b"v" * ID_BYTES)
    assert SESSIONS.read(SESSIONS.cookie(visitor).replace(".0.", ".1."), NOW) is None


def test_tokens_belong_to_their_session() -> None:
    other = SESSIONS.open(True, NOW, b"b" * ID_BYTES)
    assert SESSIONS.is_csrf_token(ADMIN, SESSIONS.csrf_token(ADMIN))
    assert not SESSIONS.is_csrf_token(ADMIN, SESSIONS.csrf_token(other))
    assert not SESSIONS.is_csrf_token(ADMIN, "ü")


def test_made_once_and_for_us_alone(tmp_path: Path) -> None:
    path = tmp_path / "console.key"
    key = load_key(path)
    assert load_key(path) == key
    assert len(key) == 32
    assert path.stat().st_mode & 0o777 == 0o600


def test_what_is_no_key(tmp_path: Path) -> None:
    path = tmp_path / "console.key"
    load_key(path)
    path.write_bytes(b"short")
    with pytest.raises(UnusableFile, match="remove it"):
        load_key(path)


def test_nowhere_to_write(tmp_path: Path) -> None:
    with pytest.raises(UnusableFile, match="No such file"):
        load_key(tmp_path / "none" / "console.key")


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "console.key"
    load_key(path)
    path.chmod(0o640)
    with pytest.raises(UnusableFile, match=rf"mode 0640\): chmod 600 {path}"):
        load_key(path)
