"""Relayed media: offers and answers go by an engine, whoever of the router's lives asks it."""

import pytest
from playbook import ENGINES, HOST, LENKA, LUKAS, PETER, Board, request, response
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
    sdp,
)

from switchboard.core.relays import LINGERS_S
from switchboard.media.commands import GONE, Ask, Figures, Told
from switchboard.sip.flow import UDP, WS, Flow, connection_of
from switchboard.sip.message import Message

BROWSER = Flow(WS, HOST, "10.0.0.50", 40000, connection_of(0, b"of a web"))


def ok(body: bytes, engine: int = 0) -> Told:
    return Told(ENGINES[engine], body)


def command_of(ask: Ask) -> tuple[object, ...]:
    return tuple(ask.command.get(name, "") for name in ("command", "from-tag", "to-tag", "sdp"))


def up(made: Board, offer: bytes = OFFER) -> tuple[Message, Message]:
    """A call that is up: the INVITE as it reached lenka, the 200 as it reached lukas."""
    made.receive(invite(offer), LUKAS)
    if offer:
        made.relayed(ok(OURS))
    invited = only(made.sent()).message
    made.receive(accepted(invited), LENKA)
    made.relayed(ok(THEIRS))
    answered = made.answers()[-1].message
    assert answered.status == 200
    return invited, answered


@pytest.mark.parametrize("told", [ok(THEIRS), Told(ENGINES[0], error="No")])
def test_a_cancel_that_waited_for_a_ringing_phone_does_not_wait_for_an_engine(told: Told) -> None:
    made = board()
    made.receive(invite(), LUKAS)
    made.relayed(ok(OURS))
    invited = only(made.sent()).message
    made.receive(request("CANCEL", CALLEE), LUKAS)
    made.receive(accepted(invited, status=183), LENKA)
    assert only(made.sent()).message.method == "CANCEL"
    made.relayed(told)
    made.advance(400)
    assert made.statuses()[-1] == 487
    assert not [key for key in made.log if key[:1] in b"UT"]


@both
def test_offer_and_answer_go_by_an_engine(mode: str) -> None:
    made = board(mode)
    made.receive(invite(), LUKAS)
    assert made.statuses() == [100]
    assert not made.sent()
    asked = made.relayed(ok(OURS))
    assert command_of(asked) == ("offer", "from-1", "", OFFER)
    assert (asked.command["ICE"], asked.command["address-family"]) == ("remove", "IP4")
    assert asked.command["replace"] == ["origin", "session-connection"]
    assert set(asked.engines) == set(ENGINES)
    sent = only(made.sent())
    assert (sent.to, sent.message.body) == (LENKA, OURS)
    assert mark_in(sent.message)
    made.receive(response(sent.message, 180), LENKA)
    assert made.statuses() == [180]
    made.receive(accepted(sent.message), LENKA)
    assert not made.answers()
    answering = made.relayed(ok(THEIRS))
    assert command_of(answering) == ("answer", "from-1", "to-1", ANSWER)
    assert answering.command["via-branch"] == asked.command["via-branch"]
    assert answering.engines[0] == ENGINES[0]
    answer = only(made.answers()).message
    assert (answer.status, answer.body) == (200, THEIRS)
    assert made.kinds() == ["invite", "ringing", "answered"]


def test_each_fork_has_its_own_name_and_a_lost_one_is_deleted() -> None:
    made = board()
    made.bind("lenka", "sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.13:5060")
    made.receive(invite(), LUKAS)
    names = {str(made.relayed(ok(OURS)).command["via-branch"]) for _ in range(2)}
    assert len(names) == 2
    first, second = made.sent()
    made.receive(response(second.message, 486), second.to)
    (deleted,) = [each for each in made.asks if each.token is None]
    assert (deleted.command["command"], deleted.command["delete-delay"]) == ("delete", 0)
    assert deleted.command["via-branch"] in names
    made.receive(accepted(first.message), first.to)
    answering = made.relayed(ok(THEIRS))
    assert {answering.command["via-branch"], deleted.command["via-branch"]} == names


