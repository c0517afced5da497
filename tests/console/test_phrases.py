"""The page Phrases."""

from pathlib import Path

from console.conftest import Open

from switchboard.settings.model import UserSettings


def test_the_catalogue_of_the_switchboard(open_console: Open) -> None:
    page = open_console(language="sk").get("/phrases").text
    assert '<td lang="sk">Obsadené</td>' in page
    assert 'language=sk" aria-current="true"' in page


def test_another_language(open_console: Open) -> None:
    assert '<td lang="de">Besetzt</td>' in open_console().get("/phrases?language=de").text
    assert open_console().get("/phrases?language=../x").status_code == 200


def test_try_one(open_console: Open) -> None:
    browser = open_console(language="sk", users={"anna": UserSettings(language="de")})
    for query, line in [
        ("code=486", "486 Obsadené"),
        ("code=486&user=anna", "486 Besetzt"),
        ("code=486&accept=hu", "486 Foglalt"),
        ("code=799", "799 "),
    ]:
        assert f"<code>SIP/2.0 {line}</code>" in browser.get(f"/phrases?{query}").text


def test_own_catalogues(open_console: Open, tmp_path: Path) -> None:
    (tmp_path / "sk.toml").write_text('[phrases]\n486 = "Práve telefonuje"\n')
    page = open_console(language="sk", phrases_dir=tmp_path).get("/phrases?code=486").text
    assert "SIP/2.0 486 Práve telefonuje" in page
    assert 'Práve telefonuje <span class="badge calm">own</span>' in page
