"""Messages without their secrets, for people, stores and captures of other programs.

What is masked keeps its grammar, so that tshark reads it: of credentials the names stay, and what everybody sees in
the rest of the message, too (user, realm, URI, algorithm); a key becomes other base64. A body keeps its length, which
Content-Length says.
"""

import re
from typing import Final

MASKED: Final = b"***"
_CREDENTIALS = re.compile(
    rb"^((?:proxy-)?authorization[ \t]*:)[^\r\n]*+(?>(?:\r?\n[ \t][^\r\n]*+)*)", re.IGNORECASE | re.MULTILINE
)
_DIGEST = re.compile(rb"\s*+digest\s++", re.IGNORECASE)
_PARAM = re.compile(
    rb'([A-Za-z0-9\-]++)[ \t]*+=[ \t]*+("(?>(?:[^"\\\r\n]|\\[^\r\n])*)"|[^\s",;]++)[ \t]*+(?:,\s*+|\Z)'
)
_SHOWN: Final = frozenset((b"username", b"realm", b"uri", b"algorithm", b"qop", b"nc"))
_PASSWORD = re.compile(rb"(sips?:[^\s:@<>\"]*+:)([^\s@<>\"]*+)(?=@)", re.IGNORECASE)
_MAYBE_PASSWORD = re.compile(rb"sips?:[^\s:@<>\"]*+:[^\s@<>\"]*+@")
_MEDIA_KEY = re.compile(
    rb"^(k=|a=crypto:[^\r\n]*?inline:|a=key-mgmt:[^\s]*+[ \t]++)([^\r\n]*+)", re.IGNORECASE | re.MULTILINE
)
_BASE64: Final = b"MASKED"


def mask(raw: bytes) -> bytes:
    """Return `raw` (untrusted, whole or in part) without the secrets in it; as it stands if there are none.

    Secret are: credentials (RFC 3261 §22.4), passwords in URIs (§19.1.1), keys of media (RFC 4567, 4568, k=).
    """
    if not _may_hold_secrets(raw.lower()):
        return raw
    head, end, body = raw.partition(b"\r\n\r\n")
    head = _PASSWORD.sub(rb"\1" + MASKED, _CREDENTIALS.sub(_credentials, head))
    body = _PASSWORD.sub(
        lambda found: found[1] + b"*" * len(found[2]), _CREDENTIALS.sub(_of_same_length, body)
    )
    return _MEDIA_KEY.sub(_media_key, head + end + body)


def _credentials(field: re.Match[bytes]) -> bytes:
    """The parameters of Digest, on one line; all else becomes stars."""
    value = field[0][len(field[1]) :]
    scheme = _DIGEST.match(value)
    at = scheme.end() if scheme else 0
    shown: list[bytes] = []
    while scheme and (param := _PARAM.match(value, at)):
        shown.append(param[1] + b"=" + _value(param[1].lower(), param[2]))
        at = param.end()
    if not shown or at < len(value):
        return field[1] + b" " + MASKED + b" " + MASKED
    return field[1] + b" Digest " + b", ".join(shown)


def _value(name: bytes, value: bytes) -> bytes:
    if name in _SHOWN:
        return value
    return b'"' + MASKED + b'"' if value.startswith(b'"') else MASKED


def _of_same_length(field: re.Match[bytes]) -> bytes:
    return field[1] + re.sub(rb"[^\s]", b"*", field[0][len(field[1]) :])


def _media_key(key: re.Match[bytes]) -> bytes:
    length = len(key[2])
    is_base64 = b":" in key[1]
    return key[1] + ((_BASE64 * (length // len(_BASE64) + 1))[:length] if is_base64 else b"*" * length)


def _may_hold_secrets(lowered: bytes) -> bool:
    """Spares most messages the search, which costs more than all else that is done to them."""
    return (
        b"authorization" in lowered
        or b"crypto:" in lowered
        or b"key-mgmt" in lowered
        or b"\nk=" in lowered
        or lowered.startswith(b"k=")
        or _MAYBE_PASSWORD.search(lowered) is not None
    )
