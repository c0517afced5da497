"""Messages as people may see them: what proves who somebody is, or opens what they say, is left out."""

import re
from typing import Final

MASKED: Final = b"***"
_CREDENTIALS = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:)[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+", re.IGNORECASE | re.MULTILINE
)
_PASSWORD = re.compile(rb"(sips?:[^\s:@<>\"]*+:)[^\s@<>\"]*+(?=@)", re.IGNORECASE)
_MAYBE_PASSWORD = re.compile(rb"sips?:[^\s:@<>\"]*+:[^\s@<>\"]*+@")
_MEDIA_KEY = re.compile(rb"^(k=|a=crypto:[^\r\n]*?inline:)[^\r\n]*+", re.IGNORECASE | re.MULTILINE)


def mask(raw: bytes) -> bytes:
    """Return `raw` (untrusted, whole or in part) with `***` for every secret in it; else as it stands.

    Secret are: credentials (RFC 3261 §22.4), passwords in URIs (§19.1.1), keys of media (RFC 4568, k=).
    """
    if not _may_hold_secrets(raw.lower()):
        return raw
    raw = _CREDENTIALS.sub(rb"\1 " + MASKED, raw)
    raw = _PASSWORD.sub(rb"\1" + MASKED, raw)
    return _MEDIA_KEY.sub(rb"\1" + MASKED, raw)


def _may_hold_secrets(lowered: bytes) -> bool:
    """Spares most messages the search, which costs more than all else that is done to them."""
    return (
        b"authorization" in lowered
        or b"crypto:" in lowered
        or b"\nk=" in lowered
        or lowered.startswith(b"k=")
        or _MAYBE_PASSWORD.search(lowered) is not None
    )
