"""One user, several phones: forking over UDP (RFC 3261 §16.5-16.7)."""

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard
from system.net import Net
from system.sip_transactions import ServerTransaction
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system


@pytest.fixture
def caller(net: Net) -> UserAgent:
    return registered(net, "kristian")


def ring(phones: list[UserAgent]) -> list[ServerTransaction]:
    """Every phone gets the INVITE and rings."""
    incoming = [phone.expect("INVITE") for phone in phones]
    for one in incoming:
        one.reply(180)
    return incoming


def expect_cancelled(phone: UserAgent, incoming: ServerTransaction) -> None:
    """The switchboard gives this branch up, and the phone lets it."""
    cancel = phone.expect("CANCEL")
    assert cancel.request.key == (incoming.request.branch, "CANCEL")
    cancel.reply(200, routes=False)
    incoming.reply(487)
    incoming.expect_ack()


def test_first_answer_wins(net: Net, switchboard: Switchboard, caller: UserAgent) -> None:
    phones = [registered(net, "lukas") for _ in range(3)]
    invite = caller.invite(phones[0].aor)
    incoming = ring(phones)
    assert len({one.request.branch for one in incoming}) == 3
    call = answer_call(caller, invite, phones[1], incoming[1])
    for loser in (0, 2):
        expect_cancelled(phones[loser], incoming[loser])
    hang_up(call.callee, call.caller)
    assert switchboard.wait_record(call.call_id)["outcome"] == "answered"
    assert [status for status in invite.statuses() if status >= 200] == [200]


def test_caller_gives_up_on_all(net: Net, switchboard: Switchboard, caller: UserAgent) -> None:
    phones = [registered(net, "lukas") for _ in range(2)]
    invite = caller.invite(phones[0].aor)
    incoming = ring(phones)
    invite.expect(180)
    caller.cancel(invite).expect(200)
    for phone, one in zip(phones, incoming, strict=True):
        expect_cancelled(phone, one)
    invite.expect(487)
    assert switchboard.wait_record(invite.request.call_id)["outcome"] == "cancelled"


@pytest.mark.parametrize(
    ("answers", "best"),
    [((500, 486), 486), ((486, 500), 486), ((503, 503), 500), ((302, 486), 302)],
)
def test_best_failure_is_forwarded(net: Net, caller: UserAgent, answers: tuple[int, int], best: int) -> None:
    phones = [registered(net, "lukas") for _ in range(2)]
    invite = caller.invite(phones[0].aor)
    for one, status in zip(ring(phones), answers, strict=True):
        one.reply(status)
        one.expect_ack()
    invite.expect(best)


def test_decline_everywhere_ends_the_other_branches(net: Net, caller: UserAgent) -> None:
    phones = [registered(net, "lukas") for _ in range(2)]
    invite = caller.invite(phones[0].aor)
    incoming = ring(phones)
    incoming[0].reply(603)
    incoming[0].expect_ack()
    expect_cancelled(phones[1], incoming[1])
    invite.expect(603)


def test_preferred_phone_rings_first(net: Net, switchboard: Switchboard, caller: UserAgent) -> None:
    mobile, desk, laptop = (registered(net, "lukas", q) for q in (0.2, 0.9, 0.5))
    invite = caller.invite(desk.aor)
    for phone, others in ((desk, (laptop, mobile)), (laptop, (mobile,))):
        [incoming] = ring([phone])
        net.listen(0.1)
        assert all(other.unread() == [] for other in others)
        incoming.reply(486)
        incoming.expect_ack()
    [incoming] = ring([mobile])
    call = answer_call(caller, invite, mobile, incoming)
    hang_up(call.caller, call.callee)
    assert switchboard.wait_record(call.call_id)["outcome"] == "answered"


def test_answer_of_the_preferred_phone_leaves_the_others_alone(net: Net, caller: UserAgent) -> None:
    desk, mobile = registered(net, "lukas", 1.0), registered(net, "lukas", 0.5)
    invite = caller.invite(desk.aor)
    [incoming] = ring([desk])
    call = answer_call(caller, invite, desk, incoming)
    hang_up(call.caller, call.callee)
    assert mobile.unread() == []


def test_redirected_call_reaches_the_new_contact(net: Net, caller: UserAgent) -> None:
    phone, substitute = registered(net, "lukas"), registered(net, "martin")
    invite = caller.invite(phone.aor)
    redirecting = phone.expect("INVITE")
    redirecting.reply(302, headers=[("Contact", f"<{substitute.aor}>")], routes=False)
    redirecting.expect_ack()
    [incoming] = ring([substitute])
    call = answer_call(caller, invite, substitute, incoming)
    hang_up(call.callee, call.caller)
