"""Certificates in force: read again when they change."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from transports.tls_pairs import Peer, accept, client_context, connect, message, prepare

from switchboard.transports.tls_contexts import LOOK_EVERY_S, TlsContexts
from switchboard.transports.tls_files import make_anew


def test_a_changed_certificate_is_in_force_at_once(tmp_path: Path) -> None:
    settings, now = prepare(tmp_path), 100.0
    contexts = TlsContexts(settings, lambda: now)
    before, peer = accept(contexts), Peer(client_context(settings))
    connect(before, peer)
    make_anew(settings, datetime.now(UTC), with_authority=True)
    now += LOOK_EVERY_S
    connect(accept(contexts), Peer(client_context(settings)))
    assert contexts.reloads == 2
    assert before.feed(peer.say(message(1))) == [message(1)], "connections go on"


def test_a_bad_certificate_leaves_the_one_before_in_force(tmp_path: Path) -> None:
    settings, now = prepare(tmp_path), 100.0
    contexts = TlsContexts(settings, lambda: now)
    assert contexts.notes() == []
    (settings.tls_path / "cert.pem").write_text("no PEM")
    now += LOOK_EVERY_S
    connect(accept(contexts), Peer(client_context(settings)))
    assert contexts.notes() == [f"TLS: The file {settings.tls_path}/cert.pem is no certificate in PEM."]
    make_anew(settings, datetime.now(UTC), with_authority=False)
    now += LOOK_EVERY_S
    assert contexts.notes() == []


def test_without_a_certificate_nobody_is_accepted(tmp_path: Path) -> None:
    settings = prepare(tmp_path)
    (settings.tls_path / "key.pem").unlink()
    contexts = TlsContexts(settings)
    assert contexts.accept(3, None) is None  # type: ignore[arg-type]
    assert contexts.connect(None, ["a"]) is None  # type: ignore[arg-type]
    assert "cannot be read: No such file" in contexts.notes()[0]


def test_bad_authorities(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no PEM")
    settings = prepare(tmp_path, tls_ca=tmp_path / "ca.pem")
    assert "authorities cannot be used" in TlsContexts(settings).problem
    settings = prepare(tmp_path, tls_ca=tmp_path / "absent.pem")
    assert "absent.pem cannot be read: No such file or directory" in TlsContexts(settings).problem


def test_it_says_when_the_certificate_has_expired(tmp_path: Path) -> None:
    later = datetime.now(UTC) + timedelta(days=400)
    assert "has expired" in TlsContexts(prepare(tmp_path)).notes(later)[0]


def test_no_tls_below_1_2(tmp_path: Path) -> None:
    contexts = TlsContexts(prepare(tmp_path))
    assert contexts._of_phones
    assert contexts._of_phones.minimum_version is ssl.TLSVersion.TLSv1_2
