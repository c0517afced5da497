"""What is told of a worker's frames at level debug."""

from typing import Any

import pytest
from flows import packed
from structlog.testing import capture_logs

from switchboard.bus import frames
from switchboard.survey.ping import options
from switchboard.workers.log_lines import FrameLog

RAW = options("127.0.0.1", 6060, "127.0.0.1", 5060)
CALL_ID = RAW.partition(b"Call-ID: ")[2].partition(b"\r\n")[0].decode()


def told(subject: str, body: Any) -> list[Any]:
    with capture_logs() as lines:
        FrameLog().tell(frames.pack(subject, body))
    return lines


@pytest.mark.parametrize(
    ("subject", "item"),
    [
        ("sip.received", [packed("10.0.0.2", 6060), b"", RAW]),
        ("sip.send", [packed("10.0.0.2", 6060), RAW]),
        ("sip.translate", [packed("10.0.0.2", 6060), RAW, "lukas", "sk"]),
    ],
)
def test_a_message(subject: str, item: list[Any]) -> None:
    assert told(subject, [item]) == [
        {
            "event": subject,
            "log_level": "debug",
            "call_id": CALL_ID,
            "line": "OPTIONS sip:127.0.0.1:5060 SIP/2.0",
            "cseq": "1 OPTIONS",
            "peer": "10.0.0.2:6060",
        }
    ]


def test_passwords_are_not_told() -> None:
    raw = RAW.replace(b"sip:127.0.0.1:5060 SIP", b"sip:lukas:secret@127.0.0.1 SIP")
    (line,) = told("sip.send", [[packed("h", 1), raw]])
    assert line["line"] == "OPTIONS sip:lukas:***@127.0.0.1 SIP/2.0"


def test_what_is_broken_is_told_as_that() -> None:
    (line,) = told("sip.send", [[packed("h", 1), b"nonsense\r\n\r\n"]])
    assert line["line"] == "nonsense"
    assert line["broken"]


def test_call_events() -> None:
    (line,) = told("call.happened", [0, "abc", [[1, "ringing", "id@h", "tag", 2.0]]])
    assert (line["call_id"], line["kind"]) == ("id@h", "ringing")


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("sip.received", [12.5]),
        ("sip.send", [["h"]]),
        ("sip.send", None),
        ("call.happened", [1]),
        ("location.changed", [1, []]),
    ],
)
def test_other_bodies_are_not_told(subject: str, body: Any) -> None:
    assert told(subject, body) == []


def test_what_is_no_frame_is_not_told() -> None:
    with capture_logs() as lines:
        FrameLog().tell(b"\xc1")
    assert lines == []
