"""X.509 certificates (RFC 5280): an authority of our own, what it signs, and what a certificate says (no I/O).

Keys are on the curve P-256, which every phone with TLS 1.2 knows. A certificate names an address twice, as an address
and as a DNS name, because phones with Mbed TLS compare names only.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_VALID: Final = timedelta(days=20 * 365)
VALID: Final = timedelta(days=365)
"""Apple's systems accept at most 825 days."""
RENEWED_BEFORE: Final = timedelta(days=30)
_LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""An authority is valid from here on: the clock may have been wrong when it was made."""
_SKEW: Final = timedelta(days=1)
_LONGEST_COMMON_NAME = 64


@dataclass(frozen=True, slots=True)
class Certificate:
    """What a certificate says. Names in lower case, addresses as texts among them; instants in UTC."""

    subject: str
    issuer: str
    names: frozenset[str]
    not_before: datetime
    not_after: datetime
    fingerprint: str
    """SHA-256, hexadecimal digits in pairs with colons."""

    def covers(self, name: str) -> bool:
        """Whether it is valid for a host name or an address (RFC 6125 §6.4.3, RFC 9525 §6.3)."""
        name = name.lower().rstrip(".")
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


def new_key() -> bytes:
    """Return a new private key, in PEM."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )


def make_authority(key_pem: bytes, name: str, now: datetime) -> bytes:
    """Return a certificate by which people may trust what `key_pem` (from `new_key`) signs, in PEM."""
    key = _load_own(key_pem)
    subject = _name(name)
    builder = (
        _builder(subject, subject, key.public_key(), _LONG_AGO, now + AUTHORITY_VALID)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def issue(
    authority_pem: bytes, authority_key_pem: bytes, key_pem: bytes, names: Iterable[str], now: datetime
) -> bytes:
    """Return a server's certificate for `names` (host names and addresses), and its authority's, in PEM. ValueError."""
    authority = x509.load_pem_x509_certificate(authority_pem)
    signer, key = _load_own(authority_key_pem), _load_own(key_pem).public_key()
    wanted = sorted(set(names))
    until = min(now + VALID, authority.not_valid_after_utc)
    builder = (
        _builder(_name(f"Switchboard {wanted[0]}"), authority.subject, key, now - _SKEW, until)
        .add_extension(x509.SubjectAlternativeName(list(_general_names(wanted))), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )
    return builder.sign(signer, hashes.SHA256()).public_bytes(Encoding.PEM) + authority_pem


def read_certificate(pem: bytes) -> Certificate:
    """Return what the first certificate in `pem` says. ValueError."""
    return _describe(x509.load_pem_x509_certificate(pem))


def read_der(der: bytes) -> Certificate:
    """Return what a certificate in DER says. ValueError."""
    return _describe(x509.load_der_x509_certificate(der))


def _describe(found: x509.Certificate) -> Certificate:
    return Certificate(
        subject=found.subject.rfc4514_string(),
        issuer=found.issuer.rfc4514_string(),
        names=frozenset(_names_in(found)),
        not_before=found.not_valid_before_utc,
        not_after=found.not_valid_after_utc,
        fingerprint=found.fingerprint(hashes.SHA256()).hex(":"),
    )


def is_pair(certificate_pem: bytes, key_pem: bytes) -> bool:
    """Whether the key is that of the first certificate. ValueError if one of them is none, TypeError for a password."""
    certificate = x509.load_pem_x509_certificate(certificate_pem).public_key()
    key = load_pem_private_key(key_pem, None).public_key()
    return _der(certificate) == _der(key)  # type: ignore[arg-type]


def is_issued_by(certificate_pem: bytes, authority_pem: bytes) -> bool:
    """Whether the authority has signed the first certificate. ValueError if one of them is none."""
    found, authority = map(x509.load_pem_x509_certificate, (certificate_pem, authority_pem))
    try:
        found.verify_directly_issued_by(authority)
    except Exception:  # InvalidSignature, ValueError, TypeError: whatever it is, it is not
        return False
    return True


def _der(key: CertificateIssuerPublicKeyTypes) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _load_own(pem: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_pem_private_key(pem, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("not a key on an elliptic curve")
    return key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    not_before: datetime,
    not_after: datetime,
) -> x509.CertificateBuilder:
    return x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number(), not_before, not_after)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:_LONGEST_COMMON_NAME])])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_names(names: Iterable[str]) -> Iterable[x509.GeneralName]:
    for name in names:
        yield x509.DNSName(name)
        try:
            yield x509.IPAddress(ip_address(name))
        except ValueError:
            continue


def _names_in(certificate: x509.Certificate) -> Iterable[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return
    yield from (name.lower() for name in found.get_values_for_type(x509.DNSName))
    yield from (str(address) for address in found.get_values_for_type(x509.IPAddress))
