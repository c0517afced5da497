"""Globally routable user agent URIs (RFC 5627): each leads to one instance of a user, from anywhere.

Theory. A public GRUU is the address-of-record with the instance in its parameter `gr`, so it needs no memory. A
temporary GRUU hides user and instance. Instead of a table there is a seal: the user part is an encrypted text that
names both, and only an owner of the key can make or read one.

    tgruu.base64url(iv, text ^ stream)

    text     4 octets of a distinction, the sums of the instance (8) and of its registration's Call-ID (4), the user,
             filled up to a multiple of 16 octets, so that its length does not tell the user
    iv       keyed hash of the text (10 octets): proves it, and makes the key stream

Two GRUUs of one instance have nothing in common that others can see, if their distinctions differ. A temporary GRUU is
valid while a binding of this instance with this Call-ID lives (§3.1.2).
"""

from binascii import Error, a2b_base64, b2a_base64
from typing import Final, NamedTuple
from urllib.parse import quote, unquote

from switchboard.auth.keys import Use, hide, reveal, seal
from switchboard.sip.uri import SipUri

PARAM: Final = "gr"
_PREFIX: Final = "tgruu."
_UNESCAPED: Final = "[]/:&+$-_.!~*'()"
"""Besides letters and digits, what stands in a URI parameter as it is (RFC 3261 §25.1)."""
_UUID: Final = "urn:uuid:"
_LONGEST: Final = 1000
_DISTINCTION, _INSTANCE, _CALL = 4, 8, 4
_NAMED_AT: Final = _DISTINCTION + _INSTANCE + _CALL
_FILL: Final = 16
_END: Final = b"\x01"
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


class Named(NamedTuple):
    """Whom a GRUU of ours names. `registration`: the sum of its Call-ID; b"" if any will do."""

    user: str
    instance: bytes
    registration: bytes = b""

    @property
    def is_temporary(self) -> bool:
        """Whether it is void without a binding, rather than unavailable."""
        return bool(self.registration)


def is_gruu(uri: SipUri) -> bool:
    """Whether a URI of ours claims to be one (§3.1)."""
    return uri.param(PARAM) is not None


def canonical_instance(instance: str) -> str:
    """Return an instance without brackets in the form in which two spellings are equal (RFC 4122 §3)."""
    return instance.lower() if instance[: len(_UUID)].lower() == _UUID else instance


class Gruus:
    """Makes and reads GRUUs with the switchboard's `key`. An `instance` is without quotes and brackets."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def public(self, aor: SipUri, instance: str) -> str:
        """Return the public GRUU of an instance of the address-of-record (§3.1.1)."""
        value = quote(instance, safe=_UNESCAPED, errors="surrogateescape")
        return f"{aor.address_of_record};{PARAM}={value}"

    def temporary(self, aor: SipUri, instance: str, call_id: str, distinction: str) -> str:
        """Return a temporary GRUU (§3.1.2); another one for another `distinction`."""
        sums = self.instance(instance) + self.registration(call_id)
        text = self._sum(b"distinction", distinction, _DISTINCTION) + sums + _octets(aor.username) + _END
        text += bytes(-len(text) % _FILL)
        token = b2a_base64(hide(self._key, Use.GRUU, text), newline=False).translate(_TO_URL, b"=").decode()
        return f"{aor.replace(user=_PREFIX + token).address_of_record};{PARAM}"

    def read(self, uri: SipUri) -> Named | None:
        """Return whom a URI of ours (untrusted) names; None if it is no GRUU, or a forged or foreign one."""
        value = uri.param(PARAM)
        if value:
            instance = unquote(value, errors="surrogateescape")
            return Named(uri.username, self.instance(instance)) if uri.username else None
        if value is None or not (uri.user or "").startswith(_PREFIX) or len(uri.user or "") > _LONGEST:
            return None
        return self._opened((uri.user or "")[len(_PREFIX) :])

    def instance(self, instance: str) -> bytes:
        """The sum over an instance, whatever its spelling."""
        return self._sum(b"instance", canonical_instance(instance), _INSTANCE)

    def registration(self, call_id: str) -> bytes:
        """The sum over the Call-ID of a registration."""
        return self._sum(b"call", call_id, _CALL)

    def _opened(self, token: str) -> Named | None:
        try:
            octets = a2b_base64(token.encode("ascii").translate(_FROM_URL) + bytes(-len(token) % 4 * b"="))
        except (Error, ValueError):
            return None
        text = reveal(self._key, Use.GRUU, octets)
        if text is None or len(text) <= _NAMED_AT:
            return None
        user = text[_NAMED_AT:].rstrip(b"\0").removesuffix(_END).decode("utf-8", "surrogateescape")
        return Named(user, text[_DISTINCTION : _DISTINCTION + _INSTANCE], text[_NAMED_AT - _CALL : _NAMED_AT])

    def _sum(self, what: bytes, text: str, size: int) -> bytes:
        return seal(self._key, Use.GRUU, what + b"\0" + _octets(text), size)


def _octets(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
