"""The operator ends calls that ring or are up: both phones are told, also after all routers were killed."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from http.cookiejar import CookieJar
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

import pytest
from console.conftest import token_of
from system.dialog import place_call
from system.harness import Switchboard, free_port, wait_until
from system.net import Net
from system.stream_agent import registered_on_stream
from system.test_api import ask
from system.user_agent import UserAgent, registered

from switchboard.core.hanging_up import TEXT
from switchboard.history.endings import CSEQ_MARGIN

pytestmark = pytest.mark.system

ROUTERS = 2


@pytest.fixture(scope="module")
def board() -> Iterator[Switchboard]:
    console = f"127.0.0.1:{free_port('127.0.0.1')}"
    settings = {
        "SWITCHBOARD_ROUTERS": str(ROUTERS),
        "SWITCHBOARD_T1_S": "0.05",
        "SWITCHBOARD_CONSOLE": console,
    }
    with Switchboard(settings) as running:
        yield running


@pytest.fixture
def net(board: Switchboard) -> Iterator[Net]:
    with Net(board.address) as phones:
        yield phones


def hang_up(board: Switchboard, wanted: str) -> subprocess.CompletedProcess[str]:
    return board.cli("hangup", wanted, check=False)


def await_history(board: Switchboard, call_id: str, label: str) -> None:
    """The history is written a moment after the messages."""

    def has_it() -> bool:
        done = board.cli("ladder", call_id, check=False)
        return label in done.stdout

    wait_until(has_it, f"{label} in the history")


@pytest.mark.parametrize("killed", [False, True], ids=["", "routers killed"])
def test_both_phones_of_a_call_get_a_bye(
    board: Switchboard, lukas: UserAgent, lenka: UserAgent, killed: bool
) -> None:
    call = place_call(lukas, lenka)
    await_history(board, call.call_id, "ACK")
    if killed:
        kill_routers(board)
    done = hang_up(board, call.call_id)
    assert done.returncode == 0, done.stderr
    for dialog in (call.caller, call.callee):
        bye = dialog.expect("BYE")
        bye.reply(200, routes=False)
        assert TEXT in bye.request.get("reason")
    record = board.wait_record(call.call_id)
    assert (record["outcome"], record["ended_by"]) == ("answered", "operator")
    await_history(board, call.call_id, "200")
    explained = wait_until(lambda: ends_told(board, call.call_id), "an explanation")
    assert explained["outcome"] == "answered"
    assert explained["ended_by"] == "operator"
    assert "then the operator ended the call." in " ".join(explained["account"])


def test_phones_on_tcp_and_udp(board: Switchboard, net: Net) -> None:
    """The BYE goes over the connection that the phone has opened."""
    caller, callee = registered_on_stream(net, "kristian"), registered(net, "lukas")
    call = place_call(caller, callee)
    await_history(board, call.call_id, "ACK")
    assert hang_up(board, call.call_id).returncode == 0
    for dialog in (call.caller, call.callee):
        dialog.expect("BYE").reply(200, routes=False)
    assert board.wait_record(call.call_id)["ended_by"] == "operator"


def ends_told(board: Switchboard, call_id: str) -> dict[str, str] | None:
    told: dict[str, str] = json.loads(board.cli("explain", "--json", call_id).stdout)
    return told if told["ended_by"] else None


def kill_routers(board: Switchboard) -> None:
    for number in range(ROUTERS):
        pid = board.kill("router", number)

        def is_back(number: int = number, pid: int = pid) -> bool:
            one = board.component("router", number)
            return one["state"] == "up" and one["pid"] != pid

        wait_until(is_back, f"a successor of router.{number}")


def test_the_number_of_the_bye_is_above_all_that_were_used(
    board: Switchboard, lukas: UserAgent, lenka: UserAgent
) -> None:
    call = place_call(lukas, lenka)
    for dialog, other in ((call.callee, call.caller), (call.callee, call.caller)):
        info = dialog.start("INFO")
        other.expect("INFO").reply(200, routes=False)
        info.expect(200)
    await_history(board, call.call_id, "INFO")
    assert hang_up(board, lukas.user).returncode == 0
    numbers = []
    for dialog in (call.caller, call.callee):
        bye = dialog.expect("BYE")
        bye.reply(200, routes=False)
        numbers.append(bye.request.cseq[0])
    assert numbers == [3 + CSEQ_MARGIN, 1 + CSEQ_MARGIN]


def test_a_side_that_has_moved_is_told_where_it_is(
    board: Switchboard, net: Net, lukas: UserAgent, lenka: UserAgent
) -> None:
    """A re-INVITE has another Contact (§12.2): the BYE goes there."""
    call = place_call(lukas, lenka)
    elsewhere = UserAgent(net, "lukas")
    moved = replace(call.caller, phone=elsewhere)
    reinvite = moved.start("INVITE")
    sent = call.callee.expect("INVITE").reply(200)
    reinvite.expect(200)
    assert sent.status == 200
    moved.acknowledge()
    call.callee.expect("ACK")
    wait_until(lambda: board.cli("ladder", call.call_id).stdout.count("ACK") >= 4, "both ACKs in the history")
    assert hang_up(board, call.call_id).returncode == 0
    moved.expect("BYE").reply(200, routes=False)
    call.callee.expect("BYE").reply(200, routes=False)
    assert board.wait_record(call.call_id)["ended_by"] == "operator"


def test_a_call_that_rings_is_cancelled(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    invite = lukas.invite(lenka.aor)
    incoming = lenka.expect("INVITE")
    incoming.reply(180)
    invite.expect(180)
    call_id = invite.request.call_id
    await_history(board, call_id, "180")
    done = hang_up(board, lenka.user)
    assert done.returncode == 0, done.stderr
    cancel = lenka.expect("CANCEL")
    cancel.reply(200)
    assert TEXT in cancel.request.get("reason")
    incoming.reply(487)
    invite.expect(487)
    record = board.wait_record(call_id)
    assert (record["outcome"], record["ended_by"]) == ("cancelled", "operator")
    explained = wait_until(lambda: ends_told(board, call_id), "an explanation")
    assert (explained["outcome"], explained["ended_by"]) == ("cancelled", "operator")


def test_a_phone_that_is_gone_ends_the_call_all_the_same(
    board: Switchboard, lukas: UserAgent, lenka: UserAgent
) -> None:
    call = place_call(lukas, lenka)
    await_history(board, call.call_id, "ACK")
    lenka.close()
    assert hang_up(board, call.call_id).returncode == 0
    call.caller.expect("BYE").reply(200, routes=False)
    assert board.wait_record(call.call_id)["ended_by"] == "operator"


def test_a_bye_that_both_refuse_ends_nothing(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    call = place_call(lukas, lenka)
    await_history(board, call.call_id, "ACK")
    assert hang_up(board, call.call_id).returncode == 0
    for dialog in (call.caller, call.callee):
        dialog.expect("BYE").reply(403, "Refused", routes=False)
    told = wait_until(
        lambda: found if "refused" in (found := board.cli("explain", call.call_id).stdout) else None,
        "an explanation",
    )
    assert "The operator wanted to end the call (BYE), but it was refused (403" in told
    calls = json.loads(board.cli("calls", "--json").stdout)["calls"]
    assert call.call_id in [each["call_id"] for each in calls]
    assert hang_up(board, call.call_id).returncode == 0
    for dialog in (call.caller, call.callee):
        dialog.expect("BYE").reply(200, routes=False)
    board.wait_record(call.call_id)


def test_a_call_that_is_not_there(board: Switchboard) -> None:
    done = hang_up(board, "nobody-calls")
    assert done.returncode == 1
    assert "There is no call with the Call-ID nobody-calls" in done.stderr


def test_the_api_hangs_up(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    root = f"{str(board.component('console')['address']).rstrip('/')}/api/v1"
    token = board.cli("token", "add", "office").stdout.strip()
    call = place_call(lukas, lenka)
    await_history(board, call.call_id, "ACK")
    status, told = ask(f"{root}/calls/{call.call_id}/hangup", token, "POST")
    assert (status, set(told["told"]), told["not_told"]) == (200, {lukas.user, lenka.user}, [])
    for dialog in (call.caller, call.callee):
        dialog.expect("BYE").reply(200, routes=False)
    board.wait_record(call.call_id)
    wait_until(lambda: ends_told(board, call.call_id), "the end in the history")
    assert ask(f"{root}/calls/{call.call_id}/hangup", token, "POST")[0] == 409
    assert ask(f"{root}/calls/nothing/hangup", token, "POST")[0] == 404


class Browser:
    """It keeps cookies and follows redirects."""

    def __init__(self, console: str) -> None:
        self._root = console.rstrip("/")
        self._opener = build_opener(HTTPCookieProcessor(CookieJar()))

    def open(self, path: str, **form: str) -> tuple[int, str]:
        """Status and text of a page; with `form` it is sent."""
        data = urlencode(form).encode() if form else None
        try:
            with self._opener.open(Request(self._root + path, data, {"Origin": self._root})) as answer:
                return answer.status, answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, error.read().decode()


def test_the_page_of_a_call_hangs_up(board: Switchboard, lukas: UserAgent, lenka: UserAgent) -> None:
    browser = Browser(str(board.component("console")["address"]))
    call = place_call(lukas, lenka)
    await_history(board, call.call_id, "ACK")
    _, page = browser.open(f"/call?call_id={call.call_id}")
    form = {"csrf": token_of(page), "call_id": call.call_id}
    status, said = browser.open("/call/hangup", **form)
    assert (status, "Both phones are told." in said) == (200, True)
    for dialog in (call.caller, call.callee):
        dialog.expect("BYE").reply(200, routes=False)
    board.wait_record(call.call_id)
    wait_until(lambda: ends_told(board, call.call_id), "the end in the history")
    assert "/call/hangup" not in browser.open(f"/call?call_id={call.call_id}")[1]
    status, refused = browser.open("/call/hangup", **form)
    assert (status, "has ended already" in refused) == (409, True)
