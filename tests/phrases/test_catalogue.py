"""None"""

import os
import unicodedata
from pathlib import Path

import pytest

from switchboard.phrases.catalogue import (
    CatalogueDirectory,
    CatalogueError,
    Problem,
    available_languages,
    builtin_catalogues,
    parse_catalogue,
)

LANGUAGES = ("en", "sk", "cs", "de", "hu", "pl", "uk")

IANA_CODES = (
    *(100, 180, 181, 182, 183, 199),
    *(200, 202, 204),
    *(300, 301, 302, 305, 380),
    *(400, 401, 402, 403, 404, 405, 406, 407, 408, 410, 412, 413, 414, 415, 416, 417, 420, 421),
    *(422, 423, 424, 425, 428, 429, 430, 433, 436, 437, 438, 439, 440, 469, 470),
    *(480, 481, 482, 483, 484, 485, 486, 487, 488, 489, 491, 493, 494),
    *(500, 501, 502, 503, 504, 505, 513, 555, 580),
    *(600, 603, 604, 606, 607, 608),
)
"""The registry of response codes: RFC 3261 and its extensions up to RFC 8876."""

SLOVAK = {
    "100": "Skúšanie",
    "180": "Zvonenie",
    "400": "Zlá požiadavka",
    "406": "Neprijateľné",
    "408": "Nedostupný",
    "486": "Obsadené",
    "487": "Žiadosť zrušená",
    "603": "Odmietnutie",
}


def test_the_built_in_languages() -> None:
    assert set(builtin_catalogues()) == set(LANGUAGES)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_built_in_catalogue_is_complete(language: str) -> None:
    assert list(builtin_catalogues()[language].phrases) == [str(code) for code in IANA_CODES]


@pytest.mark.parametrize("language", LANGUAGES)
def test_built_in_phrases_fit_a_display(language: str) -> None:
    for code, phrase in builtin_catalogues()[language].phrases.items():
        assert 0 < len(phrase) <= 60, code
        assert phrase == phrase.strip(), code
        assert not [char for char in phrase if unicodedata.category(char).startswith(("C", "Zl", "Zp"))], code
        assert unicodedata.is_normalized("NFC", phrase), code


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_built_in_catalogue_names_its_language(language: str) -> None:
    meta = builtin_catalogues()[language].meta
    assert meta is not None
    assert meta.english.isascii()


@pytest.mark.parametrize("language", [language for language in LANGUAGES if language != "en"])
def test_translations_differ_from_english(language: str) -> None:
    english = builtin_catalogues()["en"].phrases
    same = [code for code, text in builtin_catalogues()[language].phrases.items() if text == english[code]]
    assert same == []


def test_ukrainian_is_in_cyrillic() -> None:
    for code, phrase in builtin_catalogues()["uk"].phrases.items():
        assert any("\u0400" <= char <= "\u04ff" for char in phrase), code


def test_the_slovak_words() -> None:
    assert SLOVAK.items() <= builtin_catalogues()["sk"].phrases.items()


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ('[phrases]\n486 = "Linka je obsadená"', {"486": "Linka je obsadená"}),
        ('\ufeff[phrases]\n"100" = "Moment"\r\n"699" = "x"', {"100": "Moment", "699": "x"}),
        ('[phrases]\n180 = "  Zvoní  "', {"180": "Zvoní"}),
        ('[phrases]\n180 = "100%25 (a-b), c/d?"', {"180": "100%25 (a-b), c/d?"}),
        ("[phrases]", {}),
        ('[meta]\nname = "Deutsch"\nenglish = "German"\n[phrases]\n180 = "Klingelt"', {"180": "Klingelt"}),
    ],
)
def test_good_catalogues(text: str, phrases: dict[str, str]) -> None:
    assert parse_catalogue(text.encode()).phrases == phrases


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'[phrases]\n180 = "Zvoni\n', "line 2"),
        (b'[phrases]\n180 = "a"\n180 = "b"\n', "line 3"),
        (b'[phrases]\n180 = "Zvonen\xed"', "line 2: this is not UTF-8"),
        (b'[phrases]\n99 = "x"', "phrases.99: a status code"),
        (b'[phrases]\n700 = "x"', "phrases.700: a status code"),
        (b'[phrases]\n1800 = "x"', "phrases.1800: a status code"),
        (b'[phrases]\nringing = "x"', "phrases.ringing: a status code"),
        ('[phrases]\n"１８０" = "x"'.encode(), "a status code"),
        (b"[phrases]\n180 = 5", "phrases.180: "),
        (b'[phrases]\n180 = ""', "phrases.180: "),
        (b'[phrases]\n180 = "   "', "phrases.180: "),
        (b'[phrases]\n180 = "a\\r\\nVia: x"', "phrases.180: '\\r' cannot stand in a reason phrase"),
        (b'[phrases]\n180 = """a\nb"""', "phrases.180: '\\n'"),
        (b'[phrases]\n180 = "a\\tb"', "phrases.180: '\\t'"),
        (b'[phrases]\n180 = "a\\u0085b"', "phrases.180: '\\x85'"),
        (b'[phrases]\n180 = "a\\u2028b"', "phrases.180: '\\u2028'"),
        (b"[phrases]\n180 = '\"x\"'", "phrases.180: '\"'"),
        (b'[phrases]\n180 = "100% sure"', "phrases.180: '%'"),
        (b'[phrases]\n180 = "' + b"x" * 101 + b'"', "phrases.180: "),
        (b'[phrases]\n180 = ""\n[phrases.181]\na = "b"', "phrases.181: "),
        (b'[phrase]\n180 = "x"', "phrases: "),
        (b'180 = "x"', "phrases: "),
        (b'[meta]\nlanguage = "x"\n[phrases]', "meta.name: "),
        (b"", "phrases: "),
    ],
)
def test_bad_catalogues_say_where(data: bytes, says: str) -> None:
    with pytest.raises(CatalogueError) as caught:
        parse_catalogue(data)
    assert says in str(caught.value)


