"""One binding of an address-of-record to a contact (RFC 3261 §10), and its form on the bus (docs/BUS.md)."""

import re
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import Params, find_param
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
_INSTANCE = re.compile(r';\+sip\.instance=("[^"]*"|[^;]*)')
_REG_ID = re.compile(r";reg-id=([0-9]+)")
_UUID = "urn:uuid:"


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
    """What the 200 to a REGISTER returns besides `expires`: `;q=0.5;+sip.instance="<…>";reg-id=1`."""
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
        """The elements by their names, for people's tools."""
        return dict(zip(WIRE_FIELDS, self.to_wire(), strict=True))

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


def returned_params(params: Params, q: float) -> str:
    """Return those of a Contact's parameters that the 200 returns (RFC 3261 §10.3, RFC 5626 §6)."""
    returned = "" if find_param(params, "q") is None else f";q={q:.3g}"
    if instance := find_param(params, "+sip.instance"):
        quoted = instance if instance[0] == '"' else '"' + instance.replace('"', "") + '"'
        returned += f";+sip.instance={quoted}"
    reg_id = find_param(params, "reg-id") or ""
    return f"{returned};reg-id={reg_id}" if reg_id.isascii() and reg_id.isdigit() else returned


def instance_of(params: str) -> tuple[str, str] | None:
    """Return the instance and the reg-id ("": none) that `params` name, None without (RFC 5626 §6.1)."""
    match = _INSTANCE.search(params) if "+sip.instance" in params else None
    instance = match[1].strip('"<>') if match else ""
    if not instance:
        return None
    reg_id = _REG_ID.search(params)
    is_uuid = instance[: len(_UUID)].lower() == _UUID
    return instance.lower() if is_uuid else instance, reg_id[1] if reg_id else ""


def format_hop(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
