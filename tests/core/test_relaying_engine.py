"""Relayed calls that the engine serves, as the reference does: each board has a twin (`playbook.Twin`)."""

import pytest
from playbook import ENGINES, LENKA, LUKAS, Board, Sent, request, response
from relayed import (
    ANSWER,
    CALLEE,
    CONTACTS,
    OFFER,
    OURS,
    THEIRS,
    TYPE,
    accepted,
    again,
    board,
    invite,
    mark_in,
    only,
)

from switchboard.core.native import IS_COMPILED
from switchboard.media.commands import Ask, Figures, Told
from switchboard.sip.message import Message

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")


def whole(**more: object) -> Board:
    return board(fragile=False, native=True, **more)  # type: ignore[arg-type]


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


@pytest.mark.parametrize("by", [LUKAS, LENKA])
def test_a_whole_call(by: object) -> None:
    made = whole()
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


def test_an_engine_that_has_no_figures_is_asked_by_the_reference() -> None:
    made = whole()
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    first_says(made)
    made.receive(response(only(made.sent()).message, 200, tag=""), LENKA)
    assert only(made.answers()).message.get("x-relayed") is None
    assert made.core.stats()["media_forgotten"] == 1


@pytest.mark.parametrize("refusal", [486, 503])
def test_a_call_that_is_refused_is_deleted(refusal: int) -> None:
    made = whole()
    invited = ringing(made)
    made.receive(response(invited, refusal), LENKA)
    (deleted,) = made.asks
    assert (deleted.token, deleted.command["command"]) == (None, "delete")
    assert is_whole(made) is (refusal == 486)


def test_a_call_that_rings_is_cancelled() -> None:
    made = whole()
    invited = ringing(made)
    made.receive(accepted(invited, status=183), LENKA)
    made.receive(request("CANCEL", CALLEE), LUKAS)
    first_says(made, THEIRS)
    made.receive(response(invited, 487), LENKA)
    assert [each.message.method for each in made.sent()] == ["CANCEL", "ACK"]
    assert made.asks[-1].command["command"] == "delete"
    assert made.answers()[-1].status == 487
    assert is_whole(made)


def test_a_response_is_passed_on_when_figures_were_there_first() -> None:
    made = whole()
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    bye = only(made.sent())
    first_says(made, figures=Figures({"from-1": 1, "to-1": 2}))
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert only(made.answers()).message.get("x-relayed") == "from=1;to=2"
    assert is_whole(made)


def refuse(made: Board, sent: Sent) -> None:
    made.receive(response(sent.message, 481, tag=""), sent.to)


def test_a_bye_that_is_refused() -> None:
    made = whole()
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    refuse(made, only(made.sent()))
    first_says(made, figures=Figures({}))
    assert (only(made.answers()).status, made.kinds()[-1]) == (481, "bye")
    assert is_whole(made)


def test_another_engine_answers() -> None:
    made = whole()
    made.receive(invite(), LUKAS)
    asked = next(each for each in made.asks if each.token is not None)
    made.relayed(Told(asked.engines[1], OURS))
    assert only(made.sent()).message.body == OURS
    assert not is_whole(made)


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
def test_what_an_engine_writes_oddly_is_cleaned_by_the_reference(body: bytes) -> None:
    made = whole()
    made.receive(invite(), LUKAS)
    first_says(made, body)
    assert not is_whole(made)


def test_an_invite_that_becomes_large_goes_by_tcp_if_that_is_there() -> None:
    made = whole(transports={1: 5060, 2: 5060})
    made.receive(invite(), LUKAS)
    first_says(made, OURS + b"a=x\r\n" * 200)
    assert max(len(each.raw) for each in made.sent()) > made.tcp_above
    assert not is_whole(made)


def test_a_question_without_an_answer_is_asked_by_the_reference() -> None:
    made = whole()
    made.receive(invite(), LUKAS)
    before = len(made.asks)
    made.advance(40)
    assert (len(made.asks), is_whole(made)) == (before, False)
    first_says(made, OURS)
    assert only(made.sent()).message.body == OURS


@pytest.mark.parametrize(
    "raw",
    [
        invite(b""),
        *(invite(OFFER.replace(b"RTP/AVP", each)) for each in (b"TCP/BFCP", b"tCp/BFCP", b"tcP/BFCP")),
    ],
)
def test_what_is_not_plain_is_the_references(raw: bytes) -> None:
    made = whole()
    made.receive(raw, LUKAS)
    assert made.core.stats()["odd"] == 1


def test_an_offer_in_the_dialog_is_the_references() -> None:
    made = whole()
    _, answered = up(made)
    made.receive(again("INVITE", answered, LUKAS, OFFER), LUKAS)
    assert made.core.stats()["odd"] == 1


def test_a_length_in_compact_form_and_fields_behind_it() -> None:
    made = whole()
    raw = request(
        "INVITE", CALLEE, lines=(f"l: {len(OFFER)}", CONTACTS[LUKAS], TYPE, "Subject: x"), body=OFFER
    )
    raw = raw.replace(f"Content-Length: {len(OFFER)}\r\n".encode(), b"", 1)
    invited = ringing(made, raw)
    lines = (f"l: {len(ANSWER)}", CONTACTS[LENKA], TYPE, "Server: y")
    answer = response(invited, 200, lines=lines).replace(b"Content-Length: 0\r\n", b"") + ANSWER
    made.receive(answer, LENKA)
    first_says(made, THEIRS)
    answered = made.answers()[-1].message
    assert (answered.body, answered.get("server")) == (THEIRS, "y")
    assert is_whole(made)


def test_a_repeated_200_is_answered_as_before() -> None:
    made = whole()
    invited = ringing(made)
    for _ in range(2):
        made.receive(accepted(invited), LENKA)
        first_says(made, THEIRS)
    assert made.statuses() == [100, 200, 200]
    assert is_whole(made)


def test_an_engine_that_is_gone_is_not_asked_first() -> None:
    made = whole()
    assert made.core.engine is not None
    made.core.engine.media_gone = 0b11
    made.receive(invite(), LUKAS)
    assert made.core.stats()["odd"] == 1


def test_the_answer_to_what_nobody_asked() -> None:
    made = whole()
    made.core.relayed(1 << 41, Told(ENGINES[0], OURS), made.now, made.now)
    assert not made.sent()
