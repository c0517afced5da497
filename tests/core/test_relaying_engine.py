"""Relayed calls that the engine serves, as the reference does: each board has a twin (`playbook.Twin`).

Each test runs with `always`, and with `auto` and a callee behind address translation.
"""

import pytest
from playbook import ENGINES, HOST, LENKA, LUKAS, Board, Sent, request, response
from relayed import (
    ANSWER,
    CALLEE,
    CONTACT,
    OFFER,
    OURS,
    THEIRS,
    TYPE,
    accepted,
    again,
    board,
    both,
    invite,
    mark_in,
    only,
    own_contact,
    sdp,
)

from switchboard.core.native import IS_COMPILED
from switchboard.media.commands import Ask, Figures, Told
from switchboard.sip.message import Message

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")


def whole(mode: str, **more: object) -> Board:
    return board(mode, fragile=False, native=True, **more)


def first_says(made: Board, body: bytes = b"", figures: Figures | None = None) -> Ask:
    """The engine that is asked first answers."""
    asked = next(each for each in made.asks if each.token is not None)
    return made.relayed(Told(asked.engines[0], body, figures=figures))


def ringing(made: Board, raw: bytes = b"") -> Message:
    made.receive(raw or invite(), LUKAS)
    first_says(made, OURS)
    return only(made.sent()).message


def up(made: Board) -> tuple[Message, Message]:
    """A call that is up: the INVITE as it reached lenka, the 200 as it reached lukas."""
    invited = ringing(made)
    made.receive(accepted(invited), LENKA)
    first_says(made, THEIRS)
    return invited, made.answers()[-1].message


def is_whole(made: Board) -> bool:
    """Whether the reference was not needed."""
    stats = made.core.stats()
    return not (stats["odd"] or stats["handed_over"])


@both
@pytest.mark.parametrize("by", [LUKAS, LENKA])
def test_a_whole_call(mode: str, by: object) -> None:
    made = whole(mode)
    invited = ringing(made)
    assert (invited.body, invited.get("content-length")) == (OURS, str(len(OURS)))
    assert mark_in(invited)
    made.receive(response(invited, 180), LENKA)
    made.receive(accepted(invited, status=183), LENKA)
    first_says(made, THEIRS)
    made.receive(accepted(invited), LENKA)
    made.receive(accepted(invited), LENKA)
    assert made.statuses() == [100, 180, 183]
    first_says(made, THEIRS)
    answered = only(made.answers()).message
    assert (answered.status, answered.body) == (200, THEIRS)
    made.receive(again("ACK", answered, cseq=1), LUKAS)
    made.receive(again("INFO", answered, by, cseq=2), by)  # type: ignore[arg-type]
    made.receive(again("BYE", answered, by, cseq=3), by)  # type: ignore[arg-type]
    *_, bye = made.sent()
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert not made.answers()
    first_says(made, figures=Figures({"from-1": 250}))
    came = "from=250;to=0" if by == LUKAS else "from=0;to=250"
    assert only(made.answers()).message.get("x-relayed") == came
    assert is_whole(made)
    stats = made.core.stats()
    assert (stats["media_relayed"], stats["media_one_way"], stats["odd"]) == (1, 1, 0)
    made.advance(200)
    assert not made.log


@both
def test_an_engine_that_has_no_figures_is_asked_by_the_reference(mode: str) -> None:
    made = whole(mode)
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    first_says(made)
    made.receive(response(only(made.sent()).message, 200, tag=""), LENKA)
    assert only(made.answers()).message.get("x-relayed") is None
    assert made.core.stats()["media_forgotten"] == 1


@both
@pytest.mark.parametrize("refusal", [486, 503])
def test_a_call_that_is_refused_is_deleted(mode: str, refusal: int) -> None:
    made = whole(mode)
    invited = ringing(made)
    made.receive(response(invited, refusal), LENKA)
    (deleted,) = made.asks
    assert (deleted.token, deleted.command["command"]) == (None, "delete")
    assert is_whole(made) is (refusal == 486)


@both
def test_a_call_that_rings_is_cancelled(mode: str) -> None:
    made = whole(mode)
    invited = ringing(made)
    made.receive(accepted(invited, status=183), LENKA)
    made.receive(request("CANCEL", CALLEE), LUKAS)
    first_says(made, THEIRS)
    made.receive(response(invited, 487), LENKA)
    assert [each.message.method for each in made.sent()] == ["CANCEL", "ACK"]
    assert made.asks[-1].command["command"] == "delete"
    assert made.answers()[-1].status == 487
    assert is_whole(made)


