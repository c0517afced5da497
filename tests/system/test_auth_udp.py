"""Users with passwords, over UDP (RFC 3261 §22)."""

import json
import stat
from collections.abc import Iterator

import pytest
from system.dialog import answer_call, hang_up
from system.harness import Switchboard, wait_until
from system.net import Net
from system.password import PasswordAgent, add_user
from system.user_agent import UserAgent

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def switchboard() -> Iterator[Switchboard]:
    with Switchboard({"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_ROUTERS": "2"}) as running:
        yield running


@pytest.fixture
def net(switchboard: Switchboard) -> Iterator[Net]:
    with Net(switchboard.address) as phones:
        yield phones


def new_user(switchboard: Switchboard, net: Net, name: str, number: int = 0) -> PasswordAgent:
    phone = PasswordAgent(net, name, number=number)
    add_user(switchboard, phone)
    return phone


def log_lines(switchboard: Switchboard, user: str) -> list[str]:
    return [line for line in switchboard.log().splitlines() if "auth failed" in line and user in line]


@pytest.mark.parametrize("number", [0, 1], ids=["SHA-256", "MD5"])
def test_users_register_and_call(switchboard: Switchboard, net: Net, number: int) -> None:
    lukas = new_user(switchboard, net, "lukas", number).sign_in()
    lenka = new_user(switchboard, net, "lenka", number).sign_in()
    invite = lukas.prove(lambda: lukas.invite(lenka.aor))
    call = answer_call(lukas, invite, lenka, lenka.expect("INVITE"))
    hang_up(call.callee, call.caller)
    assert len(lukas.asked) == 2
    record = switchboard.wait_record(invite.request.call_id)
    assert (record["outcome"], record["status"]) == ("answered", 200)


def test_a_wrong_password_is_refused_and_the_log_says_so(switchboard: Switchboard, net: Net) -> None:
    phone = new_user(switchboard, net, "lukas")
    phone.password = "guessed"
    phone.prove(phone.register).expect(401)
    [line] = wait_until(lambda: log_lines(switchboard, phone.user), "a line in the log")
    for fact in ("source=127.0.0.1", "method=REGISTER", "wrong password"):
        assert fact in line.replace("'", "")
    assert "guessed" not in switchboard.log()
    assert "Digest" not in switchboard.log()


def test_known_and_unknown_users_are_told_the_same(switchboard: Switchboard, net: Net) -> None:
    known, unknown = new_user(switchboard, net, "lukas"), PasswordAgent(net, "nobody")
    known.password = "wrong"
    told = [phone.prove(phone.register).expect(401) for phone in (known, unknown)]
    one, other = ({name.lower() for name, _ in each.headers} for each in told)
    assert one == other
    assert len(told[0].encode()) - len(known.user) * 2 == len(told[1].encode()) - len(unknown.user) * 2


def test_nobody_takes_over_anothers_bindings(switchboard: Switchboard, net: Net) -> None:
    lenka, mallory = new_user(switchboard, net, "lenka").sign_in(), new_user(switchboard, net, "mallory")
    takeover = mallory.request(
        "REGISTER", f"sip:{mallory.domain}", [("Contact", f"<{mallory.contact}>")], to=f"<{lenka.aor}>"
    )
    mallory.prove(lambda: mallory.start(takeover)).expect(403)
    [user] = [
        each
        for each in json.loads(switchboard.cli("bindings", "--json").stdout)["bindings"]
        if each["user"] == lenka.user
    ]
    assert user["contact_uri"] == lenka.contact
    assert wait_until(lambda: log_lines(switchboard, mallory.user), "a line in the log")


def test_strangers_call_nobody(switchboard: Switchboard, net: Net) -> None:
    lenka = new_user(switchboard, net, "lenka").sign_in()
    stranger = UserAgent(net, "stranger")
    for target in (lenka.aor, lenka.contact, f"sip:nobody@{lenka.domain}", "sip:a@127.0.0.9:5999"):
        stranger.invite(target).expect(407)
    net.listen(0.2)
    assert lenka.unread() == []


def test_a_removed_user_is_out_at_once_and_a_new_password_in(switchboard: Switchboard, net: Net) -> None:
    lukas = new_user(switchboard, net, "lukas").sign_in()
    old, lukas.password = (
        lukas.password,
        switchboard.cli("user", "passwd", lukas.user, "--generate").stdout.strip(),
    )
    lukas.sign_in()
    wait_until(lambda: _may_ask(lukas), "the routers to know the new password")
    lukas.password = old
    lukas.prove(lukas.register).expect(401)
    switchboard.cli("user", "remove", lukas.user)
    lukas.prove(lukas.register).expect(401)
    assert lukas.user not in switchboard.cli("user", "list", "--json").stdout


def _may_ask(phone: PasswordAgent) -> bool:
    asked = phone.prove(lambda: phone.ask("OPTIONS", f"sip:nobody@{phone.domain}"))
    return bool(phone.net.poll(lambda: asked.statuses(), 2.0)) and asked.statuses() == [404]


def replace(switchboard: Switchboard, worker: str, instance: int) -> None:
    """Kill a worker and wait for the next one."""
    old = switchboard.kill(worker, instance)

    def successor() -> bool:
        one = switchboard.component(worker, instance)
        return one["state"] == "up" and one["pid"] != old

    wait_until(successor, f"another {worker}")


@pytest.mark.parametrize("worker", ["registrar", "router"])
def test_what_was_used_stays_used_when_a_worker_dies(switchboard: Switchboard, net: Net, worker: str) -> None:
    lukas = new_user(switchboard, net, "lukas").sign_in()
    if worker == "registrar":
        used = lukas.prove(lukas.register)
    else:
        used = lukas.prove(lambda: lukas.ask("OPTIONS", f"sip:nobody@{lukas.domain}"))
    used.expect(200 if worker == "registrar" else 404)
    status = lukas.asked[-1].status
    for instance in (0, 1) if worker == "router" else (0,):
        replace(switchboard, worker, instance)
    again = lukas.start(lukas.answered(used.request, lukas.asked[-1]))
    refused = again.expect(status)
    assert "stale=true" in refused.get("www-authenticate" if status == 401 else "proxy-authenticate")
    lukas.start(lukas.answered(again.request, refused)).expect(200 if worker == "registrar" else 404)


def test_secrets_are_for_nobody_elses_eyes(switchboard: Switchboard) -> None:
    for name in ("users.db", "auth.key"):
        assert stat.S_IMODE((switchboard.data_dir / name).stat().st_mode) == 0o600


def findings(switchboard: Switchboard, user: str) -> list[dict[str, str]]:
    """What `doctor` says of a user's password."""
    told = json.loads(switchboard.cli("doctor", "--json", check=False).stdout)["findings"]
    return [each for each in told if each["check"] == "password" and user in each["found"]]


def test_a_phone_that_keeps_failing_is_told_of(switchboard: Switchboard, net: Net) -> None:
    phone = new_user(switchboard, net, "mute")
    for _ in range(3):
        phone.register().expect(401)
    finding = wait_until(lambda: next(iter(findings(switchboard, phone.user)), None), "a finding")
    assert "showed no password" in finding["found"]
    assert f'auth_algorithms = ["MD5"] in [users.{phone.user}]' in finding["remedy"]
