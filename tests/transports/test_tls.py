"""TLS as a channel, against OpenSSL."""

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from transports.tls_pairs import (
    SUITES,
    TLS12,
    TLS13,
    Peer,
    accept,
    accepted,
    client_context,
    connect,
    cut,
    message,
    prepare,
    successor,
)

from switchboard.settings.model import Settings
from switchboard.sip.flow import WSS
from switchboard.transports.certificates import issue, make_authority, new_key
from switchboard.transports.channel import ChannelClosed, ChannelError
from switchboard.transports.framing import StreamFraming
from switchboard.transports.tls_contexts import TlsContexts


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return prepare(tmp_path)


@pytest.mark.parametrize("survive", [True, False])
@pytest.mark.parametrize(("version", "cipher"), [*SUITES, (TLS12, "ECDHE-ECDSA-AES128-SHA256")])
def test_messages_both_ways(settings: Settings, version: ssl.TLSVersion, cipher: str, survive: bool) -> None:
    channel, peer = accepted(settings.model_copy(update={"tls_survive": survive}), version, cipher)
    assert channel.is_midway is False
    for number in range(5):
        assert channel.feed(peer.say(message(number))) == [message(number)]
        assert peer.hear(channel.wrap(message(number)) + channel.take_output()) == message(number)
    assert bool(channel.writing) == (survive and cipher[-6:] != "SHA256" or survive and "GCM" in cipher)
    assert channel.cipher.startswith("TLSv1.")


@pytest.mark.parametrize("survive", [True, False])
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_octets_come_as_they_like(settings: Settings, size: int, survive: bool) -> None:
    channel = accept(TlsContexts(settings.model_copy(update={"tls_survive": survive})))
    peer = Peer(client_context(settings))
    found: list[bytes] = []
    said = peer.shake_hands()
    while said:
        for part in cut(said, size):
            found += channel.feed(part)
        said = peer.shake_hands(channel.take_output())
    large = message(1).replace(b"5\r\n\r\nhello", b"40000\r\n\r\n" + 40_000 * b"x")
    for part in cut(peer.say(b"\r\n\r\n" + message(0) + large), size):
        found += channel.feed(part)
    assert found == [message(0), large]
    assert peer.hear(channel.take_output()) == b"\r\n"
    assert peer.hear(channel.wrap(large)) == large


def test_a_message_that_comes_with_the_end_of_the_handshake(settings: Settings) -> None:
    channel, peer = accept(TlsContexts(settings)), Peer(client_context(settings))
    channel.feed(peer.shake_hands())
    finished = peer.shake_hands(channel.take_output())
    assert channel.feed(finished + peer.say(message(1))) == [message(1)]


@pytest.mark.parametrize("survive", [True, False])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_goodbyes(settings: Settings, version: ssl.TLSVersion, survive: bool) -> None:
    settings = settings.model_copy(update={"tls_survive": survive})
    channel, peer = accepted(settings, version)
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    with pytest.raises(ChannelClosed) as caught:
        channel.feed(peer.outgoing.read())
    peer.incoming.write(caught.value.close_with)
    peer.tls.unwrap()
    channel, peer = accepted(settings, version)
    peer.incoming.write(channel.farewell("we stop"))
    assert peer.tls.read() == b""


def test_what_is_inside_breaks_its_rules(settings: Settings) -> None:
    channel, peer = accepted(settings)
    with pytest.raises(ChannelError) as caught:
        channel.feed(peer.say(message(1) + b"BYE sip:a SIP/2.0\r\n\r\n"))
    error = caught.value
    assert (error.messages, error.refused[:3]) == ([message(1)], b"BYE")
    refusal = channel.wrap(message(400))
    assert peer.hear(refusal) == message(400)
    assert error.close_with == error.close_with != b""
    peer.incoming.write(error.close_with)
    assert peer.tls.read() == b""


@pytest.mark.parametrize(
    ("octets", "reason", "answer"),
    [
        (message(1), "Octets That Are No TLS", b"\x15\x03\x03\x00\x02\x02\x0a"),
        (b"GET / HTTP/1.1\r\n\r\n", "HTTP Where TLS Is Spoken", b"HTTP/1.1 400 "),
        (b"\x16\x03\x01\xff\xff" + 10 * b"x", "No TLS Handshake: ", b"\x15\x03"),
        (b"\x16SIP", "", b""),
    ],
)
def test_who_speaks_no_tls(settings: Settings, octets: bytes, reason: str, answer: bytes) -> None:
    channel = accept(TlsContexts(settings))
    if not reason:
        assert channel.feed(octets) == []
        assert channel.is_midway
        return
    with pytest.raises(ChannelError) as caught:
        channel.feed(octets)
    assert caught.value.reason.startswith(reason)
    assert caught.value.close_with.startswith(answer)


