"""What is told of a call whose voice a media engine relayed."""

import pytest
from history.wire import LENKA, LUKAS, Wire, acknowledged, answered, call, invited, response

from switchboard.history.explain import explain
from switchboard.history.seen import Seen

ROUTE = b"Record-Route: <sip:10.0.0.1;lr;sb=x;me=AAAA>\r\nMax-Forwards: 69"


def relayed(seen: list[Seen], figures: str) -> list[Seen]:
    """The same with our mark in the INVITE that left, and figures in the answer to the BYE."""
    found = []
    for each in seen:
        raw = each.raw.replace(b"Max-Forwards: 69", ROUTE, 1) if each.raw.startswith(b"INVITE") else each.raw
        if b"CSeq: 2 BYE" in raw and raw.startswith(b"SIP/2.0") and figures:
            raw = raw.replace(b"\r\n\r\n", f"\r\nX-Relayed: {figures}\r\n\r\n".encode(), 1)
        found.append(each._replace(raw=raw))
    return found


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        ("from=250;to=1", "It got 250 packets of voice from lenka and 1 packet of voice from lukas."),
        ("from=0;to=90", "It got no voice from lenka and 90 packets of voice from lukas."),
    ],
)
def test_who_relayed_and_what_came_from_each_side(figures: str, sentence: str) -> None:
    """lenka hangs up."""
    account = explain(relayed(call(), figures))
    assert account.sentences[-2:] == ["A media engine at 10.0.0.2 relayed their voice.", sentence]
    silent = [line for line in account.advice if "No voice came from lenka" in line]
    assert bool(silent) is figures.startswith("from=0")


@pytest.mark.parametrize("figures", ["", "from=x;to=1", "rubbish"])
def test_without_figures_only_who_relayed(figures: str) -> None:
    account = explain(relayed(call(), figures))
    assert account.sentences[-1] == "A media engine at 10.0.0.2 relayed their voice."
    assert not [line for line in account.advice if "No voice" in line]


def test_a_call_that_was_not_relayed() -> None:
    assert not [line for line in explain(call()).sentences if "media engine" in line]


def test_a_private_address_does_no_harm_where_an_engine_relays() -> None:
    wire = Wire()
    invited(wire, media="192.168.7.7")
    answered(wire, 200, "OK")
    acknowledged(wire)
    assert [line for line in explain(wire.seen).advice if "192.168.7.7" in line]
    account = explain(relayed(wire.seen, ""))
    assert not [line for line in account.advice if "192.168.7.7" in line]
    assert account.sentences[-1].startswith("A media engine")


def test_a_call_that_no_engine_could_relay() -> None:
    wire = Wire()
    invited(wire)
    seen = [each for each in wire.seen if each.destination != LENKA]
    why = 'Warning: 399 switchboard "The media of this call cannot be relayed: no media engine answers"\r\n'
    wire.leaves(LUKAS, response(488, "The media", extra=why))
    account = explain([*seen, wire.seen[-1]])
    assert "no media engine answers (488" in account.sentences[-1]
    assert any("switchboard status" in line for line in account.advice)