def test_a_fork_that_its_engine_has_dropped_for_another_one_is_lost() -> None:
    """The voice of the second one, at another engine, is not to be taken for its own."""
    made = board()
    made.bind("lenka", "sip:lenka@10.0.0.12:5060", "sip:lenka@10.0.0.13:5060")
    made.receive(invite(), LUKAS)
    made.relayed(ok(OURS))
    made.relayed(ok(OURS, 1)._replace(lost=(ENGINES[0],)))
    first, second = made.sent()
    made.answers()
    made.receive(accepted(first.message), first.to)
    assert [each.message.method for each in made.sent()] == ["ACK", "BYE"]
    for ended in [each for each in made.asks if each.token is not None]:
        assert ended.command["command"] == "delete"
        made.relayed(Told(None))
    made.receive(accepted(second.message), second.to)
    made.relayed(ok(THEIRS, 1))
    assert made.statuses() == [200]


@both
def test_what_comes_behind_a_response_that_waits_comes_behind_it(mode: str) -> None:
    made = board(mode)
    made.receive(invite(), LUKAS)
    made.relayed(ok(OURS))
    invited = only(made.sent()).message
    made.answers()
    made.receive(accepted(invited, status=183), LENKA)
    made.receive(response(invited, 180), LENKA)
    made.receive(accepted(invited), LENKA)
    made.receive(accepted(invited), LENKA)  # it repeats what was not acknowledged
    assert not made.answers()
    made.relayed(ok(THEIRS))
    assert made.statuses() == [183, 180]
    made.relayed(ok(THEIRS))
    assert made.statuses() == [200]
    assert not made.asks


@both
def test_a_caller_gives_up_while_an_engine_is_asked(mode: str) -> None:
    made = board(mode)
    made.receive(invite(), LUKAS)
    made.answers()
    made.receive(request("CANCEL", CALLEE), LUKAS)
    assert made.statuses() == [200, 487]
    assert made.asks[-1].command["command"] == "delete"
    if not made.fragile:  # a successor does not ask for what was given up
        made.relayed(ok(OURS))
    assert not made.sent()


@pytest.mark.parametrize("pause_s", [0, 40, 100])
def test_nothing_is_left_of_a_bye_that_reaches_nobody_while_an_engine_is_asked(pause_s: float) -> None:
    made = board()
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    made.lose(only(made.sent()))
    assert made.statuses()[-1] == 500
    made.advance(pause_s)
    made.relayed(Told(ENGINES[0], figures=Figures({"from-1": 250})))
    made.advance(100)
    assert [event.kind for event in made.events].count("relayed") == 1
    assert not [key for key in made.log if key[:1] in b"UT"]


@both
@pytest.mark.parametrize("by", [LUKAS, LENKA])
def test_a_bye_ends_it_at_the_engine(mode: str, by: object) -> None:
    made = board(mode)
    _, answered = up(made)
    made.receive(again("BYE", answered, by), by)  # type: ignore[arg-type]
    bye = only(made.sent())
    assert bye.message.method == "BYE"
    asked = made.relayed(Told(ENGINES[0], figures=Figures({"from-1": 250, "to-1": 3})))
    assert asked.command["command"] == "delete"
    assert asked.command["delete-delay"] == LINGERS_S
    assert {asked.command["from-tag"], asked.command["to-tag"]} == {"from-1", "to-1"}
    if not made.fragile:
        assert made.core.stats()["media_both_ways"] == 1
    made.receive(response(bye.message, 200, tag=""), bye.to)
    counts = [250, 3] if by == LUKAS else [3, 250]
    tags = ["from-1", "to-1"] if by == LUKAS else ["to-1", "from-1"]
    told = [event.details for event in made.events if event.kind == "relayed"]
    assert told == [(*tags, str(ENGINES[0]), *counts)]
    figures = f"from={counts[0]};to={counts[1]}"
    assert made.answers()[-1].message.get("x-relayed") == figures


