import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bus.inbox import bind_inbox, next_frame
from compiled import needs_compiled_core
from flows import items_of, packed
from structlog.testing import capture_logs

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.settings.model import Settings, SettingsError
from switchboard.workers.translator import LOOK_S, TranslatorService

FLOW = packed("10.0.0.1", 5060, "10.0.0.9")
BUSY = b"SIP/2.0 486 Busy Here\r\nCall-ID: x\r\n\r\n"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        (Path(directory) / "run").mkdir()
        yield Path(directory)


def make(context: BusContext, data_dir: Path, **settings: Any) -> TranslatorService:
    return TranslatorService(Settings(data_dir=data_dir, **settings), context, 0)


def busy(user: str = "", accept_language: str = "", raw: object = BUSY) -> list[object]:
    return [FLOW, raw, user, accept_language]


def flush_within(service: TranslatorService, limit_s: float = 2.0) -> None:
    until = time.monotonic() + limit_s
    while service.outboxes[0].waiting:
        assert time.monotonic() < until, "the edge never took the items"
        service.flush()


def said(service: TranslatorService, item: list[object] | None = None) -> str:
    """What becomes of the phrase of one item, read from the edge's outbox."""
    service.receive("sip.translate", [item or busy()], 0.0)
    (sent,) = items_of(service.outboxes[0].take_back())
    raw = sent[1]
    assert isinstance(raw, bytes)
    return raw[12 : raw.index(b"\r\n")].decode()


def test_a_drain_reaches_the_edge_in_one_frame(context: BusContext, data_dir: Path) -> None:
    edge = bind_inbox(context, Endpoints(data_dir / "run").inbox("edge-tx"))
    service = make(context, data_dir, language="sk", users={"anna": {"language": "de"}})
    service.receive("sip.translate", [busy(), busy("anna"), busy("", "hu-HU")], 0.0)
    flush_within(service)
    subject, items = next_frame(edge)
    assert subject == "sip.send"
    assert [item[0] for item in items] == [FLOW] * 3
    phrases = ("Obsadené", "Besetzt", "Foglalt")
    assert [item[1] for item in items] == [BUSY.replace(b"Busy Here", phrase.encode()) for phrase in phrases]
    stats = service.stats()
    assert (stats["responses"], stats["bad_items"], stats["reloads"]) == (3, 0, 0)
    assert sum(stats[f"responses.{digit}xx"] for digit in range(1, 7)) == 3


def taken(service: TranslatorService) -> list[object]:
    """What waits for the edge."""
    return list(items_of(service.outboxes[0].take_back()))


def answer(status_line: str, rest: bytes = b"Call-ID: x\r\n\r\n") -> bytes:
    return status_line.encode("utf-8", "surrogateescape") + b"\r\n" + rest


REQUEST = b"OPTIONS sip:a@10.0.0.1 SIP/2.0\r\nCall-ID: x\r\n\r\n"
PLAIN = [packed("10.0.0.1", 5060), REQUEST]
LONG = answer("SIP/2.0 486 Busy Here", b"X: " + b"x" * 70_000 + b"\r\n\r\n")


@needs_compiled_core
@pytest.mark.parametrize("reader", [("", ""), ("anna", ""), ("lukas", "hu-HU"), ("\udcff", "x" * 5000)])
@pytest.mark.parametrize(
    "raw",
    [
        BUSY,
        LONG,
        REQUEST,
        b"",
        answer(""),
        answer("SIP/2.0 100 Trying"),
        answer("SIP/2.0 100 "),
        answer("SIP/2.0 180 Tuuut"),
        answer("SIP/2.0 182 5 calls queued"),
        answer("SIP/2.0 182 Queued"),
        answer("SIP/2.0 200 OK"),
        answer("SIP/2.0 200 Voicemail"),
        answer("sip/2.0 603 Decline"),
        answer("SIP/2.0 499 Whatever"),
        answer("SIP/2.0 699 Whatever"),
        answer("SIP/2.0 700 Whatever"),
        answer("SIP/2.0 4x6 Whatever"),
        answer("SIP/2.0 486"),
        answer("SIP/2.0 4860 Busy"),
        answer("SIP/2.0 486 Busy\nHere"),
        answer("SIP/2.0 486 Busy\rHere"),
        answer("SIP/2.0 486 \udcff"),
        b"SIP/2.0 486 Busy Here\r",
        b"SIP/2.0 486 Busy Here",
    ],
)
def test_both_twins_say_the_same(
    context: BusContext, data_dir: Path, raw: bytes, reader: tuple[str, str]
) -> None:
    service = make(context, data_dir, language="sk", users={"anna": {"language": "de"}})
    items = [PLAIN, [packed("::1", 80, "::2"), raw, *reader], [packed("fe80::1%eth0", 200), raw]]
    assert service.receive_frame(frames.pack("sip.translate", items)) == 3
    stats, compiled = service.stats(), taken(service)
    reference = make(context, data_dir, language="sk", users={"anna": {"language": "de"}})
    reference.receive("sip.translate", items, 0.0)
    assert taken(reference) == compiled
    assert reference.stats() == stats
    assert (compiled[0], compiled[2]) == (PLAIN, items[2])


