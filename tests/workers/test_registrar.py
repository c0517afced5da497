"""The registrar's process, but for the process: real sockets, a real store."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import zmq
from auth.answering import answer
from bus.inbox import bind_inbox, next_frame
from flows import packed
from registrar.registers import connection, register
from structlog.testing import capture_logs

from switchboard.auth.users import make_entry
from switchboard.bus import frames
from switchboard.bus.context import BusContext, load_keys, make_keys
from switchboard.bus.endpoints import Endpoints
from switchboard.codec import pack
from switchboard.registrar.binding import Binding
from switchboard.registrar.connections import USERS_AT_ONCE
from switchboard.registrar.listing import USERS_A_PAGE, read_pages
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import SqliteStore, read_snapshot
from switchboard.registrar.store import Change
from switchboard.settings.model import Settings
from switchboard.sip.flow import Flow
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.scan import scan
from switchboard.storage.writing import RETRY_S
from switchboard.workers.lifetimes import PURGE_PAUSE_S, PURGED_AT_ONCE
from switchboard.workers.register_batches import GATHER_S
from switchboard.workers.registrar import (
    TELL_EVERY_S,
    RegistrarService,
)

CONTACT = "sip:lukas@10.0.0.9:5060"
LIMIT_S = 10.0


@pytest.fixture
def settings() -> Iterator[Settings]:
    with tempfile.TemporaryDirectory(prefix="sb") as directory:
        settings = Settings(data_dir=Path(directory), domains=("switchboard.test",))
        settings.run_dir.mkdir()
        yield settings


FLOW = packed("10.0.0.9", 5060, "10.0.0.1")


def received(raw: bytes, flow: bytes = FLOW) -> list[Any]:
    return [flow, scan(raw), raw]


def subscribe(
    context: BusContext, settings: Settings, service: RegistrarService, instance: int = 0
) -> zmq.Socket[bytes]:
    """A subscriber that has missed nothing since: the service has ticked, and has greeted it."""
    last = "location.number" if instance else "rules.number"
    service.handle_timer(0.0)
    subscriber = context.socket(zmq.SUB)
    subscriber.subscribe(b"")
    subscriber.connect(Endpoints(settings.run_dir).publisher("registrar", instance))
    until = time.monotonic() + LIMIT_S
    while not (subscriber.poll(10) and next_frame(subscriber)[0] == last):
        assert time.monotonic() < until, "the end of the greeting was never heard"
        service.flush()
    return subscriber


def take(service: RegistrarService, *raws: bytes) -> None:
    """One round of the loop, in which these arrive in one frame."""
    service.receive_frame(frames.pack("sip.received", [received(raw) for raw in raws]))
    service.flush()


def flush_to(inbox: zmq.Socket[bytes], service: RegistrarService) -> tuple[str, Any]:
    """The next frame of `inbox`, however long its connection takes."""
    until = time.monotonic() + LIMIT_S
    while not inbox.poll(10):
        assert time.monotonic() < until, "nothing arrived"
        service.flush()
    return next_frame(inbox)


def test_an_edge_stream_that_was_started_again_is_told_whose_its_connections_are(
    context: BusContext, settings: Settings
) -> None:
    service = RegistrarService(settings, context, 0)
    edge = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-stream"))
    over(service, 1, 2)
    service.receive("stream.restarted", [0], 0.0)
    found = []
    while (told := flush_to(edge, service))[0] != "connection.users":
        found.append(told[0])
    named = {user: raw for raw, user in told[1]}
    assert named == {f"u{each}": Flow.unpack(connection(each)).connection for each in (1, 2)}
    service.receive("stream.restarted", [1], 0.0)
    assert service.stats()["bad_items"] == 1
    service.close()


def test_one_frame_is_one_change_and_its_answers_go_to_the_translator(
    context: BusContext, settings: Settings
) -> None:
    translator = bind_inbox(context, Endpoints(settings.run_dir).inbox("translator"))
    service = RegistrarService(settings, context, 0)
    subscriber = subscribe(context, settings, service)
    raws = [
        register(f"<{CONTACT}>"),
        register("<sip:eva@10.0.0.8>", user="eva", extra="Accept-Language: sk"),
        register("<bad"),
    ]
    until = time.monotonic() + LIMIT_S
    while not service.outboxes[0].peer.takes_frames:
        assert time.monotonic() < until, "the translator never took a frame"
    take(service, *raws)
    subject, (number, records) = next_frame(subscriber)
    assert (subject, number, [user for user, _ in records]) == ("location.changed", 1, ["lukas", "eva"])
    subject, items = next_frame(translator)
    assert subject == "sip.translate"
    assert [parse_message(item[1]).status for item in items] == [200, 200, 400]
    assert [[item[0], *item[2:]] for item in items] == [
        [FLOW, "lukas", ""],
        [FLOW, "eva", "sk"],
        [FLOW, "lukas", ""],
    ]


def test_without_a_translator_answers_go_to_the_edge(context: BusContext, settings: Settings) -> None:
    edge = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-tx"))
    service = RegistrarService(settings, context, 0)
    take(service, register(f"<{CONTACT}>"))
    subject, [[flow, raw]] = flush_to(edge, service)
    assert (subject, flow) == ("sip.send", FLOW)
    assert parse_message(raw).status == 200
    assert service.stats()["untranslated"] == 1


def test_the_frames_of_a_round_are_one_change(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    for user in ("lukas", "eva"):
        register_of = received(register(f"<sip:{user}@h>", user=user))
        service.receive_frame(frames.pack("sip.received", [register_of]))
    assert read_snapshot(settings.store_path) == (0, {})
    service.flush()
    assert (service._store.number, len(service._store.snapshot()[1])) == (1, 2)


def test_commits_wait_for_more_under_load_only(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    take(service, register(f"<{CONTACT}>"))
    assert service.pause_s() == 0.0
    take(service, *[register(f"<{CONTACT}>") for _ in range(20)])
    assert 0.0 < service.pause_s() < GATHER_S
    service.flush()
    assert service.pause_s() == 0.0


def test_answered_means_durable(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    assert read_snapshot(settings.store_path) == (0, {})
    take(service, register(f"<{CONTACT}>"))
    number, users = read_snapshot(settings.store_path)
    assert (number, users["lukas"][0].contact) == (1, CONTACT)


def test_replica_follows_snapshot_and_changes(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    take(service, register(f"<{CONTACT}>"))
    replica = Replica()
    replica.load(read_snapshot(settings.store_path))
    subscriber = subscribe(context, settings, service)
    take(service, register("<sip:b@h>"))
    body = pack(next_frame(subscriber)[1])
    number, start = Change.split(body)
    assert replica.apply(number, body, start)
    assert [each.contact for each in replica.lookup("lukas", time.time())] == [CONTACT, "sip:b@h"]


def test_retransmission_is_answered_and_changes_nothing(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    raw = register(f"<{CONTACT}>")
    take(service, raw, raw)
    take(service, raw)
    assert service.outboxes[1].waiting == 3
    assert (service.stats()["replied"], service.stats()["retransmissions"]) == (1, 2)
    assert read_snapshot(settings.store_path)[0] == 1


def test_tick_removes_what_has_expired_and_tells_the_number(context: BusContext, settings: Settings) -> None:
    store = SqliteStore(settings.store_path)
    with store.batch():
        store.put("lukas", [Binding(CONTACT, 1.0, time.time() + 3600)])
    store.close()
    service = RegistrarService(settings, context, 0)
    assert service.next_deadline() == 0.0
    subscriber = subscribe(context, settings, service)
    with service._store.batch():
        service._store.put("eva", [Binding("sip:eva@h", 1.0, time.time() - 1)])
    service.handle_timer(5.0)
    assert next_frame(subscriber) == ("location.changed", [3, [["eva", []]]])
    assert next_frame(subscriber) == ("location.number", [3])
    assert [next_frame(subscriber)[0] for _ in range(2)] == ["turns.now", "rules.number"]
    service.handle_timer(5.5)
    assert not subscriber.poll(20), "once a tick"
    service.handle_timer(5.0 + TELL_EVERY_S)
    assert next_frame(subscriber) == ("location.number", [3])


def next_change(subscriber: zmq.Socket[bytes]) -> list[Any]:
    """The records of the next location.changed."""
    while (frame := next_frame(subscriber))[0] != "location.changed":
        pass
    records: list[Any] = frame[1][1]
    return records


def test_what_expires_at_once_is_removed_in_slices(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    subscriber = subscribe(context, settings, service)
    with service._store.batch():
        for number in range(4 * PURGED_AT_ONCE):
            service._store.put(f"user{number}", [Binding("sip:u@h", 1.0, time.time() - 1)])
    now, sizes = 5.0, []
    while service.stats()["bindings"]:
        service.handle_timer(now)
        sizes.append(len(next_change(subscriber)))
        assert (
            service.next_deadline() == pytest.approx(now + PURGE_PAUSE_S) or not service.stats()["bindings"]
        )
        take(service, register(f"<{CONTACT}>", user="eva"))
        assert [user for user, _ in next_change(subscriber)] == ["eva"]
        take(service, register(f"<{CONTACT}>;expires=0", user="eva"))
        assert next_change(subscriber) == [["eva", []]]
        now = service.next_deadline()
    assert len(sizes) >= 4
    assert sum(sizes) == 4 * PURGED_AT_ONCE
    service.close()


BROWSER = "<sip:a@x.invalid;transport=ws>"


def over(service: RegistrarService, *serials: int) -> None:
    """One round, in which user `u1` registers over the connection 1, and so on."""
    raws = [(register(BROWSER, user=f"u{serial}"), connection(serial)) for serial in serials]
    service.receive_frame(frames.pack("sip.received", [received(*each) for each in raws]))
    service.flush()


def close(service: RegistrarService, *serials: int) -> None:
    service.receive("connection.closed", [[connection(serial)] for serial in serials], 0.0)


def settle(service: RegistrarService) -> None:
    """Rounds until nobody waits to be unbound."""
    until = time.monotonic() + LIMIT_S
    while service._connections.is_waiting:
        assert time.monotonic() < until, "somebody is bound for ever"
        service.flush()


def test_who_was_reached_by_a_connection_that_is_closed_is_unbound(
    context: BusContext, settings: Settings
) -> None:
    service = RegistrarService(settings, context, 0)
    subscriber = subscribe(context, settings, service)
    over(service, 1, 2)
    assert len(next_change(subscriber)) == 2
    service.flush()
    close(service, 1)
    assert service.next_deadline() <= time.monotonic()
    settle(service)
    assert next_change(subscriber) == [["u1", []]]
    assert list(read_snapshot(settings.store_path)[1]) == ["u2"]
    assert service.stats()["connections.dropped"] == 1
    service.close()


def test_a_register_of_the_same_round_comes_before_the_end(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    raw = register(BROWSER, user="u1")
    service.receive_frame(frames.pack("sip.received", [received(raw, connection(1))]))
    close(service, 1)
    settle(service)
    assert service.stats()["replied"] == 1
    assert read_snapshot(settings.store_path)[1] == {}
    service.close()


def test_a_successor_knows_who_is_bound_to_what(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    over(service, *range(10))
    service.close()
    successor = RegistrarService(settings, context, 0)
    close(successor, *range(9))
    settle(successor)
    assert list(read_snapshot(settings.store_path)[1]) == ["u9"]
    successor.close()


def test_while_many_are_unbound_registers_are_answered(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    subscriber = subscribe(context, settings, service)
    many = 4 * USERS_AT_ONCE
    over(service, *range(many))
    assert len(next_change(subscriber)) == many
    close(service, *range(many))
    sizes: list[int] = []
    until = time.monotonic() + LIMIT_S
    while sum(sizes) < many:
        assert time.monotonic() < until, "somebody is bound for ever"
        take(service, register(f"<{CONTACT}>", user="eva"))
        records = next_change(subscriber)
        assert [user for user, _ in records] == ["eva"]
        if subscriber.poll(20):
            sizes.append(len(next_change(subscriber)))
    assert max(sizes) <= USERS_AT_ONCE
    assert len(sizes) >= 4
    service.close()


def test_only_routers_of_other_hosts_are_sent_pages(context: BusContext, settings: Settings) -> None:
    hosts = {
        "alpha": {"address": "127.0.0.4", "components": ["edge", "router.0"]},
        "beta": {"address": "127.0.0.3", "components": ["registrar", "router.1", "translator", "journal"]},
    }
    spread = Settings(
        data_dir=settings.data_dir,
        domains=settings.domains,
        hosts=hosts,  # type: ignore[arg-type]
        host="beta",
    )
    make_keys(spread.keys_path, hosts)
    context.keys = load_keys(spread.keys_path, "beta", {"alpha": "127.0.0.4", "beta": "127.0.0.3"})
    service = RegistrarService(spread, context, 0)
    take(service, register(f"<{CONTACT}>"))
    service.receive("location.wanted", [[0, ""], [1, ""], [2, ""], ["x"]], 2.0)
    stats = service.stats()
    names = [outbox.peer.name for outbox in service.outboxes]
    assert names == ["translator.0", "edge-tx.0", "edge-stream.0", "edge-rx.0", "router.0", "router.0"]
    assert service.outboxes[3].take_back() == [[FLOW]], "from where a user has registered"
    assert (service.outboxes[4].waiting, stats["bad_items"]) == (1, 3)
    ((_, after, records, more),) = service.outboxes[4].take_back()
    assert (after, [user for user, _ in records], more) == ("", ["lukas"], False)
    service.close()


def test_list(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    take(service, register("<sip:eva@h>", user="eva"), register(f"<{CONTACT}>;q=0.5"))
    life, users, following = service.answer("location.list", ["", 0, {}])
    assert ([user for user, _ in sorted(users)], following) == (["eva", "lukas"], 0)
    _, [[_, [binding]]], _ = service.answer("location.list", [life, 0, {"user": "luk*", "contact": "lukas"}])
    assert service.answer("location.list", [life, 0, {"name": "luk*"}])[1] == []
    assert (binding["contact_uri"], binding["q"], binding["source"]) == (CONTACT, 0.5, "10.0.0.9:5060")
    for question, body in (
        ("location.lookup", None),
        ("location.list", None),
        ("location.list", ["", 0, {"x": ""}]),
    ):
        with pytest.raises(LookupError):
            service.answer(question, body)


def test_a_binding_is_removed_and_the_routers_hear_of_it(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    take(service, register(f"<{CONTACT}>, <sip:lukas@10.0.0.10>"))
    subscriber = subscribe(context, settings, service)
    assert service.answer("location.remove", ["lukas", "sip:lukas@elsewhere"]) == 0
    assert service.answer("location.remove", ["lukas", CONTACT]) == 1
    subject, (number, [(user, bindings)]) = next_frame(subscriber)
    assert (subject, number, user, len(bindings)) == ("location.changed", 2, "lukas", 1)
    assert [each.contact for each in read_snapshot(settings.store_path)[1]["lukas"]] == [
        "sip:lukas@10.0.0.10"
    ]
    assert service.answer("location.remove", ["lukas", ""]) == 1
    assert service.answer("location.remove", ["lukas", ""]) == 0
    assert read_snapshot(settings.store_path)[1].get("lukas", []) == []
    service.close()


def test_many_are_listed_page_by_page(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings, context, 0)
    with service._store.batch():
        for number in range(4 * USERS_A_PAGE):
            service._store.put(f"user{number}", [Binding("sip:u@h", 1.0, time.time() + 60)])
        service._store.put("gone", [Binding("sip:u@h", 1.0, time.time() - 60)])
    sizes: list[int] = []

    def ask(body: object) -> Any:
        page = service.answer("location.list", body)
        sizes.append(len(page[1]))
        return page

    users = [user for user, _ in read_pages(ask)]
    assert sorted(users) == sorted(f"user{number}" for number in range(4 * USERS_A_PAGE))
    assert len(sizes) > 3
    assert max(sizes) < 1.2 * USERS_A_PAGE
    life, first, following = service.answer("location.list", ["", 0, {}])
    again = service.answer("location.list", ["another", following, {}])
    assert (again[0], [user for user, _ in again[1]]) == (life, [user for user, _ in first])
    assert again[2] == following
    service.close()


@pytest.mark.parametrize(
    ("subject", "body"),
    [
        ("sip.send", []),
        ("sip.received", None),
        ("sip.received", [None]),
        ("sip.received", [[FLOW, b"", b"REGISTER"]]),
        ("sip.received", [[b"no flow", b"index", b"raw"]]),
        ("connection.closed", [[FLOW]]),
        ("connection.closed", ["no item"]),
    ],
)
def test_bad_items_are_counted(context: BusContext, settings: Settings, subject: str, body: object) -> None:
    service = RegistrarService(settings, context, 0)
    if service.receive_frame(frames.pack(subject, body)) is None:
        service.receive(subject, body, 1.0)
    service.flush()
    assert (service.stats()["bad_items"], service.outboxes[0].waiting) == (1, 0)
    service.close()


def test_a_registration_that_had_to_go_is_told(context: BusContext, settings: Settings) -> None:
    service = RegistrarService(settings.model_copy(update={"max_contacts": 1}), context, 0)
    with capture_logs() as lines:
        take(service, register("<sip:lukas@10.0.0.8>"), register(f"<{CONTACT}>"))
    assert [(line["event"], line["user"], line["contact"]) for line in lines] == [
        ("registration displaced", "lukas", "sip:lukas@10.0.0.8")
    ]
    assert service.stats()["displaced"] == 1
    service.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Somebody else writes to the file."""
    with closing(sqlite3.connect(path, isolation_level=None)) as stranger:
        stranger.execute("BEGIN EXCLUSIVE")
        yield
        stranger.execute("ROLLBACK")


