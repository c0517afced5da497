"""The accounts of calls and registrations, from their messages."""

import pytest
from history.wire import (
    BOARD,
    CALL_ID,
    LENKA,
    LUKAS,
    Wire,
    acknowledged,
    answered,
    call,
    invited,
    refused,
    refused_here,
    request,
    response,
)
from hypothesis import given
from hypothesis import strategies as st

from switchboard.history.explain import explain
from switchboard.history.place import Place
from switchboard.history.seen import Address, Direction, Seen


def test_nothing() -> None:
    assert explain([]).text == "Nothing is known of it."


def test_a_call_that_went_well() -> None:
    account = explain(call())
    assert account.sentences == [
        "lukas called lenka.",
        "The phone rang for 4.0 s.",
        "lenka answered.",
        "They talked for 1 min 05 s, then lenka hung up.",
    ]
    assert (account.failed, account.advice) == (False, [])


def test_a_call_that_is_up() -> None:
    wire = Wire()
    invited(wire)
    assert explain(wire.seen).sentences[-1] == "No phone has said anything yet."
    answered(wire, 180, "Ringing")
    assert explain(wire.seen).sentences[-1] == "The phone rings, and nobody has answered yet."
    answered(wire, 200, "OK")
    acknowledged(wire)
    assert explain(wire.seen).sentences[-1] == "The call is up, or its end was not seen."


@pytest.mark.parametrize(
    ("status", "phrase", "sentence"),
    [
        (486, "Obsadené", "lenka was busy (486 Obsadené)."),
        (600, "Busy Everywhere", "lenka was busy everywhere (600 Busy Everywhere)."),
        (603, "Odmietnutie", "lenka declined (603 Odmietnutie)."),
        (480, "Later", "The phone of lenka did not take the call (480 Later)."),
        (404, "Who", "The phone that is registered for lenka does not know that user (404 Who)."),
        (403, "No", "The phone of lenka refused the call (403 No)."),
        (499, "Odd", "The call was refused (499 Odd)."),
        (501, "Odd", "A server could not do what was asked (501 Odd)."),
        (302, "Moved", "lenka's phone says to try elsewhere (302 Moved)."),
    ],
)
def test_a_phone_that_refuses(status: int, phrase: str, sentence: str) -> None:
    account = explain(refused(status, "As the phone said it", ring_s=11, shown=phrase))
    assert account.sentences == ["lukas called lenka.", "The phone rang for 11 s.", sentence]
    assert account.failed


@pytest.mark.parametrize(
    ("status", "sentence", "check"),
    [
        (404, "lenka has never registered here", "spelled as in the callee's phone"),
        (480, "its registration ran out or was withdrawn", "switched on and in the network"),
        (403, "refused to pass the call on to example.org", "add it to the setting domains"),
        (407, "wanted a password from lukas", "Enter user name and password"),
        (482, "went in a circle", "call forwarding"),
        (500, "could not be delivered to lenka", "cannot be reached"),
        (503, "does not know yet who is registered", "switchboard status"),
        (416, "is no SIP address", "Only sip: addresses"),
        (400, "could not make sense of the INVITE", "The phrase names the field"),
    ],
)
def test_a_switchboard_that_refuses(status: int, sentence: str, check: str) -> None:
    account = explain(refused_here(status, "Phrase"))
    assert sentence in account.sentences[-1]
    assert f"({status} Phrase)" in account.sentences[-1]
    assert check in " ".join(account.advice)


@pytest.mark.parametrize(
    ("registered", "sentence"),
    [
        (["sip:lenka@10.0.0.3"], "By now lenka is registered: sip:lenka@10.0.0.3. Call again."),
        ([], "lenka is not registered now, either."),
    ],
)
def test_whether_the_callee_is_registered_by_now(registered: list[str], sentence: str) -> None:
    place = Place(contacts=lambda _: registered)
    assert sentence in explain(refused_here(480, "Gone"), place).advice
    assert sentence not in explain(refused(480, "Gone"), place).advice


