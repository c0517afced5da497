"""Phones on real sockets; the switchboard is a socket that the test holds."""

import socket
from collections.abc import Iterator

import pytest

from switchboard.lab.phone import Declined, Line, NoAnswer, Phone, Seen, is_request, is_response
from switchboard.sip.message import parse_message


@pytest.fixture
def proxy() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(5.0)
        yield sock


@pytest.fixture
def phone(proxy: socket.socket) -> Iterator[Phone]:
    found = Phone("anna", *proxy.getsockname())
    yield found
    found.close()


def answer(proxy: socket.socket, phone: Phone, status: int) -> bytes:
    """A response that waits at the phone for the request that it is about to send."""
    request = phone.identity.register(60)
    response = phone.identity.respond(parse_message(request), status)
    proxy.sendto(response, phone.socket.getsockname())
    return request


def test_exchange_returns_what_was_awaited(proxy: socket.socket, phone: Phone) -> None:
    seen: list[Seen] = []
    proxy.sendto(b"\r\n\r\n", phone.socket.getsockname())
    request = answer(proxy, phone, 200)
    found = Line([phone], seen.append).exchange(phone, request, phone, is_response(200, "REGISTER"))
    assert found.status == 200
    assert proxy.recv(65535) == request
    assert [(each.user, each.sent, each.message.status) for each in seen] == [
        ("anna", True, 0),
        ("anna", False, 200),
    ]


def test_a_refusal_ends_the_exchange(proxy: socket.socket, phone: Phone) -> None:
    request = answer(proxy, phone, 403)
    with pytest.raises(Declined, match="403 Forbidden") as refused:
        Line([phone], lambda _: None).exchange(phone, request, phone, is_response(200, "REGISTER"))
    assert refused.value.response.method == "REGISTER"


def test_requests_are_repeated_until_the_time_is_over(
    proxy: socket.socket, phone: Phone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.lab.phone.T1_S", 0.01)
    monkeypatch.setattr("switchboard.lab.phone.ANSWER_WITHIN_S", 0.1)
    request = phone.identity.invite("sip:boris@pbx.test")
    with pytest.raises(NoAnswer) as silence:
        Line([phone], lambda _: None).exchange(phone, request, phone, is_request("BYE"))
    assert not silence.value.refused
    assert str(silence.value).startswith("INVITE sip:boris@pbx.test")
    assert [proxy.recv(65535), proxy.recv(65535)] == [request, request]


def test_nobody_listens(proxy: socket.socket) -> None:
    phone = Phone("anna", *proxy.getsockname())
    proxy.close()
    try:
        with pytest.raises(NoAnswer) as silence:
            Line([phone], lambda _: None).exchange(
                phone, phone.identity.register(60), phone, is_response(200, "REGISTER")
            )
    finally:
        phone.close()
    assert silence.value.refused