@pytest.mark.parametrize(
    "frame",
    [
        frames.pack("sip.received", [busy()]),
        frames.pack("sip.translate", [busy()[:3]]),
        frames.pack("sip.translate", [busy(raw="text")]),
        frames.pack("sip.translate", [[b"no flow", BUSY]]),
        frames.pack("sip.translate", {}),
        frames.pack("sip.translate", [busy()])[:-1],
        frames.pack("sip.translate", [busy()]) + b"x",
        frames.pack("sip.translate", None)[:-1],
    ],
)
def test_a_frame_that_is_not_plain_is_left_to_the_reference(
    context: BusContext, data_dir: Path, frame: bytes
) -> None:
    service = make(context, data_dir)
    assert service.receive_frame(frame) is None
    assert taken(service) == []


def test_what_has_no_reader_passes_in_its_turn(context: BusContext, data_dir: Path) -> None:
    service = make(context, data_dir, language="sk")
    service.receive("sip.translate", [PLAIN, busy(), PLAIN], 0.0)
    assert taken(service) == [PLAIN, [FLOW, BUSY.replace(b"Busy Here", "Obsadené".encode())], PLAIN]
    assert (service.stats()["responses"], service.stats()["bad_items"]) == (1, 0)


def test_ascii_setting(context: BusContext, data_dir: Path) -> None:
    assert said(make(context, data_dir, language="sk", ascii_phrases=True)) == "Obsadene"


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("sip.received", [busy()]),
        ("sip.translate", None),
        ("sip.translate", {}),
        ("sip.translate", b"bytes"),
        ("sip.translate", [None]),
        ("sip.translate", [[]]),
        ("sip.translate", [busy()[:3]]),
        ("sip.translate", [[*busy(), 1]]),
        ("sip.translate", [busy(raw="text")]),
        ("sip.translate", [[b"no flow", BUSY, "", ""]]),
        ("sip.translate", [[FLOW, BUSY, ["unhashable"], ""]]),
        ("sip.translate", [[FLOW, BUSY, "", None]]),
    ],
)
def test_bad_items_are_counted(context: BusContext, data_dir: Path, subject: str, body: object) -> None:
    service = make(context, data_dir, language="sk")
    service.receive(subject, body, 0.0)
    assert service.outboxes[0].waiting == 0
    assert (service.stats()["responses"], service.stats()["bad_items"]) == (0, 1)


def test_a_bad_item_does_not_hold_up_its_neighbours(context: BusContext, data_dir: Path) -> None:
    service = make(context, data_dir)
    service.receive("sip.translate", [None, busy(), 5], 0.0)
    assert (service.stats()["responses"], service.stats()["bad_items"]) == (1, 2)


def test_changed_files_are_in_force_within_a_second(context: BusContext, data_dir: Path) -> None:
    file = data_dir / "sk.toml"
    service = make(context, data_dir, language="sk", phrases_dir=data_dir)
    assert said(service) == "Obsadené"
    now = 1000.0
    for text, phrase in (
        ('[phrases]\n486 = "Linka hovorí"', "Linka hovorí"),
        ('[phrases]\n486 = "Hovorí sa"', "Hovorí sa"),
        ("[phrases]\n486 = broken", "Hovorí sa"),
        ("", "Hovorí sa"),
        ('[phrases]\n487 = "Nič"', "Obsadené"),
    ):
        file.write_text(text, "utf-8")
        service.handle_timer(now)
        assert said(service) == phrase
        deadline = service.next_deadline()
        assert deadline == now + LOOK_S
        now = deadline
    file.unlink()
    service.handle_timer(now)
    assert service.stats()["reloads"] == 4


def test_a_broken_file_is_reported_once(context: BusContext, data_dir: Path) -> None:
    (data_dir / "sk.toml").write_text("[phrases]\n486 = 5", "utf-8")
    with capture_logs() as logs:
        service = make(context, data_dir, language="sk", phrases_dir=data_dir)
        service.handle_timer(1.0)
        service.handle_timer(2.0)
    assert logs == [
        {
            "event": "catalogue not usable",
            "log_level": "warning",
            "file": str(data_dir / "sk.toml"),
            "found": "phrases.486: Input should be a valid string",
            "remedy": "correct the file; the phrases so far stay in force",
        }
    ]
    assert said(service) == "Obsadené"


def test_without_own_files_the_timer_never_fires(context: BusContext, data_dir: Path) -> None:
    assert make(context, data_dir).next_deadline() == math.inf


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"language": "xx"}, "language = 'xx'"),
        ({"language": ""}, "language = ''"),
        ({"users": {"anna": {"language": "klingon"}}}, "users.anna.language = 'klingon'"),
    ],
)
def test_an_unknown_language_ends_the_start(
    context: BusContext, data_dir: Path, settings: dict[str, Any], names: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        make(context, data_dir, **settings)
    assert f"for {names}. Available: cs, de, en, hu, pl, sk, uk." in str(caught.value)


def test_an_own_language_can_be_the_switchboards(context: BusContext, data_dir: Path) -> None:
    (data_dir / "fr.toml").write_text('[phrases]\n486 = "Occupé"', "utf-8")
    service = make(context, data_dir, language="fr", phrases_dir=data_dir)
    assert said(service) == "Occupé"
    service.close()
