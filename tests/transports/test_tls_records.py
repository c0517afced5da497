"""The record layer: vectors of RFC 8448, what peers do against the rules, and what a successor needs."""

import ssl
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st
from transports.tls_pairs import SUITES, TLS12, accepted, message, prepare

from switchboard.transports.channel import ChannelError
from switchboard.transports.tls_half import (
    KEY_OCTETS,
    LARGEST_PLAIN,
    Alert,
    Content,
    Half,
    Suite,
    expand_label,
    half_of_key,
    half_of_secret,
    iv_octets,
)
from switchboard.transports.tls_records import TlsRecords

PAYLOAD = bytes(range(50))
CLIENT = half_of_secret(
    Suite.AES_128_GCM,
    bytes.fromhex("9e40646ce79a7f9dc05af8889bce6552875afa0b06df0087f792ebb7c17504a5"),
)
SERVER = half_of_secret(
    Suite.AES_128_GCM,
    bytes.fromhex("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"),
)
FROM_CLIENT = bytes.fromhex(
    "1703030043a23f7054b62c94d0affafe8228ba55cbefacea42f914aa66bcab3f2b9819a8a5b46b395bd54a9a20441e2b62974e1f"
    "5a6292a2977014bd1e3deae63aeebb21694915e4"
)
FROM_SERVER = bytes.fromhex(
    "17030300432e937e11ef4ac740e538ad36005fc4a46932fc3225d05f82aa1b36e30efaf97d90e6dffc602dcb501a59a8fcc49c4b"
    "f2e5f0a21c0047c2abf332540dd032e167c2955d"
)
CLIENT_CLOSES = bytes.fromhex("1703030013c9872760655666b74d7ff1153efd6db6d0b0e3")
SERVER_CLOSES = bytes.fromhex("1703030013b58fd67166ebf599d24720cfbe7efa7a8864a9")


def test_keys_of_rfc_8448() -> None:
    assert (CLIENT.key.hex(), CLIENT.iv.hex()) == (
        "17422dda596ed5d9acd890e3c63f5051",
        "5b78923dee08579033e523d9",
    )
    assert (SERVER.key.hex(), SERVER.iv.hex()) == (
        "9f02283b6c9c07efc26bb9f2ac92e356",
        "cf782b88dd83549aadf1e984",
    )


def test_records_of_rfc_8448() -> None:
    server = TlsRecords(CLIENT, SERVER._replace(number=1))  # a ticket went before
    assert server.feed(FROM_CLIENT) == PAYLOAD
    assert server.send(PAYLOAD) == FROM_SERVER
    assert server.feed(CLIENT_CLOSES) == b""
    assert server.has_ended
    assert server.close() == SERVER_CLOSES
    client = TlsRecords(SERVER._replace(number=1), CLIENT)
    assert client.send(PAYLOAD) == FROM_CLIENT
    assert client.feed(FROM_SERVER + SERVER_CLOSES) == PAYLOAD
    assert client.has_ended


def half(suite: Suite, version: int) -> Half:
    if version == 4:
        return half_of_secret(suite, bytes(range(48 if suite is Suite.AES_256_GCM else 32)))
    return half_of_key(suite, bytes(KEY_OCTETS[suite]), bytes(iv_octets(suite)), 1)


HALVES = [half(suite, version) for suite in Suite for version in (3, 4)]


@pytest.mark.parametrize("one", HALVES, ids=str)
def test_a_half_in_few_octets(one: Half) -> None:
    one = one._replace(number=2**40)
    assert len(one.pack()) < 64
    assert Half.unpack(one.pack()) == one


@pytest.mark.parametrize("octets", [b"", b"\4", b"\5\1" + 40 * b"x", b"\4\1" + 9 * b"x", b"\3\1" + 40 * b"x"])
def test_octets_that_are_no_half(octets: bytes) -> None:
    with pytest.raises(ValueError, match="."):
        Half.unpack(octets)
    with pytest.raises(ValueError, match="."):
        TlsRecords.restored(octets, HALVES[0].pack())


def broken(one: Half, octets: bytes) -> tuple[Alert, str]:
    records = TlsRecords(one, one)
    assert records.feed(octets) == b""
    assert records.error
    return records.error.alert, str(records.error)


def sealed(one: Half, *parts: tuple[int, bytes]) -> bytes:
    out = b""
    for content, plain in parts:
        record, one = one.protect(content, plain)
        out += record
    return out


ALERT, HANDSHAKE, DATA = Content.ALERT, Content.HANDSHAKE, Content.DATA
UPDATE = b"\x18\0\0\1"


