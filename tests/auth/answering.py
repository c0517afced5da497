"""A phone's half of digest authentication, by hashlib and nothing of ours (RFC 7616 §3.4)."""

import hashlib
import re

NAMES = {"SHA-256": "sha256", "MD5": "md5"}


def param(challenge: str, name: str) -> str:
    """A parameter of a challenge, without its quotes; "" if it is not there."""
    match = re.search(rf'\b{name}=("[^"]*"|[^\s,]+)', challenge)
    return match[1].strip('"') if match else ""


def answer(
    challenge: str,
    user: str,
    password: str,
    method: str,
    uri: str,
    *,
    count: int = 1,
    qop: str = "auth",
    realm: str = "",
) -> str:
    """The value of Authorization with which a user agent answers a challenge."""
    algorithm = param(challenge, "algorithm") or "MD5"
    nonce, realm, cnonce, nc = (
        param(challenge, "nonce"),
        realm or param(challenge, "realm"),
        "0a4f",
        f"{count:08x}",
    )

    def total(*parts: str) -> str:
        return hashlib.new(NAMES[algorithm], ":".join(parts).encode()).hexdigest()

    ha1, ha2 = total(user, realm, password), total(method, uri)
    response = total(ha1, nonce, nc, cnonce, qop, ha2) if qop else total(ha1, nonce, ha2)
    counted = f', qop={qop}, cnonce="{cnonce}", nc={nc}' if qop else ""
    return (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{uri}", '
        f'response="{response}", algorithm={algorithm}{counted}'
    )
