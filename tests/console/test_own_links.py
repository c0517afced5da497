"""Links to users' own pages: whose they are, and when they end."""

from pathlib import Path

from switchboard.console.names import DisplayNames
from switchboard.console.own_links import LIFETIME_S, OwnLinks, user_named


class Clock:
    at = 1_700_000_000.0

    def __call__(self) -> float:
        return self.at


def links(directory: Path, key: bytes = b"k" * 32, clock: Clock | None = None) -> OwnLinks:
    return OwnLinks(DisplayNames(directory / "console.links"), key, clock or Clock())


def test_a_link_is_of_its_user_only(tmp_path: Path) -> None:
    ours = links(tmp_path)
    token = ours.make("lenka", 7.0)
    ours.make("lukas", 7.0)
    assert user_named(token) == "lenka"
    assert ours.is_link(token, "lenka", 7.0)
    assert not ours.is_link(token, "lukas", 7.0)
    assert links(tmp_path).is_link(token, "lenka", 7.0), "after a restart, too"


def test_it_ends(tmp_path: Path) -> None:
    clock = Clock()
    ours = links(tmp_path, clock=clock)
    token = ours.make("lenka", None)
    clock.at += LIFETIME_S - 1
    assert ours.is_link(token, "lenka", None)
    clock.at += 2
    assert not ours.is_link(token, "lenka", None)
    assert ours.current("lenka", None) == ""


def test_what_makes_it_void(tmp_path: Path) -> None:
    ours = links(tmp_path)
    token = ours.make("lenka", 7.0)
    assert not ours.is_link(token, "lenka", 8.0), "another password"
    assert not links(tmp_path, key=b"x" * 32).is_link(token, "lenka", 7.0), "another key"
    assert ours.make("lenka", 7.0) != token
    assert not ours.is_link(token, "lenka", 7.0), "another link"
    latest = ours.current("lenka", 7.0)
    ours.revoke("lenka")
    assert not ours.is_link(latest, "lenka", 7.0)


def test_without_the_file_there_is_none(tmp_path: Path) -> None:
    token = links(tmp_path).make("lenka", 7.0)
    (tmp_path / "console.links").write_text("rubbish")
    assert not links(tmp_path).is_link(token, "lenka", 7.0)


def test_any_name_has_a_link(tmp_path: Path) -> None:
    ours = links(tmp_path)
    for user in ("Lukáš", "a.b", "x" * 64, "a/b?c"):
        token = ours.make(user, None)
        assert user_named(token) == user
        assert not set(token) & set("/?#%&")


def test_rubbish_names_nobody() -> None:
    for token in ("", ".", "é", "a", "_w.x", "=" * 300):
        assert user_named(token) == ""