@pytest.mark.parametrize(
    ("parts", "alert"),
    [
        ([(ALERT, b"\1")], Alert.DECODE_ERROR),
        ([(ALERT, b"\2\x28")], Alert.CLOSE_NOTIFY),
        ([(HANDSHAKE, b"")], Alert.UNEXPECTED_MESSAGE),
        ([(HANDSHAKE, UPDATE + b"\2")], Alert.UNEXPECTED_MESSAGE),
        ([(HANDSHAKE, UPDATE + b"\0" + UPDATE)], Alert.UNEXPECTED_MESSAGE),
        ([(HANDSHAKE, b"\1\0\0\0")], Alert.UNEXPECTED_MESSAGE),
        ([(HANDSHAKE, b"\4\0\1"), (DATA, b"x")], Alert.UNEXPECTED_MESSAGE),
        ([(Content.CHANGE_CIPHER_SPEC, b"\1")], Alert.UNEXPECTED_MESSAGE),
        ([(99, b"x")], Alert.UNEXPECTED_MESSAGE),
        ([(DATA, b"")] * 33, Alert.UNEXPECTED_MESSAGE),
        (
            [(HANDSHAKE, b"\4\1\0\0" + 16000 * b"x")] + [(HANDSHAKE, 16000 * b"x")] * 4,
            Alert.UNEXPECTED_MESSAGE,
        ),
    ],
)
def test_against_the_rules_of_1_3(parts: list[tuple[int, bytes]], alert: Alert) -> None:
    assert broken(CLIENT, sealed(CLIENT, *parts))[0] is alert


@pytest.mark.parametrize("one", HALVES, ids=str)
@pytest.mark.parametrize(
    ("octets", "alert"),
    [
        (b"\x17\x02\x00\0\x20", Alert.PROTOCOL_VERSION),
        (b"\x17\x03\x03\x60\0", Alert.RECORD_OVERFLOW),
        (b"\x17\x03\x03\0\x20" + 32 * b"x", Alert.BAD_RECORD_MAC),
    ],
)
def test_against_the_rules_of_both(one: Half, octets: bytes, alert: Alert) -> None:
    assert broken(one, octets)[0] is alert


@pytest.mark.parametrize(
    "octets", [b"\x17\x03\x03\0\0", b"\x17\x03\x03\0\7" + 7 * b"x", b"\x15\x03\x03\0\2\1\0"]
)
@pytest.mark.parametrize("one", HALVES, ids=str)
def test_records_that_are_too_short(one: Half, octets: bytes) -> None:
    assert broken(one, octets)[0] in (Alert.DECODE_ERROR, Alert.BAD_RECORD_MAC, Alert.UNEXPECTED_MESSAGE)


def test_padding_is_no_data() -> None:
    def pad(inner: bytes) -> bytes:
        header = b"\x17\x03\x03" + (len(inner) + 16).to_bytes(2, "big")
        return header + AESGCM(CLIENT.key).encrypt(CLIENT.iv, inner, header)

    assert TlsRecords(CLIENT, SERVER).feed(pad(b"hello\x17" + 90 * b"\0")) == b"hello"
    assert broken(CLIENT, pad(90 * b"\0"))[0] is Alert.UNEXPECTED_MESSAGE
    assert broken(CLIENT, pad((LARGEST_PLAIN + 1) * b"x" + b"\x17"))[0] is Alert.RECORD_OVERFLOW


def test_keys_are_renewed() -> None:
    """Asked by the peer, and by itself after 2^24 records."""
    server, client = TlsRecords(CLIENT, SERVER), TlsRecords(SERVER, CLIENT)
    assert server.feed(sealed(CLIENT, (HANDSHAKE, UPDATE + b"\1"))) == b""
    client.feed(server.take_output())
    assert client.feed(server.send(b"hello")) == b"hello"
    after, _ = CLIENT.updated().protect(DATA, b"x")
    assert server.feed(after) == b"x"
    worn = TlsRecords(CLIENT, SERVER._replace(number=1 << 24))
    reader = TlsRecords(SERVER._replace(number=1 << 24), CLIENT)
    assert reader.feed(worn.send(b"hello")) == b"hello"
    assert Half.unpack(worn.writing) == SERVER.updated()._replace(number=1)


def test_renewed_keys_are_those_of_rfc_8446() -> None:
    assert CLIENT.updated().secret == expand_label(CLIENT.secret, b"traffic upd", 32, "sha256")