def answers(edge: zmq.Socket[bytes], service: RegistrarService, *raws: bytes) -> list[Message]:
    """What these REGISTERs get, which arrive in one frame."""
    take(service, *raws)
    _, items = flush_to(edge, service)
    return [parse_message(raw) for _, raw in items]


def test_what_cannot_be_made_durable_gets_503_and_is_not_in_force(
    context: BusContext, settings: Settings
) -> None:
    edge = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-tx"))
    service = RegistrarService(settings, context, 0)
    bound = register(f"<{CONTACT}>", cseq=1)
    other = register("<sip:eva@10.0.0.8>", user="eva", cseq=1)
    assert [each.status for each in answers(edge, service, bound)] == [200]
    query, removal = register(cseq=2), register(f"<{CONTACT}>;expires=0", cseq=3)
    with locked(settings.store_path):
        first = answers(edge, service, other, bound, query)
        assert [each.status for each in first] == [503, 200, 200]
        assert b"\r\nRetry-After: " in first[0].raw
        assert CONTACT in (first[2].get(Header.CONTACT) or "")
        assert [each.status for each in answers(edge, service, removal, query)] == [503, 200]
        assert service.stats()["bindings"] == 1
        assert "cannot write: locked by another program" in service.writings[0].note()
        service.handle_timer(time.monotonic())
        assert service.writings[0].error
    assert service.next_deadline() <= time.monotonic() + RETRY_S
    service.handle_timer(time.monotonic() + RETRY_S)
    assert not service.writings[0].error
    again = register("<sip:eva@10.0.0.8>", user="eva", cseq=2)
    assert [each.status for each in answers(edge, service, again)] == [200]
    assert set(read_snapshot(settings.store_path)[1]) == {"lukas", "eva"}


