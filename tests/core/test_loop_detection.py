"""Our branches, and the loops they give away (RFC 3261 §16.6 step 8, RFC 5393 §4.2)."""

import re

import pytest
from playbook import request

from switchboard.core.domains import OwnDomains
from switchboard.core.loop_detection import Branches, own_passes, routing_hash
from switchboard.sip.message import parse_message
from switchboard.sip.via import Via

OWN = OwnDomains(["10.0.0.1"], [], 5060)
INVITE = request("INVITE", "sip:lenka@10.0.0.1")
VIA = Via.parse("SIP/2.0/UDP 10.0.0.11;branch=z9hG4bKa1")


def hash_of(raw: bytes) -> str:
    return routing_hash(parse_message(raw))


def test_branches_never_repeat() -> None:
    branches = Branches(3, "abc")
    made = [branches.next("0" * 8) for _ in range(1000)]
    made += [Branches(3, "abd").next("0" * 8), Branches(4, "abc").next("0" * 8)]
    assert len(set(made)) == 1002
    assert all(branch.startswith("z9hG4bKsb") and branch.endswith(".00000000") for branch in made)
    assert made[0].startswith("z9hG4bKsb3.abc")


def test_branches_are_tokens() -> None:
    branches = Branches(63, "0f0f0f")
    for branch in (branches.next("ffffffff"), branches.stateless(VIA, "ffffffff")):
        assert Via.parse(f"SIP/2.0/UDP h;branch={branch}").branch == branch


def test_branch_of_an_ack() -> None:
    """The same for its retransmissions, another one for another Via (§16.11)."""
    branches, again = Branches(0, "abc"), Branches(0, "abc")
    again.next("0" * 8)
    assert branches.stateless(VIA, "1" * 8) == again.stateless(VIA, "1" * 8)
    other = Via.parse("SIP/2.0/UDP 10.0.0.11;branch=z9hG4bKa2")
    assert branches.stateless(VIA, "1" * 8) != branches.stateless(other, "1" * 8)


def test_branch_of_an_ack_is_no_transactions() -> None:
    """No number of a transaction looks like what stands in its place."""
    token = Branches(0, "abc").stateless(VIA, "1" * 8).removeprefix("z9hG4bKsb0.abc").partition(".")[0]
    assert not re.fullmatch("[0-9a-f]+", token)


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"branch": "z9hG4bKother", "source": ("10.0.0.99", 5060)}, True),
        ({"max_forwards": "3", "lines": ("Via: SIP/2.0/UDP h",), "body": b"x"}, True),
        ({"method": "ACK"}, True),
        ({"method": "CANCEL"}, True),
        ({"uri": "sip:peter@10.0.0.1"}, False),
        ({"to_tag": "t"}, False),
        ({"call_id": "call-2"}, False),
        ({"cseq": 2}, False),
        ({"lines": ("Route: <sip:r;lr>",)}, False),
        ({"lines": ("Proxy-Require: x",)}, False),
        ({"lines": ("Proxy-Authorization: Digest x",)}, False),
    ],
)
def test_routing_hash(changes: dict[str, object], is_same: bool) -> None:
    """What decides the routing, and only that; never the method."""
    other = request(**({"method": "INVITE", "uri": "sip:lenka@10.0.0.1"} | changes))  # type: ignore[arg-type]
    if "uri" in changes:
        other = other.replace(b"To: <sip:peter", b"To: <sip:lenka")
    assert (hash_of(INVITE) == hash_of(other)) is is_same


@pytest.mark.parametrize(
    "raw", [INVITE, INVITE.replace(b"From: ", b'From: "open'), INVITE.replace(b"call-1", b"\xff")]
)
def test_routing_hash_is_eight_digits(raw: bytes) -> None:
    assert len(hash_of(raw)) == 8
    assert int(hash_of(raw), 16) >= 0


@pytest.mark.parametrize(
    ("vias", "passes"),
    [
        ((), []),
        (("10.0.0.1:5060;branch=z9hG4bKsb0.t1.aa",), ["z9hG4bKsb0.t1.aa"]),
        (
            ("10.0.0.1;branch=z9hG4bKsb0.t2.bb, SIP/2.0/UDP h", "10.0.0.1;branch=z9hG4bKsb1.t1.aa"),
            ["z9hG4bKsb0.t2.bb", "z9hG4bKsb1.t1.aa"],
        ),
        (("10.0.0.2;branch=z9hG4bKsb0.t1.aa",), []),
        (("10.0.0.1:5070;branch=z9hG4bKsb0.t1.aa",), []),
        (("10.0.0.1;branch=z9hG4bKother",), []),
        (("10.0.0.1 ;;branch=z9hG4bKsb0.t1.aa",), ["z9hG4bKsb0.t1.aa"]),
        (("10.0.0.1 x;branch=z9hG4bKsb0.t1.aa",), []),
        (('h;branch=z9hG4bKsb;x="open',), []),
        (("h;x=z9hG4bKsb",), []),
    ],
)
def test_own_passes(vias: tuple[str, ...], passes: list[str]) -> None:
    """Only what bears our address and our branch; another proxy's malformed Via is none of our business."""
    raw = request("INVITE", "sip:b@h", lines=tuple(f"Via: SIP/2.0/UDP {via}" for via in vias))
    assert own_passes(parse_message(raw), OWN) == passes


def test_own_branch_in_the_body_is_no_pass() -> None:
    raw = request("INVITE", "sip:b@h", body=b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKsb0.t1.aa")
    assert own_passes(parse_message(raw), OWN) == []
