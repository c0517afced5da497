"""What is concluded from requests that passed."""

import pytest
from interop.tap import Seen
from interop.trial import Proof, habit, routing

HUB = ("10.77.0.1", 5060)
FRIEND = ("10.77.0.11", 40000)


def proof(nonce: str, count: str, cseq: str) -> Proof:
    """Credentials of one call."""
    return Proof("a call", cseq, "MD5", nonce, count)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ([], ""),
        ([proof("a", "1", "2"), proof("b", "1", "4")], "once"),
        ([proof("a", "1", "2"), proof("a", "2", "3")], "count"),
        ([proof("a", "1", "2"), proof("a", "1", "3")], "same"),
    ],
)
def test_habit(shown: list[Proof], said: str) -> None:
    assert habit(shown) == said


def bye(target: tuple[str, int], *routes: str) -> Seen:
    """A BYE on its way."""
    fields = tuple(("route", route) for route in routes)
    return Seen(("10.77.0.12", 5060), target, "BYE sip:a@10.77.0.11 SIP/2.0", fields)


@pytest.mark.parametrize(
    ("requests", "said"),
    [
        ([], ""),
        ([bye(HUB, "<sip:10.77.0.1;lr>")], "yes"),
        ([bye(HUB, "<sip:10.77.0.1;lr>"), bye(HUB)], "no Route"),
        ([bye(HUB), bye(FRIEND)], "past"),
    ],
)
def test_routing(requests: list[Seen], said: str) -> None:
    assert routing(requests) == said