def write(directory: Path, name: str, *lines: str) -> Path:
    file = directory / name
    file.write_text("\n".join(("[phrases]", *lines, "")), "utf-8")
    return file


def phrases(directory: CatalogueDirectory) -> dict[str, dict[str, str]]:
    return {language: catalogue.phrases for language, catalogue in directory.catalogues.items()}


def test_without_a_directory_nothing_is_there_and_nothing_wrong() -> None:
    assert CatalogueDirectory(None).refresh() == (False, [])


def test_files_come_change_and_go(tmp_path: Path) -> None:
    directory = CatalogueDirectory(tmp_path)
    assert directory.refresh() == (False, [])
    file = write(tmp_path, "sk.toml", '486 = "Hovorí"')
    assert directory.refresh() == (True, [])
    assert phrases(directory) == {"sk": {"486": "Hovorí"}}
    assert directory.refresh() == (False, [])
    write(tmp_path, "sk.toml", '486 = "Už hovorí"')
    assert directory.refresh() == (True, [])
    assert phrases(directory) == {"sk": {"486": "Už hovorí"}}
    file.unlink()
    assert directory.refresh() == (True, [])
    assert phrases(directory) == {}


def test_a_file_moved_into_place_with_the_same_time_and_size_is_seen(tmp_path: Path) -> None:
    directory = CatalogueDirectory(tmp_path)
    file = write(tmp_path, "sk.toml", '486 = "jeden"')
    directory.refresh()
    new = write(tmp_path, "sk.toml.new", '486 = "druhy"')
    status = file.stat()
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(file)
    assert directory.refresh() == (True, [])
    assert phrases(directory) == {"sk": {"486": "druhy"}}


def test_a_broken_file_is_told_once_a_change_and_the_former_stays(tmp_path: Path) -> None:
    directory = CatalogueDirectory(tmp_path)
    file = write(tmp_path, "sk.toml", '486 = "Hovorí"')
    directory.refresh()
    write(tmp_path, "sk.toml", '486 = "Hovorí')
    changed, problems = directory.refresh()
    assert not changed
    assert [problem.file for problem in problems] == [str(file)]
    assert "line 2" in problems[0].found
    assert directory.refresh() == (False, [])
    write(tmp_path, "sk.toml", "486 = 12345678")
    assert [problem.found.split(":")[0] for problem in directory.refresh()[1]] == ["phrases.486"]
    assert phrases(directory) == {"sk": {"486": "Hovorí"}}
    write(tmp_path, "sk.toml", '486 = "Opravené"')
    assert directory.refresh() == (True, [])
    assert phrases(directory) == {"sk": {"486": "Opravené"}}


def test_a_broken_file_does_not_keep_others_away(tmp_path: Path) -> None:
    write(tmp_path, "cs.toml", "486 = ")
    write(tmp_path, "sk.toml", '486 = "Hovorí"')
    directory = CatalogueDirectory(tmp_path)
    changed, problems = directory.refresh()
    assert changed
    assert len(problems) == 1
    assert phrases(directory) == {"sk": {"486": "Hovorí"}}


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    for name in (".sk.toml", "sk.toml~", "sk.toml.swp", "README"):
        write(tmp_path, name, "broken")
    (tmp_path / "de.toml").mkdir()
    (tmp_path / "hu.toml").symlink_to("nowhere")
    assert CatalogueDirectory(tmp_path).refresh() == (False, [])


@pytest.mark.parametrize("name", ["Slovak.toml", "sk_SK.toml", "x.toml", "my words.toml"])
def test_a_file_name_that_is_no_language(tmp_path: Path, name: str) -> None:
    write(tmp_path, name, '486 = "x"')
    changed, problems = CatalogueDirectory(tmp_path).refresh()
    assert not changed
    assert [problem.found for problem in problems] == ["its name is no language"]


def test_a_missing_directory_is_told_once_and_seen_when_it_comes(tmp_path: Path) -> None:
    place = tmp_path / "phrases"
    directory = CatalogueDirectory(place)
    remedy = "make phrases_dir a directory that can be read"
    assert directory.refresh() == (False, [Problem(str(place), "No such file or directory", remedy)])
    assert directory.refresh() == (False, [])
    place.mkdir()
    file = write(place, "sk.toml", '486 = "Hovorí"')
    assert directory.refresh() == (True, [])
    file.unlink()
    place.rmdir()
    changed, problems = directory.refresh()
    assert changed
    assert len(problems) == 1
    assert phrases(directory) == {}


def test_a_place_that_is_no_directory_leaves_the_former_phrases(tmp_path: Path) -> None:
    place = tmp_path / "phrases"
    place.mkdir()
    write(place, "sk.toml", '486 = "Hovorí"')
    directory = CatalogueDirectory(place)
    directory.refresh()
    place.rename(tmp_path / "away")
    place.touch()
    changed, problems = directory.refresh()
    assert not changed
    assert [problem.found for problem in problems] == ["Not a directory"]
    assert phrases(directory) == {"sk": {"486": "Hovorí"}}


def test_available_languages(tmp_path: Path) -> None:
    assert available_languages(None) == ("cs", "de", "en", "hu", "pl", "sk", "uk")
    write(tmp_path, "fr.toml", '486 = "Occupé"')
    write(tmp_path, "it.toml", "broken")
    assert available_languages(tmp_path) == ("cs", "de", "en", "fr", "hu", "pl", "sk", "uk")