def test_a_handshake_without_end(settings: Settings) -> None:
    channel = accept(TlsContexts(settings))
    hello = b"\x01\x00\x3f\xff\x03\x03" + 16_000 * b"\0"
    records = b"".join(b"\x16\x03\x01\0\1" + bytes((octet,)) for octet in hello)
    assert channel.feed(records[:60_000]) == []
    with pytest.raises(ChannelError, match="A TLS Handshake Without End"):
        channel.feed(records[60_000:])


def test_too_old_a_version(settings: Settings) -> None:
    context = client_context(settings)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(ChannelError, match="No TLS Handshake: "):
        accept(TlsContexts(settings)).feed(Peer(context).shake_hands())


def test_a_name_of_nobody_gets_the_certificate(settings: Settings) -> None:
    context = client_context(settings)
    context.check_hostname = False
    peer = Peer(context, name="nobody.example.org")
    connect(accept(TlsContexts(settings)), peer)
    assert peer.tls.getpeercert()


@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_a_changed_record(settings: Settings, version: ssl.TLSVersion) -> None:
    channel, peer = accepted(settings, version)
    first, second = peer.say(message(1)), bytearray(peer.say(message(2)))
    second[-1] ^= 1
    with pytest.raises(ChannelError, match="A Record Was Changed On The Way") as caught:
        channel.feed(first + second)
    assert caught.value.messages == [message(1)]
    with pytest.raises(ssl.SSLError, match="(?i)bad.record.mac"):
        peer.hear(caught.value.close_with)


@pytest.mark.parametrize(("version", "cipher"), SUITES)
def test_a_successor_goes_on_anywhere(settings: Settings, version: ssl.TLSVersion, cipher: str) -> None:
    """Killed behind each octet that came; what was not let go is fed to the successor again."""
    channel, peer = accepted(settings, version, cipher)
    stream = peer.say(message(1) + message(2)[:30]) + peer.say(message(2)[30:] + message(3))
    found: list[bytes] = []
    held = b""
    for number, octet in enumerate(stream):
        found += channel.feed(bytes((octet,)))
        said = channel.wrap(message(number))
        assert peer.hear(said) == message(number)
        held = (held + bytes((octet,)))[-len(channel.pending) :] if channel.pending else b""
        assert channel.pending == held
        channel = successor(channel)
        assert channel.feed(held) == []
    assert found == [message(1), message(2), message(3)]