@both
@pytest.mark.parametrize("told", [Told(None, error="x"), Told(ENGINES[1], knew_nothing=True)])
def test_a_bye_of_which_no_engine_knows_more(mode: str, told: Told) -> None:
    """The engine of the dialog had gone, or was started anew."""
    made = board(mode)
    _, answered = up(made)
    made.receive(again("BYE", answered, LUKAS), LUKAS)
    bye = only(made.sent())
    made.relayed(told)
    if not made.fragile:
        assert made.core.stats()["media_forgotten"] == 1
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert made.answers()[-1].message.get("x-relayed") is None
    details = [event.details for event in made.events if event.kind == "relayed"]
    assert details == [("from-1", "to-1", str(ENGINES[0]), -1, -1)]


@both
def test_the_response_to_a_bye_waits_for_the_figures(mode: str) -> None:
    made = board(mode)
    _, answered = up(made)
    made.receive(again("BYE", answered), LUKAS)
    bye = only(made.sent())
    for _ in range(2):
        made.receive(response(bye.message, 200, tag=""), bye.to)
    assert not made.answers()
    made.relayed(Told(ENGINES[0], figures=Figures({"from-1": 250})))
    assert only(made.answers()).message.get("x-relayed") == "from=250;to=0"
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert not made.answers()


@both
def test_the_bye_of_the_operator_leaves_when_the_figures_are_here(mode: str) -> None:
    """So the record has them: its end, which the phone's answer tells, comes later."""
    made = board(mode)
    _, answered = up(made)
    assert made.end_call(again("BYE", answered)) == ""
    if made.fragile:
        return  # the successor sends it at once, and knows nothing of the question
    assert not made.sent()
    made.relayed(Told(ENGINES[0], figures=Figures({"from-1": 250, "to-1": 3})))
    bye = only(made.sent())
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert made.kinds()[-2:] == ["relayed", "bye"]


@both
def test_the_bye_of_the_operator_leaves_whatever_becomes_of_the_question(mode: str) -> None:
    made = board(mode)
    _, answered = up(made)
    made.end_call(again("BYE", answered))
    made.crash()
    made.advance(0.5)
    bye = made.sent()[0]
    assert (bye.message.method, bye.to) == ("BYE", LENKA)
    made.receive(response(bye.message, 200, tag=""), bye.to)
    assert made.kinds()[-1] == "bye"


@both
@pytest.mark.parametrize("by", [LUKAS, LENKA])
@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_an_offer_in_the_dialog(mode: str, by: object, method: str) -> None:
    made = board(mode)
    _, answered = up(made)
    made.receive(again(method, answered, by, OFFER), by)  # type: ignore[arg-type]
    asked = made.relayed(ok(OURS, 1))  # the engine of before is gone: both sides hear of new ports
    tags = ("from-1", "to-1") if by == LUKAS else ("to-1", "from-1")
    assert command_of(asked) == ("offer", *tags, OFFER)
    assert "via-branch" not in asked.command
    sent = only(made.sent())
    assert sent.message.body == OURS
    assert mark_in(sent.message)
    made.receive(accepted(sent.message, tag=""), sent.to)
    asked = made.relayed(ok(THEIRS, 1))
    assert command_of(asked) == ("answer", *tags, ANSWER)
    assert asked.engines[0] == ENGINES[1]
    assert made.answers()[-1].message.body == THEIRS


@both
def test_an_invite_without_an_offer_asks_nobody_until_the_200_has_one(mode: str) -> None:
    made = board(mode)
    made.receive(request("INVITE", CALLEE, lines=(CONTACT,)), LUKAS)
    assert not made.asks
    invited = only(made.sent()).message
    assert mark_in(invited)
    made.answers()
    made.receive(accepted(invited, OFFER), LENKA)
    asked = made.relayed(ok(OURS))
    assert command_of(asked) == ("offer", "to-1", "from-1", OFFER)
    answered = only(made.answers()).message
    assert answered.body == OURS
    made.receive(again("ACK", answered, LUKAS, ANSWER, cseq=1), LUKAS)
    assert not made.sent()
    if made.fragile:
        return  # the ACK is lost with its router: the 200 is repeated, and so is the ACK
    asked = made.relayed(ok(THEIRS))
    assert command_of(asked) == ("answer", "to-1", "from-1", ANSWER)
    assert only(made.sent()).message.body == THEIRS


