"""The page by which phones trust the switchboard."""

from datetime import UTC, datetime
from pathlib import Path

from console.conftest import PASSWORD_HASH, Open

from switchboard.settings.model import Settings
from switchboard.transports.certificates import read_certificate
from switchboard.transports.tls_files import ensure


def test_a_phone_gets_the_authority(open_console: Open, data_dir: Path) -> None:
    ensure(Settings(data_dir=data_dir, tls=True), datetime.now(UTC))
    browser = open_console(tls=True)
    page = browser.get("/authority")
    content = (data_dir / "tls" / "ca.pem").read_bytes()
    assert read_certificate(content).fingerprint in page.text
    assert "http://127.0.0.1:8080/authority.pem" in page.text
    assert "<svg" in page.text
    assert '<a href="/authority">' in browser.get("/phones").text
    file = browser.get("/authority.pem")
    assert (file.content, file.headers["content-type"]) == (content, "application/x-x509-ca-cert")


def test_without_a_login(open_console: Open, data_dir: Path) -> None:
    """The file is no secret; the page is for who is logged in."""
    ensure(Settings(data_dir=data_dir, tls=True), datetime.now(UTC))
    stranger = open_console(tls=True, console_password=PASSWORD_HASH)
    assert stranger.get("/authority.pem").status_code == 200
    assert stranger.get("/authority").status_code == 303


def test_there_is_none(open_console: Open, tmp_path: Path) -> None:
    for browser in (
        open_console(),
        open_console(tls=True),
        open_console(tls=True, tls_certificate=tmp_path / "c.pem", tls_key=tmp_path / "k.pem"),
    ):
        assert browser.get("/authority.pem").status_code == 404
        assert "nothing to install" in browser.get("/authority").text
