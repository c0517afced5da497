"""Who was turned away is noted, and not without end."""

import pytest
from auth.answering import answer
from auth.authenticators import PASSWORDS, make_authenticator

from switchboard.auth.authenticator import Attempt, Authenticator
from switchboard.auth.failures import (
    MOST_FAILING,
    MOST_NOTED,
    OFTEN,
    Failing,
    FailingBook,
    Failure,
    Failures,
    Reason,
    advise,
    describe,
)


def test_they_are_taken_once_and_their_number_is_bounded() -> None:
    failures = Failures()
    for _ in range(MOST_NOTED + 5):
        failures.note(Failure("10.0.0.9", "lukas", "REGISTER", Reason.WRONG_PASSWORD))
    assert len(failures.take()) == MOST_NOTED
    assert failures.take() == []
    assert failures.count == MOST_NOTED + 5


ATTEMPT = Attempt("REGISTER", "sip:pbx.example", ("10.0.0.9", 5060), lambda uri: True, 1e9, "Phone/1")  # noqa: ARG005
BOTH = ("SHA-256", "MD5")


def ask(authenticator: Authenticator, *values: str, user: str = "lukas") -> str:
    """The first challenge, "" if the credentials were right."""
    verdict = authenticator.identify(values, ATTEMPT)
    return "" if verdict.user else authenticator.challenge("A", verdict, ATTEMPT, user)[0][1]


def test_who_shows_nothing_time_and_again() -> None:
    authenticator = make_authenticator()
    for _ in range(OFTEN):
        assert authenticator.failing.often() == []
        ask(authenticator)
    assert authenticator.failing.often() == [["lukas", OFTEN, "10.0.0.9", "Phone/1", "", 1e9]]


def test_who_shows_a_wrong_password_by_which_algorithm() -> None:
    authenticator, challenge = make_authenticator(), ""
    for _ in range(OFTEN):
        challenge = ask(
            authenticator, answer(challenge, "lukas", "x", "REGISTER", ATTEMPT.uri) if challenge else ""
        )
    assert authenticator.failing.often() == [["lukas", OFTEN, "10.0.0.9", "Phone/1", "SHA-256", 1e9]]


def test_a_success_ends_it_and_nobody_is_unknown() -> None:
    authenticator = make_authenticator()
    for _ in range(OFTEN):
        challenge = ask(authenticator)
        ask(authenticator, user="nobody")
    assert not ask(authenticator, answer(challenge, "lukas", PASSWORDS["lukas"], "REGISTER", ATTEMPT.uri))
    assert authenticator.failing.often() == []


def test_they_are_bounded() -> None:
    book = FailingBook()
    for number in range(2 * MOST_FAILING):
        for _ in range(OFTEN):
            book.note(f"user{number}", "10.0.0.9", "", "", 1.0)
    assert [each[0] for each in book.often()] == [
        f"user{2 * MOST_FAILING - number}" for number in range(1, MOST_FAILING + 1)
    ]


@pytest.mark.parametrize(
    ("algorithm", "agent", "offered", "said"),
    [
        ("", "Phone/1", BOTH, 'cannot read the challenges: set auth_algorithms = ["MD5"] in [users.lukas]'),
        ("", "Phone/1", ("SHA-256",), "cannot read the challenges: set auth_algorithms"),
        ("", "FreeSWITCH-mod_sofia/1.10", BOTH, "known to give up when it sees SHA-256: set auth_algorithms"),
        ("SHA-256", "Phone/1", BOTH, "it takes the first challenge, and may not really know SHA-256: set"),
        (
            "MD5",
            "Phone/1",
            BOTH,
            "it answers with MD5, though that is not offered first, and may mix up the two: set",
        ),
        ("MD5", "Phone/1", ("MD5",), "enter the password in the phone again"),
        ("", "FreeSWITCH-mod_sofia/1.10", ("MD5",), "enter the password in the phone again"),
    ],
)
def test_what_to_do(algorithm: str, agent: str, offered: tuple[str, ...], said: str) -> None:
    assert said in advise(Failing("lukas", 4, "10.0.0.9", agent, algorithm, 1.0), offered)


def test_a_name_that_toml_wants_quoted() -> None:
    assert '[users."9901#1"]' in advise(Failing("9901#1", 4, "10.0.0.9", "", "", 1.0), BOTH)


@pytest.mark.parametrize(
    ("algorithm", "agent", "said"),
    [
        ("", "Phone/1", "lukas at 10.0.0.9 (Phone/1) was asked 4 times in a row and showed no password"),
        (
            "MD5",
            "",
            "(a phone that does not say which) was asked 4 times in a row and showed a wrong password by MD5",
        ),
    ],
)
def test_what_happened(algorithm: str, agent: str, said: str) -> None:
    assert describe(Failing("lukas", 4, "10.0.0.9", agent, algorithm, 1.0)).endswith(said)