def test_no_engine_and_no_call() -> None:
    made = board()
    made.receive(invite(), LUKAS)
    made.answers()
    made.relayed(Told(None, error="no media engine answers"))
    refusal = only(made.answers()).message
    assert refusal.status == 488
    assert "no media engine answers" in (refusal.get("warning") or "")
    assert not made.sent()


@both
@pytest.mark.parametrize("told", [Told(None, error="no media engine answers"), Told(ENGINES[0], error=GONE)])
def test_a_dialog_whose_media_is_gone_ends_on_both_sides(mode: str, told: Told) -> None:
    made = board(mode)
    _, answered = up(made)
    made.receive(again("INVITE", answered, LUKAS, OFFER), LUKAS)
    made.answers()
    made.relayed(told)
    assert made.statuses() == [481]
    bye = only([each for each in made.sent() if each.message.method == "BYE"])
    assert bye.to == LENKA
    assert (bye.message.from_tag, bye.message.to_tag, bye.message.cseq) == ("from-1", "to-1", (3, "BYE"))


def test_an_offer_that_no_engine_understands_leaves_the_dialog_as_it_is() -> None:
    made = board()
    _, answered = up(made)
    made.receive(again("INVITE", answered, LUKAS, OFFER), LUKAS)
    made.answers()
    made.relayed(Told(ENGINES[0], error="Failed to parse SDP"))
    assert made.statuses() == [488]
    assert not [each for each in made.sent() if each.message.method == "BYE"]


@both
@pytest.mark.parametrize(
    "told", [Told(ENGINES[0], error="Unknown call-id"), Told(ENGINES[0], b"v=0\r\n" + b"a=x\r\n" * 13_000)]
)
def test_an_answer_that_no_engine_takes_is_confirmed_and_ended(mode: str, told: Told) -> None:
    made = board(mode)
    made.receive(invite(), LUKAS)
    made.relayed(ok(OURS))
    invited = only(made.sent()).message
    made.answers()
    made.receive(accepted(invited), LENKA)
    made.relayed(told)
    assert made.statuses() == [488]
    ack, bye = made.sent()
    assert (ack.message.method, ack.message.cseq[0], ack.to) == ("ACK", 1, LENKA)
    assert (bye.message.method, bye.message.cseq[0], bye.to) == ("BYE", 2, LENKA)
    assert made.kinds()[-1] == "failed"


SLIDES = b"m=application 9 TCP/BFCP *\r\n"


@both
def test_a_stream_over_tcp_keeps_its_place(mode: str) -> None:
    made = board(mode)
    made.receive(invite(OFFER.replace(b"m=audio", SLIDES + b"m=audio")), LUKAS)
    asked = made.relayed(ok(OURS))
    assert b"TCP" not in asked.command["sdp"]  # type: ignore[operator]
    body = only(made.sent()).message.body
    assert body.index(SLIDES) < body.index(b"m=audio 9000")


@pytest.mark.parametrize("line", ["Content-Type: multipart/mixed;boundary=x", "Content-Encoding: gzip"])
def test_a_body_that_no_engine_reads_passes_as_it_is(line: str) -> None:
    made = board()
    lines = (CONTACT, line if line.startswith("Content-Type") else TYPE, line)
    made.receive(request("INVITE", CALLEE, lines=lines[: 2 + (lines[1] != line)], body=OFFER), LUKAS)
    assert not made.asks
    assert only(made.sent()).message.body == OFFER


