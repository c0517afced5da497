"""Calls that the switchboard ended itself, by what happened and not by the status."""

import pytest
from history.wire import BOARD, LENKA, LUKAS, Wire, answered, invited, request, response

from switchboard.core.domains import OwnDomains
from switchboard.history.explain import explain
from switchboard.history.place import Place
from switchboard.history.seen import Address, Seen
from switchboard.settings.types import AccessListSettings

CONTACTS: dict[str, list[str]] = {"lenka": ["sip:lenka@10.0.0.3:5060"]}
OURS = Place(
    OwnDomains([BOARD.host], ["example.org"], 5060),
    ["example.org", BOARD.host],
    contacts=lambda user: CONTACTS.get(user, []),
    is_user=lambda user: user in ("lukas", "lenka"),
    access=[("access", AccessListSettings(deny=("10.0.0.0/24",)))],
    max_contacts=2,
)
ELSEWHERE = Address("10.0.0.9", 5060)


def refused(status: int, uri: str = "sip:lenka@example.org", extra: str = "", tag: str = "2") -> list[Seen]:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE", uri, extra=extra))
    wire.leaves(LUKAS, response(status, "Phrase").replace(b";tag=2", b";tag=" + tag.encode()))
    return wire.seen


PROOF = "Proxy-Authorization: ***\r\n"


@pytest.mark.parametrize(
    ("seen", "sentence", "check"),
    [
        (
            refused(403, tag="sbr.0badcafe"),
            "The access list keeps 10.0.0.2 out: deny 10.0.0.0/24 in [access]",
            "Change the setting access",
        ),
        (
            refused(403, extra=PROOF),
            "The phone called as lukas (From), and gave the password of another user",
            "Make user name and account name",
        ),
        (
            refused(403, "sip:bob@pbx.office.local"),
            "The switchboard did not pass the call on: pbx.office.local is none of our domains",
            "SWITCHBOARD_DOMAINS=example.org,pbx.office.local",
        ),
        (
            refused(500, "sip:bob@pbx.office.local"),
            "The call was for another switchboard, which was not found: pbx.office.local",
            "SWITCHBOARD_DOMAINS=example.org,pbx.office.local",
        ),
        (
            refused(416, "sips:lenka@example.org"),
            "lukas dialled a sips: address, which demands encryption all the way",
            "or switch TLS on here (setting tls)",
        ),
        (
            refused(480, "sips:lenka@example.org"),
            "demands encryption all the way, and no phone of lenka is registered over TLS",
            "let the phone of lenka register over TLS",
        ),
        (
            refused(500, "sip:bob@10.9.9.9;transport=tls"),
            "asks for TLS, and this switchboard does not speak that",
            "Set another transport in the phone",
        ),
        (refused(407, extra=PROOF), "The password in the phone of lukas is wrong", "Enter it again"),
        (refused(404, "sip:karel@example.org"), "There is no user karel here", "switchboard user list"),
    ],
)
def test_what_happened(seen: list[Seen], sentence: str, check: str) -> None:
    account = explain(seen, OURS)
    assert sentence in account.sentences[-1]
    assert account.sentences[-1].endswith(" Phrase).")
    assert check in " ".join(account.advice)
    assert account.failed


@pytest.mark.parametrize(
    ("status", "method", "told"),
    [
        (
            403,
            "INVITE",
            ["lukas at 10.0.0.2:5060 called lenka.", "The access list keeps 10.0.0.2 out: deny 10.0.0.0/24"],
        ),
        (
            403,
            "REGISTER",
            ["The phone of lenka at 10.0.0.2:5060 wanted to register.", "The access list keeps"],
        ),
        (503, "MESSAGE", ["lukas at 10.0.0.2:5060 sent MESSAGE to lenka.", "The switchboard had more to do"]),
        (513, "INVITE", ["lukas at 10.0.0.2:5060 called lenka.", "The message is larger than one may be"]),
        (480, "INVITE", ["lukas at 10.0.0.2:5060 called lenka.", "The switchboard turned it away (480 No)."]),
    ],
)
def test_what_the_edge_answers_is_seen_without_its_request(status: int, method: str, told: list[str]) -> None:
    wire = Wire()
    wire.leaves(LUKAS, response(status, "No", method=method).replace(b";tag=2", b";tag=sbr.0badcafe"))
    account = explain(wire.seen, OURS)
    assert [each.startswith(start) for each, start in zip(account.sentences, told, strict=True)] == [
        True,
        True,
    ]
    assert account.failed


def test_a_caller_who_is_no_user_is_told_to_the_operator() -> None:
    seen = [
        each._replace(raw=each.raw.replace(b"sip:lukas@", b"sip:karel@"))
        for each in refused(407, extra=PROOF)
    ]
    assert "There is no user karel; the phone is not told so" in explain(seen, OURS).sentences[-1]


def test_a_contact_that_asks_for_what_we_do_not_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTACTS, "lenka", ["sip:lenka@10.0.0.3;transport=TLS"])
    account = explain(refused(500), OURS)
    assert "sip:lenka@10.0.0.3;transport=TLS, which asks for TLS" in account.sentences[-1]


def test_a_call_with_sips_is_not_to_be_repeated() -> None:
    """A registration over UDP does not help it."""
    assert "Call again" not in " ".join(explain(refused(480, "sips:lenka@example.org"), OURS).advice)
    assert "Call again" in " ".join(explain(refused(480), OURS).advice)


