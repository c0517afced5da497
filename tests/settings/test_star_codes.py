"""The table [star_codes]."""

import json

import pytest

from switchboard.core.star_codes import ACTIONS
from switchboard.settings.model import Settings, SettingsError, load_settings
from switchboard.settings.star_codes import KEYS, StarCodeSettings


def load(monkeypatch: pytest.MonkeyPatch, text: str) -> Settings:
    monkeypatch.setenv("SWITCHBOARD_STAR_CODES", text)
    return load_settings()


def test_codes_by_what_they_do(monkeypatch: pytest.MonkeyPatch) -> None:
    codes = load(monkeypatch, json.dumps({"always": "*72", "off": "*73"})).star_codes
    assert codes.actions == {"*72": "always", "*73": "off"}
    assert StarCodeSettings().actions == {}


def test_all_actions_can_have_a_code() -> None:
    assert set(KEYS) == set(ACTIONS) == set(StarCodeSettings.model_fields)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"always": "72"}', "star_codes.always"),
        ('{"always": "*72", "busy": "*72"}', "means two things"),
        ('{"often": "*1"}', "star_codes.often"),
        ("on", "star_codes"),
    ],
)
def test_a_bad_table_is_told_in_words(monkeypatch: pytest.MonkeyPatch, text: str, words: str) -> None:
    with pytest.raises(SettingsError) as raised:
        load(monkeypatch, text)
    assert words in str(raised.value)