def test_no_codec_in_common() -> None:
    warning = 'Warning: 305 phone "Incompatible media format"\r\n'
    account = explain(refused(488, "Not Acceptable Here", extra=warning))
    assert "could not agree on a way to talk" in account.sentences[-1]
    assert account.advice == [
        "They have no codec in common: lukas's phone offered PCMU, PCMA. Switch one on in both.",
        "lenka's phone says why: it has none of the codecs offered (305 Incompatible media format).",
    ]


def test_a_caller_that_gives_up() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    wire.wait(7)
    wire.comes(LUKAS, request("CANCEL"))
    wire.leaves(LUKAS, response(200, "OK", method="CANCEL"))
    wire.leaves(LENKA, request("CANCEL", "sip:lenka@10.0.0.3", ("sb1",)))
    answered(wire, 487, "Request Terminated")
    account = explain(wire.seen)
    assert account.sentences[1:] == [
        "The phone rang for 7.0 s.",
        "lukas hung up before anybody answered (487 Request Terminated).",
    ]
    assert not account.failed


@pytest.mark.parametrize("rings", [True, False])
def test_nobody_answers(rings: bool) -> None:
    wire = Wire()
    invited(wire)
    if rings:
        answered(wire, 180, "Ringing")
    else:
        wire.leaves(LENKA, wire.seen[-1].raw)
        wire.leaves(LENKA, wire.seen[-1].raw)
    wire.wait(30)
    wire.leaves(LUKAS, response(408, "Request Timeout"))
    account = explain(wire.seen)
    silence = "The phone at 10.0.0.3:5060 said nothing, though asked 3 times"
    if rings:
        assert account.sentences[1:] == ["The phone rang for 30 s.", "Nobody answered (408 Request Timeout)."]
    else:
        assert account.sentences[-1] == "No phone of lenka answered in time (408 Request Timeout)."
    assert any(line.startswith(silence) for line in account.advice) is not rings


@pytest.mark.parametrize("tries", [1, 2])
def test_nobody_listens(tries: int) -> None:
    """The network says so."""
    wire = Wire()
    wire.passes(LUKAS, LENKA, request("INVITE"), request("INVITE", branches=("sb1", "b")))
    for _ in range(tries - 1):
        wire.wait(0.5)
        wire.leaves(LENKA, request("INVITE", branches=("sb1", "b")))
    wire.leaves(LUKAS, response(500, "Server Internal Error"))
    account = explain(wire.seen)
    assert account.sentences[-1] == "The call could not be delivered to lenka (500 Server Internal Error)."
    assert [line for line in account.advice if "10.0.0.3:5060" in line] == [
        "Nobody is at 10.0.0.3:5060, as the network says (ICMP): the port is closed. The phone was switched off, or "
        "has another address now and has not registered it; `switchboard bindings --user lenka` shows what it has "
        "registered."
    ]


def test_a_challenge_that_was_met() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LUKAS, response(407, "Password please"))
    wire.comes(LUKAS, request("ACK"))
    invited(wire, cseq=2)
    account = explain(wire.seen)
    assert account.sentences[1] == (
        "The switchboard asked for a password (407 Password please), and the phone gave one."
    )


def test_a_call_that_rang_at_two_phones() -> None:
    wire = Wire()
    invited(wire)
    other = Address("10.0.0.4", 5062)
    wire.leaves(other, request("INVITE", "sip:lenka@10.0.0.4:5062", ("sb2", "b")))
    answered(wire, 200, "OK")
    account = explain(wire.seen)
    assert account.sentences[1:3] == [
        "The call went to 2 phones: 10.0.0.3:5060, 10.0.0.4:5062.",
        "lenka answered at 10.0.0.3:5060.",
    ]


