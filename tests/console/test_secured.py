"""The console over TLS, with real connections: certificates, limits, who may do without, and WebSockets given away."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from pathlib import Path

import pytest
from console.conftest import PASSWORD, PASSWORD_HASH, token_of
from console.test_server import ANSWERED_S, COUNT, SHORT_S, Console, serving
from console.test_server import short as short
from console.test_sip_socket import HANDSHAKE, answer
from console.test_sip_socket import desk as desk
from system.harness import wait_until
from transports.test_websocket import frame, read
from transports.tls_pairs import SUITES, TLS12, TLS13, client_context, prepare
from workers.test_edge_stream import Edge, request, response
from wsproto import events

from switchboard import codec
from switchboard.console.secured import Https, doubts_of
from switchboard.settings.model import Settings
from switchboard.sip.flow import WSS, Flow
from switchboard.transports.keeper_words import MESSAGE_OCTETS, Word
from switchboard.transports.tls_files import make_anew

REMOTE = "192.0.2.7"


@contextmanager
def securing(data_dir: Path, **settings: object) -> Iterator[tuple[Console, Settings]]:
    """A console with a certificate of our own making, and its settings."""
    chosen = {"tls": True, "console_password": PASSWORD_HASH, **settings}
    made = prepare(data_dir, **chosen)
    with serving(data_dir, **chosen) as console:  # type: ignore[arg-type]
        yield console, made


@pytest.fixture
def secured(data_dir: Path) -> Iterator[tuple[Console, Settings]]:
    with securing(data_dir) as running:
        yield running


@pytest.fixture
def far(monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections come from another machine."""
    monkeypatch.setattr("switchboard.console.secured._is_here", lambda _: False)


def browse(
    console: Console, settings: Settings, version: ssl.TLSVersion = TLS13, cipher: str = ""
) -> HTTPSConnection:
    context = client_context(settings, version, cipher)
    return HTTPSConnection("127.0.0.1", console.port, timeout=ANSWERED_S, context=context)


def ask(
    browser: HTTPConnection, path: str, method: str = "GET", body: str = "", **headers: str
) -> HTTPResponse:
    """The answer, which is read."""
    browser.request(method, path, body or None, headers)
    found = browser.getresponse()
    found.text = found.read().decode()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(("version", "cipher"), [*SUITES, (TLS12, "ECDHE-ECDSA-AES128-SHA256")])
@pytest.mark.parametrize("survives", [True, False])
def test_pages_come_over_tls(data_dir: Path, version: ssl.TLSVersion, cipher: str, survives: bool) -> None:
    source = Path("switchboard/console/static/jssip.js").read_text()
    with (
        securing(data_dir, tls_survive=survives) as (console, settings),
        closing(browse(console, settings, version, cipher)) as browser,
    ):
        assert ask(browser, "/healthz").status == 200
        assert ask(browser, "/static/jssip.js").text == source  # type: ignore[attr-defined]
        assert ask(browser, "/now").status == 303
        assert console.stats("connections") == 1


