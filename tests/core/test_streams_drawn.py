"""Calls over any two transports, whatever becomes of them: the engine decides and keeps what the reference would.

Each board has a twin without an engine (`playbook.Twin`), which compares after every step.
"""

from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mixed_call import PORTS, Call, Phone, lenka, lukas
from playbook import HOST, KEY, Sent, request, response
from stage import PAUSES

from switchboard.core.gruu import Gruus
from switchboard.core.native import IS_COMPILED
from switchboard.sip.flow import Flow
from switchboard.sip.uri import SipUri

pytestmark = pytest.mark.skipif(not IS_COMPILED, reason="the engine is not compiled")

TRANSPORT = st.sampled_from(sorted(PORTS))
STEP = st.tuples(
    st.sampled_from(("answer", "answer", "within", "within", "again", "wait", "cancel", "move", "disturb")),
    st.integers(0, 20),
    st.integers(0, 20),
)
INSTANCE = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
GRUUS = Gruus(KEY)
STATUSES = (180, 200, 200, 100, 183, 486, 503, 302, 481)
METHODS = ("ACK", "ACK", "BYE", "INVITE", "INFO", "UPDATE", "MESSAGE", "REFER")


class Drawn(Call):
    """A call that may take any course."""

    def __init__(self, caller: Phone, callee: Phone) -> None:
        super().__init__(caller, callee)
        for phone in (caller, callee):
            self.register(phone)
        self.at = {phone.user: phone.contact for phone in (caller, callee)}
        self.requests: list[Sent] = []
        self.came: list[tuple[bytes, Flow]] = []
        receive = self.board.receive

        def note(raw: bytes, source: Flow) -> None:
            self.came.append((raw, source))
            receive(raw, source)
            self.gather()

        self.board.receive = note  # type: ignore[method-assign, assignment]

    def register(self, phone: Phone) -> None:
        phone.register(self.board, params=f';+sip.instance="<{INSTANCE}>"', call_id=phone.user)

    def contact(self, phone: Phone, number: int) -> str:
        """What the phone names as its Contact."""
        aor = SipUri.parse(f"sip:{phone.user}@{HOST}")
        return (
            phone.contact,
            phone.contact,
            GRUUS.public(aor, INSTANCE),
            GRUUS.temporary(aor, INSTANCE, phone.user, "d"),
            f"{phone.contact};ob",
            f"sip:{phone.user}@192.168.1.7:5070",
            self.caller.contact,
        )[number % 7]

    def gather(self) -> None:
        for sent in self.board.sent():
            if sent.message.method != "ACK":
                self.requests.append(sent)
            if sent.message.to_uri.startswith("sip:lenka") and (
                routes := sent.message.values("record-route")
            ):
                self.routes[self.callee.user] = routes
        for answer in self.board.answers():
            if answer.flow == self.caller.flow and (routes := answer.message.values("record-route")):
                self.routes[self.caller.user] = routes[::-1]

    def begin(self, number: int) -> None:
        self.at[self.caller.user] = self.contact(self.caller, number)
        raw = request(
            "INVITE",
            f"sip:{self.callee.user}@{HOST}",
            source=self.caller.flow,
            lines=(f"Contact: <{self.at[self.caller.user]}>",),
        )
        self.board.receive(raw, self.caller.flow)

    def step(self, kind: str, one: int, two: int) -> None:
        sides = (self.caller, self.callee)
        self.board.now += 0.0013  # of what is due at the same instant either may come first
        match kind:
            case "answer" if self.requests:
                sent = self.requests[-1 - one % len(self.requests)]
                status, contact = STATUSES[two % len(STATUSES)], self.contact(self.callee, one + two)
                if status == 200:
                    self.at[self.callee.user] = contact
                raw = response(sent.message, status, lines=(f"Contact: <{contact}>",))
                assert sent.flow
                self.board.receive(raw, sent.flow)
            case "within":
                other = sides[1 - two % 2].user
                self.within(METHODS[one % len(METHODS)], sides[two % 2], self.at[other])
            case "again":
                self.board.receive(*self.came[-1 - one % len(self.came)])
            case "wait":
                self.board.advance(PAUSES[one % len(PAUSES)])
            case "cancel":
                self.board.receive(
                    request("CANCEL", f"sip:lenka@{HOST}", source=self.caller.flow), self.caller.flow
                )
            case "move":
                phone = sides[one % 2]
                phone.number += two % 2
                self.register(phone) if two % 3 else self.board.bind(phone.user)
            case "disturb" if one % 3 == 0:
                self.board.crash()
            case "disturb" if one % 3 == 1:
                self.board.repeat(two % 2)
            case "disturb" if self.requests:
                self.board.lose(self.requests[-1 - two % len(self.requests)])
        self.gather()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(one=TRANSPORT, other=TRANSPORT, number=st.integers(0, 6), steps=st.lists(STEP, max_size=20))
def test_any_course_of_a_call(
    one: int, other: int, number: int, steps: Sequence[tuple[str, int, int]]
) -> None:
    call = Drawn(lukas(one), lenka(other))
    call.begin(number)
    for step in steps:
        call.step(*step)
    call.board.advance(400)
    assert not [key for key in call.board.log if key[:1] in b"UT"]
