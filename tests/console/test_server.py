"""Real connections to the real console: those that keep it waiting keep nobody else out."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from select import select

import pytest
from console.conftest import PASSWORD, PASSWORD_HASH, token_of
from system.harness import wait_until

from switchboard.bus.context import BusContext
from switchboard.console.app import make_app
from switchboard.console.connections import MOST, MOST_OF_ONE
from switchboard.console.secured import Https
from switchboard.console.server import QUEUE, Server
from switchboard.settings.model import Settings

ANSWERED_S = 5.0
SHORT_S = 0.3
COUNT = 260


class Console:
    """One that listens on all loopback addresses."""

    def __init__(self, server: Server, port: int) -> None:
        self.server = server
        self.port = port

    def connect(self, said: bytes = b"", source: str = "127.0.0.1") -> socket.socket:
        """A connection that says as much and no more."""
        sock = socket.create_connection(("127.0.0.1", self.port), ANSWERED_S, (source, 0))
        sock.sendall(said)
        return sock

    def ask(self, path: str, source: str = "127.0.0.1", **headers: str) -> tuple[int, str]:
        """Status and text of an answer."""
        browser = HTTPConnection("127.0.0.1", self.port, ANSWERED_S, (source, 0))
        browser.request("GET", path, headers=headers)
        answer = browser.getresponse()
        text = answer.read().decode()
        browser.close()
        return answer.status, text

    def stats(self, name: str) -> float:
        return self.server.connections.stats()[name]


@contextmanager
def serving(
    data_dir: Path, before: Callable[[int], None] = lambda _: None, **settings: object
) -> Iterator[Console]:
    """`before` is called with the port when connections are queued, and not yet taken."""
    fd = socket.create_server(("127.0.0.1", 0), backlog=QUEUE).detach()
    with BusContext() as context, socket.socket(fileno=fd) as sock:  # as a worker gets it
        before(sock.getsockname()[1])
        made = Settings(data_dir=data_dir, routers=1, history=False, **settings)  # type: ignore[arg-type]
        https, behind_proxy = Https.of(made), bool(made.console_url)
        server = Server(make_app(made, context, b"k" * 32), sock, behind_proxy, https)
        server.start()
        try:
            yield Console(server, sock.getsockname()[1])
        finally:
            server.stop()
            wait_until(lambda: server.ended, "the end of its threads")


@pytest.fixture
def console(data_dir: Path) -> Iterator[Console]:
    with serving(data_dir, console_password=PASSWORD_HASH) as running:
        yield running


@pytest.fixture
def hold(console: Console) -> Iterator[Callable[..., list[socket.socket]]]:
    """Connections that stay open as long as the test."""
    with ExitStack() as stack:

        def open_them(count: int, said: bytes = b"", sources: int = 1) -> list[socket.socket]:
            return [
                stack.enter_context(console.connect(said, f"127.0.1.{1 + number % sources}"))
                for number in range(count)
            ]

        yield open_them


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can wait for."""
    for name in ("HEAD_S", "BODY_S", "UNREAD_S"):
        monkeypatch.setattr(f"switchboard.console.server.{name}", SHORT_S)
    monkeypatch.setattr("switchboard.console.server.LOOK_S", 0.05)


HALF_A_HEAD = b"GET / HTTP/1.1\r\nHost: localhost\r\nX: "
HALF_A_BODY = (
    b"POST /login HTTP/1.1\r\nHost: localhost\r\nOrigin: http://localhost\r\nContent-Length: 60000\r\n\r\na"
)


@pytest.mark.parametrize(
    "said", [b"", HALF_A_HEAD, HALF_A_BODY], ids=["nothing", "half a head", "half a body"]
)
@pytest.mark.parametrize("sources", [1, 20])
def test_who_says_nothing_keeps_nobody_out(
    console: Console, hold: Callable[..., list[socket.socket]], said: bytes, sources: int
) -> None:
    hold(COUNT, said, sources)
    wait_until(lambda: console.stats("connections.displaced") >= COUNT - MOST, "some to go")
    for source in ("127.0.0.1", "127.0.1.1"):
        assert console.ask("/healthz", source) == (200, "ok\n")
        assert console.ask("/login", source)[0] == 200
        assert console.ask("/readyz", source)[0] == 503
    assert console.stats("connections") <= (MOST if sources > 1 else MOST_OF_ONE + 1)
    assert console.stats("connections.refused") == 0


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(
    ("said", "heard"), [(b"", b""), (HALF_A_HEAD, b"408 Request"), (HALF_A_BODY, b"408 Request")]
)
def test_who_is_slow_is_shut_out(console: Console, said: bytes, heard: bytes) -> None:
    with console.connect(said) as slow:
        assert slow.recv(4096).startswith(b"HTTP/1.1 " + heard if heard else b"")
    assert console.stats("connections.late") == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("said", [HALF_A_HEAD, HALF_A_BODY])
def test_octets_now_and_then_do_not_help(console: Console, said: bytes) -> None:
    with console.connect(said) as slow, suppress(ConnectionError):
        begun = time.monotonic()
        while not select([slow], [], [], 0.02)[0]:
            slow.sendall(b"a")
            assert time.monotonic() < begun + ANSWERED_S, "still open"
    assert console.stats("connections.late") == 1


