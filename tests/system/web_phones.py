"""Phones in web pages: JsSIP and SIP.js of npm, bundled by esbuild, in Debian's Chromium."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from playwright.sync_api import Page
from system.harness import wait_until
from system.tools import refuse, require_tools

SOURCES = Path(__file__).with_name("web")
INSTALL_S = 120.0
STACKS = ("JsSIP", "SIP.js")
PATIENCE_S = 15.0


def build_phones(directory: Path) -> None:
    """Put a page with the phones there; the test is skipped where npm is missing or reaches no registry."""
    require_tools("node", "npm")
    for name in ("package.json", "package-lock.json", "phones.js"):
        shutil.copy(SOURCES / name, directory)
    install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
    if subprocess.run(install, cwd=directory, timeout=INSTALL_S, check=False).returncode:
        refuse("npm cannot install JsSIP and SIP.js")
    bundle = [
        "node_modules/.bin/esbuild",
        "phones.js",
        "--bundle",
        "--outfile=bundle.js",
        "--log-level=error",
    ]
    subprocess.run(bundle, cwd=directory, timeout=INSTALL_S, check=True)
    page = '<!doctype html><link rel="icon" href="data:,"><script src="bundle.js"></script>'
    (directory / "index.html").write_text(page)


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nobody reads it."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """The directory at an address of this machine, where browsers allow the microphone."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(directory))) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class WebPhone:
    """A phone of `stack` in `page`, at the WebSocket `server`."""

    def __init__(
        self, page: Page, stack: str, server: str, domain: str, user: str, password: str = ""
    ) -> None:
        self.stack = stack
        self.user = user
        self._page = page
        settings = {"server": server, "domain": domain, "user": user, "password": password}
        self._number = page.evaluate("([stack, settings]) => makePhone(stack, settings)", [stack, settings])
        self._read = 0

    def events(self) -> list[str]:
        """All that it has seen."""
        found: list[str] = self._page.evaluate("number => phones[number].events", self._number)
        return found

    def wait_for(self, event: str, timeout_s: float = PATIENCE_S) -> None:
        """Return when it sees `event` after what was waited for before; AssertionError if it does not in time."""

        def read() -> bool:
            for at, seen in enumerate(self.events()[self._read :], self._read + 1):
                if seen == event:
                    self._read = at
                    return True
            return False

        try:
            wait_until(read, event, timeout_s)
        except AssertionError as error:
            raise AssertionError(f"{self.stack} of {self.user}: {error}; it saw {self.events()}") from None

    def do(self, action: str, *arguments: str) -> Any:
        """Have it do something: call, answer, hangUp, send, cut, comeBack."""
        told = [self._number, action, list(arguments)]
        return self._page.evaluate("([number, action, told]) => { phones[number][action](...told) }", told)

    def pause(self, milliseconds: float) -> None:
        """Let it do what it does by itself."""
        self._page.wait_for_timeout(milliseconds)

    @property
    def is_registered(self) -> bool:
        """What it thinks itself."""
        return bool(self._page.evaluate("number => phones[number].isRegistered", self._number))

    def heard(self) -> int:
        """Octets of voice that have come in this call."""
        return int(self._page.evaluate("number => phones[number].heard()", self._number))

    def wait_voice(self) -> None:
        """Return when more voice comes than has come; AssertionError if none does."""
        before = self.heard()
        wait_until(lambda: self.heard() > before, f"voice at {self.stack} of {self.user}", PATIENCE_S)

    def wait_voice_of(self, speak: Callable[[], None]) -> None:
        """Return when voice comes that somebody speaks by `speak`, which is called again until then."""
        before = self.heard()

        def is_heard() -> bool:
            speak()
            return self.heard() > before

        wait_until(is_heard, f"voice at {self.stack} of {self.user}", PATIENCE_S)
