"""The registrar's book of rules: who changes it, who hears of it, who gets pages."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from switchboard.bus.context import BusContext, load_keys, make_keys
from switchboard.core.call_rules import UserRules
from switchboard.registrar.rule_replica import RuleReplica
from switchboard.registrar.rule_store import RuleStore
from switchboard.settings.model import Settings, UserSettings
from switchboard.storage.records import A_PAGE, PageFollower
from switchboard.workers.rule_register import RuleRegister

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


Make = Callable[..., RuleRegister]


@pytest.fixture
def make(told: Told) -> Iterator[Make]:
    """Makes a register; `hosts`: its routers are on another host."""
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        data_dir = Path(directory)
        make_keys(data_dir / "keys", ["alpha", "beta"])
        with BusContext() as context:
            context.keys = load_keys(data_dir / "keys", "alpha", {"alpha": "127.0.0.1", "beta": "127.0.0.2"})
            made: list[RuleRegister] = []

            def start(*, hosts: bool = False) -> RuleRegister:
                places: dict[str, Any] = {"hosts": HOSTS, "host": "alpha", "routers": 1} if hosts else {}
                users = {"eva": UserSettings(numbers=("101",))}
                settings = Settings(data_dir=data_dir, domains=("pbx",), users=users, **places)
                settings.run_dir.mkdir(exist_ok=True)
                register = RuleRegister(settings, context, told, ("lenka", "lukas").__contains__)  # type: ignore[arg-type]
                made.append(register)
                return register

            yield start
            for register in made:
                for outbox in register.outboxes:
                    outbox.close()
                register.close()


def busy(user: str) -> list[Any]:
    return [user, {"busy": "lukas"}]


def test_a_change_is_kept_and_told_at_once(make: Make, told: Told) -> None:
    register = make()
    found = register.answer("rules.set", busy("lenka"))
    assert (found["notes"], len(register)) == ([], 1)
    [(subject, (series, number))] = told.events
    assert (subject, number) == ("rules.number", 1)
    again = make()
    again.tell()
    assert told.events[-1] == ("rules.number", [series, 1])
    assert again.answer("rules.of", "lenka") == found


def test_what_was_taken_away_is_made_again_within_a_second(make: Make) -> None:
    register = make()
    register.answer("rules.set", busy("lenka"))
    register.path.unlink()
    register.tell()
    assert make().answer("rules.of", "lenka")["rules"]["busy"] == "lukas"


def test_the_settings_know_users_and_our_domains(make: Make) -> None:
    register = make()
    assert register.answer("rules.set", ["101", {"busy": "sip:lukas@pbx"}])["name"] == "eva"
    [note] = register.answer("rules.set", ["eva", {"no_answer": "sip:lukas@example.org"}])["notes"]
    assert "another domain" in note


def test_the_rules_of_a_user_who_goes_go(make: Make, told: Told) -> None:
    register = make()
    register.answer("rules.set", busy("lenka"))
    register.forget("lenka")
    assert len(register) == 0
    assert told.events[-1][1][1] == 2


def test_routers_on_this_host_read_the_store_themselves(make: Make) -> None:
    register = make()
    assert register.outboxes == []
    assert not register.send_page([0, 0])


def test_routers_elsewhere_get_pages(make: Make, tmp_path: Path) -> None:
    register = make(hosts=True)
    for number in range(A_PAGE + 1):
        register.answer("rules.set", busy(f"user{number}"))
    rules, asked = RuleReplica(), [0]
    copy = RuleStore(tmp_path / "rules.db")
    follower = PageFollower(rules, copy, asked.append)
    [outbox] = register.outboxes
    while asked:
        assert register.send_page([0, asked.pop()])
        for page in outbox.take_back():
            follower.take_page(page)
    copy.close()
    assert len(rules) == A_PAGE + 1
    assert rules.of("user7") == UserRules(busy="lukas")


@pytest.mark.parametrize("item", [None, [], [0], [9, 0], ["0", 0], [0, 0, 0]])
def test_others_get_none(make: Make, item: object) -> None:
    register = make(hosts=True)
    assert not register.send_page(item)
