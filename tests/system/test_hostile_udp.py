"""What anything at all may send, at the running switchboard: torture messages and datagrams spoilt by hand.

Each is followed by an OPTIONS; when that is answered, the only router has dealt with all before it.
"""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

import pytest
import tortures
from malformed import CASES, DELIVERED, DROPPED, Outcome, message
from playbook import HOST, LENKA, LUKAS, request
from system.harness import Switchboard
from system.sipmsg import Address
from system.tools import require_root, require_tun
from system.wire import Datagram, Wire

from switchboard.sip.message import parse_message

pytestmark = pytest.mark.system

PATIENCE_S = 4.0
PROBE = ("10.0.0.98", 5060)
FORWARDED = "forwarded"
INNER = ("127.0.0.1", 5080)
"""Whom mpart01 calls."""
BRANCH = re.compile(rb"(?<=branch=)z9hG4bK(kdjuw|as3-111)(?=[;\s])")
"""Many of the messages share these: those after the first would be taken for its retransmissions."""
_numbers = count()


@dataclass
class Hostile:
    """A switchboard on a wire of its own. It repeats nothing: what comes belongs to what was sent."""

    wire: Wire
    board: Switchboard
    seen: list[Datagram] = field(default_factory=list)

    def register(self, user: str, contact: str) -> None:
        raw = request(
            "REGISTER", f"sip:{HOST}", lines=(f"Contact: <{contact}>",), branch=f"z9hG4bK{user}", source=LENKA
        )
        raw = raw.replace(f"To: <sip:{HOST}>".encode(), f"To: <sip:{user}@{HOST}>".encode())
        assert self.outcome(raw, LENKA, 200) == 200

    def outcome(self, raw: bytes, source: Address, expected: Outcome) -> Outcome:
        """What became of `raw`; `seen` is what was sent on account of it, but for provisional responses."""
        probe = f"z9hG4bKprobe{next(_numbers)}"
        self.wire.send(raw, source)
        self.wire.send(request("OPTIONS", f"sip:{HOST}", branch=probe, call_id=probe, source=PROBE), PROBE)
        self.seen, answered = [], False
        until = time.monotonic() + PATIENCE_S
        while not answered or (expected != DROPPED and not self.seen):
            datagram = self.wire.receive(until)
            assert datagram is not None, f"nothing within {PATIENCE_S:g} s, OPTIONS answered: {answered}"
            if datagram.destination == PROBE:
                answered = True
            elif not datagram.raw.startswith(b"SIP/2.0 1"):
                self.seen.append(datagram)
        return self._told()

    def _told(self) -> Outcome:
        assert len(self.seen) <= 1, self.seen
        if not self.seen:
            return DROPPED
        raw = self.seen[0].raw
        return int(raw[8:11]) if raw.startswith(b"SIP/2.0 ") else FORWARDED


@pytest.fixture(scope="module", params=["", "1"], ids=["compiled", "pure"])
def hostile(request: pytest.FixtureRequest) -> Iterator[Hostile]:
    require_root()
    require_tun()
    settings = {
        "SWITCHBOARD_PURE": request.param,
        "SWITCHBOARD_SIP_HOST": "",
        "SWITCHBOARD_DOMAINS": "pbx.example",
        "SWITCHBOARD_RELAY": "open",
        "SWITCHBOARD_ROUTERS": "1",
        "SWITCHBOARD_MAX_MESSAGE_BYTES": "65535",  # also what the limits keep out by default is to do no harm
        "SWITCHBOARD_MAX_HEADER_FIELDS": "16000",
        "SWITCHBOARD_T1_S": "60",
        "SWITCHBOARD_T2_S": "60",
        "SWITCHBOARD_RATE_LIMIT": "0",
        "SWITCHBOARD_MAX_MESSAGE_BYTES": "65535",
        "SWITCHBOARD_MAX_HEADER_FIELDS": "16000",
    }
    with (
        Wire(tortures.NEXT_HOP[0], INNER) as wire,
        Switchboard(settings, host=HOST, port=5060, namespace=wire.namespace) as board,
    ):
        hostile = Hostile(wire, board)
        hostile.register("lenka", f"sip:lenka@{LENKA[0]}:{LENKA[1]}")
        before = board.components()
        yield hostile
        workers = [(one["name"], one["pid"], one["restarts"]) for one in before]
        assert [(one["name"], one["pid"], one["restarts"]) for one in board.components()] == workers


@pytest.mark.parametrize("name", tortures.EXPECTED)
def test_torture(hostile: Hostile, name: str) -> None:
    raw = BRANCH.sub(b"z9hG4bK" + name.encode(), tortures.load(name))
    expected = tortures.EXPECTED[name]["outcome"]
    assert hostile.outcome(raw, tortures.SOURCE, expected) == expected
    if expected == FORWARDED:
        came, left = parse_message(raw), parse_message(hostile.seen[0].raw)
        assert tortures.untouched(left) == tortures.untouched(came)
        assert left.body == came.body
    for datagram in hostile.seen:
        assert expected == FORWARDED or datagram.destination[0] == tortures.SOURCE[0]


@pytest.mark.parametrize("name", CASES)
def test_malformed(hostile: Hostile, name: str) -> None:
    case = CASES[name]
    expected = FORWARDED if case.outcome == DELIVERED else case.outcome
    assert hostile.outcome(case.raw, LUKAS, expected) == expected
    for datagram in hostile.seen:
        assert datagram.destination == (LENKA if expected == FORWARDED else LUKAS)


@pytest.mark.parametrize(
    ("user", "contact"),
    [
        ("narcissus", f"sip:narcissus@{HOST}"),
        ("echo", "sip:echo@127.0.0.1:5060"),
        ("anybody", f"sip:{HOST}"),
        ("ping", f"sip:pong@{HOST}"),
        ("pong", f"sip:ping@{HOST}"),
    ],
)
def test_own_address_as_contact(hostile: Hostile, user: str, contact: str) -> None:
    """A call to such a user comes back to us, is seen to loop, and ends (RFC 5393)."""
    hostile.register(user, contact)
    raw = message(f"loop-{user}", uri=f"sip:{user}@{HOST}")
    assert hostile.outcome(raw, LUKAS, 482) in (404, 482)
    (answer,) = hostile.seen
    assert answer.destination == LUKAS
