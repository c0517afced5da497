"""Users and phones, beside a registrar's real socket and store."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from console.conftest import data_dir as data_dir
from console.registrars import a_registrar

from switchboard.auth.digest import SHA256, make_ha1
from switchboard.auth.user_store import UserStore
from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError
from switchboard.console.bad_user import BadUser
from switchboard.console.people import People
from switchboard.settings.model import Settings

LENKA = "sip:lenka@10.0.0.7:5060"


@pytest.fixture
def settings(data_dir: Path) -> Settings:
    return Settings(data_dir=data_dir, routers=1, auth="on", realm="office")


@pytest.fixture
def people(settings: Settings) -> Iterator[People]:
    with BusContext() as context:
        yield People(settings, context)


def test_from_the_first_password_to_the_end(settings: Settings, people: People) -> None:
    with a_registrar(settings, lenka=[LENKA, "sip:lenka@10.0.0.8"]):
        first = people.add("lenka", "  Lenka   Kováčová ")
        (lenka,) = people.all()
        assert (lenka.user, lenka.display_name, lenka.is_void) == ("lenka", "Lenka Kováčová", False)
        assert lenka.password_set_at == pytest.approx(time.time(), abs=10)
        assert [each.contact for each in lenka.phones] == [LENKA, "sip:lenka@10.0.0.8"]
        assert people.renew("lenka") != first
        people.rename("lenka", "L.")
        people.unbind("lenka", LENKA)
        found = people.one("lenka")
        assert found
        assert (found.display_name, [each.contact for each in found.phones]) == ("L.", ["sip:lenka@10.0.0.8"])
        people.remove("lenka")
        assert people.all() == []
        assert people.names.get("lenka") == ""


def test_the_password_is_the_one_that_counts(settings: Settings, people: People) -> None:
    with a_registrar(settings):
        password = people.add("lukas")
    with closing(UserStore(settings.users_path)) as store:
        record = store.find("lukas")
    assert record
    assert (record.realm, record.sha256) == ("office", make_ha1(SHA256, "lukas", "office", password))


@pytest.mark.parametrize(
    ("text", "found"), [("", 2), ("LEN", 1), ("yealink", 1), ("10.0.0.7", 1), ("kov", 1), ("x", 0)]
)
def test_search(settings: Settings, people: People, text: str, found: int) -> None:
    with a_registrar(settings, lenka=[LENKA]):
        people.add("lukas", "Lukáš Kov")
        assert len(people.all(text)) == found


def test_what_cannot_be_done(settings: Settings, people: People) -> None:
    with a_registrar(settings):
        people.add("lukas")
        for act, status in (
            (lambda: people.add("lukas"), 409),
            (lambda: people.add("a b"), 400),
            (lambda: people.add("eva", "x" * 65), 400),
            (lambda: people.add("eva", "x\u202e"), 400),
            (lambda: people.renew("eva"), 404),
            (lambda: people.remove("eva"), 404),
            (lambda: people.rename("eva", "Eva"), 404),
            (lambda: people.unbind("lukas", LENKA), 404),
            (lambda: people.unbind("lukas", ""), 404),
        ):
            with pytest.raises(BadUser) as refused:
                act()
            assert refused.value.status == status
        assert [each.user for each in people.all()] == ["lukas"]


def test_without_passwords_there_is_none_to_give(data_dir: Path) -> None:
    settings = Settings(data_dir=data_dir, routers=1)
    with BusContext() as context, a_registrar(settings):
        people = People(settings, context)
        assert people.add("lukas") == ""
        assert people.all() == []


def test_the_registrar_is_silent(people: People, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.console.people.ANSWER_S", 0.05)
    for act in (lambda: people.add("lukas"), lambda: people.remove("lukas"), people.all):
        with pytest.raises(RpcError):
            act()