def test_phones_at_addresses_that_cannot_be_reached() -> None:
    advice = explain(call(contact="192.168.7.7", media="192.168.7.7")).advice
    assert len(advice) == 2
    assert advice[0].startswith("The phone of lenka says that it is reached at 192.168.7.7")
    assert advice[1].startswith("The phone of lenka wants to hear at 192.168.7.7")
    assert explain(call(contact="8.8.4.4", media="phone.example.org")).advice == []


@pytest.mark.parametrize("gruu", ["10.0.0.1;gr=urn:uuid:1", "10.0.0.1;gr"])
def test_a_gruu_is_no_address(gruu: str) -> None:
    """It names the switchboard, which every Linphone then has in its Contact."""
    assert explain(call(contact=gruu)).advice == []


@pytest.mark.parametrize("nowhere", ["0.0.0.0", "127.0.0.1"])
def test_phones_at_addresses_where_nobody_is(nowhere: str) -> None:
    advice = explain(call(contact=nowhere)).advice
    assert advice[0].startswith(
        f"The phone of lenka says that it is reached at {nowhere} (Contact), where nobody else"
    )
    assert "its messages come from 10.0.0.3" in advice[0]


def test_an_answer_that_is_never_confirmed() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 200, "OK")
    assert "never confirmed the answer (ACK)" in explain(wire.seen).advice[0]


def test_an_ack_that_is_not_passed_on() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LUKAS, response(407, "Password please"))
    wire.comes(LUKAS, request("ACK"))
    invited(wire, cseq=2)
    wire.passes(LENKA, LUKAS, response(200, "OK", ("sb1", "b"), cseq=2), response(200, "OK", cseq=2))
    assert "never confirmed the answer (ACK)" in explain(wire.seen).advice[0]
    wire.comes(LUKAS, request("ACK", "sip:lenka@10.0.0.3", ("ack",), to_tag="2", cseq=2))
    (advice,) = explain(wire.seen).advice
    assert "but the switchboard did not pass that on" in advice
    assert "may still be up at the phones" in advice


def test_an_answer_without_record_route() -> None:
    wire = Wire()
    route = "Record-Route: <sip:10.0.0.1;lr>\r\n"
    wire.comes(LUKAS, request("INVITE"))
    wire.leaves(LENKA, request("INVITE", "sip:lenka@10.0.0.3", ("sb1", "b"), extra=route))
    answered(wire, 200, "OK")
    acknowledged(wire)
    assert explain(wire.seen).advice[0].startswith("lenka's phone left Record-Route out of its answer")


def talking(wire: Wire) -> None:
    invited(wire)
    answered(wire, 200, "OK")
    acknowledged(wire)
    wire.wait(20)


def bye(branch: str) -> tuple[bytes, bytes]:
    """A BYE of lukas, as it comes and as it leaves."""
    return request("BYE", "sip:lenka@10.0.0.3", (branch,), cseq=3, to_tag="2"), request(
        "BYE", "sip:lenka@10.0.0.3", (f"sb{branch}", branch), cseq=3, to_tag="2"
    )


@pytest.mark.parametrize(
    ("statuses", "by_phone", "end"),
    [
        ([200], True, "They talked for 20 s, then lukas hung up."),
        ([481], True, "They talked for 20 s, then lukas hung up."),
        ([], True, "They talked for 20 s, then lukas hung up."),
        ([500], False, "They talked for 20 s, then lukas hung up."),
        ([407, 200], True, "They talked for 20 s, then lukas hung up."),
        (
            [403],
            True,
            "lukas's phone hung up (BYE), but it was refused (403 Phrase): "
            "the call may still be up at the phones.",
        ),
        (
            [500],
            True,
            "lukas's phone hung up (BYE), but it was refused (500 Phrase): "
            "the call may still be up at the phones.",
        ),
        (
            [403, 407],
            True,
            "lukas's phone hung up (BYE), but it was refused (407 Phrase): "
            "the call may still be up at the phones.",
        ),
    ],
)
def test_an_end_is_judged_by_the_answer_to_bye(statuses: list[int], by_phone: bool, end: str) -> None:
    wire = Wire()
    talking(wire)
    for number, status in enumerate(statuses or [0]):
        wire.passes(LUKAS, LENKA, *bye(f"bye{number}"))
        if status and by_phone:
            wire.comes(LENKA, response(status, "X", (f"sbbye{number}", f"bye{number}"), method="BYE", cseq=3))
        if status:
            wire.leaves(LUKAS, response(status, "Phrase", (f"bye{number}",), method="BYE", cseq=3))
    assert explain(wire.seen).sentences[-1] == end


