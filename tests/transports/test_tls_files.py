"""The files of TLS: made once, renewed, and refused in words."""

import os
import ssl
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from switchboard.settings.model import Settings
from switchboard.transports.certificates import (
    is_issued_by,
    issue,
    make_authority,
    new_key,
    read_certificate,
)
from switchboard.transports.tls_files import (
    TlsFileError,
    TlsFiles,
    doubts,
    ensure,
    files_of,
    make_anew,
    own_names,
    read_identity,
)

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path, sip_host="127.0.0.1", tls=True, domains=("pbx.example.com",))


def test_who_needs_a_certificate(tmp_path: Path) -> None:
    assert not Settings(data_dir=tmp_path, transports=("udp", "tcp", "ws")).wants_certificate
    assert Settings(data_dir=tmp_path, transports=("udp", "wss")).wants_certificate


def test_they_are_made_and_name_every_address_twice(settings: Settings) -> None:
    assert ensure(settings, NOW)
    assert not ensure(settings, NOW)
    found = read_identity(files_of(settings))
    assert found.names >= {"pbx.example.com", "127.0.0.1", "::1", "localhost"}
    text = ssl._ssl._test_decode_cert(str(settings.tls_path / "cert.pem"))  # type: ignore[attr-defined]
    assert {("DNS", "127.0.0.1"), ("IP Address", "127.0.0.1")} <= set(text["subjectAltName"])
    assert list(doubts(found, own_names(settings), NOW)) == []


def test_only_their_owner_reads_the_keys(settings: Settings) -> None:
    before = os.umask(0)
    try:
        ensure(settings, NOW)
    finally:
        os.umask(before)
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in settings.tls_path.iterdir()}
    assert modes == {"ca.pem": 0o644, "ca.key": 0o600, "cert.pem": 0o644, "key.pem": 0o600, "lock": 0o600}


def test_who_start_together_make_them_once(settings: Settings) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: ensure(settings, NOW), range(8)))
    assert made.count(True) == 1
    read_identity(files_of(settings))


@pytest.mark.parametrize(
    "later",
    [
        lambda settings: (settings, NOW + timedelta(days=340)),
        lambda settings: (settings.model_copy(update={"domains": ("other.example.com",)}), NOW),
        lambda settings: (settings, NOW - timedelta(days=5000)),
    ],
    ids=["ends soon", "another name", "the clock was wrong"],
)
def test_renewal_keeps_key_and_authority(
    settings: Settings, later: Callable[[Settings], tuple[Settings, datetime]]
) -> None:
    ensure(settings, NOW)
    kept = [(settings.tls_path / name).read_bytes() for name in ("ca.pem", "ca.key", "key.pem")]
    changed, now = later(settings)
    assert ensure(changed, now)
    assert not ensure(changed, now)
    assert [(settings.tls_path / name).read_bytes() for name in ("ca.pem", "ca.key", "key.pem")] == kept
    assert list(doubts(read_identity(files_of(settings)), own_names(changed), now)) == []


def test_what_was_half_made_is_made(settings: Settings) -> None:
    ensure(settings, NOW)
    (settings.tls_path / "cert.pem").unlink()
    (settings.tls_path / "key.pem.new").write_bytes(b"half")
    assert ensure(settings, NOW)
    read_identity(files_of(settings))


def test_new_ones(settings: Settings) -> None:
    ensure(settings, NOW)
    before = {each.name: each.read_bytes() for each in settings.tls_path.iterdir()}
    make_anew(settings, NOW, with_authority=False)
    after = {each.name: each.read_bytes() for each in settings.tls_path.iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"cert.pem", "key.pem"}
    make_anew(settings, NOW, with_authority=True)
    assert not is_issued_by(after["cert.pem"], (settings.tls_path / "ca.pem").read_bytes())
    assert not ensure(settings, NOW)


def test_files_of_the_user_are_left_alone(settings: Settings, tmp_path: Path) -> None:
    named = settings.model_copy(update={"tls_certificate": tmp_path / "c.pem", "tls_key": tmp_path / "k.pem"})
    assert not ensure(named, NOW)
    assert sorted(tmp_path.iterdir()) == []


def test_it_is_verified_by_openssl(settings: Settings) -> None:
    ensure(settings, NOW)
    files = files_of(settings)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    server.load_cert_chain(files.certificate, files.key)
    client.load_verify_locations(files.authority)
    for name in ("127.0.0.1", "::1", "pbx.example.com"):
        to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
        near = client.wrap_bio(to_client, to_server, server_hostname=name)
        far = server.wrap_bio(to_server, to_client, server_side=True)
        for side in (near, far, near, far):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
        assert near.getpeercert()


def _write(directory: Path, *, of: str = "", key_mode: int = 0o600, expired: bool = False) -> TlsFiles:
    ca_key, key = new_key(), new_key()
    when = NOW - timedelta(days=400) if expired else NOW
    chain = issue(make_authority(ca_key, "Authority", when), ca_key, key, ["pbx.example.com"], when)
    files = TlsFiles(directory / "c.pem", directory / "k.pem")
    files.certificate.write_bytes(b"no PEM" if of == "certificate" else chain)
    files.key.write_bytes({"key": b"no PEM", "pair": new_key()}.get(of, key))
    files.key.chmod(key_mode)
    return files


@pytest.mark.parametrize(
    ("of", "key_mode", "expected"),
    [
        ("certificate", 0o600, "c.pem is no certificate in PEM."),
        ("key", 0o600, "k.pem is no private key in PEM."),
        ("pair", 0o600, "k.pem is not that of the certificate"),
        ("", 0o644, "k.pem for TLS may be read or changed by others (mode 0644): chmod 600"),
    ],
)
def test_unusable_files(tmp_path: Path, of: str, key_mode: int, expected: str) -> None:
    with pytest.raises(TlsFileError, match=".") as caught:
        read_identity(_write(tmp_path, of=of, key_mode=key_mode))
    assert expected in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TlsFileError, match="for TLS cannot be read: No such file or directory"):
        read_identity(TlsFiles(tmp_path / "c.pem", tmp_path / "k.pem"))


def test_a_directory_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "tls").write_text("a file")
    with pytest.raises(TlsFileError, match="cannot be kept in"):
        ensure(Settings(data_dir=tmp_path, tls=True), NOW)


def test_what_phones_would_refuse(tmp_path: Path) -> None:
    found = read_identity(_write(tmp_path, expired=True))
    names = ["pbx.example.com", "sip.example.com"]
    assert list(doubts(found, names, NOW)) == [
        "the certificate for TLS has expired on 2026-10-25: phones refuse it",
        "the certificate for TLS does not name sip.example.com: phones that use this refuse it",
    ]
    assert "is valid from" in next(doubts(found, [], NOW - timedelta(days=500)))
    assert "expires on" in next(doubts(found, [], NOW - timedelta(days=40)))


def test_wildcards() -> None:
    ca_key, key = new_key(), new_key()
    found = read_certificate(issue(make_authority(ca_key, "A", NOW), ca_key, key, ["*.example.com"], NOW))
    assert [found.covers(name) for name in ("pbx.example.com", "a.b.example.com", "example.com")] == [
        True,
        False,
        False,
    ]
