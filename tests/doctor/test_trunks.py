"""What `doctor` says of trunks."""

from pathlib import Path

from switchboard.doctor.facts import Level
from switchboard.doctor.trunks import check_trunks
from switchboard.settings.model import Settings

TOLD = {"name": "p", "registers": True, "registrar": "sip:h", "registered_s": 60.0, "refusal": ""}


def found(
    directory: Path, told: list[dict[str, object]] | None, mode: int | None = 0o600
) -> list[tuple[Level, str]]:
    settings = Settings(data_dir=directory, trunks={"p": {"registrar": "h", "user": "1"}})  # type: ignore[dict-item]
    file = settings.trunks_path / "p.password"
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    if mode is not None:
        file.write_text("secret\n")
        file.chmod(mode)
    return [(each.level, each.found) for each in check_trunks(settings, told)]


def test_a_trunk_that_is_registered(tmp_path: Path) -> None:
    assert found(tmp_path, [TOLD]) == [(Level.OK, "p is registered at sip:h for 60 s more")]
    assert found(tmp_path, [TOLD | {"registers": False}])[0][0] == Level.OK


def test_a_trunk_that_is_not(tmp_path: Path) -> None:
    assert found(tmp_path, [TOLD | {"refusal": "403 No"}]) == [(Level.PROBLEM, "p: 403 No")]
    assert found(tmp_path, [TOLD | {"registered_s": 0.0}]) == [(Level.PROBLEM, "p: no answer yet")]
    assert found(tmp_path, None) == []


def test_its_password(tmp_path: Path) -> None:
    assert found(tmp_path, None, None) == [(Level.WARNING, "p has no password")]
    ((level, words),) = found(tmp_path, [TOLD], 0o644)
    assert level == Level.PROBLEM
    assert "secret" not in words
