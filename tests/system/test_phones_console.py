"""A real Linphone that sets itself up from the console's link, on a LAN, where the console needs a login."""

import os
import re
import ssl
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urlencode

import pytest
from system.console import Console
from system.harness import Switchboard
from system.lan import HUB, Lan
from system.tools import require_root, require_tools

from switchboard.settings.password import SALT_BYTES, hash_password

pytestmark = [pytest.mark.system, pytest.mark.phones]

PASSWORD = "correct horse battery"
PORT = 8080
CONFIGURATION = """\
[sip]
sip_port=5060
sip_tcp_port=0
sip_tls_port=0
use_ipv6=0
{trust}[misc]
config-uri={url}
"""


class Visitor:
    """Somebody at the console, as a browser without a screen."""

    def __init__(self, base: str, authority: Path | None = None) -> None:
        self._base = base
        context = ssl.create_default_context(cafile=authority)
        self._opener = urllib.request.build_opener(
            urllib.request.HTTPCookieProcessor(CookieJar()), urllib.request.HTTPSHandler(context=context)
        )

    def get(self, path: str) -> str:
        with self._opener.open(self._base + path, timeout=10) as answer:
            return str(answer.read().decode())

    def send(self, path: str, page: str, **form: str) -> str:
        """Fill in the form on `page` and send it to `path`; returns the page that follows."""
        form["csrf"] = _found(r'name="csrf" value="(\w+)"', self.get(page))
        request = urllib.request.Request(self._base + path, urlencode(form).encode(), {"Origin": self._base})
        with self._opener.open(request, timeout=10) as answer:
            return str(answer.read().decode())


@pytest.mark.parametrize("auth", ["off", "on"])
def test_a_phone_sets_itself_up(tmp_path: Path, auth: str) -> None:
    require_root()
    require_tools("ip", "linphonec")
    settings = {
        "SWITCHBOARD_CONSOLE": f"{HUB}:{PORT}",
        "SWITCHBOARD_CONSOLE_PASSWORD": str(hash_password(PASSWORD, os.urandom(SALT_BYTES))),
        "SWITCHBOARD_AUTH": auth,
    }
    with (
        Lan(["lukas"]) as lan,
        Switchboard(settings, host=HUB, port=5060, namespace=lan.hub) as switchboard,
    ):
        with lan.entered("hub"):
            visitor = Visitor(f"http://{HUB}:{PORT}")
            visitor.send("/login", "/login", password=PASSWORD)
            page = visitor.send("/phones", "/phones", user="lukas")
        phone = start_phone(lan, tmp_path, _found(r'<code class="url">([^<]+)<', page))
        try:
            phone.ask("status register", r"registered, identity=sip:lukas@\S+ duration=[1-9]")
            assert "lukas" in switchboard.cli("bindings").stdout
            log = (tmp_path / "log").read_text(errors="replace")
            assert ("\nAuthorization:" in log) == (auth == "on")
        finally:
            phone.close("quit")


def test_a_phone_sets_itself_up_with_tls(tmp_path: Path) -> None:
    """It has the authority, and follows the link without TLS; the console is reached by https."""
    require_root()
    require_tools("ip", "linphonec")
    settings = {
        "SWITCHBOARD_CONSOLE": f"{HUB}:{PORT}",
        "SWITCHBOARD_CONSOLE_PASSWORD": str(hash_password(PASSWORD, os.urandom(SALT_BYTES))),
        "SWITCHBOARD_AUTH": "on",
        "SWITCHBOARD_TLS": "on",
    }
    with (
        Lan(["lukas"]) as lan,
        Switchboard(settings, host=HUB, port=5060, namespace=lan.hub) as switchboard,
    ):
        authority = tmp_path / "ca.pem"
        with lan.entered("hub"):
            with urllib.request.urlopen(f"http://{HUB}:{PORT}/authority.pem", timeout=10) as answer:
                authority.write_bytes(answer.read())
            visitor = Visitor(f"https://{HUB}:{PORT}", authority)
            visitor.send("/login", "/login", password=PASSWORD)
            page = visitor.send("/phones", "/phones", user="lukas", transport="tls")
        url = _found(r'<code class="url">([^<]+/provisioning/[^<]+)<', page)
        assert url.startswith(f"http://{HUB}:{PORT}/provisioning/")
        phone = start_phone(lan, tmp_path, url, f"root_ca={authority}\n")
        try:
            phone.ask("status register", r"registered, identity=sip:lukas@\S+ duration=[1-9]")
            listed = switchboard.cli("connections").stdout
            assert ("lukas" in listed, " TLS " in listed, "TLSv1" in listed) == (True, True, True)
        finally:
            phone.close("quit")


def start_phone(lan: Lan, home: Path, url: str, trust: str = "") -> Console:
    """A Linphone that knows nothing but the link, and whom to `trust`."""
    (home / ".local/share/linphone").mkdir(parents=True)
    path, log = home / "linphonerc", home / "log"
    path.write_text(CONFIGURATION.format(url=url, trust=trust))
    words = ["linphonec", "-c", str(path), "-l", str(log), "-d", "6"]
    environment = os.environ | {"HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
    return Console("lukas", lan.command("lukas", *words), environment, log)


def _found(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    assert match, f"no {pattern} in {text}"
    return match[1]
