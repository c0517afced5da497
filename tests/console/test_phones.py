"""The page Phones."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from cli.conftest import answering as answering
from console.conftest import HERE, PASSWORD, PASSWORD_HASH, Open, token_of
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcServer
from switchboard.console.phones import LIFETIME_S, MAX_LINKS, Links
from switchboard.console.provisioning import Credentials

CREDENTIALS = Credentials("office", "SHA-256", "c0ffee")


def test_a_link_works_once() -> None:
    links = Links()
    link = links.make("lukas", CREDENTIALS, "token", 0.0)
    assert links.look("token", 1.0) == link
    assert links.follow("token", 1.0) == link
    assert links.follow("token", 1.0) is None


def test_it_expires() -> None:
    links = Links()
    links.make("lukas", CREDENTIALS, "token", 0.0)
    assert links.look("token", LIFETIME_S) is None
    assert links.follow("token", LIFETIME_S) is None
    assert links.follow("token", 1.0) is None


def test_there_are_only_so_many() -> None:
    links = Links()
    for number in range(MAX_LINKS + 1):
        links.make("lukas", None, str(number), 0.0)
    assert links.look("0", 1.0) is None
    assert links.look("1", 1.0)


def test_the_secret_goes_with_the_link() -> None:
    links = Links()
    links.make("lukas", CREDENTIALS, "token", 0.0)
    links.look("another", LIFETIME_S)
    assert links.look("token", 0.0) is None


def test_a_new_password_makes_the_links_of_the_old_one_void() -> None:
    links = Links()
    links.make("lukas", CREDENTIALS, "old", 0.0)
    lenka = links.make("lenka", CREDENTIALS, "another", 0.0)
    new = links.make("lukas", CREDENTIALS, "new", 1.0)
    assert [links.look(token, 2.0) for token in ("old", "another", "new")] == [None, lenka, new]


def test_without_passwords_a_user_sets_up_several_phones() -> None:
    links = Links()
    made = [links.make("lukas", None, token, 0.0) for token in ("one", "two")]
    assert [links.look(link.token, 1.0) for link in made] == made


def test_it_is_not_shown_by_accident() -> None:
    assert "c0ffee" not in repr(Links().make("lukas", CREDENTIALS, "token", 0.0))


Answering = Callable[[str, str, Any], list[Any]]
REGISTRAR = "registrar.0.ask"
NO_USERS: list[Any] = []
LUKAS = ["lukas", "switchboard", 1.0]


def make_link(browser: TestClient, user: str, **more: str) -> Any:
    form = {"csrf": token_of(browser.get("/phones").text), "user": user, **more}
    return browser.post("/phones", data=form, headers={"Origin": HERE})


def follow(browser: TestClient, made: Any) -> tuple[str, dict[str, str | None]]:
    """The page of a link that was made, and the credentials that the link leads to."""
    page = browser.get(made.headers["Location"]).text
    answer = browser.get(page.partition('<code class="url">')[2].partition("<")[0])
    section = ElementTree.fromstring(answer.text).find("*[@name='auth_info_0']")
    assert section is not None
    return page, {entry.get("name", ""): entry.text for entry in section}


def test_a_phone_gets_its_configuration_once(open_console: Open) -> None:
    browser = open_console(domains=["pbx.example.com"], sip_port=5070)
    page = browser.get(make_link(browser, "lukas").headers["Location"]).text
    assert "<svg" in page
    assert re.search(r">1(5m 00|4m 5\d)s</time> from now", page)
    url = page.partition('<code class="url">')[2].partition("<")[0]
    assert browser.head(url).status_code == 405
    answer = browser.get(url)
    assert answer.headers["Content-Type"] == "application/xml"
    assert "sip:lukas@pbx.example.com:5070" in answer.text
    assert browser.get(url).status_code == 404


def url_of(browser: TestClient, made: Any) -> tuple[str, str]:
    """The page of a link that was made, and the link."""
    page = browser.get(made.headers["Location"]).text
    return page, page.rpartition('<code class="url">')[2].partition("<")[0]


@pytest.mark.parametrize(
    ("transport", "registrar"),
    [
        ("tls", "&lt;sip:pbx.example.com:5061;transport=tls&gt;"),
        ("tcp", "&lt;sip:pbx.example.com;transport=tcp&gt;"),
        ("udp", "&lt;sip:pbx.example.com;transport=udp&gt;"),
        ("wss", "&lt;sip:pbx.example.com;transport=udp&gt;"),
    ],
)
def test_a_link_for_a_transport(open_console: Open, transport: str, registrar: str) -> None:
    browser = open_console(domains=["pbx.example.com"], tls=True)
    assert re.findall(r'<option value="(\w+)"', browser.get("/phones").text) == ["udp", "tcp", "tls"]
    page, url = url_of(browser, make_link(browser, "lukas", transport=transport))
    assert url.startswith("http://")
    assert ("http://127.0.0.1:8080/authority.pem" in page) == (transport == "tls")
    assert page.count("<svg") == (2 if transport == "tls" else 1)
    assert registrar in browser.get(url).text


def test_with_a_certificate_of_ones_own_tls_is_first_and_needs_no_authority(
    open_console: Open, tmp_path: Path
) -> None:
    files = {"tls_certificate": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    browser = open_console(tls=True, domains=["pbx.example.com"], **files)
    page, url = url_of(browser, make_link(browser, "lukas"))
    assert (url.partition(":")[0], "authority.pem" in page) == ("https", False)
    assert "transport=tls" in browser.get(url.replace("https://", "http://")).text


def test_the_transport_is_kept_while_a_new_password_is_asked_for(
    open_console: Open, answering: Answering
) -> None:
    answering(REGISTRAR, "user.list", [LUKAS])
    page = make_link(open_console(auth="on", tls=True), "lukas", transport="tls").text
    assert '<input type="hidden" name="transport" value="tls">' in page
    assert '<option value="tls" selected>' in page


def test_phones_need_no_login(open_console: Open) -> None:
    browser = open_console(console_password=PASSWORD_HASH)
    assert browser.get("/phones").status_code == 303
    assert browser.get("/provisioning/none").status_code == 404


@pytest.mark.parametrize("user", ["", "a b", "a@b", "<x>", "x" * 65])
def test_names_that_are_none(open_console: Open, user: str) -> None:
    answer = make_link(open_console(), user)
    assert (answer.status_code, "cannot stand in a SIP address" in answer.text) == (400, True)


def test_a_link_that_was_used(open_console: Open) -> None:
    answer = open_console().get("/phones/none")
    assert (answer.status_code, "was used, or is too old" in answer.text) == (404, True)


def test_a_new_user_gets_a_password_and_the_phone_what_proves_it(
    open_console: Open, answering: Answering
) -> None:
    asked = answering(REGISTRAR, "user.list", NO_USERS)
    answering(REGISTRAR, "user.put", 1)
    browser = open_console(auth="on", realm="office", domains=["pbx.example.com"])
    with capture_logs() as logs:
        page, shown = follow(browser, make_link(browser, "lukas"))
    *_, [(user, realm, sha256, md5)] = asked
    expected = {"username": "lukas", "realm": "office", "ha1": sha256, "algorithm": "SHA-256"}
    assert shown == expected | {"domain": "pbx.example.com"}
    assert (user, realm) == ("lukas", "office")
    assert sha256 not in page
    assert not any(secret in str(logs) for secret in (sha256, md5))
    assert [log["event"] for log in logs] == ["user added", "provisioning link made", "phone provisioned"]


def test_old_phones_get_what_they_are_asked_for(open_console: Open, answering: Answering) -> None:
    asked = answering(REGISTRAR, "user.list", NO_USERS)
    answering(REGISTRAR, "user.put", 1)
    browser = open_console(auth="on", auth_algorithms="MD5", domains=["pbx.example.com"])
    _, shown = follow(browser, make_link(browser, "lukas"))
    assert (shown["algorithm"], shown["ha1"]) == ("MD5", asked[-1][0][3])


def test_a_user_who_has_a_password_keeps_it_unless_a_new_one_is_wanted(
    open_console: Open, answering: Answering
) -> None:
    asked = answering(REGISTRAR, "user.list", [LUKAS])
    answering(REGISTRAR, "user.put", 0)
    browser = open_console(auth="on", domains=["pbx.example.com"])
    answer = make_link(browser, "lukas")
    assert answer.status_code == 200
    assert "has a password already, and nothing was changed" in answer.text
    assert asked == [["lukas", "", 1]]
    with capture_logs() as logs:
        _, shown = follow(browser, make_link(browser, "lukas", renew="yes"))
    assert shown["ha1"] == asked[-1][0][2]
    assert logs[0]["event"] == "user has a new password"
    assert logs[0]["source"] == "testclient"


def test_the_registrar_is_silent(open_console: Open, data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.console.people.ANSWER_S", 0.05)
    with BusContext() as context:
        server = RpcServer(context, f"ipc://{data_dir}/run/{REGISTRAR}")
        answer = make_link(open_console(auth="on"), "lukas")
        server.close()
    assert answer.status_code == 503
    assert "The registrar, which keeps users and registrations, does not answer." in answer.text


def test_the_registrar_refuses(open_console: Open, answering: Answering) -> None:
    answering(REGISTRAR, "user.list", NO_USERS)
    answer = make_link(open_console(auth="on"), "lukas")
    assert (answer.status_code, "The registrar refuses: another question." in answer.text) == (503, True)


def test_without_auth_nobody_is_asked(open_console: Open, answering: Answering) -> None:
    asked = answering(REGISTRAR, "user.list", NO_USERS)
    browser = open_console()
    assert make_link(browser, "lukas").status_code == 303
    assert "A new user is added" not in browser.get("/phones").text
    assert asked == []


def test_a_link_leads_to_the_proxy_before_the_console(open_console: Open) -> None:
    public = "https://pbx.example.com:8443"
    browser = open_console(public, console_password=PASSWORD_HASH, console_url=public + "/")
    form = {"csrf": token_of(browser.get("/login").text), "password": PASSWORD}
    assert browser.post("/login", data=form, headers={"Origin": public}).status_code == 303
    form = {"csrf": token_of(browser.get("/phones").text), "user": "lukas"}
    made = browser.post("/phones", data=form, headers={"Origin": public})
    page = browser.get(made.headers["Location"]).text
    assert f'<code class="url">{public}/provisioning/' in page
