"""Bencode, in which the NG protocol writes its dictionaries: integers, strings of octets, lists, dictionaries."""

from typing import Final

Plain = int | bytes | list["Plain"] | dict[bytes, "Plain"]
"""What comes out of `decode`."""
Value = int | str | bytes | list["Value"] | tuple["Value", ...] | dict[str, "Value"]
"""What `encode` takes: text is written as UTF-8."""

DEEPEST: Final = 16
"""Lists and dictionaries within one another; more is an error."""


class BencodeError(ValueError):
    """The octets are no bencode; the text says where."""


def encode(value: Value) -> bytes:
    """Return `value` in bencode, the keys of a dictionary in order."""
    if isinstance(value, str):
        value = value.encode("utf-8", "surrogateescape")
    if isinstance(value, bytes):
        return b"%d:%b" % (len(value), value)
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, dict):
        pairs = sorted((key.encode("utf-8", "surrogateescape"), each) for key, each in value.items())
        return b"d%be" % b"".join(encode(key) + encode(each) for key, each in pairs)
    return b"l%be" % b"".join(map(encode, value))


def decode(octets: bytes) -> Plain:
    """Return the one value that `octets` (untrusted) hold; BencodeError."""
    value, end = _value(octets, 0, 0)
    if end != len(octets):
        raise BencodeError(f"something stands behind the end, at {end}")
    return value


def _value(octets: bytes, at: int, depth: int) -> tuple[Plain, int]:
    kind = octets[at : at + 1]
    if kind == b"i":
        return _number(octets, at + 1, b"e")
    if kind.isdigit():
        return _text(octets, at)
    if depth == DEEPEST:
        raise BencodeError(f"it is nested too deeply at {at}")
    if kind == b"l":
        return _list(octets, at + 1, depth + 1)
    if kind == b"d":
        return _dictionary(octets, at + 1, depth + 1)
    raise BencodeError(f"no value begins at {at}")


def _number(octets: bytes, at: int, ends: bytes) -> tuple[int, int]:
    end = octets.find(ends, at, at + 24)
    digits = octets[at:end] if end > 0 else b""
    if not digits.removeprefix(b"-").isdigit():
        raise BencodeError(f"no number stands at {at}")
    return int(digits), end + 1


def _text(octets: bytes, at: int) -> tuple[bytes, int]:
    size, start = _number(octets, at, b":")
    if not 0 <= size <= len(octets) - start:
        raise BencodeError(f"the text at {at} is cut off")
    return octets[start : start + size], start + size


def _list(octets: bytes, at: int, depth: int) -> tuple[Plain, int]:
    found: list[Plain] = []
    while octets[at : at + 1] != b"e":
        value, at = _value(octets, at, depth)
        found.append(value)
    return found, at + 1


def _dictionary(octets: bytes, at: int, depth: int) -> tuple[Plain, int]:
    found: dict[bytes, Plain] = {}
    while octets[at : at + 1] != b"e":
        key, at = _text(octets, at)
        found[key], at = _value(octets, at, depth)
    return found, at + 1
