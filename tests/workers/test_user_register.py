"""The registrar's book of users: who changes it, who hears of it, who gets pages."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from auth.authenticators import make_authenticator
from structlog.testing import capture_logs

from switchboard.auth.users import Users, make_entry
from switchboard.bus.context import BusContext, load_keys, make_keys
from switchboard.settings.model import Settings
from switchboard.sip.dispatch import REGISTRAR
from switchboard.storage.records import A_PAGE
from switchboard.storage.unusable import NotWritten
from switchboard.workers.record_register import PAGES_KEPT
from switchboard.workers.user_register import FollowedUsers, UserRegister

REALM = "pbx"
SEVERAL = {
    "alpha": {"address": "127.0.0.1", "components": ["edge", "registrar", "translator", "router", "journal"]},
    "beta": {"address": "127.0.0.2", "components": ["registrar"]},
}
HOSTS = {
    "alpha": {"address": "127.0.0.1", "components": ["edge", "registrar", "translator"]},
    "beta": {"address": "127.0.0.2", "components": ["router", "journal"]},
}


class Told:
    """A publisher, as far as the register needs one."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []

    def send(self, subject: str, body: Any) -> None:
        self.events.append((subject, body))


@pytest.fixture
def told() -> Told:
    return Told()


Make = Callable[..., tuple[UserRegister, Users]]


