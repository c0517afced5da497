"""Registrations over UDP (RFC 3261 §10)."""

import socket
import time

import pytest
from system.harness import Switchboard
from system.net import PATIENCE_S, Net
from system.sipmsg import parameter, uri_in
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system

BURDEN = b"OPTIONS sip:127.0.0.1 SIP/2.0\r\nVia: x\r\n" + b"A: b\r\n" * 5000
"""What keeps a reader busy for a while, and is not to be answered."""


def test_binding_is_listed_with_what_is_left_of_it(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    granted = phone.register(expires=600).expect(200)
    [binding] = granted.values("contact")
    assert uri_in(binding) == phone.contact
    assert parameter(binding, "expires") == "600"
    [listed] = phone.bindings()
    assert 595 <= int(parameter(listed, "expires") or 0) <= 600


def test_expires_parameter_outweighs_the_header(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    granted = phone.register([f"<{phone.contact}>;expires=90"], expires=600).expect(200)
    assert parameter(granted.get("contact"), "expires") == "90"


@pytest.mark.parametrize(
    ("asked", "granted"), [(None, "3600"), (7200, "7200"), (7201, "7200"), (4294967295, "7200"), (1, "1")]
)
def test_duration_that_is_granted(net: Net, asked: int | None, granted: str) -> None:
    answer = UserAgent(net, "lukas").register(expires=asked).expect(200)
    assert parameter(answer.get("contact"), "expires") == granted


def test_refresh_keeps_one_binding(net: Net) -> None:
    phone = registered(net, "lukas")
    phone.register(expires=1200).expect(200)
    [binding] = phone.bindings()
    assert int(parameter(binding, "expires") or 0) > 1190


def test_several_contacts_in_one_header_field(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    contacts = f'"Lukáš, doma" <{phone.contact}>;q=0.7, <sip:lukas@127.0.0.1:5999;transport=udp>;q=0.2'
    phone.register([contacts]).expect(200)
    listed = {uri_in(value): float(parameter(value, "q") or 1) for value in phone.bindings()}
    assert listed == {phone.contact: 0.7, "sip:lukas@127.0.0.1:5999;transport=udp": 0.2}


def test_one_binding_is_removed(net: Net) -> None:
    desk, mobile = registered(net, "lukas"), registered(net, "lukas")
    desk.register(expires=0).expect(200)
    assert [uri_in(value) for value in mobile.bindings()] == [mobile.contact]


def test_all_bindings_are_removed(net: Net) -> None:
    desk, mobile = registered(net, "lukas"), registered(net, "lukas")
    desk.register(["*"], expires=0).expect(200)
    assert mobile.bindings() == []


def test_star_without_zero_expires_is_refused(net: Net) -> None:
    phone = registered(net, "lukas")
    phone.register(["*"], expires=60).expect(400)
    assert len(phone.bindings()) == 1


def test_stale_cseq_changes_nothing(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    phone.register(cseq=50).expect(200)
    stale = phone.register(expires=0, cseq=40)
    net.wait_for(lambda: stale.responses, "an answer")
    phone.register([], None, cseq=60).expect(200)
    assert len(phone.bindings()) == 1


def test_a_phone_with_another_port_each_time_has_one_binding(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    for port in range(30000, 30025):
        contact = f"<sip:{phone.user}@127.0.0.1:{port}>"
        phone.register([f'{contact};+sip.instance="<urn:uuid:0a>"']).expect(200)
    [binding] = phone.bindings()
    assert binding == f'{contact};+sip.instance="<urn:uuid:0a>";expires=600'


def test_without_an_instance_the_latest_are_kept(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    for port in range(30000, 30025):
        phone.register([f"<sip:{phone.user}@127.0.0.1:{port}>"]).expect(200)
    kept = [uri_in(binding).rpartition(":")[2] for binding in phone.bindings()]
    assert kept == [str(port) for port in range(30005, 30025)]


def test_long_contacts_are_answered_as_long_as_a_datagram_holds_them(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    for number in range(12):
        phone.register([f"<sip:{number}-{'x' * 6000}@127.0.0.1>"]).expect(200)
    assert [uri_in(binding)[4:].partition("-")[0] for binding in phone.bindings()] == [
        "7",
        "8",
        "9",
        "10",
        "11",
    ]


def test_what_no_datagram_can_answer_is_refused_and_changes_nothing(net: Net) -> None:
    phone = registered(net, "lukas")
    for number in range(5):
        phone.register([f"<sip:{number}-{'x' * 6000}@127.0.0.1>"]).expect(200)
    before = [uri_in(binding) for binding in phone.bindings()]
    path = [("Supported", "path"), ("Path", f"<sip:{'p' * 50_000}@127.0.0.1;lr>")]
    phone.register([f"<{phone.contact}>"], extra=path).expect(513)
    assert [uri_in(binding) for binding in phone.bindings()] == before


def test_contacts_beyond_sip_are_kept(net: Net) -> None:
    phone = UserAgent(net, "lukas")
    phone.register(["<mailto:lukas@example.com>"]).expect(200)
    assert [uri_in(value) for value in phone.bindings()] == ["mailto:lukas@example.com"]


def test_binding_expires_by_itself(net: Net) -> None:
    phone, caller = UserAgent(net, "lukas"), registered(net, "kristian")
    phone.register(expires=1).expect(200)
    deadline = time.monotonic() + 4
    while phone.bindings():
        assert time.monotonic() < deadline, "the binding outlives its time"
        net.listen(0.2)
    caller.invite(phone.aor).expect(480)


def test_binding_is_in_force_when_its_200_arrives(net: Net) -> None:
    caller = registered(net, "kristian")
    for number in range(10):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as busy:
            for _ in range(20):
                busy.sendto(BURDEN, net.proxy)
        callee = registered(net, f"lukas-{number}")
        call_when_it_is_not_busy(caller, callee.aor)
        callee.expect("INVITE")


def call_when_it_is_not_busy(caller: UserAgent, uri: str) -> None:
    """On a slow machine the burden is enough for a 503."""
    deadline = time.monotonic() + 2 * PATIENCE_S
    while True:
        invite = caller.invite(uri)
        caller.net.wait_for(invite.statuses, "an answer")
        if invite.statuses() != [503] or time.monotonic() > deadline:
            break
        caller.net.listen(0.1)
    invite.expect(100)


def test_bindings_command_lists_the_contact(net: Net, switchboard: Switchboard) -> None:
    phone = registered(net, "lukas")
    assert phone.contact in switchboard.cli("bindings", "--json").stdout


def test_unregistered_and_unknown_users(net: Net) -> None:
    caller, gone = registered(net, "kristian"), registered(net, "lukas")
    gone.register(expires=0).expect(200)
    caller.invite(gone.aor).expect(480)
    caller.invite(f"sip:nobody-{net.run}@{caller.domain}").expect(404)
