"""The Via header field (RFC 3261 §20.42, §18.2.1; `rport` of RFC 3581)."""

import re

from switchboard.sip.errors import ParseError
from switchboard.sip.grammar import (
    HOST,
    LWS,
    PORT,
    QUOTED_STRING,
    SWS,
    TOKEN,
    Params,
    check_distinct,
    check_host,
    find_param,
    format_params,
    parse_port,
    uncaptured,
)

_VALUE = (
    rf"(?:[A-Za-z0-9\-.!%*_+`'~:\[\]]++|{QUOTED_STRING})"  # a token; `received` may be IPv6, even bracketed
)
_PARAM_TEXT = rf"{SWS};{SWS}({TOKEN})(?:{SWS}={SWS}({_VALUE}))?"
_PARAM = re.compile(_PARAM_TEXT)
_VIA = re.compile(
    rf"{SWS}({TOKEN}){SWS}/{SWS}({TOKEN}){SWS}/{SWS}({TOKEN}){LWS}({HOST})(?:{SWS}:{SWS}({PORT}))?"
    rf"((?:{uncaptured(_PARAM_TEXT)})*+){SWS}"
)


class Via:
    """One Via value: where a response goes, and by its branch the transaction it belongs to.

    `transport` is in upper case; `host` of sent-by in lower case, an IPv6 address with its brackets.
    `params`: (name in lower case, value; None for a flag) in order. `protocol`: name and version; another
    one is answered, not refused here (RFC 4475 §3.1.2.16). `branch`: the parameter, "" if there is none.
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
        """ParseError if the text is not exactly one Via value."""
        match = _VIA.fullmatch(text)
        if match is None or not check_host(match[4]):
            raise ParseError("Bad Via", "Via")
        name, version, transport, host, port, params = match.groups()
        parsed = _parse_params(params) if params else ()
        if (find_param(parsed, "branch") or "").startswith('"'):
            raise ParseError("Bad Via", "Via")
        protocol = f"{name.upper()}/{version}"
        return cls(transport.upper(), host.lower(), parse_port(port, "Via"), parsed, protocol)

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


def _parse_params(text: str) -> Params:
    found = _PARAM.findall(text)
    return check_distinct(tuple([(name.lower(), value or None) for name, value in found]), "Via")
