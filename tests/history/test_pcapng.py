"""Captures, read back by a reader of our own; tshark reads some in tests/system."""

import io
import socket
import struct
import subprocess
from pathlib import Path

import pytest
from history.wire import call
from system.tools import require_tools

from switchboard.history.export import head, packet, write
from switchboard.history.seen import Address, Direction, Seen

AT_NS = 1_795_556_353_963_342_974
ONE = Seen(AT_NS, Address("10.0.0.2", 5062), Address("10.0.0.1", 5060), b"odd", Direction.IN)
SIX = ONE._replace(source=Address("fe80::2%eth0", 5062), destination=Address("2001:db8::1", 5060))


def blocks(data: bytes) -> list[tuple[int, bytes]]:
    """Type and body of each block."""
    found = []
    while data:
        kind, length = struct.unpack_from("<II", data)
        assert length % 4 == 0
        assert struct.unpack_from("<I", data, length - 4) == (length,)
        found.append((kind, data[8 : length - 4]))
        data = data[length:]
    return found


def packets(data: bytes) -> list[tuple[int, bytes]]:
    """Instant and octets of each packet."""
    found = []
    for kind, body in blocks(data):
        if kind == 6:
            _, high, low, size, whole = struct.unpack_from("<IIIII", body)
            assert size == whole
            found.append((high << 32 | low, body[20 : 20 + size]))
    return found


def summed(data: bytes) -> int:
    """The sum of all 16-bit words with the carries added: 0xffff over data with a right checksum."""
    data += bytes(len(data) % 2)
    total: int = sum(word for (word,) in struct.iter_unpack("!H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def test_a_capture_begins_with_a_section_and_an_interface_of_raw_ip() -> None:
    (section, first), (interface, second) = blocks(head())
    assert (section, first[:4]) == (0x0A0D0D0A, b"\x4d\x3c\x2b\x1a")
    assert (interface, second[:2]) == (1, b"\x65\x00")
    assert struct.pack("<HHB", 9, 1, 9) in second, "instants in nanoseconds"


def test_ipv4() -> None:
    ((at_ns, data),) = packets(packet(ONE))
    assert at_ns == AT_NS
    assert (data[0], data[9], len(data)) == (0x45, 17, 31)
    assert data[12:20] == socket.inet_aton("10.0.0.2") + socket.inet_aton("10.0.0.1")
    assert struct.unpack("!HHH", data[20:26]) == (5062, 5060, 11)
    assert data[28:] == b"odd"
    assert summed(data[:20]) == 0xFFFF
    assert summed(data[12:20] + struct.pack("!HH", 17, 11) + data[20:]) == 0xFFFF


def test_ipv6() -> None:
    ((_, data),) = packets(packet(SIX))
    assert (data[0] >> 4, data[6], struct.unpack("!H", data[4:6])) == (6, 17, (11,))
    assert data[8:24] == socket.inet_pton(socket.AF_INET6, "fe80::2")
    assert summed(data[8:40] + struct.pack("!HH", 17, 11) + data[40:]) == 0xFFFF


def test_a_comment_names_the_call() -> None:
    ((_, body),) = blocks(packet(ONE, "call-ľ"))
    assert "call-ľ".encode() in body


def test_what_never_was_on_the_wire_is_left_out() -> None:
    hop = Seen(AT_NS, Address("router.0", 0), Address("edge-tx.0", 0), b"x", Direction.HOP)
    assert packet(hop) == b""
    stream = io.BytesIO()
    assert write(stream, [ONE, hop, SIX]) == 2
    assert len(packets(stream.getvalue())) == 2


@pytest.mark.parametrize("size", [0, 1, 65_507, 70_000])
def test_any_size(size: int) -> None:
    ((_, data),) = packets(packet(ONE._replace(raw=bytes(size))))
    assert len(data) == 28 + min(size, 65_507)


def over_tcp(seen: Seen) -> Seen:
    return seen._replace(raw=seen.raw.replace(b"SIP/2.0/UDP", b"SIP/2.0/TCP"))


@pytest.mark.parametrize("ends", [ONE, SIX], ids=["IPv4", "IPv6"])
def test_what_came_over_a_connection_is_tcp(ends: Seen) -> None:
    """With sequence numbers that follow each other, each way by itself."""
    there = over_tcp(call()[0])._replace(source=ends.source, destination=ends.destination)
    back = over_tcp(call()[1])._replace(source=ends.destination, destination=ends.source)
    stream = io.BytesIO()
    write(stream, [there, back, there])
    skip = 20 if ends is ONE else 40
    found = []
    for _, data in packets(stream.getvalue()):
        length = struct.pack("!BBH", 0, 6, len(data) - skip)
        assert summed(data[skip - (8 if ends is ONE else 32) : skip] + length + data[skip:]) == 0xFFFF
        found.append((struct.unpack_from("!II", data, skip + 4), data[skip + 20 :]))
    size, other = len(there.raw), len(back.raw)
    numbers = [(1, 1), (1, 1 + size), (1 + size, 1 + other)]
    assert found == list(zip(numbers, [there.raw, back.raw, there.raw], strict=True))


def test_tshark_reads_a_call_over_tcp(tmp_path: Path) -> None:
    require_tools("tshark")
    capture = tmp_path / "call.pcapng"
    with capture.open("wb") as file:
        count = write(file, map(over_tcp, call()))
    shown = run("tshark", "-n", "-r", str(capture), "-Y", "sip and tcp")
    assert len(shown.splitlines()) == count


def test_a_whole_call() -> None:
    stream = io.BytesIO()
    assert write(stream, call()) == 13
    assert [data[28:] for _, data in packets(stream.getvalue())] == [seen.raw for seen in call()]


@pytest.mark.parametrize("program", ["tshark", "sngrep"])
def test_other_programs_read_both_families(tmp_path: Path, program: str) -> None:
    require_tools("tshark", program)
    capture, taken = tmp_path / "call.pcapng", tmp_path / "taken.pcap"
    with capture.open("wb") as file:
        count = write(
            file, call() + [each._replace(source=SIX.source, destination=SIX.destination) for each in call()]
        )
    if program == "sngrep":
        run("sngrep", "-F", "-N", "-q", "-I", str(capture), "-O", str(taken))
    shown = run("tshark", "-n", "-r", str(taken if program == "sngrep" else capture), "-Y", "sip")
    assert len(shown.splitlines()) == count


def run(*command: str) -> str:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