def test_a_bye_that_vanishes_here() -> None:
    wire = Wire()
    talking(wire)
    wire.comes(LUKAS, bye("bye")[0])
    assert explain(wire.seen).sentences[-1] == (
        "lukas's phone hung up (BYE), but the switchboard dropped it: the call may still be up at the phones."
    )


def with_tag(seen: list[Seen], old: str, new: str) -> list[Seen]:
    tags = (f";tag={old}\r\n".encode(), f";tag={new}\r\n".encode())
    return [each._replace(raw=each.raw.replace(*tags)) for each in seen]


def test_calls_that_share_a_call_id() -> None:
    other = [each._replace(at_ns=each.at_ns + 2) for each in with_tag(refused(486, "Busy"), "1", "77")]
    account = explain([*call(), *other])
    assert account.sentences[:2] == ["2 calls share this Call-ID.", "Call 1: lukas called lenka."]
    assert "They talked for 1 min 05 s, then lenka hung up." in account.sentences
    assert account.sentences[-2:] == ["Call 2: lukas called lenka.", "lenka was busy (486 Busy)."]
    assert account.failed


def test_calls_with_the_same_tags_one_after_the_other() -> None:
    wire = Wire()
    for number in range(7):
        invite = request("INVITE", branches=(f"i{number}",), cseq=number + 1)
        wire.comes(LUKAS, invite)
        wire.leaves(LUKAS, response(200, "OK", (f"i{number}",), cseq=number + 1))
        wire.comes(LUKAS, request("ACK", branches=(f"a{number}",), to_tag="2", cseq=number + 1))
    sentences = explain(wire.seen).sentences
    assert sentences[0] == "7 calls share this Call-ID, of which the last 5 are told here."
    assert [each[:6] for each in sentences if each.startswith("Call")] == [f"Call {n}" for n in range(3, 8)]


@pytest.mark.parametrize("method", ["INVITE", "MESSAGE", "BYE"])
def test_a_malformed_request_names_its_field_and_phone(method: str) -> None:
    wire = Wire()
    if method == "BYE":
        talking(wire)
    to_tag = "2" if method == "BYE" else ""
    wire.comes(LUKAS, request(method, branches=("m",), to_tag=to_tag, extra="User-Agent: Acme 7\r\n"))
    warning = 'Warning: 399 switchboard "Malformed Contact"\r\n'
    wire.leaves(LUKAS, response(400, "Zle", ("m",), method=method, extra=warning))
    assert (
        f"Acme 7 at 10.0.0.2:5060 sent a malformed {method}: Malformed Contact. That phone is to blame."
    ) in explain(wire.seen).advice


def test_a_malformed_registration_names_its_field_and_phone() -> None:
    seen = registration(400, "Zle", answer='Warning: 399 switchboard "Malformed Contact"\r\n')
    assert explain(seen).advice == [
        "Linphone/5 at 10.0.0.2:5060 sent a malformed REGISTER: Malformed Contact. That phone is to blame."
    ]