def test_a_successor_reads_a_renewal_again() -> None:
    """What a message that is not whole began with is before it, under the key of before."""
    before, old = CLIENT.protect(DATA, b"half a ")
    update, _ = old.protect(HANDSHAKE, UPDATE + b"\0")
    after, _ = CLIENT.updated().protect(DATA, b"message")
    first = TlsRecords(CLIENT, SERVER)
    assert first.feed(before + update + after) == b"half a message"
    first.keep(len(b"a message"))
    assert first.pending == before + update + after
    second = TlsRecords.restored(first.reading, first.writing)
    assert second.feed(first.pending) == b"a message"
    second.keep(0)
    third = TlsRecords.restored(second.reading, second.writing)
    more, _ = CLIENT.updated()._replace(number=1).protect(DATA, b"more")
    assert third.feed(more) == b"more"


def test_a_message_of_the_handshake_in_parts() -> None:
    """A ticket, as servers send it to us."""
    records = TlsRecords(SERVER, CLIENT)
    octets = sealed(SERVER, (HANDSHAKE, b"\4\0"), (HANDSHAKE, b"\0\3abc" + b"\4\0\0\1x"), (DATA, b"hello"))
    found = b""
    for at in range(len(octets)):
        found += records.feed(octets[at : at + 1])
        records.keep(0)
        pending = records.pending
        records = TlsRecords.restored(records.reading, records.writing)
        assert records.feed(pending) == b""
        records.keep(0)
    assert found == b"hello"


@pytest.mark.parametrize("content", [b"\0\0\0\0", b"\1\0\0\2ab"])
def test_no_renegotiation(content: bytes) -> None:
    one = half(Suite.AES_128_GCM, 3)
    records = TlsRecords(one, one)
    assert records.feed(sealed(one, (HANDSHAKE, content), (DATA, b"go on"))) == b"go on"
    assert one.unprotect(records.take_output())[:2] == (ALERT, bytes((1, Alert.NO_RENEGOTIATION)))


def test_a_warning_of_1_2_changes_nothing() -> None:
    one = half(Suite.CHACHA20_POLY1305, 3)
    assert TlsRecords(one, one).feed(sealed(one, (ALERT, b"\1\x6e"), (DATA, b"go on"))) == b"go on"


@given(
    st.sampled_from(HALVES),
    st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=6),
    st.lists(st.integers(0, 400), max_size=8),
    st.data(),
)
@settings(deadline=None)
def test_a_successor_at_any_octet(
    one: Half, parts: list[bytes], cuts: list[int], data: st.DataObject
) -> None:
    """However the octets are cut, and whatever of the data is held back, a successor loses and doubles nothing."""
    octets, whole = sealed(one, *((DATA, part) for part in parts)), b"".join(parts)
    records, got, held, at = TlsRecords(one, one), b"", b"", 0
    for end in [*sorted(min(cut, len(octets)) for cut in cuts), len(octets)]:
        held += records.feed(octets[at:end])
        at = end
        done = data.draw(st.integers(0, len(held)))
        got, held = got + held[:done], held[done:]
        records.keep(len(held))
        pending = records.pending
        assert octets[:at].endswith(pending)
        records = TlsRecords.restored(records.reading, records.writing)
        assert records.feed(pending) == held
        records.keep(len(held))
    assert got + held == whole


@given(st.sampled_from(HALVES), st.binary(max_size=200), st.integers(0, 10_000), st.integers(1, 255))
@settings(deadline=None)
def test_any_changed_octet_is_found(one: Half, plain: bytes, where: int, by: int) -> None:
    record = bytearray(one.protect(DATA, plain)[0])
    record[where % len(record)] ^= by
    records = TlsRecords(one, one)
    assert records.feed(bytes(record)) == b""
    assert records.error or records.is_midway


@given(st.sampled_from(HALVES), st.binary(max_size=400))
@settings(deadline=None)
def test_any_octets_are_refused_or_wait(one: Half, octets: bytes) -> None:
    records = TlsRecords(one, one)
    assert records.feed(octets) == b""
    assert records.error or records.is_midway or not octets


@pytest.mark.parametrize(("version", "cipher"), SUITES)
def test_large_data_as_openssl_reads_it(tmp_path: Path, version: ssl.TLSVersion, cipher: str) -> None:
    channel, peer = accepted(prepare(tmp_path), version, cipher)
    large = message(1).replace(b"5\r\n\r\nhello", b"60000\r\n\r\n" + 60_000 * b"x")
    assert peer.hear(channel.wrap(large)) == large
    assert channel.feed(peer.say(large)) == [large]


def test_openssl_finds_our_alerts(tmp_path: Path) -> None:
    channel, peer = accepted(prepare(tmp_path), TLS12)
    with pytest.raises(ChannelError, match="No Record Of TLS") as caught:
        channel.feed(b"SIP/2.0 200 OK\r\n")
    with pytest.raises(ssl.SSLError, match=r"(?i)protocol.version"):
        peer.hear(caught.value.close_with)
