"""Files that nobody else may read."""

import os
import stat
from pathlib import Path

import pytest

from switchboard.storage.secret import exposure, make_private


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "key"
    path.touch()
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_of_its_owner_alone(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    assert exposure(secret) == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620, 0o666])
def test_others_may_read_or_change_it(secret: Path, mode: int) -> None:
    secret.chmod(mode)
    assert f"(mode {mode:04o}): chmod 600 {secret}" in exposure(secret)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize(
    ("owner", "mode", "found"),
    [
        (0, 0o640, ""),
        (0, 0o644, "mode 0644"),
        (0, 0o660, "mode 0660"),
        (77, 0o600, "belongs to user 77: chown 12345"),
    ],
)
def test_what_a_service_gets(
    secret: Path, owner: int, mode: int, found: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of root's may be there for the group of the service."""
    secret.chmod(mode)
    os.chown(secret, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    assert found in exposure(secret)
    assert bool(exposure(secret)) == bool(found)


def test_it_is_closed_with_what_is_beside_it(tmp_path: Path) -> None:
    path, log = tmp_path / "users.db", tmp_path / "users.db-wal"
    assert not make_private(path), "it is new"
    log.touch()
    log.chmod(0o644)
    assert make_private(path)
    assert {stat.S_IMODE(each.stat().st_mode) for each in (path, log)} == {0o600}
    assert not make_private(path)
