import json

import pytest
from journal.scripts import finished

from switchboard.journal.record import CallDetailRecord, parse_line
from switchboard.journal.row import Row

LINE = finished("one").to_line()


def row_of(line: bytes = LINE, switchboard: str = "here") -> Row:
    row = Row.of(line, switchboard)
    assert row
    return row


def changed(**values: object) -> bytes:
    return json.dumps(json.loads(LINE) | values).encode() + b"\n"


def test_a_row_has_what_the_record_says() -> None:
    row = row_of()
    assert row._asdict() | finished("one").model_dump(exclude={"forwarded", "relayed"}) == row._asdict()
    assert (row.switchboard, row.more) == ("here", None)


def test_a_row_keeps_its_identity_for_ever() -> None:
    """Another program would ship all records again as other ones."""
    assert str(row_of().id) == "50584780-9c4a-bb26-80a4-6e89443e8235"
    assert (
        str(row_of(changed(duration_s=1.0005, answered_at="2026-01-02T03:04:05.678Z", later=1)).id)
        == "0991780e-a421-ed14-7aeb-6f6db1fa0bc8"
    )


def test_a_line_makes_the_same_row_however_it_is_written() -> None:
    assert row_of(changed()) == row_of()


def test_who_forwarded_is_among_the_rest_and_makes_no_other_row() -> None:
    forwarded = [{"by": "lenka", "to": "lukas", "why": "busy"}]
    row = row_of(changed(forwarded=forwarded))
    assert row.id == row_of().id
    assert json.loads(row.more or "") == {"forwarded": forwarded}
    assert parse_line(row.to_line())


def test_who_relayed_is_among_the_rest_and_makes_no_other_row() -> None:
    relayed = {"engine": "rtpengine://127.0.0.1:2223", "from_caller": 0, "from_callee": None}
    row = row_of(changed(relayed=relayed))
    assert row.id == row_of().id
    assert json.loads(row.more or "") == {"relayed": relayed}
    assert parse_line(row.to_line())


@pytest.mark.parametrize(
    "name", [name for name in CallDetailRecord.model_fields if name not in ("forwarded", "relayed")]
)
def test_another_record_is_another_row(name: str) -> None:
    values = {"status": 404, "duration_s": 0.001, "outcome": "busy", "ended_by": "unseen"}
    other = changed(**{name: values.get(name, "2026-01-02T03:04:05.678Z")})
    assert row_of(other).id != row_of().id


def test_the_same_call_at_another_switchboard_is_another_row() -> None:
    assert row_of(switchboard="there").id != row_of().id


def test_a_row_comes_back_from_its_line_whoever_reads_it() -> None:
    row = row_of(changed(caller="a\0b", duration_s=1.23456, of_later={"text\0": ["\0", 1]}))
    assert row.to_line() != LINE
    assert Row.of(row.to_line(), "elsewhere") == row
    assert parse_line(row.to_line())


def test_no_text_has_what_postgresql_cannot_store() -> None:
    row = row_of(changed(call_id="a\0b", switchboard="\0", of_later={"text\0": ["\0", 1]}))
    assert (row.call_id, row.switchboard) == ("a\ufffdb", "\ufffd")
    assert row.more == '{"of_later": {"text\ufffd": ["\ufffd", 1]}}'


def test_what_looks_like_an_escape_is_none() -> None:
    assert row_of(changed(caller="a\\u0000b")).caller == "a\\u0000b"


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\n",
        b"\0\0\0\n",
        b"[1]\n",
        b"{}\n",
        LINE[:-20],
        b"\xff" + LINE,
        changed(started_at="2026-13-41T10:00:00.000Z"),
        changed(ended_at="1969-12-31T23:59:59.999Z"),
        changed(answered_at="0000-01-01T10:00:00.000Z"),
        changed(caller=None),
        changed(duration_s=float("nan")),
        changed(duration_s=float("inf")),
        LINE.replace(b"one", b"\\ud800"),
    ],
)
def test_what_is_no_record_makes_no_row(line: bytes) -> None:
    assert Row.of(line, "here") is None
