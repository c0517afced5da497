"""The sockets that the parent of the edge holds."""

import os
import platform
import socket
from collections.abc import Iterator
from pathlib import Path

import net_admin
import pytest
from system.harness import free_port

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.bus.rpc import RpcGroup, RpcServer
from switchboard.cli.edge import IMPATIENT_AFTER_S, Announcer, open_sockets, welcome
from switchboard.cli.listening import of_type
from switchboard.cli.start_failure import StartFailure
from switchboard.settings.model import Settings, read_settings
from switchboard.supervisor import resources
from switchboard.transports.lending import NAME
from switchboard.transports.udp_sockets import receive_buffer

POLL_MS = 20
TURNS = 500


@pytest.fixture
def context() -> Iterator[BusContext]:
    context = BusContext()
    yield context
    context.destroy(linger=0)


@pytest.fixture
def endpoint(data_dir: Path) -> str:
    """the control socket of the router."""
    return Endpoints(data_dir).control("router")


def test_welcome_comes_once_all_are_up(context: BusContext, endpoint: str) -> None:
    said: list[str] = []
    states = ["up", "starting", "starting"]
    server = RpcServer(context, endpoint)
    announcer = Announcer(RpcGroup(context, {"router": endpoint}), lambda: "welcome", said.append)
    for _ in range(TURNS):
        if (deadline := announcer.next_deadline()) is None:
            break
        assert "welcome" not in said
        announcer.handle_timer(deadline)
        if server.sockets[0].poll(POLL_MS) and (question := server.take()):
            question.reply([{"state": states.pop() if len(states) > 1 else states[0]}])
    server.close()
    assert states == ["up"]
    assert said.count("welcome") == 1


def test_who_is_late_is_said_once(context: BusContext, endpoint: str) -> None:
    said: list[str] = []
    group = RpcGroup(context, {"router": endpoint})
    announcer = Announcer(group, lambda: "welcome", said.append)
    start = announcer.next_deadline()
    assert start is not None
    for after_s in (0.0, IMPATIENT_AFTER_S, IMPATIENT_AFTER_S + 1):
        announcer.handle_timer(start + after_s)
        assert announcer.next_deadline() == pytest.approx(start + after_s + 0.1)
    group.close()
    assert said == ["Not up after 10 s: router. See the messages above."]


@pytest.mark.parametrize(
    ("port", "suffix"),
    [(5060, ""), (5070, ":5070")],
)
def test_welcome(port: int, suffix: str) -> None:
    settings = Settings(domains=("pbx.example",), data_dir=Path("/var/lib/sb"))
    lines = welcome(settings, ["127.0.0.1", "2001:db8::1", "10.0.0.1"], port).splitlines()
    first = next(number for number, line in enumerate(lines) if "Domain for the phones" in line)
    shown = [line.replace("Domain for the phones", "").strip() for line in lines[first : first + 4]]
    assert shown[:3] == [f"{domain}{suffix}" for domain in ("pbx.example", "10.0.0.1", "[2001:db8::1]")]
    assert shown[3] == f"127.0.0.1{suffix}   (this machine only)"
    text = "\n".join(lines)
    for words in (
        "user: any name",
        "transport: UDP or TCP",
        "no password",
        "/var/lib/sb/cdr.jsonl",
        "Ctrl-C",
        "status",
        f"Python {platform.python_version()}",
    ):
        assert words in text


def test_welcome_where_users_need_a_password() -> None:
    text = welcome(Settings(auth="on"), ["10.0.0.1"], 5060)
    assert "user add NAME" in text
    assert "no password" not in text


LIMIT = int(Path("/proc/sys/net/core/rmem_max").read_text())
HOST = "127.0.0.1"


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """All addresses and a free port."""
    for name in [name for name in os.environ if name.startswith("SWITCHBOARD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SWITCHBOARD_SIP_PORT", str(free_port(HOST)))


@pytest.fixture(params=["bound here", "passed by systemd"])
def passed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The sockets are ours, or one is the init system's."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind((HOST, 0))
        if request.param != "bound here":
            monkeypatch.setattr(resources, "FIRST_FD", held.fileno())
            monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
            monkeypatch.setenv("LISTEN_FDS", "1")
        yield
        if request.param != "bound here":
            held.detach()


@pytest.mark.usefixtures("passed")
@pytest.mark.parametrize(("wanted", "complaints"), [(LIMIT, 0), (2 * LIMIT, 1)])
def test_a_buffer_that_the_system_cuts_is_told_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], wanted: int, complaints: int
) -> None:
    monkeypatch.setenv("SWITCHBOARD_RECEIVE_BUFFER_BYTES", str(wanted))
    with net_admin.laid_down():
        sockets = open_sockets(*read_settings())
    assert {receive_buffer(sock) for sock in of_type(sockets, socket.SOCK_DGRAM)} == {2 * LIMIT}
    assert capsys.readouterr().err.count("sysctl -w net.core.rmem_max=") == complaints
    for sock in sockets:
        sock.close()


@pytest.fixture
def lent() -> Iterator[socket.socket]:
    """A socket that somebody has borrowed of an edge that has gone."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def test_whom_a_predecessor_has_lent_its_sockets_has_a_moment_to_let_go(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, lent: socket.socket
) -> None:
    monkeypatch.setenv("SWITCHBOARD_SIP_HOST", "127.0.0.1")
    monkeypatch.setenv("SWITCHBOARD_SIP_PORT", str(lent.getsockname()[1]))
    monkeypatch.setenv("SWITCHBOARD_DATA_DIR", str(data_dir))
    settings, origins = read_settings()
    settings.run_dir.mkdir(exist_ok=True)
    (settings.run_dir / NAME).touch()
    waits: list[float] = []
    monkeypatch.setattr("switchboard.cli.edge.OURS", "")

    def let_go(wait_s: float) -> None:
        waits.append(wait_s)
        lent.close()

    monkeypatch.setattr("switchboard.cli.edge.time.sleep", let_go)
    for sock in open_sockets(settings, origins):
        sock.close()
    assert len(waits) == 1


def test_a_port_that_nobody_has_borrowed_is_taken(
    monkeypatch: pytest.MonkeyPatch, data_dir: Path, lent: socket.socket
) -> None:
    monkeypatch.setenv("SWITCHBOARD_DATA_DIR", str(data_dir))
    monkeypatch.setenv("SWITCHBOARD_SIP_HOST", "127.0.0.1")
    monkeypatch.setenv("SWITCHBOARD_SIP_PORT", str(lent.getsockname()[1]))
    monkeypatch.setattr("switchboard.cli.edge.time.sleep", pytest.fail)
    settings, origins = read_settings()
    settings.run_dir.mkdir(exist_ok=True)
    (settings.run_dir / NAME).touch()
    with pytest.raises(StartFailure):
        open_sockets(settings, origins)
