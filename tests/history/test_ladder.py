"""The ladder of a call, from its messages."""

from history.wire import BOARD, LENKA, LUKAS, Wire, answered, call, invited, refused, request, response

from switchboard.history.ladder import Change, Part, Participant, changes_between, draw, lines_of
from switchboard.history.lenient import LenientMessage
from switchboard.history.seen import Address, Direction, Seen


def parsed(raw: bytes) -> LenientMessage:
    return LenientMessage.of(Seen(1, LUKAS, BOARD, raw, Direction.IN))


def test_nothing_changed() -> None:
    assert changes_between(parsed(request("INVITE")), parsed(request("INVITE"))) == []


def test_fields_that_come_and_go() -> None:
    before = parsed(request("INVITE", extra="Route: <sip:board;lr>\r\n", body=b"one"))
    after = parsed(request("INVITE", extra="Record-Route: <sip:board;lr>\r\n", body=b"two"))
    assert changes_between(before, after) == [
        Change("Record-Route", "", "<sip:board;lr>"),
        Change("Route", "<sip:board;lr>", ""),
        Change("body", "one", "two"),
    ]


def test_participants_stand_in_the_order_of_the_call() -> None:
    assert draw(call()).participants == [
        Participant("10.0.0.2:5060", "lukas", Part.PHONE),
        Participant("switchboard", "", Part.SWITCHBOARD),
        Participant("10.0.0.3:5060", "lenka", Part.PHONE),
    ]


def test_what_leaves_is_matched_with_what_came() -> None:
    arrows = draw(call()).arrows
    assert [arrow.label for arrow in arrows[:5]] == [
        "INVITE lenka",
        "100 Trying (INVITE)",
        "INVITE lenka",
        "180 Ringing (INVITE)",
        "180 Zvoní (INVITE)",
    ]
    counterparts = [
        (place, arrow.counterpart) for place, arrow in enumerate(arrows) if arrow.counterpart is not None
    ]
    assert counterparts == [(2, 0), (4, 3), (6, 5), (8, 7), (10, 9), (12, 11)]


def test_responses_are_matched_with_their_requests() -> None:
    answers = [arrow.answers for arrow in draw(call()).arrows]
    assert answers == [None, 0, None, 2, 0, 2, 0, None, None, None, None, 10, 9]


def test_times() -> None:
    arrows = draw(call(ring_s=4.0)).arrows
    assert [round(arrow.since_s, 3) for arrow in arrows[:6]] == [0.0, 0.001, 0.001, 0.001, 0.001, 4.001]
    assert round(arrows[5].offset_s, 3) == 4.005


def test_changes() -> None:
    arrows = draw(call()).arrows
    invite = {change.what: (change.before, change.after) for change in arrows[2].changes}
    assert invite == {
        "Request-URI": ("sip:lenka@example.org", "sip:lenka@10.0.0.3"),
        "Via": (
            "SIP/2.0/UDP host;branch=z9hG4bKb",
            "SIP/2.0/UDP host;branch=z9hG4bKsb1\nSIP/2.0/UDP host;branch=z9hG4bKb",
        ),
        "Max-Forwards": ("70", "69"),
    }
    ringing = {change.what: (change.before, change.after) for change in arrows[4].changes}
    assert ringing["reason phrase"] == ("Ringing", "Zvoní")
    assert arrows[1].changes == (), "the switchboard made it itself"


def test_retransmissions() -> None:
    wire = Wire()
    invited(wire)
    wire.wait(0.5)
    wire.comes(LUKAS, wire.seen[0].raw)
    wire.leaves(LENKA, wire.seen[2].raw)
    assert [arrow.retransmission for arrow in draw(wire.seen).arrows] == [False, False, False, True, True]
    assert all(arrow.fork == 0 for arrow in draw(wire.seen).arrows)


def test_forks() -> None:
    wire = Wire()
    invited(wire)
    other = Address("10.0.0.4", 5060)
    wire.leaves(other, request("INVITE", "sip:lenka@10.0.0.4", ("sb2", "b")))
    wire.comes(other, response(180, "Ringing", ("sb2", "b")))
    answered(wire, 200, "OK")
    ladder = draw(wire.seen)
    assert [arrow.fork for arrow in ladder.arrows] == [0, 0, 1, 2, 2, 1, 0]
    assert [each.key for each in ladder.participants][2:] == ["10.0.0.3:5060", "10.0.0.4:5060"]


def test_answers_of_forks_that_cross_are_told_apart_by_their_tags() -> None:
    wire = Wire()
    invited(wire)
    other = Address("10.0.0.4", 5060)
    wire.leaves(other, request("INVITE", "sip:lenka@10.0.0.4", ("sb2", "b")))
    first, second = (
        response(180, "Ringing", ("sb1", "b")),
        response(180, "Ringing", ("sb2", "b"), contact="10.0.0.4"),
    )
    wire.comes(LENKA, first)
    wire.comes(other, second.replace(b";tag=2", b";tag=3"))
    wire.leaves(LUKAS, response(180, "Ringing"))
    wire.leaves(LUKAS, response(180, "Ringing", contact="10.0.0.4").replace(b";tag=2", b";tag=3"))
    arrows = draw(wire.seen).arrows
    assert [arrow.counterpart for arrow in arrows[-2:]] == [4, 5]
    assert [change.what for arrow in arrows[-2:] for change in arrow.changes] == ["Via", "Via"]


def test_hops_between_workers_are_shown_on_demand() -> None:
    seen = call()
    hop = Seen(seen[2].at_ns - 1, Address("router.0", 0), Address("edge-tx.0", 0), seen[2].raw, Direction.HOP)
    ladder = draw([*seen, hop])
    assert [each.key for each in ladder.participants if each.part is Part.WORKER] == ["edge-tx.0", "router.0"]
    assert len(ladder.arrows) == len(seen) + 1
    assert draw([*seen, hop], hops=False) == draw(seen)


def test_the_drawing() -> None:
    lines = list(lines_of(draw(refused(486, "Busy Here", shown="Obsadené"))))
    assert lines[0].split() == ["lukas", "switchboard", "lenka"]
    assert lines[1].split() == ["10.0.0.2:5060", "10.0.0.3:5060"]
    assert len(lines) == 2 + 5
    assert lines[2].startswith("     0.000")
    assert "─ INVITE lenka ─" in lines[2]
    assert lines[2].count("▶") == lines[4].count("▶") == lines[5].count("◀") == 1
    assert len({line.rindex("│") for line in lines[2:4]}) == 1, "bars stand below each other"
    assert "486 Obsadené (INVITE)" in lines[6]


def test_the_drawing_says_what_was_sent_again() -> None:
    wire = Wire()
    invited(wire)
    wire.leaves(LENKA, wire.seen[2].raw)
    assert "INVITE lenka [again]" in list(lines_of(draw(wire.seen)))[-1]
