"""The Via header field (RFC 3261 §20.42, §18.2.1; `rport` of RFC 3581)."""

import re

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import (
    LWS,
    SWS,
    TOKEN,
    Params,
    find_param,
    format_params,
    read_host_port,
    read_params,
)

_PROTOCOL = rf"({TOKEN}){SWS}/{SWS}({TOKEN}){SWS}/{SWS}({TOKEN})"
_SENT_BY = rf"([^;, \t\r\n]*+(?:{SWS}:{SWS}[0-9]++)?)"
_VIA = re.compile(rf"{SWS}{_PROTOCOL}{LWS}{_SENT_BY}{SWS}(;.*+)?", re.DOTALL)


class Via:
    """One Via value: where a response goes, and by its branch the transaction it belongs to.

    `transport` is in upper case; `host` of sent-by in lower case, an IPv6 address with its brackets. It may
    be any text, or "": the answer goes to where the request came from. `params`: (name in lower case, value;
    None for a flag) in order. `protocol`: name and version; another one is answered, not refused here
    (RFC 4475 §3.1.2.16). `branch`: the parameter, "" if there is none.
    """

    __slots__ = ("branch", "host", "params", "port", "protocol", "transport")

    def __init__(
        self,
        transport: str,
        host: str,
        port: int | None = None,
        params: Params = (),
        protocol: str = "SIP/2.0",
    ) -> None:
        self.transport = transport
        self.host = host
        self.port = port
        self.params = params
        self.protocol = protocol
        self.branch: str = find_param(params, "branch") or ""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Via) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))

    @classmethod
    def parse(cls, text: str) -> "Via":
        """ParseError if the text is not exactly one Via value, or says nothing of who hears the answer."""
        match = _VIA.fullmatch(text)
        if match is None:
            raise ParseError("Malformed Via", "Via")
        name, version, transport, sent_by, params = match.groups()
        host, port, _ = read_host_port(sent_by)
        parsed = read_params(params) if params else ()
        if not _is_told(host) and find_param(parsed, "rport") is None:
            raise ParseError("Malformed Via", "Via")
        return cls(transport.upper(), host, port, parsed, f"{name.upper()}/{version}")

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        return f"{self.protocol}/{self.transport} {self.host}{port}{format_params(self.params)}"

    def param(self, name: str) -> str | None:
        """The value of `name` (lower case); "" for a flag, None if absent."""
        return find_param(self.params, name)

    @property
    def sent_by(self) -> str:
        """`host` or `host:port` as in the header field, the transaction key's second part (§17.2.3)."""
        return self.host if self.port is None else f"{self.host}:{self.port}"


def _is_told(host: str) -> bool:
    """Whether there is a host, even if it is not a valid name; half an IPv6 reference is none."""
    return bool(host) and (host[0] == "[") is (host[-1] == "]")
