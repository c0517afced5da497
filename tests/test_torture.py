"""The torture messages of RFC 4475 and RFC 5118, octet by octet, through scanner and proxy."""

from contextlib import suppress

import pytest
from hypothesis import given, settings
from playbook import Board
from sip.messages import anything
from tortures import EXPECTED, NEXT_HOP, SOURCE, TORTURE, load, named, untouched

from switchboard.sip.errors import ParseError
from switchboard.sip.message import parse_message


def receive(raw: bytes) -> Board:
    """The board after it received `raw`, every name that it asked for being found at `NEXT_HOP`."""
    board = Board(open_relay=True)
    board.receive(raw, SOURCE)
    for lookup in board.lookups:
        board.resolve(lookup, NEXT_HOP)
    return board


def outcome(board: Board) -> str | int:
    if board.requests:
        return "forwarded"
    finals = [answer.status for answer in board.answers() if answer.status >= 200]
    return finals[0] if finals else "dropped"


def test_corpus_is_complete() -> None:
    """49 messages of RFC 4475, 12 of RFC 5118."""
    assert sorted(path.stem for path in TORTURE.glob("*.dat")) == sorted(EXPECTED)
    assert len(EXPECTED) == 49 + 12


@pytest.mark.parametrize("name", EXPECTED)
def test_outcome(name: str) -> None:
    assert outcome(receive(load(name))) == EXPECTED[name]["outcome"]


@pytest.mark.parametrize("name", EXPECTED)
def test_outcome_is_within_the_verdict(name: str) -> None:
    is_forwarded = EXPECTED[name]["outcome"] == "forwarded"
    verdict = EXPECTED[name]["verdict"]
    assert verdict != "valid" or is_forwarded or parse_message(load(name)).status
    assert verdict != "reject" or not is_forwarded


@pytest.mark.parametrize("name", [name for name in EXPECTED if EXPECTED[name]["verdict"] == "valid"])
def test_valid_message_is_scanned(name: str) -> None:
    message = parse_message(load(name))
    assert message.cseq[0] >= 0
    assert message.call_id


@pytest.mark.parametrize("name", named("forwarded"))
def test_forwarded_message_is_intact(name: str) -> None:
    """Whatever a proxy has no business with leaves as it came (RFC 3261 §16.6)."""
    came = parse_message(load(name))
    (sent,) = receive(load(name)).sent()
    assert untouched(sent.message) == untouched(came)
    assert sent.message.body == came.body
    assert sent.message.values("via")[2:] == came.values("via")[1:]
    assert sent.message.get("max-forwards") == str(int(came.get("max-forwards") or 71) - 1)


@pytest.mark.parametrize("name", named("dropped"))
def test_dropped_without_a_trace(name: str) -> None:
    board = receive(load(name))
    assert [*board.answers(), *board.sent(), *board.lookups] == []
    assert not board.proxy.env.layer.servers


@pytest.mark.parametrize(
    ("name", "number", "values"),
    [
        ("wsinv", "max-forwards", ["0068"]),
        ("wsinv", "unknownheaderwithunusualvalue", [";;,,;;,;"]),
        ("wsinv", "newfangledheader", ["newfangled value continued newfangled value"]),
        ("wsinv", "route", ["<sip:services.example.com;lr;unknownwith=value;unknown-no-value>"]),
        ("esc02", "contact", ["<sip:alias1@host1.example.com>", "<sip:alias3@host3.example.com>"]),
        ("intmeth", "extensionheader-!.%*+_`'~", ["\ufeff大停電"]),
        ("semiuri", "cseq", ["8 OPTIONS"]),
    ],
)
def test_fields_are_read(name: str, number: str, values: list[str]) -> None:
    assert parse_message(load(name)).all(number) == values


@pytest.mark.parametrize(
    ("name", "reason"), [("unreason", "= 2**3 * 5**2 но сто девяносто девять - простое"), ("noreason", "")]
)
def test_reason_phrases(name: str, reason: str) -> None:
    assert parse_message(load(name)).reason == reason


def test_octets_behind_the_body_are_no_second_message() -> None:
    """dblreq: an INVITE trails the REGISTER (RFC 4475 §3.1.1.8)."""
    (sent,) = receive(load("dblreq")).sent()
    assert sent.line.startswith("REGISTER ")
    assert b"INVITE" not in sent.message.raw


def test_body_with_nul_octets() -> None:
    """mpart01 (RFC 4475 §3.1.1.11)."""
    body = parse_message(load("mpart01")).body
    assert len(body) == 553
    assert b"\0" in body


def test_every_via_of_a_long_request_is_seen() -> None:
    """longreq: names of all shapes (RFC 4475 §3.1.1.7)."""
    assert len(parse_message(load("longreq")).values("via")) == 34


def test_refusal_of_an_extension_names_it() -> None:
    """bext01 (RFC 4475 §3.3.5)."""
    (answer,) = receive(load("bext01")).answers()
    assert answer.message.values("unsupported") == ["noProxiesSupportThis", "norDoAnyProxiesSupportThis"]


@pytest.mark.parametrize("name", EXPECTED)
def test_truncated_message_does_no_harm(name: str) -> None:
    """A datagram that was cut anywhere is scanned, or refused with a `ParseError`; the proxy takes it."""
    raw = load(name)
    for end in range(len(raw) % 97, len(raw), 97):
        with suppress(ParseError):
            parse_message(raw[:end])
        receive(raw[:end])


@given(anything())
@settings(max_examples=50, deadline=None)
def test_nothing_is_left_behind(raw: bytes) -> None:
    """Whatever comes, twice: the proxy takes it, and in the end holds no transaction of it."""
    board = receive(raw)
    board.receive(raw, SOURCE)
    board.advance(100)
    assert not board.proxy.env.layer.servers
    assert not board.proxy.env.layer.clients


RFC4475 = """
wsinv intmeth esc01 escnull esc02 lwsdisp longreq dblreq semiuri transports mpart01 unreason noreason
badinv01 clerr ncl scalar02 scalarlg quotbal ltgtruri lwsruri lwsstart trws escruri baddate regbadct
badaspec baddn badvers mismatch01 mismatch02 bigcode
badbranch
insuf unkscm novelsc unksm2 bext01 invut regaut01 multi01 mcl01 bcast zeromf cparam01 cparam02 regescrt sdp01
inv2543
"""
RFC5118 = """
ipv6-good ipv6-bad port-ambiguous port-unambiguous ipv6-correct-abnf-2-colons ipv6-bug-abnf-3-colons
via-received-param-with-delim via-received-param-no-delim ipv6-in-sdp mult-ip-in-header mult-ip-in-sdp
ipv4-mapped-ipv6
"""


def test_every_message_of_the_rfcs_is_there() -> None:
    """By the names that the RFCs give them (RFC 4475 §3.1.1, §3.1.2, §3.2, §3.3, §3.4; RFC 5118 §4)."""
    wanted = {*RFC4475.split(), *RFC5118.split()}
    assert {path.stem for path in TORTURE.glob("*.dat")} == wanted == set(EXPECTED)
    assert len(wanted) == 49 + 12
