"""Who is there and who is on the phone, as real processes tell it."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from system.dialog import answer_call, hang_up, place_call
from system.harness import Switchboard, wait_until
from system.net import Net
from system.sipp import Sipp
from system.stream_agent import registered_on_stream
from system.tools import require_tools
from system.user_agent import UserAgent, registered
from system.watcher import Watcher
from xmlschema import XMLSchema

pytestmark = pytest.mark.system

DOCUMENT = (
    b'<presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:lenka@x"><tuple id="t1"><status><basic>closed</basic>'
    b"</status><note>At lunch</note></tuple></presence>"
)


@pytest.fixture(scope="module")
def board() -> Iterator[Switchboard]:
    environment = {
        "SWITCHBOARD_PRESENCE": "on",
        "SWITCHBOARD_ROUTERS": "2",
        "SWITCHBOARD_HISTORY": "off",
        "SWITCHBOARD_MIN_EXPIRES": "60",
    }
    with Switchboard(environment) as running:
        yield running


@pytest.fixture
def net(board: Switchboard) -> Iterator[Net]:
    with Net(board.address) as phones:
        yield phones


def publish(phone: UserAgent, body: bytes = b"", expires: int = 600, tag: str = "", status: int = 200) -> str:
    """The entity tag of what is published."""
    match = [("SIP-If-Match", tag)] if tag else []
    content = [("Content-Type", "application/pidf+xml")] if body else []
    headers = [("Event", "presence"), ("Expires", str(expires)), *match, *content]
    answer = phone.ask("PUBLISH", phone.aor, headers, body).expect(status)
    return answer.get("sip-etag") if status == 200 else ""


def subscriptions(board: Switchboard, user: str) -> list[dict[str, Any]]:
    """Those of a user."""
    done = board.cli("subscriptions", "--user", user, "--json")
    listed: list[dict[str, Any]] = json.loads(done.stdout)["subscriptions"]
    return listed


def kill(board: Switchboard, name: str = "presence", instance: int = 0) -> None:
    """Kill a worker, which comes back."""
    pid = board.kill(name, instance)
    board.wait_component(name, lambda one: one["state"] == "up" and one["pid"] != pid)


def test_a_registration_is_seen(board: Switchboard, net: Net) -> None:
    lukas, lenka = registered(net, "lukas"), UserAgent(net, "lenka")
    watcher = Watcher.subscribe(lukas, lenka.aor, "presence")
    assert (watcher.state, watcher.basic) == ("active", ["closed"])
    lenka.register().expect(200)
    watcher.hear()
    assert watcher.basic == ["open"]
    listed = subscriptions(board, lukas.user)
    assert [(each["watcher"], each["user"], each["package"]) for each in listed] == [
        (lukas.user, lenka.user, "presence")
    ]
    watcher.refresh(0)
    assert watcher.state == "terminated;reason=timeout"
    wait_until(lambda: not subscriptions(board, lukas.user), "no subscription")


def test_a_publication_is_seen_until_it_is_removed(net: Net) -> None:
    lukas, lenka = registered(net, "lukas"), registered(net, "lenka")
    watcher = Watcher.subscribe(lukas, lenka.aor, "presence")
    tag = publish(lenka, DOCUMENT)
    watcher.hear()
    assert (watcher.basic, b"At lunch" in watcher.last.body) == (["closed"], True)
    refreshed = publish(lenka, tag=tag)
    assert refreshed != tag
    publish(lenka, tag=tag, status=412)
    publish(lenka, tag=refreshed, expires=0)
    watcher.hear()
    assert watcher.basic == ["open"]


def test_a_subscription_outlives_the_worker(board: Switchboard, net: Net) -> None:
    lukas, lenka = registered(net, "lukas"), registered(net, "lenka")
    watcher = Watcher.subscribe(lukas, lenka.aor, "presence")
    tag = publish(lenka, DOCUMENT)
    watcher.hear()
    kill(board)
    watcher.hear()  # of the same dialog, with a higher CSeq; its state is as before
    assert (watcher.state, watcher.basic) == ("active", ["closed"])
    publish(lenka, DOCUMENT.replace(b"closed", b"open"), tag=tag)
    watcher.hear()
    assert watcher.basic == ["open"]
    watcher.refresh()
    watcher.refresh(0)


def test_it_outlives_every_other_worker(board: Switchboard, net: Net) -> None:
    lukas, lenka = registered(net, "lukas"), registered(net, "lenka")
    watcher = Watcher.subscribe(lukas, lenka.aor, "presence")
    tag, basic = "", "open"
    for worker in ("router", "registrar", "edge-rx", "edge-tx", "translator", "journal"):
        kill(board, worker)
        basic = "closed" if basic == "open" else "open"
        tag = publish(lenka, DOCUMENT.replace(b"closed", basic.encode()), tag=tag)
        watcher.hear()
        assert watcher.basic == [basic]
    watcher.refresh(0)


def test_a_subscription_comes_back_from_a_backup(board: Switchboard, net: Net, tmp_path: Path) -> None:
    lukas, lenka = registered(net, "lukas"), registered(net, "lenka")
    watcher = Watcher.subscribe(lukas, lenka.aor, "presence")
    board.cli("backup", str(tmp_path / "backup"))
    tag = publish(lenka, DOCUMENT)
    watcher.hear()
    number = watcher.last.cseq[0]
    assert "presence.0: restarted" in board.cli("restore", str(tmp_path / "backup"), "presence").stderr
    watcher.hear()  # as it was then, with a number that the phone has not heard
    assert (watcher.last.cseq[0] > number, watcher.basic) == (True, ["open"])
    publish(lenka, DOCUMENT, tag=tag, status=412)
    watcher.refresh(0)


def test_requests_over_tcp_are_answered_though_worker_and_routers_die_with_them(
    board: Switchboard, net: Net
) -> None:
    """Nobody sends them again: what was on its way to the worker is in the logs of the routers."""
    lukas, lenka = registered_on_stream(net, "lukas"), registered(net, "lenka")
    board.hang("presence")
    lines = [("Event", "presence"), ("Expires", "600")]
    requests = [lukas.ask("SUBSCRIBE", lenka.aor, lines) for _ in range(6)]
    requests.append(
        lukas.ask("PUBLISH", lukas.aor, [*lines, ("Content-Type", "application/pidf+xml")], DOCUMENT)
    )
    wait_until(lambda: delegated(board) == len(requests), "the requests in the routers' hands")
    for instance in range(2):
        board.kill("router", instance)
    kill(board)
    for request in requests:
        request.expect(200)


def delegated(board: Switchboard) -> int:
    """How many requests routers have handed over, of which they have not heard that they were answered."""
    found = json.loads(board.cli("metrics", "--json").stdout)["metrics"]
    return sum(int(each["value"]) for each in found if "delegated_waiting" in each["labels"].values())


def test_who_says_481_is_told_no_more(board: Switchboard, net: Net) -> None:
    lukas, lenka = registered(net, "lukas"), UserAgent(net, "lenka")
    watcher = Watcher.subscribe(lukas, lenka.aor, "presence")
    lenka.register().expect(200)
    watcher.hear(481)
    wait_until(lambda: lukas.user not in board.cli("subscriptions").stdout, "no subscription")
    request = watcher.dialog.start("SUBSCRIBE", [("Event", "presence"), ("Expires", "600")])
    request.expect(481)


def test_a_lamp_lights(board: Switchboard, net: Net) -> None:
    lukas, lenka, peter = (registered(net, name) for name in ("lukas", "lenka", "peter"))
    lamp = Watcher.subscribe(peter, lenka.aor, "dialog")
    assert lamp.calls == []
    invite = lukas.invite(lenka.aor)
    ringing = lenka.expect("INVITE")
    ringing.reply(180)
    lamp.hear_until(("recipient", "early"))
    lukas.cancel(invite).expect(200)
    lenka.expect("CANCEL").reply(200)
    ringing.reply(487)
    invite.expect(487)
    lamp.hear_until(("recipient", "terminated"))
    call = place_call(lukas, lenka)
    while ("recipient", "confirmed") not in lamp.calls:
        lamp.hear()
    kill(board)
    lamp.hear_until(("recipient", "confirmed"))  # the journal knows the call
    hang_up(call.caller, call.callee)
    lamp.hear_until(("recipient", "terminated"))
    lamp.refresh(0)


def test_the_lamps_of_a_desk_phone(board: Switchboard, net: Net, tmp_path: Path) -> None:
    """SIPp has a list of busy lamps: one of a user, and one of a group by which she is called."""
    require_tools("sipp")
    lukas, lenka, peter = (registered(net, name) for name in ("lukas", "lenka", "peter"))
    desk, office = UserAgent(net, "desk"), f"office-{net.run}"
    desk.register().expect(200)
    board.cli("group", "add", office, lenka.user, peter.user)
    lamps = tmp_path / "lamps.csv"
    lamps.write_text(f"SEQUENTIAL\n{lenka.user};\n{office};\n")
    options = (
        "-inf",
        str(lamps),
        "-key",
        "watcher",
        desk.user,
        "-m",
        "2",
        "-trace_msg",
        "-message_file",
        "told.log",
    )
    with Sipp("lamps", tmp_path, board.address, *options) as phone:

        def wait_told(state: str) -> None:
            wait_until(lambda: lit(told(tmp_path), state) >= {lenka.user, office}, f"lamps that are {state}")

        wait_until(lambda: len(told(tmp_path)) == 2, "dark lamps")
        invite = lukas.invite(f"sip:{office}@{board.address[0]}")
        at_lenka, at_peter = lenka.expect("INVITE"), peter.expect("INVITE")
        for ringing in (at_lenka, at_peter):
            ringing.reply(180)
        wait_told("early")
        call = answer_call(lukas, invite, lenka, at_lenka)
        peter.expect("CANCEL").reply(200)
        at_peter.reply(487)
        wait_told("confirmed")
        before = len(told(tmp_path))
        kill(board)
        wait_until(lambda: len(told(tmp_path)) == before + 2, "the lamps of now")
        assert lit(told(tmp_path)[before:], "confirmed") == {lenka.user, office}  # they did not flicker
        hang_up(call.caller, call.callee)
        assert (phone.wait(30.0), phone.errors()) == (0, "")
    schema = XMLSchema(Path(__file__).parents[1] / "presence" / "schemas" / "dialog-info.xsd")
    for document in told(tmp_path):
        schema.validate(document)
    board.cli("group", "delete", office)


def told(directory: Path) -> list[str]:
    """The documents that SIPp got."""
    log = directory / "lamps" / "told.log"
    return re.findall("<dialog-info.*?</dialog-info>", log.read_text() if log.exists() else "", re.DOTALL)


def lit(documents: Sequence[str], state: str) -> set[str]:
    """Of whom one tells a call in this state."""
    found = (re.search('entity="sip:([^@]*)@', each) for each in documents if f">{state}<" in each)
    return {each[1] for each in found if each}


def test_lamps_of_a_group_light(board: Switchboard, net: Net) -> None:
    lukas, lenka, peter, anna, eva = (
        registered(net, name) for name in ("lukas", "lenka", "peter", "anna", "eva")
    )
    board.cli("group", "add", f"office-{net.run}", lenka.user, peter.user)
    lamps = [Watcher.subscribe(anna, lenka.aor, "dialog"), Watcher.subscribe(eva, peter.aor, "dialog")]
    invite = lukas.invite(f"sip:office-{net.run}@{lukas.domain}")
    at_lenka, at_peter = lenka.expect("INVITE"), peter.expect("INVITE")
    at_lenka.reply(180)
    for lamp in lamps:
        lamp.hear_until(("recipient", "early"))
    call = answer_call(lukas, invite, peter, at_peter)
    lenka.expect("CANCEL").reply(200)
    at_lenka.reply(487)
    lamps[1].hear_until(("recipient", "confirmed"))
    lamps[0].hear_until(("recipient", "terminated"))
    hang_up(call.caller, call.callee)
    lamps[1].hear_until(("recipient", "terminated"))
    for lamp in lamps:
        lamp.refresh(0)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ([("Event", "presence"), ("Expires", "5")], 423),
        ([("Event", "presence"), ("Accept", "text/plain")], 406),
        ([("Event", "presence"), ("Expires", "soon")], 400),
        ([("Event", "reg")], 403),
    ],
)
def test_what_is_refused(net: Net, headers: list[tuple[str, str]], status: int) -> None:
    lukas, lenka = registered(net, "lukas"), registered(net, "lenka")
    lukas.ask("SUBSCRIBE", lenka.aor, headers).expect(status)
