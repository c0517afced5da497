"""From an item of sip.delegated to the answer."""

from dataclasses import dataclass, field

import pytest
from flows import udp
from playbook import LUKAS, request

from switchboard.codec import unpack
from switchboard.presence.reception import Answer, Reception, Refused, Request
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message, parse_message
from switchboard.sip.scan import scan

RAW = request("PUBLISH", "sip:lukas@10.0.0.1", lines=("Event: presence",))


@dataclass
class Script:
    """Answers as it is told."""

    answers: list[Answer | Exception]
    taken: list[Request] = field(default_factory=list)

    def take(self, request: Request, at: float) -> Answer:  # noqa: ARG002
        self.taken.append(request)
        answer = self.answers[min(len(self.taken), len(self.answers)) - 1]
        if isinstance(answer, Exception):
            raise answer
        return answer


def reception(*answers: Answer | Exception) -> tuple[Reception, Script]:
    script = Script(list(answers))
    return Reception({"PUBLISH": script}, 32.0), script


def item(raw: bytes = RAW) -> list[object]:
    return [udp(*LUKAS, "10.0.0.1").pack(), scan(raw), raw, "lukas", "lukas", 0]


def response(answer: bytes | None) -> Message:
    assert answer is not None
    flow, raw, reader, _ = unpack(answer)
    assert (Flow.unpack(flow).hop, reader) == (LUKAS, "lukas")
    return parse_message(raw)


def test_an_answer_goes_back_and_is_repeated() -> None:
    under_test, script = reception(Answer(200, (("SIP-ETag", "abc"),)), Answer(500))
    first = under_test.take(item(), 0.0, 0.0)
    assert response(first).status == 200
    assert response(first).get("sip-etag") == "abc"
    assert (response(first).to_tag or "").startswith("sbp.")
    assert under_test.take(item(), 31.0, 0.0) == first
    assert len(script.taken) == 1
    assert under_test.stats()["retransmissions"] == 1
    under_test.purge(33.0)
    assert response(under_test.take(item(), 33.0, 0.0)).status == 500


@pytest.mark.parametrize(
    ("error", "status", "field_", "value"),
    [
        (Refused(423, ("Min-Expires", "60")), 423, "min-expires", "60"),
        (ParseError("Malformed Expires", "Expires"), 400, "warning", '399 switchboard "Malformed Expires"'),
    ],
)
def test_refusals(error: Exception, status: int, field_: str, value: str) -> None:
    answer = response(reception(error)[0].take(item(), 0.0, 0.0))
    assert (answer.status, answer.get(field_)) == (status, value)


@pytest.mark.parametrize(("line", "status"), [("Require: eventlist, x", 420), ("Require: ,", 200)])
def test_extensions_that_nobody_knows_are_refused(line: str, status: int) -> None:
    under_test, script = reception(Answer(200))
    raw = RAW.replace(b"Event:", line.encode() + b"\r\nEvent:")
    answer = response(under_test.take(item(raw), 0.0, 0.0))
    assert (answer.status, len(script.taken)) == (status, status == 200)
    assert answer.get("unsupported") == ("eventlist, x" if status == 420 else None)


def test_a_method_that_nobody_takes() -> None:
    raw = request("SUBSCRIBE", "sip:lukas@10.0.0.1")
    assert response(reception(Answer(200))[0].take(item(raw), 0.0, 0.0)).status == 405


def test_what_was_not_written_is_undone() -> None:
    under_test, script = reception(Answer(200))
    under_test.begin()
    under_test.take(item(), 0.0, 0.0)
    under_test.undo()
    refused = response(under_test.refuse(item(), 0.0))
    assert (refused.status, refused.get("retry-after")) == (503, "5")
    assert response(under_test.take(item(), 1.0, 0.0)).status == 200
    assert len(script.taken) == 2


@pytest.mark.parametrize("bad", [None, [], [b"", b"", RAW, "", ""], [*item()[:4]], [*item()[:3], 1, "x"]])
def test_bad_items(bad: object) -> None:
    under_test, _ = reception(Answer(200))
    assert under_test.take(bad, 0.0, 0.0) is None
    assert under_test.stats()["bad_items"] == 1


def test_without_a_way_back_there_is_no_answer() -> None:
    under_test, _ = reception(Answer(200))
    raw = RAW.replace(b";rport", b"").replace(b"10.0.0.11:5060", b"10.0.0.11:0")
    assert under_test.take(item(raw), 0.0, 0.0) is None
    assert under_test.stats()["unanswerable"] == 1
