"""Whose bindings a REGISTER may change, while users need a password (RFC 3261 §10.3 steps 3 and 4)."""

import pytest
from auth.answering import answer
from auth.authenticators import PASSWORDS, make_authenticator
from registrar.registers import NOW_AT, SOURCE, Desk, is_own, register

from switchboard.auth.failures import Failure, Failures, Reason
from switchboard.registrar.rebind import RegistrarPolicy
from switchboard.registrar.rules import Registrar
from switchboard.registrar.transactions import RegisterTransactions
from switchboard.sip.flow import UDP, Flow
from switchboard.sip.message import parse_message

CONTACT = "<sip:lukas@10.0.0.9:5060>"
URI = "sip:switchboard.test"
ALLOW = "Allow: " + ", ".join(f"X-METHOD-{number}" for number in range(20))
"""Phones say so much that a whole challenge is no longer."""


@pytest.fixture
def failures() -> Failures:
    return Failures()


@pytest.fixture
def desk(failures: Failures) -> Desk:
    desk = Desk()
    authenticator = make_authenticator(failures, issuer="registrar", trusted=("10.0.0.99/32",))
    desk.registrar = Registrar(desk.store, is_own, RegistrarPolicy(), b"secret", authenticator)
    return desk


def sign_in(
    desk: Desk, user: str = "lukas", password: str = "", number: int = 0, to: str | None = None
) -> int:
    """Answer a challenge; the status that this brings."""
    asked = desk.send(register(CONTACT, to=to, extra=ALLOW))
    assert asked.status == 401
    challenge = asked.all("www-authenticate")[number]
    shown = answer(challenge, user, password or PASSWORDS.get(user, ""), "REGISTER", URI)
    return desk.send(register(CONTACT, to=to, extra=f"Authorization: {shown}")).status


@pytest.mark.parametrize("number", [0, 1])
def test_who_shows_the_password_is_bound(desk: Desk, number: int) -> None:
    assert sign_in(desk, number=number) == 200
    assert desk.contacts() == ["sip:lukas@10.0.0.9:5060"]


@pytest.mark.parametrize(
    ("user", "password", "reason"),
    [("lukas", "wrong", Reason.WRONG_PASSWORD), ("nobody", "wrong", Reason.UNKNOWN_USER)],
)
def test_who_does_not_is_not(
    desk: Desk, failures: Failures, user: str, password: str, reason: Reason
) -> None:
    assert sign_in(desk, user, password) == 401
    assert desk.contacts() == []
    assert failures.take() == [Failure(SOURCE[0], user, "REGISTER", reason, algorithm="SHA-256")]


def test_nobody_binds_another_user(desk: Desk, failures: Failures) -> None:
    assert sign_in(desk, "lenka") == 403
    assert desk.contacts() == []
    assert failures.take() == [
        Failure(SOURCE[0], "lenka", "REGISTER", Reason.NOT_OWN_BINDINGS, algorithm="SHA-256")
    ]


def test_nor_sees_its_bindings(desk: Desk) -> None:
    assert sign_in(desk) == 200
    assert desk.send(register()).all("contact") == []


def test_a_trusted_proxy_need_not(desk: Desk) -> None:
    assert desk.send(register(CONTACT), ("10.0.0.99", 5060)).status == 200


@pytest.mark.parametrize("user", ["lukas", "nobody"])
def test_users_and_others_are_asked_alike(desk: Desk, user: str) -> None:
    answered = desk.send(register(CONTACT, user=user, extra=ALLOW))
    assert (answered.status, len(answered.all("www-authenticate"))) == (401, 2)


def test_a_challenge_goes_back_and_nowhere_else(desk: Desk) -> None:
    """Whoever is named by maddr has asked for nothing."""
    transactions = RegisterTransactions(desk.registrar, 32.0, lambda _, reply: reply)
    raw = register(CONTACT).replace(b";rport", b";maddr=203.0.113.5")
    reply = transactions.handle(parse_message(raw), Flow(UDP, "", *SOURCE), 0.0, NOW_AT)
    assert reply is not None
    assert reply.target == SOURCE


def test_a_short_register_is_not_challenged_without_end(desk: Desk) -> None:
    transactions = RegisterTransactions(desk.registrar, 32.0, lambda _, reply: reply)
    replies = [
        transactions.handle(parse_message(register()), Flow(UDP, "", *SOURCE), 0.0, NOW_AT)
        for _ in range(100)
    ]
    assert 5 < replies.index(None) < 50
    assert desk.registrar.answers.withheld == replies.count(None)


def test_but_that_of_a_registered_user_is(desk: Desk) -> None:
    assert sign_in(desk) == 200
    transactions = RegisterTransactions(desk.registrar, 32.0, lambda _, reply: reply)
    assert all(
        transactions.handle(parse_message(register()), Flow(UDP, "", *SOURCE), 0.0, NOW_AT)
        for _ in range(100)
    )
