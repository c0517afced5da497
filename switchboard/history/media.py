"""What a session description offers (RFC 8866, RFC 3551), and what a Warning says of it (RFC 3261 §20.43)."""

import re
from dataclasses import dataclass
from typing import Final

STATIC: Final = {
    0: "PCMU", 3: "GSM", 4: "G723", 5: "DVI4", 6: "DVI4", 7: "LPC", 8: "PCMA", 9: "G722", 10: "L16", 11: "L16",
    12: "QCELP", 13: "CN", 14: "MPA", 15: "G728", 16: "DVI4", 17: "DVI4", 18: "G729", 25: "CelB", 26: "JPEG",
    28: "nv", 31: "H261", 32: "MPV", 33: "MP2T", 34: "H263",
}  # fmt: skip
"""Payload types whose codec needs no a=rtpmap (RFC 3551 §6)."""
NO_CODECS: Final = frozenset(("telephone-event", "cn", "red", "rtx", "ulpfec", "flexfec"))
"""They go beside a codec: keys that are pressed, silence, repairs."""
_MEDIA = re.compile(rb"(?:\A|\n)m=([a-z]+) ([0-9]+)\S* (\S+)([^\r\n]*)")
_MAP = re.compile(rb"(?:\A|\n)a=rtpmap:([0-9]+) ([^/\s]+)")
_CONNECTION = re.compile(rb"(?:\A|\n)c=IN IP[46] ([^\s/]+)")
_SECURE: Final = "SAVP"


@dataclass(frozen=True, slots=True)
class Stream:
    """A media line that is not switched off. `codecs`: by name, in order."""

    kind: str
    protocol: str
    codecs: tuple[str, ...]

    @property
    def is_encrypted(self) -> bool:
        """Whether its profile is a secure one (RFC 3711, RFC 5764)."""
        return _SECURE in self.protocol


def streams_of(body: bytes) -> list[Stream]:
    """The streams that a body (untrusted) offers; none if it is no session description."""
    names = {int(number): name.decode("latin-1") for number, name in _MAP.findall(body[:_LONGEST])}
    return [
        Stream(kind.decode("latin-1"), protocol.decode("latin-1").upper(), _codecs(formats, names))
        for kind, port, protocol, formats in _MEDIA.findall(body[:_LONGEST])
        if int(port[:5])
    ]


_LONGEST: Final = 65_535


def media_host_of(body: bytes) -> str:
    """The first address to which media are to go; "" without one."""
    match = _CONNECTION.search(body)
    return match[1].decode("latin-1") if match else ""


def _codecs(formats: bytes, names: dict[int, str]) -> tuple[str, ...]:
    numbers = [int(each) for each in formats.split() if each.isdigit() and len(each) < 4]
    found = [names.get(number) or STATIC.get(number, f"payload type {number}") for number in numbers]
    return tuple(dict.fromkeys(name for name in found if name.lower() not in NO_CODECS))


_WARNINGS: Final = {
    300: "a network protocol of the offer cannot be had",
    301: "it cannot use the kind of address in the offer",
    302: "it cannot use the way in which the sound is to be carried, as encrypted or plain",
    303: "it cannot use the unit of bandwidth in the offer",
    304: "it has no such kind of media",
    305: "it has none of the codecs offered",
    306: "it does not understand an attribute of the offer",
    307: "it does not understand a parameter of the offer",
    330: "multicast cannot be had at its place",
    331: "it has no unicast",
    370: "there is too little bandwidth",
}
_WARNING = re.compile(r'([0-9]{3}) (\S+) "((?:[^"\\]|\\.)*)"')


def read_warning(value: str) -> tuple[int, str]:
    """The code of a Warning (untrusted) and what it says, for people; (0, the value) if it is no such field."""
    match = _WARNING.match(value)
    if not match:
        return 0, value
    code, text = int(match[1]), match[3]
    return code, f"{_WARNINGS[code]} ({code} {text})" if code in _WARNINGS else f"{text} ({code})"
