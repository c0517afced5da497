"""Where URIs are sent (RFC 3261 §18.1.1, RFC 3263 §4.1)."""

import pytest

from switchboard.core.place import address_named, transport_of
from switchboard.sip.flow import TCP, TLS, UDP, WS, WSS
from switchboard.sip.uri import SipUri


@pytest.mark.parametrize(
    ("uri", "transport"),
    [
        ("sip:a@h", UDP),
        ("sip:a@h;transport=udp", UDP),
        ("sip:a@h;transport", UDP),
        ("sip:a@h;transport=TCP", TCP),
        ("sip:a@h;transport=tls", TLS),
        ("sip:a@h;transport=ws", WS),
        ("sip:a@h;transport=wss", WSS),
        ("sip:a@h;transport=sctp", 0),
        ("sips:a@h", TLS),
        ("sips:a@h;transport=tcp", TLS),
        ("sips:a@h;transport=tls", TLS),
        ("sips:a@h;transport=ws", WSS),
        ("sips:a@h;transport=sctp", 0),
    ],
)
def test_transport_of(uri: str, transport: int) -> None:
    assert transport_of(SipUri.parse(uri)) == transport


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("sip:a@h", ("h", 5060)),
        ("sip:a@h:5070", ("h", 5070)),
        ("sip:a@[2001:db8::1];transport=tcp", ("2001:db8::1", 5060)),
        ("sip:a@h;transport=tls", ("h", 5061)),
        ("sips:a@h", ("h", 5061)),
        ("sips:a@h:5060", ("h", 5060)),
        ("sip:a@h;maddr=192.0.2.1", ("192.0.2.1", 5060)),
    ],
)
def test_address_named(uri: str, place: tuple[str, int]) -> None:
    assert address_named(SipUri.parse(uri)) == place