@pytest.mark.parametrize("transport", ["TCP", "TLS"])
@pytest.mark.parametrize("status", [480, 500])
def test_a_connection_that_could_not_be_made(status: int, transport: str) -> None:
    wire, asked = Wire(), f"sip:lenka@10.0.0.3;transport={transport.lower()}"
    wire.comes(LUKAS, request("INVITE"))
    sent = request("INVITE", asked, ("sb1", "b")).replace(b"SIP/2.0/UDP", f"SIP/2.0/{transport}".encode(), 1)
    wire.leaves(LENKA, sent)
    wire.leaves(LUKAS, response(status, "Phrase"))
    account = explain(wire.seen, OURS)
    assert (
        f"go to {asked} over {transport}, and no connection could be made to 10.0.0.3:5060"
        in (account.sentences[-1])
    )
    assert f";transport={transport.lower()} is in its address." in account.advice[0]
    told = " ".join(account.advice)
    assert "ICMP" not in told
    assert "By now" not in told


def test_a_contact_that_demands_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTACTS, "lenka", ["sips:lenka@10.0.0.3"])
    account = explain(refused(480), OURS)
    assert "lenka is registered at sips:lenka@10.0.0.3, which demands encryption" in account.sentences[-1]
    assert "SWITCHBOARD_TLS=on" in account.advice[0]
    assert "By now" not in " ".join(account.advice)
    monkeypatch.setitem(CONTACTS, "lenka", ["sips:lenka@10.0.0.3", "sip:lenka@10.0.0.4"])
    assert "By now lenka is registered" in " ".join(explain(refused(480), OURS).advice)


def test_the_contact_that_points_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTACTS, "lenka", ["sip:lenka@example.org"])
    account = explain(refused(482), OURS)
    assert (
        "in a circle: sip:lenka@example.org, where lenka is to be reached, is the switchboard itself"
        in (account.sentences[-1])
    )


def test_a_phone_without_room() -> None:
    wire = Wire()
    invited(wire)
    wire.comes(LENKA, response(503, "Busy Line", ("sb1", "b"), extra="Retry-After: 30\r\n"))
    wire.leaves(LUKAS, response(500, "Server Internal Error"))
    account = explain(wire.seen, OURS)
    assert account.sentences[-1].startswith(
        "The phone of lenka at 10.0.0.3:5060 answered 503 Busy Line: it has no room"
    )
    assert account.advice[0].endswith("it wants to be asked again in 30 s.")
    assert (account.outcome, account.ended_by) == ("unreachable", "switchboard")


@pytest.mark.parametrize("tries", [1, 3])
def test_a_phone_that_forwards_to_where_nothing_answers(tries: int) -> None:
    wire = Wire()
    invited(wire)
    moved = response(302, "Moved", ("sb1", "b")).replace(b"<sip:lenka@10.0.0.3>", b"<sip:lenka@10.0.0.9>")
    wire.comes(LENKA, moved)
    for _ in range(tries):
        wire.leaves(ELSEWHERE, request("INVITE", "sip:lenka@10.0.0.9", ("sb2", "b")))
    wire.leaves(LUKAS, response(408, "Request Timeout"))
    account = explain(wire.seen, OURS)
    assert account.sentences[-1] == (
        "The phone of lenka at 10.0.0.3:5060 forwarded the call to sip:lenka@10.0.0.9 (302 Moved), and nobody answered "
        "at 10.0.0.9:5060 (408 Request Timeout)."
    )
    assert "call forwarding" in account.advice[0]


def test_outcome_and_end_are_the_journals() -> None:
    wire = Wire()
    invited(wire)
    answered(wire, 180, "Ringing")
    wire.leaves(LUKAS, response(408, "Request Timeout"))
    account = explain(wire.seen, OURS)
    assert (account.outcome, account.ended_by) == ("no_answer", "switchboard")
    wire = Wire()
    invited(wire)
    assert explain(wire.seen).outcome == ""
    answered(wire, 200, "OK")
    assert (explain(wire.seen).outcome, explain(wire.seen).ended_by) == ("up", "")


SAVP = b"v=0\r\nm=audio 4000 RTP/SAVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
PLAIN = SAVP.replace(b"SAVP", b"AVP")


def refused_offer(body: bytes, *warnings: str) -> list[str]:
    wire = Wire()
    wire.comes(LUKAS, request("INVITE", body=body))
    wire.leaves(LENKA, request("INVITE", "sip:lenka@10.0.0.3", ("sb1", "b"), body=body))
    extra = "".join(f"Warning: {each}\r\n" for each in warnings)
    answered(wire, 488, "Not Acceptable Here", extra=extra)
    return explain(wire.seen, OURS).advice


def test_encrypted_voice_against_plain() -> None:
    assert refused_offer(SAVP)[0].startswith(
        "lukas's phone demands encrypted voice (RTP/SAVP), and lenka's does not"
    )
    advice = refused_offer(PLAIN, '302 10.0.0.3 "Incompatible transport protocol"')
    assert advice[0].startswith(
        "lukas's phone offered plain voice, and lenka's seems to demand encryption (SRTP)"
    )
    assert "as encrypted or plain (302 Incompatible transport protocol)" in advice[1]


def test_codecs_are_named_without_a_map_and_keys_are_none() -> None:
    assert refused_offer(PLAIN) == [
        "They have no codec in common: lukas's phone offered PCMU, PCMA. Switch one on in both."
    ]


def test_what_a_phone_says_in_its_own_words() -> None:
    assert refused_offer(PLAIN, '399 phone "Line \\"2\\" is locked"', "nonsense") == [
        'lenka\'s phone says why: Line \\"2\\" is locked (399).',
        "lenka's phone says why: nonsense.",
    ]