def registration(status: int = 200, phrase: str = "OK", extra: str = "", answer: str = "") -> list[Seen]:
    register = (
        "REGISTER sip:example.org SIP/2.0\r\nVia: SIP/2.0/UDP host;branch=z9hG4bKr\r\n"
        "From: <sip:lukas@example.org>;tag=1\r\nTo: <sip:lukas@example.org>\r\n"
        f"Call-ID: {CALL_ID}\r\nCSeq: 1 REGISTER\r\nContact: <sip:lukas@10.0.0.2>\r\n"
        f"User-Agent: Linphone/5\r\n{extra}\r\n"
    )
    reply = (
        f"SIP/2.0 {status} {phrase}\r\nVia: SIP/2.0/UDP host;branch=z9hG4bKr\r\n"
        "From: <sip:lukas@example.org>;tag=1\r\nTo: <sip:lukas@example.org>;tag=2\r\n"
        f"Call-ID: {CALL_ID}\r\nCSeq: 1 REGISTER\r\n{answer}\r\n"
    )
    wire = Wire()
    wire.comes(LUKAS, register.encode())
    if status:
        wire.leaves(LUKAS, reply.encode())
    return wire.seen


PHONE = "The phone of lukas at 10.0.0.2:5060 (Linphone/5) "


@pytest.mark.parametrize(
    ("seen", "sentences"),
    [
        (
            registration(answer="Contact: <sip:lukas@10.0.0.2>;expires=600\r\n"),
            [f"{PHONE}registered for 600 s."],
        ),
        (registration(extra="Expires: 0\r\n"), [f"{PHONE}withdrew its registration."]),
        (registration(0), [f"{PHONE}wanted to register, and got no answer."]),
        (
            registration(401, "Unauthorized"),
            [
                f"{PHONE}wanted to register.",
                "The switchboard asked for a password, and the phone gave none (401 Unauthorized).",
            ],
        ),
        (
            registration(401, "Unauthorized", "Authorization: ***\r\n"),
            [f"{PHONE}wanted to register.", "Its password is wrong (401 Unauthorized)."],
        ),
        (
            registration(
                401,
                "Unauthorized",
                "Authorization: ***\r\n",
                'WWW-Authenticate: Digest realm="x", nonce="y", stale=true\r\n',
            ),
            [
                f"{PHONE}wanted to register.",
                "Its password is right, and proved for an old question; it was asked anew (401 Unauthorized).",
            ],
        ),
        (registration(403, "Forbidden"), [f"{PHONE}wanted to register.", "It was refused (403 Forbidden)."]),
        (
            registration(404, "Not Found"),
            [f"{PHONE}wanted to register.", "The domain is none of this switchboard's (404 Not Found)."],
        ),
        (registration(499, "Odd"), [f"{PHONE}wanted to register.", "It was refused (499 Odd)."]),
    ],
)
def test_registrations(seen: list[Seen], sentences: list[str]) -> None:
    account = explain(seen)
    assert account.sentences == sentences
    assert account.failed is ("registered" not in sentences[0] and "withdrew" not in sentences[0])


def test_a_phone_that_cannot_read_the_question() -> None:
    place = Place(algorithms=lambda _: ("SHA-256", "MD5"))
    seen = [
        each._replace(raw=each.raw.replace(b"Linphone/5", b"baresip v1.0.0"))
        for each in registration(401, "No")
    ]
    (advice,) = explain(seen, place).advice
    assert advice.startswith(
        'This phone is known to give up when it sees SHA-256: set auth_algorithms = ["MD5"]'
    )


def test_a_registration_from_behind_address_translation() -> None:
    seen = registration(answer="Contact: <sip:lukas@10.0.0.2>;expires=600\r\n")
    outside = [each._replace(source=Address("203.0.113.9", 40000)) for each in seen[:1]] + seen[1:]
    assert "reached at 10.0.0.2, but its messages come from 203.0.113.9" in explain(outside).advice[0]


