"""What a Linphone phone is told with which it sets itself up: its remote provisioning, as XML (no I/O)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, quoteattr

from switchboard.settings.model import Settings
from switchboard.settings.types import show_address
from switchboard.sip.flow import bracketed

SIP_PORT = 5060
_NAMESPACE = "http://www.linphone.org/xsds/lpconfig.xsd"
_SPEAKING: Final[Mapping[str, Mapping[str, str]]] = {
    "tcp": {"sip_tcp_port": "-1"},
    "tls": {"sip_tls_port": "-1", "verify_server_certs": "1", "verify_server_cn": "1"},
}
"""A transport is to be on in the phone, at any port."""

Sections = Mapping[str, Mapping[str, str]]


class Reach(NamedTuple):
    """A transport, and its port; None: that of the domain."""

    transport: str = "udp"
    port: int | None = None


UDP_REACH: Final = Reach()


def reach_by(settings: Settings, transport: str) -> Reach:
    """Return how a registrar with these settings is reached by a transport that is on."""
    port = settings.ports[transport]
    is_known = port == settings.sip_port and transport != "tls"
    return Reach(transport, None if is_known else port)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a phone shows instead of a password: HA1 (RFC 7616 §3.4.2) for one realm and algorithm."""

    realm: str
    algorithm: str
    ha1: str = field(repr=False)


def offered_transports(settings: Settings) -> list[str]:
    """Return those by which a phone may be set up, the one that is best for most of them first.

    Linphone trusts authorities that it knows, so TLS is first where the certificate is the user's.
    """
    order = ("tls", "udp", "tcp") if settings.tls_certificate else ("udp", "tcp", "tls")
    return [each for each in order if each in settings.ports]


def configuration(
    user: str, host: str, port: int, credentials: Credentials | None, reach: Reach = UDP_REACH
) -> Sections:
    """Return what Linphone is to know: sections of its configuration.

    `host`, `port`: of the domain, as it stands in the user's address. `reach`: how the registrar is reached.
    """
    domain = _hostport(host, port)
    sections = {
        "sip": {"default_proxy": "0", **_SPEAKING.get(reach.transport, {})},
        "proxy_0": {
            "reg_proxy": f"<sip:{_registrar(host, domain, reach)};transport={reach.transport}>",
            "reg_identity": f"sip:{user}@{domain}",
            "reg_sendregister": "1",
            "reg_expires": "3600",
            "publish": "0",
        },
    }
    if credentials:
        sections["auth_info_0"] = {
            "username": user,
            "realm": credentials.realm,
            "ha1": credentials.ha1,
            "algorithm": credentials.algorithm,
            "domain": host,
        }
    return sections


def _registrar(host: str, domain: str, reach: Reach) -> str:
    return domain if reach.port is None else show_address(host, reach.port)


def _hostport(host: str, port: int) -> str:
    """As it stands in a SIP URI (RFC 3261 §25.1)."""
    if port == SIP_PORT:
        return bracketed(host)
    return show_address(host, port)


def to_xml(sections: Sections) -> str:
    """The sections as Linphone's remote provisioning has them."""
    body = "\n".join(_section(name, entries) for name, entries in sections.items())
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<config xmlns="{_NAMESPACE}">\n{body}\n</config>\n'


def _section(name: str, entries: Mapping[str, str]) -> str:
    lines = "\n".join(_entries(entries))
    return f"  <section name={quoteattr(name)}>\n{lines}\n  </section>"


def _entries(entries: Mapping[str, str]) -> Iterator[str]:
    for name, value in entries.items():
        yield f'    <entry name={quoteattr(name)} overwrite="true">{escape(value)}</entry>'
