"""Where to ask the history."""

from pathlib import Path

import pytest

from switchboard.history.reader import history_of
from switchboard.history.store import HistoryError
from switchboard.settings.model import Settings

ALPHA = ["edge", "registrar", "router.0", "translator", "journal"]


def answer(tmp_path: Path, here: str, *optional: str) -> str:
    """What the reader says on a host where there is no file."""
    hosts = {
        "alpha": {"address": "10.0.0.1", "components": ALPHA},
        "beta": {"address": "10.0.0.2", "components": ["router.1", *optional]},
    }
    settings = Settings(data_dir=tmp_path, hosts=hosts, host=here)  # type: ignore[arg-type]
    with pytest.raises(HistoryError) as error:
        history_of(settings).messages("a@b")
    return str(error.value)


def test_another_host_is_named(tmp_path: Path) -> None:
    assert answer(tmp_path, "alpha", "history").startswith(
        "The history is kept on the host beta (10.0.0.2), and this is alpha: use `switchboard explain`"
    )


def test_its_own_host_looks_into_the_file(tmp_path: Path) -> None:
    assert answer(tmp_path, "beta", "history").startswith("There is no history at ")


def test_no_host_has_one(tmp_path: Path) -> None:
    assert answer(tmp_path, "alpha").startswith("No host keeps a history: ")