def test_forms_and_cookies(secured: tuple[Console, Settings]) -> None:
    console, settings = secured
    with closing(browse(console, settings)) as browser:
        page = ask(browser, "/login")
        cookie = page.headers["Set-Cookie"]
        assert cookie.endswith("; Secure")
        form = f"csrf={token_of(page.text)}&password={PASSWORD.replace(' ', '+')}"  # type: ignore[attr-defined]
        said = {
            "Cookie": cookie.partition(";")[0],
            "Origin": f"https://127.0.0.1:{console.port}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        let_in = ask(browser, "/login", "POST", form, **said)
        assert let_in.status == 303
        cookies = let_in.headers.get_all("Set-Cookie") or []
        assert len(cookies) == 2
        assert all(each.count("; Secure") == 1 for each in cookies)
        assert ask(browser, "/users", Cookie=cookies[0].partition(";")[0]).status in (200, 503)


def test_this_machine_may_do_without(secured: tuple[Console, Settings]) -> None:
    console, _ = secured
    with closing(HTTPConnection("127.0.0.1", console.port, timeout=ANSWERED_S)) as browser:
        page = ask(browser, "/login")
        assert (page.status, "Secure" in page.headers["Set-Cookie"]) == (200, False)


@pytest.mark.usefixtures("far")
def test_others_are_sent_to_https(secured: tuple[Console, Settings]) -> None:
    console, _ = secured
    here = f"127.0.0.1:{console.port}"
    with closing(HTTPConnection("127.0.0.1", console.port, timeout=ANSWERED_S)) as browser:
        sent = ask(browser, "/journal?user=l%C3%A1")
        assert (sent.status, sent.headers["Location"]) == (307, f"https://{here}/journal?user=l%C3%A1")
        for method, path in (("POST", "/login"), ("GET", "/api/v1/status"), ("PUT", "/x")):
            refused = ask(browser, path, method, "password=x" if method == "POST" else "")
            assert refused.status == 403
            assert f"https://{here}/" in refused.text  # type: ignore[attr-defined]
        for path in ("/healthz", "/authority.pem", "/provisioning/nothing"):
            assert ask(browser, path).status != 307, path
    with console.connect(b"GET / HTTP/1.0\r\n\r\n") as old:
        assert b" 403 " in answer(old)


def test_with_on_nobody_may_do_without(data_dir: Path) -> None:
    with securing(data_dir, tls=False, console_tls="on") as (console, settings):
        assert console.ask("/login")[0] == 307
        with closing(browse(console, settings)) as browser:
            assert ask(browser, "/login").status == 200


def test_a_certificate_of_ones_own_makes_provisioning_https(data_dir: Path) -> None:
    prepare(data_dir)
    files = {"tls_certificate": data_dir / "tls/cert.pem", "tls_key": data_dir / "tls/key.pem"}
    for settings, expected in ((files, False), ({}, True)):
        https = Https.of(Settings(data_dir=data_dir, tls=True, **settings))  # type: ignore[arg-type]
        assert https
        assert https.allows_plain(REMOTE, "/provisioning/x") is expected
        assert https.allows_plain(REMOTE, "/authority.pem")
        assert not https.allows_plain(REMOTE, "/")
        assert https.allows_plain("::ffff:127.0.0.1", "/")
        assert not https.allows_plain("", "/")


@pytest.mark.parametrize(("console_tls", "expected"), [("auto", True), ("on", False)])
def test_a_proxy_on_another_machine_may_do_without(data_dir: Path, console_tls: str, expected: bool) -> None:
    proxied = {"console_url": "https://pbx.example.com", "console_password": PASSWORD_HASH}
    https = Https.of(Settings(data_dir=data_dir, tls=True, console_tls=console_tls, **proxied))  # type: ignore[arg-type]
    assert https
    assert https.allows_plain(REMOTE, "/") is expected


@pytest.mark.parametrize(
    "settings", [{}, {"tls": True, "console_tls": "off"}, {"tls": True, "console": "off"}]
)
def test_where_there_is_none(data_dir: Path, settings: dict[str, object]) -> None:
    assert Https.of(Settings(data_dir=data_dir, **settings)) is None  # type: ignore[arg-type]


def test_a_changed_certificate_is_soon_in_force(secured: tuple[Console, Settings]) -> None:
    console, settings = secured
    with closing(browse(console, settings)) as browser:
        assert ask(browser, "/healthz").status == 200
        make_anew(settings, datetime.now(UTC), with_authority=True)

        def trusts_the_new_one() -> bool:
            with closing(browse(console, settings)) as other, suppress(ssl.SSLError):
                return ask(other, "/healthz").status == 200
            return False

        wait_until(trusts_the_new_one, "the new certificate")
        assert ask(browser, "/healthz").status == 200, "connections go on"


def test_without_a_certificate_browsers_get_an_alert(data_dir: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with serving(data_dir, tls=True) as console:
        raw = socket.create_connection(("127.0.0.1", console.port), ANSWERED_S)
        with raw, pytest.raises(ssl.SSLError, match="INTERNAL_ERROR"):
            context.wrap_socket(raw)
        assert console.ask("/healthz")[0] == 200
        assert console.stats("bad_tls") == 1


def test_what_is_to_be_known_of_the_certificate(data_dir: Path) -> None:
    settings = prepare(data_dir, domains=["pbx.example.com"])
    assert doubts_of(settings) == []
    other = settings.model_copy(update={"domains": ("other.example.com",)})
    assert "does not name other.example.com" in doubts_of(other)[0]
    (settings.tls_path / "key.pem").unlink()
    assert "cannot be read" in doubts_of(settings)[0]


@pytest.mark.parametrize(
    ("said", "heard"), [(b"\x16\x03\x01\0\5hello", b"\x15\x03"), (b"\x16" + 600 * b"\xff", b"")]
)
def test_what_is_no_tls_is_answered_counted_and_closed(
    secured: tuple[Console, Settings], said: bytes, heard: bytes
) -> None:
    console, _ = secured
    with console.connect(said) as stranger:
        assert answer(stranger).startswith(heard)
    assert console.stats("bad_tls") == 1
    wait_until(lambda: console.stats("connections") == 0, "its end")


def test_a_changed_record_ends_the_connection(secured: tuple[Console, Settings]) -> None:
    console, settings = secured
    raw = socket.create_connection(("127.0.0.1", console.port), ANSWERED_S)
    with client_context(settings).wrap_socket(raw, server_hostname="127.0.0.1") as browser:
        other = socket.socket(fileno=browser.detach())
        other.settimeout(ANSWERED_S)
        with other:
            other.sendall(b"\x17\x03\x03\0\x20" + bytes(32))
            assert answer(other)[:3] == b"\x17\x03\x03"
    assert console.stats("bad_tls") == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize("said", [b"\x16", b"\x16\x03\x01\x02\0\x01\0"])
def test_a_handshake_without_end_is_shut_out(secured: tuple[Console, Settings], said: bytes) -> None:
    console, _ = secured
    with console.connect(said) as slow:
        assert answer(slow) == b""
    assert console.stats("connections.late") == 1


@pytest.mark.usefixtures("short")
@pytest.mark.parametrize(("said", "heard"), [(b"", b""), (b"GET / HTTP/1.1\r\nX: ", b"HTTP/1.1 408 ")])
def test_who_is_slow_behind_the_handshake_is_shut_out_in_order(
    secured: tuple[Console, Settings], said: bytes, heard: bytes
) -> None:
    """The end of the stream is told by TLS: without that, `recv` would raise."""
    console, settings = secured
    raw = socket.create_connection(("127.0.0.1", console.port), ANSWERED_S)
    with client_context(settings).wrap_socket(
        raw, server_hostname="127.0.0.1", suppress_ragged_eofs=False
    ) as slow:
        slow.sendall(said)
        found = b""
        while octets := slow.recv(4096):
            found += octets
        assert found.startswith(heard)


def test_handshakes_that_do_not_end_keep_nobody_out(secured: tuple[Console, Settings]) -> None:
    console, settings = secured
    with ExitStack() as stack:
        for number in range(COUNT):
            stack.enter_context(console.connect(b"\x16\x03\x01", f"127.0.1.{1 + number % 20}"))
        with closing(browse(console, settings)) as browser:
            assert ask(browser, "/login").status == 200
    assert console.stats("connections.refused") == 0
    assert SHORT_S < ANSWERED_S


def page_of(console: Console, settings: Settings, version: ssl.TLSVersion, cipher: str = "") -> ssl.SSLSocket:
    """A browser's connection that asks for a WebSocket."""
    raw = socket.create_connection(("127.0.0.1", console.port), ANSWERED_S)
    page = client_context(settings, version, cipher).wrap_socket(raw, server_hostname="127.0.0.1")
    host = f"127.0.0.1:{console.port}"
    page.sendall(HANDSHAKE.format(host=host, origin=f"https://{host}", protocol="sip").encode())
    return page


def heard(edge: Edge, page: ssl.SSLSocket) -> bytes:
    """What comes next from the edge, which runs meanwhile."""
    page.setblocking(False)

    def look() -> bytes:
        with suppress(ssl.SSLWantReadError):
            return page.recv(4096)
        return b""

    return bytes(edge.serve_until(look))


@pytest.mark.parametrize(("version", "cipher"), SUITES)
def test_a_websocket_in_tls_is_given_to_the_edge_and_outlives_both(
    data_dir: Path, version: ssl.TLSVersion, cipher: str
) -> None:
    """The console's process ends, and the edge's is killed again and again."""
    with ExitStack() as stack:
        console, settings = stack.enter_context(securing(data_dir))
        edge = stack.enter_context(closing(Edge(data_dir, tls=True)))
        with page_of(console, settings, version, cipher) as page:
            assert page.recv(4096).startswith(b"HTTP/1.1 101 Switching Protocols\r\n")
            edge.serve_until(lambda: edge.adopted)
            console.server.stop()
            for number in range(4):
                page.sendall(frame(request("OPTIONS", f"call-{number}")))
                ((flow, _, raw),) = edge.items()
                assert (Flow.unpack(flow).transport, raw) == (WSS, request("OPTIONS", f"call-{number}"))
                edge.take_all()
                edge.send(flow, response())
                assert read(heard(edge, page)) == [events.TextMessage(response().decode())]
                edge.die()
                edge.start()
            (told,) = edge.service.answer("connections.list", None)
            assert (told["transport"], told["cipher"][:5]) == ("WSS", "TLSv1")
            assert edge.ended() == {}


def test_an_edge_that_is_killed_before_it_has_taken_it(data_dir: Path) -> None:
    with securing(data_dir) as (console, settings), closing(Edge(data_dir, tls=True)) as edge:
        edge.die()
        with page_of(console, settings, TLS13) as page:
            assert page.recv(4096).startswith(b"HTTP/1.1 101 ")
            page.sendall(frame(request("OPTIONS")))
            edge.start()
            assert [raw for _, _, raw in edge.items()] == [request("OPTIONS")]


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(("survives", "cipher"), [(False, ""), (True, "ECDHE-ECDSA-AES128-SHA256")])
def test_what_only_openssl_knows_cannot_be_given_away(data_dir: Path, survives: bool, cipher: str) -> None:
    with securing(data_dir, tls_survive=survives) as (console, settings):
        with page_of(console, settings, TLS12, cipher) as page:
            found = answer(page)
        assert found.startswith(b"HTTP/1.1 501 ")
        assert b"tls_survive is off" in found


def test_the_keeper_gets_counts_and_states(data_dir: Path, desk: socket.socket) -> None:
    with securing(data_dir) as (console, settings), page_of(console, settings, TLS13) as page:
        link, _ = desk.accept()
        with link:
            said, (fd,), _, _ = socket.recv_fds(link, MESSAGE_OCTETS, 2)
        with socket.socket(fileno=fd):
            word, transport, source, (consumed, reading, written, writing) = codec.unpack(said)
        assert (word, transport, source) == (Word.LENT, WSS, "127.0.0.1")
        assert min(consumed, written) > 300
        assert min(len(reading), len(writing)) > 20
        assert page.version() == "TLSv1.3"
