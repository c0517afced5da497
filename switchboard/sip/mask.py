"""Messages as people may see them: what proves who somebody is, or opens what they say, is left out."""

import re
from typing import Final

MASKED: Final = b"***"
_CREDENTIALS = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:)[^\r\n]*+(?:\r?\n[ \t][^\r\n]*+)*+", re.IGNORECASE | re.MULTILINE
)
_PASSWORD = re.compile(rb"(sips?:[^\s:@<>\"]*+:)[^\s@<>\"]*+(?=@)", re.IGNORECASE)
_MEDIA_KEY = re.compile(rb"^(k=|a=crypto:[^\r\n]*?inline:)[^\r\n]*+", re.IGNORECASE | re.MULTILINE)


def mask(raw: bytes) -> bytes:
    """Return `raw` (untrusted, whole or in part) with `***` for every secret in it; else as it stands.

    Secret are: credentials (RFC 3261 §22.4), passwords in URIs (§19.1.1), keys of media (RFC 4568).
    """
    raw = _CREDENTIALS.sub(rb"\1 " + MASKED, raw)
    raw = _PASSWORD.sub(rb"\1" + MASKED, raw)
    return _MEDIA_KEY.sub(rb"\1" + MASKED, raw)
