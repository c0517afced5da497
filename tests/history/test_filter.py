"""Which messages of a stream are wanted."""

from history.wire import CALL_ID, call

from switchboard.history.filter import CallFilter


def test_everything() -> None:
    assert all(map(CallFilter().wants, call()))


def test_a_call() -> None:
    assert all(map(CallFilter(call_id=CALL_ID).wants, call()))
    assert not any(map(CallFilter(call_id="another").wants, call()))


def test_a_user_on_either_side() -> None:
    assert all(map(CallFilter("lukas").wants, call()))
    assert all(map(CallFilter("lenka").wants, call()))
    assert not any(map(CallFilter("nobody").wants, call()))


def test_a_call_stays_wanted_whatever_its_messages_say() -> None:
    wanted = CallFilter("lukas")
    assert wanted.wants(call()[0])
    assert wanted.wants(call()[0]._replace(raw=f"BYE x SIP/2.0\r\nCall-ID: {CALL_ID}\r\n\r\n".encode()))