@pytest.mark.parametrize(
    ("offer", "source", "is_relayed"),
    [
        (OFFER, LUKAS, False),
        (sdp("192.168.7.1"), LUKAS, True),  # a private address that is not where it sends from
        (sdp("0.0.0.0"), LUKAS, False),
        (OFFER, BROWSER, True),
        (b"", LUKAS, False),
        (
            OFFER.replace(b"RTP/AVP 0\r\n", b"UDP/TLS/RTP/SAVPF 0\r\na=fingerprint:x\r\na=ice-ufrag:x\r\n"),
            LUKAS,
            True,
        ),
    ],
)
def test_auto_relays_where_media_could_not_pass_by_itself(
    offer: bytes, source: object, is_relayed: bool
) -> None:
    made = board("auto", transports={UDP: 5060, WS: 5080})
    made.receive(invite(offer, source=source), source)  # type: ignore[arg-type]
    assert bool(made.asks) is is_relayed
    if not is_relayed:
        assert not mark_in(only(made.sent()).message)


def test_a_callee_behind_address_translation_is_relayed_to() -> None:
    made = board("auto")
    made.bind("lenka", "sip:lenka@192.168.3.4:5060", next_hop="10.0.0.12:5060")
    made.receive(invite(), LUKAS)
    made.relayed(ok(OURS))
    assert only(made.sent()).to == LENKA


def test_browsers_among_themselves_need_no_relay() -> None:
    made = board("auto", transports={UDP: 5060, WS: 5080})
    made.bind("lenka", "sip:lenka@k3x9.invalid;transport=ws", flow=BROWSER.pack())
    made.receive(invite(source=BROWSER), BROWSER)
    assert not made.asks
    assert only(made.sent()).flow == BROWSER


def test_a_phone_calls_a_browser_and_each_gets_what_it_can_read() -> None:
    made = board("auto", transports={UDP: 5060, WS: 5080})
    made.bind("lenka", "sip:lenka@k3x9.invalid;transport=ws", flow=BROWSER.pack())
    made.receive(invite(), LUKAS)
    asked = made.relayed(ok(OURS))
    assert asked.command["transport-protocol"] == "UDP/TLS/RTP/SAVPF"
    assert asked.command["ICE"] == "force"
    invited = only(made.sent()).message
    made.receive(accepted(invited), BROWSER)
    assert made.relayed(ok(THEIRS)).command["ICE"] == "remove"
    _, answered = made.answers()
    made.receive(again("INVITE", answered.message, LUKAS, OFFER), LUKAS)
    assert made.relayed(ok(OURS)).command["transport-protocol"] == "UDP/TLS/RTP/SAVPF"


def test_where_relaying_only_helps_a_call_goes_on_without() -> None:
    made = board("auto")
    made.receive(invite(sdp("192.168.7.1")), LUKAS)
    made.relayed(Told(None, error="no media engine answers"))
    sent = only(made.sent()).message
    assert sent.body == sdp("192.168.7.1")
    assert not mark_in(sent)
    assert made.proxy.env.relays is not None
    made.receive(accepted(sent), LENKA)
    assert made.statuses() == [100, 200]


def test_a_public_address_of_ours_stands_in_sdp_for_who_is_outside() -> None:
    made = board(advertised=HOST)
    made.receive(invite(), LUKAS)
    assert made.relayed(ok(OURS)).command["media-address"] == HOST


def test_a_mark_of_another_dialog_has_nobody_asked() -> None:
    made = board()
    _, answered = up(made)
    raw = again("BYE", answered, LUKAS)
    mark = mark_in(answered).encode()
    made.receive(raw.replace(mark, b"A" * len(mark)), LUKAS)
    assert only(made.sent()).message.method == "BYE"
    assert not made.asks


def test_other_requests_have_nobody_asked() -> None:
    made = board()
    made.receive(request("MESSAGE", CALLEE, lines=(TYPE,), body=OFFER), LUKAS)
    assert only(made.sent()).to == LENKA
    assert not made.asks
    made.receive(
        request("INVITE", f"sip:nobody@{HOST}", call_id="other", branch="z9hG4bKo", body=OFFER), PETER
    )
    assert 404 in made.statuses()
    assert not made.asks
