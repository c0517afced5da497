"""One binding of an address-of-record to a contact (RFC 3261 §10), and its form on the bus (docs/BUS.md)."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri, is_sip

WIRE_FIELDS: Final = (
    "contact_uri",
    "q",
    "expires_at",
    "next_hop",
    "path",
    "params",
    "call_id",
    "cseq",
    "user_agent",
    "source",
)
"""What the elements of a binding on the bus mean, in order."""


class Binding(NamedTuple):
    """A contact of a user, valid until `expires_at`."""

    contact: str
    """The URI exactly as received: of any scheme, though only a SIP URI can be called."""
    q: float
    expires_at: float
    """Wall clock, epoch seconds."""
    next_hop: str = ""
    """`host:port` at which a user agent behind address translation is reached; "": by the contact."""
    path: tuple[str, ...] = ()
    """The Path values of the REGISTER, in order (RFC 3327)."""
    params: str = ""
    """The other Contact parameters as received (`;q=0.5;+x=y`), without `expires`."""
    call_id: str = ""
    cseq: int = 0
    user_agent: str = ""
    source: str = ""
    """`host:port` from which the REGISTER came."""
    branch: str = ""
    """Of the REGISTER's top Via: tells a retransmission after a restart. Stays with the registrar."""

    def to_wire(self) -> list[Any]:
        """The elements named in `WIRE_FIELDS`."""
        return list(self[: len(WIRE_FIELDS)])

    @classmethod
    def from_wire(cls, record: Sequence[Any]) -> "Binding":
        """The binding of what `to_wire` returned, here or in another process (trusted)."""
        contact, q, expires_at, next_hop, path, *rest = record
        return cls(contact, q, expires_at, next_hop, tuple(path), *rest)

    def to_map(self) -> dict[str, Any]:
        """The elements by their names, for people's tools: octets that are no text are question marks."""
        return dict(zip(WIRE_FIELDS, map(_readable, self.to_wire()), strict=True))

    def matches(self, contact: str) -> bool:
        """Whether `contact` is this binding's: by RFC 3261 §19.1.4, another scheme's URI by its text."""
        if self.contact == contact:
            return True
        if not (is_sip(self.contact) and is_sip(contact)):
            return False
        return SipUri.parse(self.contact).equivalent(SipUri.parse(contact))

    @property
    def contact_uri(self) -> SipUri | None:
        """The contact as a SIP URI; None for one of another scheme."""
        try:
            return SipUri.parse(self.contact)
        except ParseError:
            return None

    @property
    def source_host(self) -> str:
        """The address of `source`, without brackets."""
        return self.source.rpartition(":")[0].strip("[]")


def _readable(value: Any) -> Any:
    if isinstance(value, list):
        return list(map(_readable, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def format_hop(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
