"""Hashes of passwords. The digest is that of RFC 7914's algorithm, computed by OpenSSL."""

import pytest

from switchboard.settings.password import SALT_BYTES, PasswordHash, hash_password, parse_password_hash

SALT = bytes(range(SALT_BYTES))
HASHED = hash_password("correct horse", SALT)


def test_fits_only_its_password() -> None:
    assert HASHED.fits("correct horse")
    assert not HASHED.fits("correct horses")
    assert "correct" not in str(HASHED)


def test_round_trip() -> None:
    assert parse_password_hash(str(HASHED)) == HASHED
    assert not set(str(HASHED)) & set("$\"'\\ #"), "it is put into shells and TOML files"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "secret",
        "scrypt:15:AAAA:AAAA",
        str(HASHED).replace(":15:", ":30:"),
        str(HASHED).replace("scrypt", "md5"),
    ],
)
def test_what_is_no_hash(text: str) -> None:
    with pytest.raises(ValueError, match="not a password hash"):
        parse_password_hash(text)


def test_salt_matters() -> None:
    other = hash_password("correct horse", bytes(SALT_BYTES))
    assert isinstance(other, PasswordHash)
    assert other.digest != HASHED.digest
