"""Texts to users who are not there: kept over kills, and delivered at the next registration."""

import json
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from system.control import Component
from system.harness import INIT_SYSTEM, PATIENCE_S, Switchboard, free_port, wait_until
from system.net import Net
from system.user_agent import ClientTransaction, ServerTransaction, UserAgent, registered
from system.watcher import Watcher

pytestmark = pytest.mark.system

HOST = "127.0.0.1"
WORKERS = ("presence", "registrar", "router", "edge-rx", "edge-tx", "translator")


class Office(NamedTuple):
    board: Switchboard
    net: Net
    lukas: UserAgent


@pytest.fixture(scope="module")
def office() -> Iterator[Office]:
    port = free_port(HOST)
    environment = {
        "SWITCHBOARD_KEEP_MESSAGES_DAYS": "7",
        "SWITCHBOARD_PRESENCE": "on",
        "SWITCHBOARD_ROUTERS": "1",
        "SWITCHBOARD_T1_S": "0.1",
    }
    with (
        Net((HOST, port)) as net,
        Switchboard(environment, port=port, runner=INIT_SYSTEM) as board,
    ):
        yield Office(board, net, registered(net, "lukas"))


def away(net: Net, name: str) -> UserAgent:
    """A phone that was registered."""
    phone = registered(net, name)
    phone.register(expires=0).expect(200)
    return phone


def text(sender: UserAgent, to: UserAgent, said: str) -> ClientTransaction:
    return sender.ask("MESSAGE", to.aor, [("Content-Type", "text/plain")], said.encode())


def come_back(phone: UserAgent) -> None:
    phone.register().expect(200, resend=True)


def take(phone: UserAgent, said: str) -> ServerTransaction:
    """The next text that arrives is this one; it is accepted."""
    arrived = phone.expect("MESSAGE")
    assert arrived.request.body == said.encode()
    arrived.reply(200)
    return arrived


def is_new_to(pid: int) -> Callable[[Component], bool]:
    """Whether a component runs as another process."""
    return lambda found: found["pid"] not in (None, pid)


def kept(board: Switchboard) -> dict[str, int]:
    told = json.loads(board.cli("messages", "--json").stdout)
    return {each["user"]: each["messages"] for each in told["users"]}


def explained(board: Switchboard, call_id: str) -> str:
    """What `explain` says of a text that was kept and delivered; "" until all of it is in the history."""
    told = board.cli("explain", call_id, check=False).stdout
    return told if "keeps it" in told and "got it" in told else ""


def test_texts_come_in_order_at_the_next_registration(office: Office) -> None:
    lenka = away(office.net, "lenka")
    for said in ("one", "two"):
        sent = text(office.lukas, lenka, said)
        sent.expect(202)
    assert kept(office.board)[lenka.user] == 2
    come_back(lenka)
    take(lenka, "one")
    arrived = take(lenka, "two").request
    assert (arrived.call_id, arrived.get("from")) == (sent.request.call_id, sent.request.get("from"))
    assert arrived.get("date").endswith("GMT")
    wait_until(lambda: lenka.user not in kept(office.board), "nothing kept any more")
    told = wait_until(lambda: explained(office.board, arrived.call_id), "what became of it")
    assert f"{lenka.user} got it" in told
    assert not lenka.unread()


def test_nobody_known_is_kept_nothing(office: Office) -> None:
    stranger = UserAgent(office.net, "stranger")
    text(office.lukas, stranger, "hello?").expect(404)
    lenka = away(office.net, "typing")
    typing = [("Content-Type", "application/im-iscomposing+xml")]
    office.lukas.ask("MESSAGE", lenka.aor, typing, b"<isComposing/>").expect(480)


def test_a_phone_that_does_not_answer(office: Office) -> None:
    """One whose port is closed, and one that is silent; the silent one takes its text late, and gets it once."""
    gone, slow = registered(office.net, "gone"), registered(office.net, "slow")
    gone.close()
    text(office.lukas, gone, "are you there?").expect(202)
    sent = text(office.lukas, slow, "and you?")
    late = slow.expect("MESSAGE")
    sent.expect(202)
    assert kept(office.board)[slow.user] == 1
    late.reply(200)
    wait_until(lambda: slow.user not in kept(office.board), "what arrived is not kept")
    assert kept(office.board)[gone.user] == 1
    assert "1 text" in office.board.cli("messages", "delete", gone.user).stderr


def test_a_lamp_tells_of_texts(office: Office) -> None:
    phone = away(office.net, "lamp")
    lamp = Watcher.subscribe(UserAgent(office.net, "lamp"), phone.aor, "message-summary")
    assert b"Messages-Waiting: no" in lamp.last.body
    text(office.lukas, phone, "call me").expect(202)
    assert b"Text-Message: 1/0" in lamp.hear().body
    come_back(phone)
    take(phone, "call me")
    assert b"Text-Message: 0/0" in lamp.hear().body
    lamp.refresh(0)


def test_every_worker_is_killed_between(office: Office) -> None:
    phones = {worker: away(office.net, f"away-{worker}") for worker in WORKERS}
    for worker, phone in phones.items():
        text(office.lukas, phone, worker).expect(202)
        pid = office.board.kill(worker)
        office.board.wait_component(worker, is_new_to(pid), 3 * PATIENCE_S)
    wait_until(office.board.is_up, "everything up", 3 * PATIENCE_S)
    for worker, phone in phones.items():
        come_back(phone)
        take(phone, worker)
    wait_until(lambda: not kept(office.board), "nothing kept any more")
    assert not any(phone.unread() for phone in phones.values())
