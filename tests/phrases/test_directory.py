import os
from pathlib import Path

import pytest

from switchboard.phrases.directory import CatalogueDirectory, Problem, available_languages


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
