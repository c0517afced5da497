"""Networks that are trusted."""

import pytest
from auth.answering import answer, param
from auth.authenticators import LIFETIME_S, PASSWORDS, REALM, make_authenticator, make_users

from switchboard.auth import digest
from switchboard.auth.authenticator import MOST_SHOWN, Attempt, Trusted, Verdict, Verifier
from switchboard.auth.digest import ALGORITHMS
from switchboard.auth.failures import Reason
from switchboard.auth.nonce import Replays
from switchboard.auth.users import Record, make_entry
from switchboard.storage.records import Page

AT = 1_700_000_000.0
URI = "sip:pbx.example"
HOP = ("192.0.2.1", 5060)


def make_verifier(**more: object) -> Verifier:
    return make_authenticator(**more).verifier  # type: ignore[arg-type]


def shown(
    verifier: Verifier, algorithm: int = 0, *, user: str = "lukas", password: str = "", **more: object
) -> str:
    """Credentials for the verifier's challenge number `algorithm`."""
    challenge = verifier.challenges(attempt(), user, stale=False)[algorithm]
    return answer(challenge, user, password or PASSWORDS["lukas"], "REGISTER", URI, **more)  # type: ignore[arg-type]


def judge(verifier: Verifier, *values: str, uri: str = URI, at: float = AT) -> Verdict:
    return verifier.check(values, attempt(uri, at))


def attempt(uri: str = URI, at: float = AT, hop: tuple[str, int] = HOP) -> Attempt:
    return Attempt("REGISTER", uri, hop, lambda named: named.host == "pbx.example" and not named.port, at)


def refused(
    claimed: str,
    reason: Reason | None = None,
    algorithm: str = "SHA-256",
    *,
    stale: bool = False,
    again: bool = False,
) -> Verdict:
    """What is found by who was sent the nonce."""
    return Verdict("", claimed, reason, stale, again, True, algorithm)


def test_sha_256_is_offered_first_and_md5_to_who_knows_no_better() -> None:
    verifier = make_verifier()
    challenges = verifier.challenges(attempt(), "lukas", stale=False)
    assert [param(each, "algorithm") for each in challenges] == ["SHA-256", "MD5"]
    assert {param(each, "qop") for each in challenges} == {"auth"}
    for number in (0, 1):
        assert judge(verifier, shown(verifier, number)).user == "lukas"


def test_an_algorithm_that_is_not_offered_is_not_accepted() -> None:
    strict = make_verifier(algorithms=("SHA-256",))
    assert judge(strict, shown(make_verifier(), 1)) == Verdict()


@pytest.mark.parametrize("value", ["", "Digest nonsense", "Basic abc"])
def test_what_is_no_credentials_is_none(value: str) -> None:
    assert judge(make_verifier(), value) == Verdict()


def test_credentials_for_others_are_passed_over() -> None:
    verifier = make_verifier()
    theirs = shown(verifier, realm="elsewhere")
    assert judge(verifier, theirs) == Verdict()
    assert judge(verifier, theirs, shown(verifier)).user == "lukas"