@pytest.fixture
def make(told: Told) -> Iterator[Make]:
    """Makes a register and its users in memory; `hosts`: its routers are on another host."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        data_dir = Path(directory)
        make_keys(data_dir / "keys", ["alpha", "beta"])
        with BusContext() as context:
            context.keys = load_keys(data_dir / "keys", "alpha", {"alpha": "127.0.0.1", "beta": "127.0.0.2"})
            made: list[UserRegister] = []

            def start(*, auth: bool = True, hosts: bool = False) -> tuple[UserRegister, Users]:
                places: dict[str, Any] = {"hosts": HOSTS, "host": "alpha", "routers": 1} if hosts else {}
                settings = Settings(data_dir=data_dir, realm=REALM, **places)
                settings.run_dir.mkdir(exist_ok=True)
                authenticator = make_authenticator(users=Users(REALM)) if auth else None
                register = UserRegister(settings, context, told, authenticator)  # type: ignore[arg-type]
                made.append(register)
                return register, authenticator.verifier.users if authenticator else Users(REALM)

            yield start
            for register in made:
                for outbox in register.outboxes:
                    outbox.close()
                register.close()


def entries(*names: str, realm: str = REALM) -> list[list[str]]:
    """The body of a user.put."""
    return [list(make_entry(name, realm, "secret of " + name)) for name in names]


def test_users_db_is_made_again_within_a_second_if_it_is_taken_away(make: Make) -> None:
    register, _ = make()
    register.answer("user.put", [list(make_entry("lukas", REALM, "secret"))])
    register.path.unlink()
    register.tell()
    register.close()
    _, users = make()
    assert "lukas" in users


def test_a_change_is_in_force_told_and_kept_at_once(make: Make, told: Told) -> None:
    register, users = make()
    assert register.answer("user.put", entries("lukas", "lenka")) == 2
    assert users.find("lukas")
    [(subject, (series, number))] = told.events
    assert (subject, number) == ("users.number", users.number)
    assert register.answer("user.put", entries("lukas")) == 0
    again, same = make()
    assert again.answer("user.list", None) == register.answer("user.list", None)
    assert (same.series, len(same)) == (series, 2)


def test_who_is_removed_is_out(make: Make, told: Told) -> None:
    register, users = make()
    register.answer("user.put", entries("lukas"))
    assert register.answer("user.remove", "lukas") is True
    assert "lukas" not in users
    assert register.answer("user.remove", "lukas") is False
    assert [number for _, (_, number) in told.events] == [1, 2, 2]


def test_the_list_has_no_secrets(make: Make) -> None:
    register, _ = make()
    [[name, realm, sha256, md5]] = entries("lukas")
    register.answer("user.put", [[name, realm, sha256, md5]])
    [[user, its_realm, changed_at]] = register.answer("user.list", None)
    assert (user, its_realm) == (name, realm)
    assert isinstance(changed_at, float)
    assert register.answer("user.known", name) is True
    assert register.answer("user.known", f"{name}2") is False


@pytest.mark.parametrize(
    ("question", "body"), [("user.put", None), ("user.remove", 5), ("user.what", None), ("", [])]
)
def test_other_questions_are_none(make: Make, told: Told, question: str, body: object) -> None:
    register, _ = make()
    with pytest.raises(LookupError):
        register.answer(question, body)
    assert told.events == []


def test_users_are_kept_while_nobody_is_asked(make: Make, told: Told) -> None:
    register, _ = make(auth=False, hosts=True)
    register.answer("user.put", entries("lukas"))
    assert len(register.answer("user.list", None)) == 1
    assert told.events == []
    assert register.outboxes == []
    assert not register.send_page([0, 0])


def test_routers_on_this_host_read_the_store_themselves(make: Make) -> None:
    register, _ = make()
    assert register.outboxes == []
    assert not register.send_page([0, 0])


def pages(register: UserRegister) -> list[Any]:
    [outbox] = register.outboxes
    return outbox.take_back()


def test_routers_elsewhere_get_pages(make: Make) -> None:
    register, users = make(hosts=True)
    names = [f"u{number}" for number in range(A_PAGE + 1)]
    register.answer("user.put", [[name, REALM, "a" * 64, "b" * 32] for name in names])
    assert register.send_page([0, 0])
    assert register.send_page([0, A_PAGE])
    first, second = pages(register)
    assert [page[:2] + page[3:] for page in (first, second)] == [
        [users.series, 0, True],
        [users.series, A_PAGE, False],
    ]
    assert [len(page[2]) for page in (first, second)] == [A_PAGE, 1]
    assert [record[1] for record in second[2]] == names[-1:]


def test_few_pages_wait_for_a_router_that_is_away(make: Make) -> None:
    register, _ = make(hosts=True)
    for _ in range(PAGES_KEPT + 3):
        register.send_page([0, 0])
    assert len(pages(register)) == PAGES_KEPT


@pytest.mark.parametrize("item", [None, [], [0], ["0", 0], [0, "0"], [7, 0], [0, 0, 0]])
def test_what_is_no_wish_for_a_page_is_none(make: Make, item: object) -> None:
    register, _ = make(hosts=True)
    assert not register.send_page(item)
    assert pages(register) == []


@pytest.mark.parametrize("here", ["alpha", "beta"])
def test_another_registrar_follows_the_users_of_the_first(tmp_path: Path, told: Told, here: str) -> None:
    """On the same host by the file, elsewhere by pages."""
    make_keys(tmp_path / "keys", ["alpha", "beta"])
    places: dict[str, Any] = {"hosts": SEVERAL, "routers": 1} if here == "beta" else {"registrars": 2}
    settings = Settings(
        data_dir=tmp_path, realm=REALM, auth="on", location="redis://127.0.0.1", host=here, **places
    )
    at_first = settings.model_copy(update={"host": "alpha"})
    settings.run_dir.mkdir()
    with BusContext() as context:
        context.keys = load_keys(tmp_path / "keys", here, {"alpha": "127.0.0.1", "beta": "127.0.0.2"})
        first = make_authenticator(users=Users(REALM))
        other = make_authenticator(users=Users(REALM))
        register = UserRegister(at_first, context, told, first)  # type: ignore[arg-type]
        follower = FollowedUsers(settings, context, 1, other)
        register.answer("user.put", entries("lukas"))
        assert follower.told(*told.events[-1][1])
        if here == "beta":
            [asked] = follower.outboxes
            item = asked.take_back()[-1]
            assert item == [REGISTRAR - 1, 0]
            assert register.send_page(item)
            assert follower.take_page(register._pages[REGISTRAR - 1].take_back()[0])
        assert other.verifier.users.find("lukas") is not None
        assert follower.answer("user.known", "lukas") is True
        with pytest.raises(LookupError):
            follower.answer("user.put", entries("eva"))
        assert not follower.send_page([0, 0])
        assert (follower.notes(), follower.writings, follower.fd) == ([], (), None)
        for outbox in (*register.outboxes, *follower.outboxes):
            outbox.close()
        register.close()


def test_it_says_when_nobody_can_register(make: Make) -> None:
    with capture_logs() as logs:
        make()
    assert [line["event"] for line in logs] == ["nobody can register: there are no users yet"]


def test_it_says_who_has_a_password_for_another_realm(make: Make) -> None:
    register, _ = make()
    register.answer("user.put", entries("lukas", realm="elsewhere") + entries("lenka"))
    with capture_logs() as logs:
        _, users = make()
    [line] = logs
    assert "another realm" in line["event"]
    assert (line["users"], line["realm"]) == (1, REALM)
    assert users.find("lukas") is None
    assert users.find("lenka") is not None


def test_users_that_cannot_be_written_stay_as_they_are(make: Make) -> None:
    register, users = make()
    register.answer("user.put", [list(make_entry("lukas", REALM, "secret"))])
    with closing(sqlite3.connect(register.path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        with pytest.raises(NotWritten, match="locked by another program"):
            register.answer("user.remove", "lukas")
        register.tell()
        assert "lukas" in users
        register.try_again()
        assert register.writing.error
        stranger.execute("ROLLBACK")
    register.try_again()
    assert not register.writing.error
    assert register.answer("user.remove", "lukas")
    assert "lukas" not in users
