"""Where a SIP URI is sent: the transport, the host and the port that it names (RFC 3261 §18.1.1, RFC 3263 §4)."""

from typing import Final

from switchboard.sip.flow import TCP, TLS, UDP, WS, WSS, default_port
from switchboard.sip.uri import SipUri

_TRANSPORTS: Final = {"udp": UDP, "tcp": TCP, "tls": TLS, "ws": WS, "wss": WSS}
_SECURED: Final = {UDP: TLS, TCP: TLS, WS: WSS}


def transport_of(uri: SipUri) -> int:
    """Return the transport that a URI names, by its parameter and its scheme (RFC 3263 §4.1); 0 for one of others."""
    named = uri.param("transport")
    if named is None:
        return UDP if uri.scheme == "sip" else TLS
    transport = _TRANSPORTS.get(named.lower(), 0) if named else UDP
    return transport if uri.scheme == "sip" else _SECURED.get(transport, transport)


def address_named(uri: SipUri) -> tuple[str, int]:
    """Return the host, without brackets, and the port that a URI is sent to (RFC 3261 §18.1.1, RFC 3263 §4.2)."""
    host = uri.param("maddr") or uri.host
    port = default_port(transport_of(uri)) if uri.port is None else uri.port
    return host.strip("[]"), port