class Sums:
    """Notes of each sum with what algorithm it was made, and over how many octets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.made: list[tuple[str, int]] = []
        self._sum = digest.digest
        monkeypatch.setattr(digest, "digest", self)

    def __call__(self, algorithm: str, *parts: str) -> str:
        self.made.append((algorithm, len(":".join(parts).encode())))
        return self._sum(algorithm, *parts)

    def take(self) -> list[tuple[str, int]]:
        taken, self.made = self.made, []
        return taken


@pytest.mark.parametrize("algorithm", [0, 1], ids=ALGORITHMS)
@pytest.mark.parametrize("qop", ["auth", ""])
def test_known_and_unknown_users_cost_the_same_sums(
    monkeypatch: pytest.MonkeyPatch, algorithm: int, qop: str
) -> None:
    """Equally many over equally many octets: nobody learns from the time that an answer takes who exists."""
    verifier = make_verifier()
    guesses = [shown(verifier, algorithm, user=user, password="x", qop=qop) for user in ("lukas", "nobod")]
    sums = Sums(monkeypatch)
    known, unknown = ((judge(verifier, guess).reason, sums.take()) for guess in guesses)
    assert (known[0], unknown[0]) == (Reason.WRONG_PASSWORD, Reason.UNKNOWN_USER)
    assert known[1] == unknown[1]
    assert [name for name, _ in known[1]] == [ALGORITHMS[algorithm]] * 2


def test_known_and_unknown_users_fare_alike() -> None:
    verifier = make_verifier()
    assert judge(verifier, shown(verifier, password="x")) == refused("lukas", Reason.WRONG_PASSWORD)
    assert judge(verifier, shown(verifier, user="nobody")) == refused("nobody", Reason.UNKNOWN_USER)


def test_a_password_of_another_realm_is_worth_nothing() -> None:
    users = make_users("elsewhere")
    assert users.foreign == 2
    verifier = make_verifier(users=users)
    assert judge(verifier, shown(verifier)).reason is Reason.UNKNOWN_USER


def test_used_once() -> None:
    verifier = make_verifier()
    value = shown(verifier)
    assert judge(verifier, value).user == "lukas"
    assert judge(verifier, value) == refused("lukas", stale=True, again=True)


def test_without_qop_a_nonce_is_good_for_one_request() -> None:
    verifier = make_verifier()
    value = shown(verifier, 1, qop="")
    assert judge(verifier, value).user == "lukas"
    assert judge(verifier, value) == refused("lukas", None, "MD5", stale=True, again=True)


def test_auth_int_is_not_offered() -> None:
    verifier = make_verifier()
    assert judge(verifier, shown(verifier, qop="auth-int")) == Verdict()


def test_an_old_nonce_is_stale_and_so_is_another_workers() -> None:
    verifier = make_verifier()
    stale = Verdict("", "lukas", stale=True, algorithm="SHA-256")
    assert judge(verifier, shown(verifier), at=AT + LIFETIME_S + 1) == stale
    assert judge(verifier, shown(make_verifier(issuer="router.1"))) == stale
    assert judge(verifier, shown(verifier, password="x"), at=AT + 1e6).stale is False


def test_a_successor_remembers_what_was_used() -> None:
    verifier = make_verifier()
    value = shown(verifier)
    judge(verifier, value)
    kept = [(key, state) for key, state in verifier.replays.take_changes().items() if state]
    successor = make_verifier(replays=Replays(LIFETIME_S, kept))
    assert judge(successor, value).is_repeated


@pytest.mark.parametrize(
    ("uri", "fits"),
    [
        ("sip:pbx.example;transport=udp", True),
        ("sip:pbx.example:5061", False),
        ("sip:lenka@pbx.example", True),
        ("sip:lenka@elsewhere.example", False),
        ("tel:1", False),
    ],
)
def test_credentials_are_for_one_request_uri(uri: str, fits: bool) -> None:
    verifier = make_verifier()
    verdict = judge(verifier, shown(verifier), uri=uri)
    assert (verdict.user == "lukas") is fits
    assert verdict.reason is (None if fits else Reason.OTHER_TARGET)


def test_any_right_credentials_of_several_will_do() -> None:
    """RFC 8760 stacks show both, and some of them compute one of the two wrongly."""
    verifier = make_verifier()
    wrong = shown(verifier, 0, password="x")
    assert judge(verifier, wrong, shown(verifier, 1)).user == "lukas"
    assert judge(verifier, shown(verifier, 1), wrong).user == "lukas"
    assert judge(verifier, wrong, shown(make_verifier(issuer="router.1"), 1)).stale
    assert judge(verifier, wrong, shown(verifier, 1, password="y")) == refused("lukas", Reason.WRONG_PASSWORD)
    assert not judge(verifier, *MOST_SHOWN * [wrong], shown(verifier)).user


def test_what_was_sent_elsewhere_is_good_here_and_proves_no_address() -> None:
    verifier = make_verifier()
    elsewhere = attempt(hop=("203.0.113.5", 5060))
    here, there = (verifier.check([shown(verifier)], each) for each in (attempt(), elsewhere))
    assert (here.user, here.is_there) == ("lukas", True)
    assert (there.user, there.is_there) == ("lukas", False)


@pytest.mark.parametrize("chosen", [("MD5",), ("MD5", "SHA-256"), ("SHA-256",)])
def test_algorithms_of_a_user(chosen: tuple[str, ...]) -> None:
    verifier = make_verifier(of_user={"lukas": chosen})
    for user, expected in (("lukas", chosen), ("lenka", ALGORITHMS), ("", ALGORITHMS)):
        challenges = verifier.challenges(attempt(), user, stale=False)
        assert [param(each, "algorithm") for each in challenges] == list(expected)
    assert judge(verifier, shown(verifier)).user == "lukas"
    for number, name in enumerate(ALGORITHMS):
        value = shown(make_verifier(), number)
        assert bool(judge(verifier, value).claimed) is (name in chosen)


@pytest.mark.parametrize("name", ["9901#1", "9901%231"])
def test_a_name_may_be_escaped_as_in_a_uri(name: str) -> None:
    entry = make_entry("9901#1", REALM, "secret")
    users = make_users()
    users.apply(Page("one", 2, [Record(3, *entry, AT)], more=False))
    verifier = make_verifier(users=users)
    value = shown(verifier, user="9901#1", password="secret").replace("9901#1", name)
    assert judge(verifier, value).user == "9901#1"


def test_a_removed_user_is_nobody() -> None:
    users = make_users()
    verifier = make_verifier(users=users)
    users.apply(Page("one", 2, [Record(3, "lukas", "", "", "", AT)], more=False))
    assert judge(verifier, shown(verifier)).reason is Reason.UNKNOWN_USER


@pytest.mark.parametrize(
    ("host", "is_in"),
    [
        ("10.1.2.3", True),
        ("10.2.0.1", False),
        ("[2001:db8::7]", True),
        ("2001:db9::7", False),
        ("fe80::1%eth0", True),
        ("gateway.example", False),
        ("", False),
    ],
)
def test_who_is_trusted(host: str, is_in: bool) -> None:
    trusted = Trusted(("10.1.0.0/16", "2001:db8::/32", "fe80::1"))
    assert (host in trusted) is is_in
    assert host not in Trusted()