@both
def test_a_response_is_passed_on_when_figures_were_there_first(mode: str) -> None:
    made = whole(mode)
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    bye = only(made.sent())
    first_says(made, figures=Figures({"from-1": 1, "to-1": 2}))
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert only(made.answers()).message.get("x-relayed") == "from=1;to=2"
    assert is_whole(made)


def refuse(made: Board, sent: Sent) -> None:
    made.receive(response(sent.message, 481, tag=""), sent.to)


@both
def test_a_bye_that_is_refused(mode: str) -> None:
    made = whole(mode)
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    refuse(made, only(made.sent()))
    first_says(made, figures=Figures({}))
    assert (only(made.answers()).status, made.kinds()[-1]) == (481, "bye")
    assert is_whole(made)


@both
def test_another_engine_answers(mode: str) -> None:
    made = whole(mode)
    made.receive(invite(), LUKAS)
    asked = next(each for each in made.asks if each.token is not None)
    made.relayed(Told(asked.engines[1], OURS))
    assert only(made.sent()).message.body == OURS
    assert not is_whole(made)


@both
@pytest.mark.parametrize(
    "body",
    [
        OURS.replace(b"\r\n", b"\n"),
        OURS + b"a=rtpmap:101 /0\r\n",
        OURS + b"a=end-of-candidates\r\n",
        OURS + b"\r\n",
        OURS[:-2],
        b"v=0\r\n" + b"a=x\r\n" * 13_000,
    ],
)
def test_what_an_engine_writes_oddly_is_cleaned_by_the_reference(mode: str, body: bytes) -> None:
    made = whole(mode)
    made.receive(invite(), LUKAS)
    first_says(made, body)
    assert not is_whole(made)


def test_an_invite_that_becomes_large_goes_by_tcp_if_that_is_there() -> None:
    made = whole("always", transports={1: 5060, 2: 5060})
    made.receive(invite(), LUKAS)
    first_says(made, OURS + b"a=x\r\n" * 200)
    assert max(len(each.raw) for each in made.sent()) > made.tcp_above
    assert not is_whole(made)


@both
def test_a_question_without_an_answer_is_asked_by_the_reference(mode: str) -> None:
    made = whole(mode)
    made.receive(invite(), LUKAS)
    before = len(made.asks)
    made.advance(40)
    assert (len(made.asks), is_whole(made)) == (before, False)
    first_says(made, OURS)
    assert only(made.sent()).message.body == OURS


@both
@pytest.mark.parametrize(
    "raw",
    [
        invite(b""),
        *(invite(OFFER.replace(b"RTP/AVP", each)) for each in (b"TCP/BFCP", b"tCp/BFCP", b"tcP/BFCP")),
    ],
)
def test_what_is_not_plain_is_the_references(mode: str, raw: bytes) -> None:
    made = whole(mode)
    made.receive(raw, LUKAS)
    assert made.core.stats()["odd"] == 1


@both
def test_an_offer_in_the_dialog_is_the_references(mode: str) -> None:
    made = whole(mode)
    _, answered = up(made)
    made.receive(again("INVITE", answered, LUKAS, OFFER), LUKAS)
    assert made.core.stats()["odd"] == 1


@both
def test_a_length_in_compact_form_and_fields_behind_it(mode: str) -> None:
    made = whole(mode)
    raw = request("INVITE", CALLEE, lines=(f"l: {len(OFFER)}", CONTACT, TYPE, "Subject: x"), body=OFFER)
    raw = raw.replace(f"Content-Length: {len(OFFER)}\r\n".encode(), b"", 1)
    invited = ringing(made, raw)
    lines = (f"l: {len(ANSWER)}", own_contact(invited), TYPE, "Server: y")
    answer = response(invited, 200, lines=lines).replace(b"Content-Length: 0\r\n", b"") + ANSWER
    made.receive(answer, LENKA)
    first_says(made, THEIRS)
    answered = made.answers()[-1].message
    assert (answered.body, answered.get("server")) == (THEIRS, "y")
    assert is_whole(made)


@both
def test_a_repeated_200_is_answered_as_before(mode: str) -> None:
    made = whole(mode)
    invited = ringing(made)
    for _ in range(2):
        made.receive(accepted(invited), LENKA)
        first_says(made, THEIRS)
    assert made.statuses() == [100, 200, 200]
    assert is_whole(made)


