"""SIPVicious at a switchboard that asks for passwords."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from system.harness import Switchboard
from system.net import Net
from system.password import PasswordAgent
from system.sipmsg import Message
from system.sipvicious import scan

from bench.asked import stat

pytestmark = pytest.mark.system

KNOWN, WEAK, UNKNOWN = "104", "105", "109"
GUESSABLE = "7"
METHODS = ("REGISTER", "INVITE", "OPTIONS")
VARYING = re.compile(
    r'tag=\w+|branch=\S+|nonce="[^"]+"|Call-ID: \S+|CSeq: \d+|\b10\d\b|127\.0\.0\.1:\d+|rport=\d+',
    re.IGNORECASE,
)


@pytest.fixture(scope="module")
def asking() -> Iterator[Switchboard]:
    """It hears scanners out; MD5, for svcrack knows nothing else."""
    settings = {"AUTH": "on", "AUTH_ALGORITHMS": "MD5", "SCANNERS": ""}
    with Switchboard({f"SWITCHBOARD_{name}": value for name, value in settings.items()}) as running:
        yield running


@pytest.fixture
def net(asking: Switchboard) -> Iterator[Net]:
    with Net(asking.address) as phones:
        yield phones


@pytest.fixture(scope="module")
def offices(asking: Switchboard, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Two extensions that are registered: one with a good password, one with a bad one."""
    book = tmp_path_factory.mktemp("book") / "users.csv"
    book.write_text(f"{KNOWN},a long secret\n{WEAK},{GUESSABLE}\n")
    asking.cli("user", "import", str(book))
    with Net(asking.address) as net:
        for user, password in ((KNOWN, "a long secret"), (WEAK, GUESSABLE)):
            extension(net, user, password).sign_in()


def extension(net: Net, user: str, password: str) -> PasswordAgent:
    """A phone whose user is called so, and nothing else."""
    phone = PasswordAgent(net, user, password=password)
    phone.user = user
    return phone


def pids(switchboard: Switchboard) -> dict[str, object]:
    return {f"{one['name']}.{one['instance']}": one["pid"] for one in switchboard.components()}


def failures(switchboard: Switchboard) -> float:
    """So many requests of one registrar were turned away."""
    return stat(switchboard, "registrar.0", "auth_failed")


@pytest.mark.usefixtures("offices")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("force", [(), ("--force",)], ids=["", "forced"])
def test_svwar_finds_no_extension(
    asking: Switchboard, tmp_path: Path, method: str, force: tuple[str, ...]
) -> None:
    """It tells from other extensions those that are answered otherwise; here each is asked for a password."""
    worker = "registrar.0" if method == "REGISTER" else "router.0"
    before, workers = stat(asking, worker, "auth_challenged"), pids(asking)
    found = scan("svwar", tmp_path, asking.address, "-m", method, "-e", "100-110", *force)
    assert "found nothing" in found, found
    assert stat(asking, worker, "auth_challenged") > before
    assert pids(asking) == workers


def test_svwar_would_find_them_where_nobody_is_asked(tmp_path: Path) -> None:
    """What the test above sees is not the tool's failure. The contact is ourselves, who answer OPTIONS."""
    with Switchboard({"SWITCHBOARD_SCANNERS": ""}) as open_to_all, Net(open_to_all.address) as net:
        host, port = open_to_all.address
        extension(net, KNOWN, "").register([f"<sip:{host}:{port}>"]).expect(200)
        found = scan("svwar", tmp_path, open_to_all.address, "-m", "OPTIONS", "-e", "101-106")
    assert re.findall(r"^\| (10\d) ", found, re.MULTILINE) == [KNOWN], found


@pytest.mark.usefixtures("offices")
@pytest.mark.parametrize("method", METHODS)
def test_extensions_are_answered_alike(net: Net, method: str) -> None:
    """Byte for byte, but for what is new in each answer and what was asked."""
    answers = {VARYING.sub("", _answer(net, method, user).encode().decode()) for user in (KNOWN, UNKNOWN)}
    assert len(answers) == 1, answers


def _answer(net: Net, method: str, user: str) -> Message:
    stranger = extension(net, user, "")
    if method == "REGISTER":
        return stranger.register().expect(401)
    uri = f"sip:{user}@{stranger.domain}"
    return (stranger.invite(uri) if method == "INVITE" else stranger.ask(method, uri)).expect(407)


@pytest.mark.usefixtures("offices")
def test_svmap_learns_of_no_make(asking: Switchboard, tmp_path: Path) -> None:
    found = scan("svmap", tmp_path, asking.address)
    assert re.search(r"^\| 127\.0\.0\.1:\d+ \| unknown ", found, re.MULTILINE), found


@pytest.mark.usefixtures("offices")
def test_svcrack_cracks_what_it_can_guess_and_nothing_else(asking: Switchboard, tmp_path: Path) -> None:
    """The password of one digit shows that the tool works; the others' and nobody's are not found."""
    workers, before = pids(asking), failures(asking)
    results = {
        user: scan("svcrack", tmp_path, asking.address, "-u", user, "-r", "1-20")
        for user in (KNOWN, UNKNOWN, WEAK)
    }
    assert "found nothing" in results[KNOWN], results[KNOWN]
    assert "found nothing" in results[UNKNOWN], results[UNKNOWN]
    assert re.search(rf"\| {WEAK} +\| {GUESSABLE} ", results[WEAK]), results[WEAK]
    assert failures(asking) >= before + 40
    assert pids(asking) == workers


def test_silence_and_passwords_go_together(tmp_path: Path) -> None:
    with Switchboard({"SWITCHBOARD_AUTH": "on"}) as silent:
        for tool in (("svmap",), ("svwar", "-e", "100-105"), ("svcrack", "-u", KNOWN, "-r", "1-9")):
            found = scan(tool[0], tmp_path, silent.address, *tool[1:])
            assert "found nothing" in found or "server down" in found.lower(), found
        assert stat(silent, "edge-rx.0", "scanners") >= 3
        assert stat(silent, "registrar.0", "auth_challenged") == 0