@pytest.mark.usefixtures("short")
def test_who_does_not_read_is_shut_out(console: Console) -> None:
    with socket.socket() as slow:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(("127.0.0.1", console.port))
        with suppress(OSError):
            for _ in range(2000):
                slow.sendall(b"GET /static/console.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
        wait_until(lambda: console.stats("connections") == 0, "its end", ANSWERED_S)


@pytest.mark.usefixtures("short")
def test_who_asks_again_and_again_stays(console: Console) -> None:
    browser = HTTPConnection("127.0.0.1", console.port, ANSWERED_S)
    browser.connect()
    ours, begun = browser.sock, time.monotonic()
    while time.monotonic() < begun + 3 * SHORT_S:
        browser.request("GET", "/healthz")
        assert browser.getresponse().read() == b"ok\n"
    assert browser.sock is ours
    browser.close()


def test_who_asks_first_is_heard_before_those_who_come_behind_it(data_dir: Path) -> None:
    """They are all there when the console begins to look."""
    with ExitStack() as stack:
        opened: list[socket.socket] = []

        def rush(port: int) -> None:
            for _ in range(COUNT):
                opened.append(stack.enter_context(socket.create_connection(("127.0.0.1", port))))
                if len(opened) == 1:
                    opened[0].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")

        with serving(data_dir, rush, console_password=PASSWORD_HASH) as console:
            assert opened[0].recv(4096).startswith(b"HTTP/1.1 200")
            taken = COUNT - MOST_OF_ONE
            wait_until(lambda: console.stats("connections.displaced") >= taken, "all to be taken")


def test_what_is_no_http_is_counted(console: Console) -> None:
    with console.connect(b"\x16\x03\x01 hello\r\n\r\n") as stranger:
        assert b"400" in stranger.recv(4096)
    assert console.stats("bad_requests") == 1


def test_where_all_are_served_health_and_metrics_are(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.console.connections.MOST", 0)
    status, text = console.ask("/login")
    assert (status, text) == (503, "Too many connections are open. Try again.\n")
    assert console.ask("/healthz") == (200, "ok\n")
    assert console.ask("/readyz")[0] == 503
    assert "not_up" in console.ask("/readyz")[1]


def test_a_proxy_has_more_than_one_address_may(data_dir: Path) -> None:
    url = "https://pbx.example.com"
    with serving(data_dir, console_password=PASSWORD_HASH, console_url=url) as console, ExitStack() as stack:
        for _ in range(MOST_OF_ONE + 10):
            stack.enter_context(console.connect())
        assert console.ask("/healthz")[0] == 200
        assert console.stats("connections.displaced") == 0


def test_a_page_that_is_open_hears_nothing_after_the_logout(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.console.watch.PERIOD_S", 0.1)
    monkeypatch.setattr("switchboard.survey.ask.ANSWER_WITHIN_S", 0.1)
    browser = HTTPConnection("127.0.0.1", console.port, ANSWERED_S)
    cookie = log_in(browser, console.port)
    stream = HTTPConnection("127.0.0.1", console.port, ANSWERED_S)
    stream.request("GET", "/now/events", headers={"Cookie": cookie})
    news = stream.getresponse()
    assert news.readline() == b"retry: 500\n"
    page = get(browser, "/phrases", cookie)
    post(browser, console.port, "/logout", cookie, f"csrf={token_of(page)}")
    while news.readline():
        pass
    assert console.ask("/now/events", Cookie=cookie)[0] == 401
    stream.close()
    browser.close()


def test_a_page_that_is_open_does_not_disturb_the_end(
    data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with serving(data_dir) as console:
        stream = HTTPConnection("127.0.0.1", console.port, ANSWERED_S)
        stream.request("GET", "/now/events")
        news = stream.getresponse()
        assert news.readline() == b"retry: 500\n"
    assert [each.message for each in caplog.records if each.name == "uvicorn.error"] == []
    stream.close()


def log_in(browser: HTTPConnection, port: int) -> str:
    """The cookie of an admin's session."""
    browser.request("GET", "/login")
    answer = browser.getresponse()
    visitor = str(answer.headers["Set-Cookie"]).partition(";")[0]
    form = f"csrf={token_of(answer.read().decode())}&password={PASSWORD.replace(' ', '+')}"
    return post(browser, port, "/login", visitor, form)


def get(browser: HTTPConnection, path: str, cookie: str) -> str:
    browser.request("GET", path, headers={"Cookie": cookie})
    answer = browser.getresponse()
    assert answer.status == 200
    return answer.read().decode()


def post(browser: HTTPConnection, port: int, path: str, cookie: str, form: str) -> str:
    """The cookie that comes back."""
    headers = {
        "Cookie": cookie,
        "Origin": f"http://127.0.0.1:{port}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    browser.request("POST", path, form, headers)
    answer = browser.getresponse()
    answer.read()
    assert answer.status == 303, path
    return str(answer.headers["Set-Cookie"]).partition(";")[0]
