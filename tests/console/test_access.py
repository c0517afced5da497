"""Who may do what in the console."""

import pytest
from console.conftest import HERE, PASSWORD, PASSWORD_HASH, Open, token_of

from switchboard.console.access import is_known_host

NAMES = frozenset({"pbx.example.com"})


@pytest.mark.parametrize(
    ("header", "names", "only_loopback", "expected"),
    [
        ("127.0.0.1:8080", (), True, True),
        ("localhost", (), True, True),
        ("LOCALHOST.:9000", (), True, True),
        ("[::1]:8080", (), True, True),
        ("10.0.0.1:8080", (), True, False),
        ("10.0.0.1:8080", (), False, True),
        ("[2001:db8::1]", (), False, True),
        ("pbx.example.com", NAMES, False, True),
        ("PBX.example.com:8080", NAMES, False, True),
        ("evil.example.net:8080", NAMES, False, False),
        ("127.0.0.1.evil.example.net", NAMES, False, False),
        ("pbx.example.com", (), True, False),
        ("", (), False, False),
        ("a:b:c", (), False, False),
        ("localhost:123456", (), False, False),
    ],
)
def test_hosts(header: str, names: frozenset[str], only_loopback: bool, expected: bool) -> None:
    assert is_known_host(header, names, only_loopback) is expected


SAME_SITE = {"Origin": HERE}


def test_loopback_needs_no_login(open_console: Open) -> None:
    assert open_console().get("/phrases").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example.net", "pbx.example.com", "10.0.0.1", "127.0.0.1.evil.example.net"]
)
def test_another_name_for_loopback_gets_nothing(open_console: Open, host: str) -> None:
    answer = open_console(domains=["pbx.example.com"]).get("/phrases", headers={"Host": host})
    assert answer.status_code == 403
    assert "console_names" in answer.text


def test_headers_of_every_answer(open_console: Open) -> None:
    browser = open_console()
    for path in ("/phrases", "/none", "/static/console.css"):
        headers = browser.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"


def test_the_cookie_is_not_for_scripts_nor_for_other_sites(open_console: Open) -> None:
    cookie = open_console().get("/phrases").headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_other_methods(open_console: Open, method: str) -> None:
    assert open_console().request(method, "/restart").status_code == 405


def test_a_form_without_its_token(open_console: Open) -> None:
    answer = open_console().post("/restart", data={"worker": "none"}, headers=SAME_SITE)
    assert (answer.status_code, "too old" in answer.text) == (403, True)


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example.net", "http://127.0.0.1:9999"])
def test_a_form_from_another_site(open_console: Open, origin: str | None) -> None:
    browser = open_console(console_password=PASSWORD_HASH)
    form = {"csrf": token_of(browser.get("/login").text), "password": PASSWORD}
    answer = browser.post("/login", data=form, headers={"Origin": origin} if origin else {})
    assert (answer.status_code, "another site" in answer.text) == (403, True)


def test_a_form_with_its_token(open_console: Open) -> None:
    browser = open_console(console_password=PASSWORD_HASH)
    form = {"csrf": token_of(browser.get("/login").text), "password": "wrong"}
    assert browser.post("/login", data=form, headers=SAME_SITE).status_code == 401


def test_a_large_form(open_console: Open) -> None:
    answer = open_console().post("/restart", data={"worker": "x" * 70_000}, headers=SAME_SITE)
    assert answer.status_code == 413


def test_other_addresses_need_a_login(open_console: Open) -> None:
    browser = open_console("http://10.0.0.1:8080", console="0.0.0.0:8080", console_password=PASSWORD_HASH)
    answer = browser.get("/journal?user=lukas")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/login?next=/journal%3Fuser%3Dlukas")
    assert browser.get("/now/events").status_code == 401
    assert browser.post("/restart", data={}, headers={"Origin": "http://10.0.0.1:8080"}).status_code == 401
    assert browser.get("/static/console.css").status_code == 200


def test_names_where_a_login_is_needed(open_console: Open) -> None:
    browser = open_console(
        console="0.0.0.0:8080",
        console_password=PASSWORD_HASH,
        domains=["pbx.example.com"],
        console_names=["console.example.com"],
    )
    for host, status in [
        ("pbx.example.com", 200),
        ("console.example.com:8080", 200),
        ("10.0.0.1", 200),
        ("evil.example.net", 403),
    ]:
        assert browser.get("/login", headers={"Host": host}).status_code == status


def test_a_link_from_another_site_comes_back_with_its_cookie(open_console: Open) -> None:
    """The cookie is SameSite=Strict: a new one would log the browser out."""
    answer = open_console().get("/phrases", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.headers["Refresh"] == "0"
    assert "Set-Cookie" not in answer.headers


def test_a_cookie_that_is_none(open_console: Open) -> None:
    answer = open_console().get("/phrases", headers={"Cookie": "switchboard=\x01; a b;=;"})
    assert answer.status_code == 200


PUBLIC = "https://pbx.example.com"


def test_behind_a_proxy_with_tls(open_console: Open) -> None:
    """It may hand on the name that the browser asked for, or its own for the console."""
    browser = open_console(PUBLIC, console_password=PASSWORD_HASH, console_url=PUBLIC)
    shown = browser.get("/login")
    assert "; Secure" in shown.headers["Set-Cookie"]
    form = {"csrf": token_of(shown.text), "password": PASSWORD}
    for host, origin, status in [
        ("127.0.0.1:8080", "https://evil.example.net", 403),
        ("127.0.0.1:8080", PUBLIC, 303),
        ("pbx.example.com", PUBLIC, 303),
    ]:
        answer = browser.post("/login", data=form, headers={"Host": host, "Origin": origin})
        assert answer.status_code == status
        form["csrf"] = token_of(browser.get("/phones").text) or form["csrf"]


def test_without_one_the_cookie_is_for_http_too(open_console: Open) -> None:
    assert "Secure" not in open_console().get("/phrases").headers["Set-Cookie"]
