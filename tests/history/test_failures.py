"""Registrations that failed, gathered by user, source and reason."""

from collections import defaultdict
from pathlib import Path

from history.test_refused import OURS
from history.wire import BOARD, LUKAS, Wire

from switchboard.history.failures import failed_registrations
from switchboard.history.reader import HistoryReader
from switchboard.history.seen import Address, Seen
from switchboard.history.store import HistoryStore, Limits

OTHER = Address("10.0.0.7", 5060)


def register(
    wire: Wire, call_id: str, domain: str, status: int, source: Address = LUKAS, extra: str = ""
) -> None:
    fields = (
        f"Via: SIP/2.0/UDP host;branch=z9hG4bK{call_id}\r\nFrom: <sip:lukas@{domain}>;tag=1\r\n"
        f"To: <sip:lukas@{domain}>\r\nCall-ID: {call_id}\r\nCSeq: 1 REGISTER\r\nUser-Agent: Acme\r\n{extra}\r\n"
    )
    wire.comes(source, f"REGISTER sip:{domain} SIP/2.0\r\n{fields}".encode())
    wire.leaves(source, f"SIP/2.0 {status} Phrase\r\n{fields}".encode())


def kept(path: Path, messages: list[Seen]) -> HistoryReader:
    store = HistoryStore(path / "history.db", Limits(1000, 1e9, 1 << 24))
    by_call: defaultdict[str, list[Seen]] = defaultdict(list)
    for each in messages:
        by_call[each.raw.split(b"Call-ID: ")[1].split(b"\r\n")[0].decode()].append(each)
    store.add(by_call)
    store.close()
    return HistoryReader(path / "history.db")


def test_sixty_tries_are_told_once(tmp_path: Path) -> None:
    wire = Wire()
    for number in range(60):
        register(wire, f"w{number}", "pbx.office.local:5070", 403)
    register(wire, "other", "pbx.office.local:5070", 403, OTHER)
    register(wire, "good", "example.org", 200)
    register(wire, "wrong", "example.org", 401, extra="Authorization: ***\r\n")
    found = failed_registrations(kept(tmp_path, wire.seen), OURS)
    assert [(each.user, each.source, each.count) for each in found] == [
        ("lukas", "10.0.0.2", 1),
        ("lukas", "10.0.0.7", 1),
        ("lukas", "10.0.0.2", 60),
    ]
    assert found[0].reason == "Its password is wrong (401 Phrase)."
    assert found[2].reason == (
        "It asked for another switchboard: pbx.office.local:5070 is none of our domains (ours are example.org, "
        "10.0.0.1) (403 Phrase)."
    )
    assert found[2].account.advice[0].endswith("SWITCHBOARD_DOMAINS=example.org,pbx.office.local")
    assert (found[2].call_id, found[2].agent) == ("w59", "Acme")
    assert found[2].first_ns < found[2].last_ns
    assert failed_registrations(kept(tmp_path, []), OURS, "nobody") == []


def test_a_try_with_its_question_is_one_try(tmp_path: Path) -> None:
    wire = Wire()
    for _ in range(3):
        register(wire, "same", "example.org", 401)
        register(wire, "same", "example.org", 401, extra="Authorization: ***\r\n")
    (found,) = failed_registrations(kept(tmp_path, wire.seen), OURS)
    assert found.count == 3
    assert BOARD.host in OURS.names
