"""Which worker gets which message."""

import pytest
from playbook import LENKA, request

from switchboard.core.domains import OwnDomains
from switchboard.sip.dispatch import REGISTRAR, Dispatcher
from switchboard.sip.message import parse_message
from switchboard.sip.splice import make_ack, make_cancel
from switchboard.sip.uri import SipUri

ROUTERS = 4
OWN = OwnDomains(["10.0.0.1"], ["pbx.example"], 5060)
DISPATCHER = Dispatcher(ROUTERS, OWN.owns)


def target(raw: bytes, dispatcher: Dispatcher = DISPATCHER) -> int:
    return dispatcher.target(raw, parse_message(raw).index.tobytes())


def response(via: str, call_id: str = "call-1") -> bytes:
    lines = f"From: <sip:a@h>\r\nTo: <sip:b@h>\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n"
    return f"SIP/2.0 200 OK\r\nVia: {via}\r\n{lines}".encode()


@pytest.mark.parametrize("call_id", [f"call-{number}" for number in range(8)])
def test_a_call_keeps_its_router(call_id: str) -> None:
    invite = request("INVITE", "sip:lenka@10.0.0.1", call_id=call_id)
    router = target(invite)
    assert 0 <= router < ROUTERS
    assert target(request("BYE", "sip:lukas@elsewhere", call_id=call_id, source=LENKA, cseq=7)) == router
    assert target(invite.replace(b"Call-ID: ", b"i:\r\n\t ")) == router
    assert target(make_cancel(parse_message(invite))) == router
    assert target(make_ack(parse_message(invite), parse_message(response("SIP/2.0/UDP h")))) == router


def test_calls_are_spread() -> None:
    assert {target(request("INVITE", "sip:a@h", call_id=str(number))) for number in range(50)} == set(
        range(ROUTERS)
    )


@pytest.mark.parametrize(
    ("branch", "routers", "router"),
    [
        ("z9hG4bKsb0.t1.abc", 4, 0),
        ("z9hG4bKsb3.t1.abc", 4, 3),
        ("z9hG4bKsb3.t1.abc", 2, 1),
        ("z9hG4bKsb12.t1.abc", 16, 12),
    ],
)
def test_response_goes_by_our_branch(branch: str, routers: int, router: int) -> None:
    """Also while the number of routers changes: one of those that there are gets it."""
    via = f"SIP/2.0/UDP 10.0.0.1:5060;branch={branch}, SIP/2.0/UDP h;branch=z9hG4bKsb9.x.y"
    assert target(response(via), Dispatcher(routers, OWN.owns)) == router


@pytest.mark.parametrize(
    "branch", ["z9hG4bKother", "z9hG4bKsb", "z9hG4bKsbx.1", "z9hG4bKsb1234.t", "z9hG4bKsb1"]
)
def test_response_to_somebody_else_goes_by_call_id(branch: str) -> None:
    """A branch that is not ours; that of a Via below the topmost does not count either."""
    via = f"SIP/2.0/UDP 10.0.0.1:5060;branch={branch}, SIP/2.0/UDP h;branch=z9hG4bKsb2.x.y"
    assert [target(response(via, str(number))) for number in range(8)] == [
        target(request("INVITE", "sip:a@h", call_id=str(number))) for number in range(8)
    ]


@pytest.mark.parametrize(
    ("method", "uri", "routes", "is_registrars"),
    [
        ("REGISTER", "sip:10.0.0.1", (), True),
        ("REGISTER", "sip:PBX.example:5060;transport=udp", (), True),
        ("REGISTER", "sip:10.0.0.1", ("Route: <sip:10.0.0.1;lr>, <sip:pbx.example;lr>",), True),
        ("REGISTER", "sip:10.0.0.1", ("Route: <sip:other.example;lr>",), False),
        ("REGISTER", "sip:10.0.0.1", ("Route: nonsense",), False),
        ("REGISTER", "sip:10.0.0.1", ('Route: "open',), False),
        ("REGISTER", "sip:other.example", (), False),
        ("REGISTER", "tel:1", (), False),
        ("register", "sip:10.0.0.1", (), False),
        ("REGISTERS", "sip:10.0.0.1", (), False),
        ("OPTIONS", "sip:10.0.0.1", (), False),
    ],
)
def test_register(method: str, uri: str, routes: tuple[str, ...], is_registrars: bool) -> None:
    """The registrar gets what is for us and needs no further hop; the routers relay and refuse the rest."""
    assert (target(request(method, uri, lines=routes)) == REGISTRAR) is is_registrars


def test_answers_are_remembered_until_the_owner_changes() -> None:
    asked: list[str] = []

    def owns(uri: SipUri) -> bool:
        asked.append(uri.host)
        return True

    dispatcher = Dispatcher(ROUTERS, owns)
    assert [dispatcher.owns("sip:a.example") for _ in range(3)] == [True] * 3
    assert asked == ["a.example"]
    dispatcher.own(lambda _: False)
    assert not dispatcher.owns("sip:a.example")


def test_what_is_remembered_is_bounded() -> None:
    dispatcher = Dispatcher(ROUTERS, lambda _: True)
    for number in range(5000):
        assert dispatcher.owns(f"sip:h{number}.example")
    assert dispatcher.owns("sip:h.example;x=" + "x" * 60_000)
    assert len(dispatcher._known) <= 1024
