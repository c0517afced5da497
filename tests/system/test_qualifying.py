"""Whether registered phones answer: asked by the routers, shown by command line, API and doctor."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from system.harness import POLL_S, Switchboard, free_port, wait_until
from system.net import Net
from system.stream_agent import registered_on_stream
from system.test_api import ask
from system.user_agent import UserAgent, registered

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def board() -> Iterator[Switchboard]:
    console = f"127.0.0.1:{free_port('127.0.0.1')}"
    settings = {"SWITCHBOARD_QUALIFY_S": "1", "SWITCHBOARD_ROUTERS": "2", "SWITCHBOARD_T1_S": "0.05"}
    with Switchboard({**settings, "SWITCHBOARD_CONSOLE": console}) as running:
        yield running


@pytest.fixture
def net(board: Switchboard) -> Iterator[Net]:
    with Net(board.address) as phones:
        yield phones


def binding_of(board: Switchboard, phone: UserAgent) -> dict[str, Any]:
    told = json.loads(board.cli("bindings", "--json", "--user", phone.user).stdout)["bindings"]
    (binding,) = told
    found: dict[str, Any] = binding
    return found


def wait_while_it_answers(phone: UserAgent, look: Callable[[], Any], what: str) -> Any:
    """Return what is seen as soon as there is something to see; the phone answers whatever it is asked meanwhile."""

    def answer_and_look() -> Any:
        phone.net.listen(POLL_S)
        while asked := phone.take("OPTIONS"):
            asked.reply(200)
        return look()

    return wait_until(answer_and_look, what)


def reach_of(board: Switchboard, phone: UserAgent) -> Any:
    """How it is reached, if it has answered the last question."""
    reach = binding_of(board, phone)["reach"]
    return reach if reach and reach["silent"] == 0 else None


def test_a_phone_that_answers_and_then_does_not(board: Switchboard, net: Net) -> None:
    root = f"{str(board.component('console')['address']).rstrip('/')}/api/v1"
    token = board.cli("token", "add", "office").stdout.strip()
    lenka = registered(net, "lenka")

    def has_answered() -> Any:
        (shown,) = ask(f"{root}/users/{lenka.user}", token)[1]["bindings"]
        return shown["unanswered"] == 0

    wait_while_it_answers(lenka, has_answered, "the answer in the API")
    reach = wait_while_it_answers(lenka, lambda: reach_of(board, lenka), "the answer")
    assert reach["latency_s"] > 0
    assert reach["text"].endswith(" ms")
    (shown,) = ask(f"{root}/bindings?user={lenka.user}", token)[1]["bindings"]
    assert shown["latency_ms"] > 0

    lenka.close()
    silent = wait_until(
        lambda: (found := binding_of(board, lenka)["reach"]) and found["silent"] and found, "silence"
    )
    assert (silent["text"], silent["latency_s"]) == ("does not answer", reach["latency_s"])
    findings = json.loads(board.cli("doctor", "--json", check=False).stdout)["findings"]
    (told,) = [each for each in findings if each["check"] == "phones"]
    assert f"{lenka.user} at {lenka.contact}" in told["found"]


def test_nothing_of_it_is_in_history_and_journal(board: Switchboard, net: Net) -> None:
    lukas = registered(net, "lukas")
    for _ in range(3):
        lukas.expect("OPTIONS").reply(486)
    wait_until(lambda: binding_of(board, lukas)["reach"], "the answer")
    assert "OPTIONS" not in board.wait_said(("ladder", "--user", lukas.user), "REGISTER")
    assert board.cdr() == []


def test_a_phone_on_tcp_answers_over_its_connection(board: Switchboard, net: Net) -> None:
    kristian = registered_on_stream(net, "kristian")
    assert wait_while_it_answers(kristian, lambda: reach_of(board, kristian), "the answer")
