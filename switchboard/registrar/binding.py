"""One binding of an address-of-record to a contact (RFC 3261 §10), and its form on the bus (docs/BUS.md)."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, UDP, Flow
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
    "branch",
    "flow",
    "local",
)
"""What the elements of a binding on the bus mean, in order; at the end there are none that are empty."""
OPEN: Final = "open"
CLOSED: Final = "closed"
_PARAM = re.compile(r';\s*+([^=;\s]++)\s*+(?:=\s*+("(?>(?:[^"\\]|\\.)*)"|[^;]*+))?')
_CACHED_LENGTH = 256  # longer texts are read afresh, which bounds the cache's memory
_UUID = "urn:uuid:"


class Binding(NamedTuple):
    """A contact of a user, valid until `expires_at`."""

    contact: str
    """The URI exactly as received: of any scheme, though only a SIP URI can be called."""
    q: float
    expires_at: float
    """Epoch seconds of the registrar's steady clock (`switchboard.clock`)."""
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
    """Of the REGISTER's top Via: tells a retransmission after a restart."""
    flow: bytes = b""
    """Packed, of a transport with connections: over which it is reached (RFC 5626 §5.3). Empty for UDP."""
    local: str = ""
    """Of UDP, and several edges: to which of our addresses the REGISTER came, and from which it is answered."""

    def to_wire(self) -> list[Any]:
        """The elements named in `WIRE_FIELDS`."""
        return list(self if self.local else self[:-1] if self.flow else self[:-2])

    @classmethod
    def from_wire(cls, record: Sequence[Any]) -> "Binding":
        """The binding of what `to_wire` returned, here or in another process (trusted)."""
        contact, q, expires_at, next_hop, path, *rest = record
        return cls(contact, q, expires_at, next_hop, tuple(path), *rest)

    def to_map(self) -> dict[str, Any]:
        """The elements by their names, for people's tools: octets that are no text are question marks.

        Instead of `flow` the name of the `transport`, and whether the `connection` is open.
        """
        found = dict(zip(WIRE_FIELDS, map(_readable, self[:-2]), strict=False))
        return found | {"transport": self.transport_name, "connection": self.connection}

    @property
    def transport_name(self) -> str:
        """As in Via."""
        return NAMES.get(self.transport, "")

    @property
    def connection(self) -> str:
        """`open`; `closed`: the next request makes another one; "" for UDP, which has none."""
        if not self.flow:
            return ""
        return OPEN if Flow.unpack(self.flow).connection else CLOSED

    @property
    def transport(self) -> int:
        """Over which it was registered (`switchboard.sip.flow`)."""
        return self.flow[0] if self.flow else UDP

    @property
    def instance(self) -> str:
        """Without brackets; "" if it names none (RFC 5626 §4.1)."""
        named = instance_of(self.params)
        return named[0] if named else ""

    @property
    def reg_id(self) -> str:
        """Which of the flows of its instance that is; "" if it does not say."""
        named = instance_of(self.params)
        return named[1] if named else ""

    def moved(self, by_s: float) -> "Binding":
        """The same by a clock that is ahead by this amount."""
        return self._replace(expires_at=self.expires_at + by_s) if by_s else self

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
    if isinstance(value, tuple):
        return list(map(_readable, value))
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def returned_params(params: str, q: float) -> str:
    """Return those of a Contact's parameters that the 200 returns, as we write them (§10.3, RFC 5626 §6)."""
    found = _read(params)
    returned = f";q={q:.3g}" if "q" in found else ""
    if instance := found.get("+sip.instance"):
        is_quoted = len(instance) > 1 and instance[0] == instance[-1] == '"'
        returned += f";+sip.instance={instance}" if is_quoted else f';+sip.instance="{_unquoted(instance)}"'
    reg_id = _reg_id(found)
    return f"{returned};reg-id={reg_id}" if reg_id else returned


def instance_of(params: str) -> tuple[str, str] | None:
    """Return the instance and the reg-id ("": none) that `params` name, None without (RFC 5626 §6.1)."""
    found = _read(params)
    instance = _unquoted(found.get("+sip.instance", "")).strip("<>")
    if not instance:
        return None
    is_uuid = instance[: len(_UUID)].lower() == _UUID
    return instance.lower() if is_uuid else instance, _reg_id(found)


def _reg_id(found: Mapping[str, str]) -> str:
    text = found.get("reg-id", "")
    return text if text.isascii() and text.isdigit() else ""


def _unquoted(text: str) -> str:
    return text.replace('"', "")


def _read(params: str) -> Mapping[str, str]:
    """The first value of each parameter by its name in lower case: "" for a flag."""
    return _read_cached(params) if len(params) <= _CACHED_LENGTH else _read_afresh(params)


@lru_cache(maxsize=4096)
def _read_cached(params: str) -> Mapping[str, str]:
    return _read_afresh(params)


def _read_afresh(params: str) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for name, value in _PARAM.findall(params):
        found.setdefault(name.lower(), value.strip())
    return found
