"""None"""

import io
import json
from datetime import datetime

import pytest

from switchboard.journal.record import (
    CallDetailRecord,
    ForwardedBy,
    Outcome,
    Party,
    Relayed,
    Voice,
    outcome_of,
    parse_line,
    timestamp,
    write_csv,
)

RECORD = CallDetailRecord(
    call_id="a84b4c76e66710",
    caller="sip:lukas@10.0.0.1",
    callee="sip:žofia@10.0.0.1",
    started_at=timestamp(1795341600.1234),
    ringing_at=None,
    answered_at=timestamp(1795341601.0),
    ended_at=timestamp(1795341603.5),
    duration_s=2.5,
    outcome=Outcome.ANSWERED,
    status=200,
    ended_by=Party.CALLEE,
)
LINE = (
    '{"call_id": "a84b4c76e66710", "caller": "sip:lukas@10.0.0.1", "callee": "sip:žofia@10.0.0.1", '
    '"started_at": "2026-11-22T10:00:00.123Z", "ringing_at": null, '
    '"answered_at": "2026-11-22T10:00:01.000Z", "ended_at": "2026-11-22T10:00:03.500Z", '
    '"duration_s": 2.5, "outcome": "answered", "status": 200, '
    '"ended_by": "callee"}\n'
)


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (0.0, "1970-01-01T00:00:00.000Z"),
        (1795341600.0, "2026-11-22T10:00:00.000Z"),
        (1795341600.1234, "2026-11-22T10:00:00.123Z"),
        (1795341600.9996, "2026-11-22T10:00:01.000Z"),
    ],
)
def test_instants_have_milliseconds(at: float, text: str) -> None:
    assert timestamp(at) == text
    assert datetime.fromisoformat(text).timestamp() == pytest.approx(at, abs=0.0005)


def test_line_is_one_json_object_in_a_fixed_order() -> None:
    assert RECORD.to_line().decode() == LINE
    assert parse_line(LINE.encode()) == RECORD


@pytest.mark.parametrize(
    "text", ["sip:a\nb@c", 'sip:"q"@c', "sip:\u2028@c", "sip:\0@c", "sip:é@c", "sip:�@c"]
)
def test_any_text_stays_on_one_line(text: str) -> None:
    record = RECORD.model_copy(update={"caller": text})
    assert record.to_line().count(b"\n") == 1
    assert parse_line(record.to_line()) == record


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"hello\n",
        b"[]\n",
        b"\xff\xfe\n",
        b'{"call_id": "x"}\n',
        LINE.encode()[:-20],
        b"\0" * 40,
        LINE.replace("answered", "dunno").encode(),
        LINE.replace("2026-11-22T10:00:00.123Z", "yesterday").encode(),
        LINE.replace(".123Z", ".123+01:00").encode(),
    ],
)
def test_what_is_no_record_is_none(line: bytes) -> None:
    assert parse_line(line) is None


def test_fields_of_a_later_version_do_not_matter() -> None:
    later = json.dumps({**json.loads(LINE), "codec": "opus"}).encode()
    assert parse_line(later) == RECORD


def test_csv() -> None:
    stream = io.StringIO()
    write_csv([RECORD], stream)
    assert stream.getvalue() == (
        "call_id,caller,callee,started_at,ringing_at,answered_at,ended_at,duration_s,outcome,status,ended_by,"
        "forwarded,relayed\n"
        "a84b4c76e66710,sip:lukas@10.0.0.1,sip:žofia@10.0.0.1,2026-11-22T10:00:00.123Z,,2026-11-22T10:00:01.000Z,"
        "2026-11-22T10:00:03.500Z,2.5,answered,200,callee,,\n"
    )


def test_who_forwarded_is_on_the_line_and_in_the_csv() -> None:
    forwarded = ForwardedBy("žofia", "group:office", "busy"), ForwardedBy("group:office", "eva", "group")
    record = RECORD.model_copy(update={"forwarded": forwarded})
    assert json.loads(record.to_line())["forwarded"][0] == {
        "by": "žofia",
        "to": "group:office",
        "why": "busy",
    }
    assert parse_line(record.to_line()) == record
    stream = io.StringIO()
    write_csv([record], stream)
    last = "žofia → group:office (busy), group:office → eva (group)"
    assert stream.getvalue().endswith(f',callee,"{last}",\n')


@pytest.mark.parametrize(
    ("from_caller", "from_callee", "voice", "flaw"),
    [
        (250, 3, Voice.BOTH_WAYS, ""),
        (0, 3, Voice.ONE_WAY, "one-way voice"),
        (250, 0, Voice.ONE_WAY, "one-way voice"),
        (0, 0, Voice.NONE, "no voice"),
        (None, None, None, ""),
    ],
)
def test_who_relayed_is_on_the_line_and_in_the_csv(
    from_caller: int | None, from_callee: int | None, voice: Voice | None, flaw: str
) -> None:
    relayed = Relayed("rtpengine://127.0.0.1:2223", from_caller, from_callee)
    record = RECORD.model_copy(update={"relayed": relayed})
    assert json.loads(record.to_line())["relayed"] == {
        "engine": "rtpengine://127.0.0.1:2223",
        "from_caller": from_caller,
        "from_callee": from_callee,
    }
    assert parse_line(record.to_line()) == record
    assert (relayed.voice, record.voice_flaw) == (voice, flaw)
    stream = io.StringIO()
    write_csv([record], stream)
    assert str(relayed) in stream.getvalue()


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+421900", "'+421900"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
        ("a,b", '"a,b"'),
        ('="x"', '"\'=""x"""'),
        ("sip:a=b", "sip:a=b"),
    ],
)
def test_csv_holds_no_formulas(text: str, cell: str) -> None:
    stream = io.StringIO()
    write_csv([RECORD.model_copy(update={"call_id": text})], stream)
    assert stream.getvalue().split("\n")[1].startswith(cell + ",sip:lukas@10.0.0.1,")


@pytest.mark.parametrize(
    ("statuses", "by", "rang", "outcome"),
    [
        ((487, 408), "caller", True, "cancelled"),
        ((487, 408), "caller", False, "cancelled"),
        ((486, 600), "callee", True, "busy"),
        ((486, 600), "callee", False, "busy"),
        ((486,), "caller", True, "busy"),
        ((603, 607, 608), "callee", True, "declined"),
        ((603, 607, 608), "callee", False, "declined"),
        ((408, 480), "callee", True, "no_answer"),
        ((408, 480), "switchboard", True, "no_answer"),
        ((408, 480, 404, 410, 502, 503, 504, 604), "switchboard", False, "unreachable"),
        ((404, 410, 502, 503, 504, 604), "callee", True, "unreachable"),
        ((487,), "callee", True, "failed"),
        ((487,), "switchboard", False, "failed"),
        ((500,), "switchboard", False, "unreachable"),
        ((300, 302, 400, 401, 403, 420, 482, 483, 488, 500, 501, 513, 606, 699), "callee", True, "failed"),
    ],
)
def test_outcomes(statuses: tuple[int, ...], by: str, rang: bool, outcome: str) -> None:
    assert {outcome_of(status, Party(by), rang).value for status in statuses} == {outcome}