def test_a_password_that_was_right_while_nothing_could_be_written_is_not_asked_for_again(
    context: BusContext, settings: Settings
) -> None:
    edge = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-tx"))
    service = RegistrarService(settings.model_copy(update={"auth": "on"}), context, 0)
    service.answer("user.put", [list(make_entry("lukas", settings.realm, "secret"))])
    [asked] = answers(edge, service, register(f"<{CONTACT}>", cseq=1))
    challenge = asked.get(Header.WWW_AUTHENTICATE) or ""

    def with_password(number: int) -> bytes:
        target = "sip:switchboard.test"
        shown = answer(challenge, "lukas", "secret", "REGISTER", target, count=number)
        return register(f"<{CONTACT}>", cseq=number + 1, extra=f"Authorization: {shown}")

    with locked(settings.store_path):
        assert [each.status for each in answers(edge, service, with_password(1))] == [503]
    service.handle_timer(time.monotonic() + RETRY_S)
    assert [each.status for each in answers(edge, service, with_password(2))] == [200]
    assert [each.status for each in answers(edge, service, with_password(2))] == [401]
    service.close()


def test_nobody_is_told_to_be_registered_who_is_not(context: BusContext, settings: Settings) -> None:
    edge_rx = bind_inbox(context, Endpoints(settings.run_dir).inbox("edge-rx"))
    service = RegistrarService(settings, context, 0)
    with locked(settings.store_path):
        take(service, register(f"<{CONTACT}>"))
    service.handle_timer(time.monotonic() + RETRY_S)
    take(service, register(f"<{CONTACT}>", branch="z9hG4bKagain", cseq=2))
    assert flush_to(edge_rx, service) == ("source.registered", [[FLOW]])
    assert not edge_rx.poll(0)


def test_what_was_lost_of_a_file_is_told_of(context: BusContext, settings: Settings) -> None:
    settings.store_path.write_text("no database")
    with capture_logs() as lines:
        service = RegistrarService(settings, context, 0)
    [note] = service.notes()
    assert str(settings.store_path) in note
    assert [line["event"] for line in lines] == [note]


def test_a_store_without_users_is_told_of_if_passwords_are_asked_for(
    context: BusContext, settings: Settings
) -> None:
    service = RegistrarService(settings.model_copy(update={"auth": "on"}), context, 0)
    assert "there are no users" in service.notes()[0]