def test_a_client_certificate(settings: Settings, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    ca_key, key, other_key = new_key(), new_key(), new_key()
    ca = make_authority(ca_key, "Partners", now - timedelta(days=500))
    (tmp_path / "partners.pem").write_bytes(ca)
    wanted = settings.model_copy(update={"tls_ca": tmp_path / "partners.pem"})
    good = issue(ca, ca_key, key, ["partner"], now)
    expired = issue(ca, ca_key, key, ["partner"], now - timedelta(days=400))
    foreign = issue(make_authority(other_key, "Others", now), other_key, key, ["partner"], now)
    for chain, refusal in (
        (good, ""),
        (expired, "expired|verify"),
        (foreign, "verify"),
        (b"", "certificate"),
    ):
        context = client_context(settings)
        if chain:
            pem = tmp_path / "client.pem"
            pem.write_bytes(chain + key)
            context.load_cert_chain(pem)
        channel = accept(TlsContexts(wanted))
        if not refusal:
            connect(channel, peer := Peer(context))
            assert channel.feed(peer.say(message(1))) == [message(1)]
            continue
        with pytest.raises(ChannelError, match=f"(?i){refusal}"):
            connect(channel, Peer(context))
    connect(accept(TlsContexts(wanted), transport=WSS), Peer(client_context(settings)))


def _server(settings: Settings, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(settings.tls_path / "cert.pem", settings.tls_path / "key.pem")
    context.maximum_version = version
    return context


@pytest.mark.parametrize("survive", [True, False])
@pytest.mark.parametrize("version", [TLS12, TLS13])
def test_we_connect(settings: Settings, version: ssl.TLSVersion, survive: bool) -> None:
    """Messages wait for the end of the handshake; the tickets of a server are heard and forgotten."""
    contexts = TlsContexts(settings.model_copy(update={"tls_survive": survive}))
    channel = contexts.connect(StreamFraming(), ["nobody.example.org", "127.0.0.1"])
    assert channel
    peer = Peer(_server(settings, version), is_server=True)
    said, heard = channel.wrap(message(1)) + channel.wrap(message(2)), b""
    for _ in range(4):
        answer = peer.shake_hands(said)
        channel.feed(answer)
        said = channel.take_output()
    heard = peer.hear(said)
    assert heard == message(1) + message(2)
    assert channel.feed(peer.say(message(3))) == [message(3)]
    if survive:
        channel = successor(channel)
        assert channel.feed(peer.say(message(4))) == [message(4)]
        assert peer.hear(channel.wrap(message(5))) == message(5)


def test_a_server_that_is_another(settings: Settings, tmp_path: Path) -> None:
    peer = Peer(_server(settings, TLS13), is_server=True)
    channel = TlsContexts(settings).connect(StreamFraming(), ["sip.example.org"])
    assert channel
    with pytest.raises(ChannelError, match=r"The Peer Does Not Prove To Be sip\.example\.org"):
        channel.feed(peer.shake_hands(channel.wrap(message(1))))
    (tmp_path / "elsewhere").mkdir()
    other = prepare(tmp_path / "elsewhere")
    for verify in (True, False):
        settings = settings.model_copy(update={"tls_verify": verify})
        channel = TlsContexts(settings).connect(StreamFraming(), ["127.0.0.1"])
        assert channel
        hello = channel.wrap(message(1))
        answer = Peer(_server(other, TLS13), is_server=True).shake_hands(hello)
        if verify:
            with pytest.raises(ChannelError, match="Certificate verify failed"):
                channel.feed(answer)
        else:
            assert channel.feed(answer) == []


@pytest.mark.parametrize("survive", [True, False])
def test_a_resumed_session(settings: Settings, survive: bool) -> None:
    """Of TLS 1.2, whose tickets come in the handshake."""
    contexts = TlsContexts(settings.model_copy(update={"tls_survive": survive}))
    context = client_context(settings, TLS12)
    first = Peer(context)
    connect(accept(contexts), first)
    second = Peer(context, session=first.tls.session)
    connect(channel := accept(contexts), second)
    assert second.tls.session_reused
    assert channel.feed(second.say(message(1))) == [message(1)]
    assert second.hear(channel.wrap(message(2))) == message(2)
    assert bool(channel.writing) == survive


def test_a_server_that_wants_another_key_share(settings: Settings) -> None:
    """HelloRetryRequest (RFC 8446 §4.1.4)."""
    context = _server(settings, TLS13)
    context.set_ecdh_curve("secp521r1")
    peer = Peer(context, is_server=True)
    channel = TlsContexts(settings).connect(StreamFraming(), ["127.0.0.1"])
    assert channel
    said = channel.wrap(message(1))
    for _ in range(4):
        channel.feed(peer.shake_hands(said))
        said = channel.take_output()
    assert peer.hear(said) == message(1)


@pytest.mark.parametrize("survive", [True, False])
def test_what_is_said_at_the_end_comes_before_the_goodbye(settings: Settings, survive: bool) -> None:
    channel, peer = accepted(settings.model_copy(update={"tls_survive": survive}))
    ping = peer.say(b"\r\n\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        peer.tls.unwrap()
    with pytest.raises(ChannelClosed) as caught:
        channel.feed(ping + peer.outgoing.read())
    peer.incoming.write(channel.take_output() + caught.value.close_with)
    assert peer.tls.read() == b"\r\n"
    with pytest.raises(ssl.SSLZeroReturnError):
        peer.tls.read()


@pytest.mark.parametrize("survive", [True, False])
def test_an_answer_comes_behind_what_was_sealed_before(settings: Settings, survive: bool) -> None:
    channel = accept(TlsContexts(settings.model_copy(update={"tls_survive": survive})))
    peer = Peer(client_context(settings))
    channel.feed(peer.shake_hands())
    finished = peer.shake_hands(channel.take_output())
    assert channel.feed(finished + peer.say(b"\r\n\r\n" + message(1))) == [message(1)]
    assert peer.hear(channel.wrap(message(2)) + channel.take_output()) == b"\r\n" + message(2)