@both
def test_an_engine_that_is_gone_is_not_asked_first(mode: str) -> None:
    made = whole(mode)
    assert made.core.engine is not None
    made.core.engine.media_gone = 0b11
    made.receive(invite(), LUKAS)
    assert made.core.stats()["odd"] == 1


@both
def test_the_answer_to_what_nobody_asked(mode: str) -> None:
    made = whole(mode)
    made.core.relayed(1 << 41, Told(ENGINES[0], OURS), made.now, made.now)
    assert not made.sent()


def relayed(
    offer: bytes, source: object = LUKAS, contact: str = "", local: str = HOST, **more: object
) -> Board:
    """A board with `auto` that got an INVITE."""
    made = whole("auto")
    if contact:
        made.bind("lenka", contact, **more)
    made.receive(invite(offer, source=source), source, local)  # type: ignore[arg-type]
    return made


PUBLIC, PRIVATE = "sip:lenka@8.8.8.8:5060", "192.168.7.1"


@pytest.mark.parametrize(
    ("offer", "source", "contact", "is_relayed"),
    [
        (sdp(PRIVATE), LUKAS, "", True),
        (OFFER, LUKAS, PUBLIC, True),
        (sdp("8.8.4.4"), ("8.8.4.4", 5060), PUBLIC, False),
        (sdp("8.8.4.4"), ("8.8.4.4", 5060), "", False),
        (OFFER.replace(b"m=", b"c=IN IP4 10.0.0.11\r\nm="), LUKAS, "", False),
        (OFFER + f"c=IN IP4 {PRIVATE}\r\n".encode(), LUKAS, "", True),
        (f"c=IN IP4 {PRIVATE}\r\n".encode() + OFFER, LUKAS, "", True),
        (OFFER + f"c=IN IP4 {PRIVATE}".encode(), LUKAS, "", True),
        (OFFER + f"c=IN IP4 {PRIVATE}/127\n".encode(), LUKAS, "", True),
        (OFFER + b"c=IN IP4 0.0.0.0\r\nc=IN IP4 phone.example\r\nc=\r\n", LUKAS, "", False),
        (OFFER, ("2001:db8::11", 5060), "", True),
    ],
)
def test_auto_relays_the_same_calls(offer: bytes, source: object, contact: str, is_relayed: bool) -> None:
    made = relayed(offer, source, contact)
    assert bool(made.asks) is is_relayed
    if is_relayed:
        first_says(made, OURS)
    invited = only(made.sent())
    assert bool(mark_in(invited.message)) is is_relayed
    made.receive(accepted(invited.message), invited.to)
    if is_relayed:
        first_says(made, THEIRS)
    assert made.statuses() == [100, 200]
    assert is_whole(made)


def test_who_names_many_addresses_is_judged_by_the_reference() -> None:
    lines = "".join(f"c=IN IP4 {PRIVATE[:-1]}{number}\r\n" for number in range(1, 90))
    made = relayed(OFFER + lines.encode())
    assert (made.core.stats()["odd"], len(made.asks)) == (1, 1)


def test_a_browsers_offer_is_the_references() -> None:
    made = relayed(sdp(PRIVATE) + b"a=fingerprint:x\r\n")
    assert (made.core.stats()["odd"], len(made.asks)) == (1, 1)


@pytest.mark.parametrize(("source", "is_needed"), [(LUKAS, False), (("2001:db8::11", 5060), True)])
def test_without_an_engine_the_reference_knows_whether_the_call_can_be(
    source: object, is_needed: bool
) -> None:
    made = relayed(sdp(PRIVATE), source)
    assert is_whole(made)
    made.relayed(Told(None, error="no media engine answers"))
    assert made.statuses() == ([100, 488] if is_needed else [100])
    if not is_needed:
        assert only(made.sent()).message.body == sdp(PRIVATE)


def test_a_callee_who_moves_behind_address_translation_and_back() -> None:
    made = whole("auto")
    for number, place in enumerate(("10.0.0.12", PRIVATE, "10.0.0.12")):
        made.bind("lenka", f"sip:lenka@{place}:5060", next_hop="10.0.0.12:5060")
        raw = request(
            "INVITE", CALLEE, call_id=f"{number}", branch=f"z9hG4bK{number}", lines=(TYPE,), body=OFFER
        )
        made.receive(raw, LUKAS)
        assert bool(made.asks) is (place == PRIVATE)
        if made.asks:
            first_says(made, OURS)
        assert bool(mark_in(only(made.sent()).message)) is (place == PRIVATE)
    assert is_whole(made)