def test_another_request() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("MESSAGE"))
    assert explain(wire.seen).sentences[-1] == "No answer has been seen."
    wire.leaves(LUKAS, response(404, "Not Found", method="MESSAGE"))
    assert explain(wire.seen).sentences == [
        "lukas sent MESSAGE to lenka.",
        "The answer was 404 Not Found.",
    ]


def test_a_text_that_was_kept() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("MESSAGE"))
    wire.leaves(LUKAS, response(202, "Accepted", method="MESSAGE"))
    kept = "No phone took it: the switchboard keeps it, and has told so (202)."
    assert explain(wire.seen).sentences == [
        "lukas sent MESSAGE to lenka.",
        kept,
        "It was not tried again yet.",
    ]
    wire.leaves(LENKA, request("MESSAGE"))
    assert explain(wire.seen).sentences[1:] == [kept, "It was tried 1 times since."]
    wire.comes(LENKA, response(200, "OK", method="MESSAGE"))
    sentences = explain(wire.seen).sentences
    assert sentences[:2] == ["lukas sent MESSAGE to lenka.", kept]
    assert sentences[2].startswith("lenka got it ")


def test_a_text_that_a_phone_accepts_was_not_kept() -> None:
    wire = Wire()
    wire.comes(LUKAS, request("MESSAGE"))
    wire.leaves(LENKA, request("MESSAGE"))
    wire.comes(LENKA, response(202, "Accepted", method="MESSAGE"))
    wire.leaves(LUKAS, response(202, "Accepted", method="MESSAGE"))
    assert explain(wire.seen).sentences[-1] == "The answer was 202 Accepted."


@given(st.lists(st.tuples(st.sampled_from(Direction), st.binary(max_size=80), st.integers(0, 14))))
def test_whatever_was_seen_is_explained(pieces: list[tuple[Direction, bytes, int]]) -> None:
    whole = call()
    seen = [
        each
        for direction, raw, place in pieces
        for each in (whole[place % len(whole)], Seen(place, BOARD, LUKAS, raw, direction))
    ]
    assert explain(seen).sentences


def operators_bye(wire: Wire, to: Address, sender: str, status: int) -> None:
    """The operator hangs up in the name of a side, and the other one answers."""
    branch = f"sbop{sender}"
    end = 'Reason: SIP;cause=200;text="Ended by the operator"\r\n'
    wire.leaves(to, request("BYE", "sip:x", (branch, "op"), cseq=101, to_tag="2", sender=sender, extra=end))
    wire.comes(to, response(status, "X", (branch, "op"), method="BYE", cseq=101))


def test_a_call_that_the_operator_hung_up() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 200, "OK")
    acknowledged(wire)
    wire.wait(10)
    operators_bye(wire, LENKA, "lukas", 200)
    operators_bye(wire, LUKAS, "lenka", 481)
    account = explain(wire.seen)
    assert account.sentences[-1] == "They talked for 10 s, then the operator ended the call."
    assert (account.outcome, account.ended_by, account.advice) == ("answered", "operator", [])


def test_a_hang_up_of_the_operator_that_is_refused() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 200, "OK")
    acknowledged(wire)
    operators_bye(wire, LENKA, "lukas", 403)
    account = explain(wire.seen)
    assert account.sentences[-1].startswith(
        "The operator wanted to end the call (BYE), but it was refused (403"
    )
    assert account.outcome == "up"


def test_a_ringing_call_that_the_operator_ended() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    wire.wait(3)
    end = 'Reason: SIP;cause=487;text="Ended by the operator"\r\n'
    wire.leaves(LENKA, request("CANCEL", "sip:lenka@10.0.0.3", ("sb1",), extra=end))
    answered(wire, 487, "Request Terminated")
    account = explain(wire.seen)
    assert account.sentences[-2:] == [
        "The phone rang for 3.0 s.",
        "The operator ended the call before anybody answered (487 Request Terminated).",
    ]
    assert (account.failed, account.outcome, account.ended_by) == (False, "cancelled", "operator")
