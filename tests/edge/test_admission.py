"""Which new requests go on; time is advanced by hand."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from switchboard import codec
from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoint
from switchboard.bus.outbox import PackedOutbox
from switchboard.core.overload import (
    HOPELESS_S,
    LASTS_S,
    LATE_S,
    LEAST_AT_FIRST,
    MOST,
    PERSISTS_S,
    SOON_S,
    Overload,
    read_stamp,
)
from switchboard.edge.admission import (
    AWAY_S,
    FULL,
    KEPT,
    STAMP_EVERY_S,
    STAMP_ITEMS,
    STAMPS_KEPT,
    AdmissionControl,
    Backlog,
    Load,
    Loads,
)


def worked_off(rate: float) -> Backlog:
    """A peer that always had something to do, `rate` items a second, and has taken all."""
    backlog = Backlog()
    for second in range(100, 112):
        backlog.stamp(float(second), int((second - 99) * rate))
    for second in range(100, 112):
        backlog.take(float(second), second + 1.0)
    return backlog


def test_who_has_taken_all_is_not_late() -> None:
    assert Backlog().delay_s == 0.0
    assert worked_off(100.0).delay_s == 0.0


def test_it_is_told_before_it_has_come_to_pass() -> None:
    backlog = worked_off(100.0)
    backlog.stamp(120.0, 1250)
    assert backlog.delay_s == pytest.approx(0.5)
    backlog.stamp(120.1, 1300)
    assert backlog.delay_s == pytest.approx(1.0)
    backlog.take(120.0, 120.5)
    assert backlog.delay_s == pytest.approx(0.5)


def test_a_peer_that_becomes_slower_is_noticed() -> None:
    backlog = worked_off(100.0)
    for number in range(1, 4):
        backlog.stamp(120.0 + number / 100, 1200 + 20 * number)
    backlog.take(120.01, 120.9)
    backlog.take(120.02, 121.8)
    assert backlog.delay_s == pytest.approx(0.9), "20 items, at 22 a second now"


def test_a_moment_in_which_the_machine_was_busy_makes_no_peer_slow() -> None:
    """It stood still for 0.4 s over 10 items; 240 came meanwhile, and are taken as fast as ever."""
    backlog = worked_off(5_000.0)
    backlog.stamp(120.0, 60_010)
    backlog.stamp(120.3, 60_250)
    backlog.take(119.0, 120.0)
    backlog.take(120.0, 120.4)
    assert backlog.delay_s < HOPELESS_S
    backlog.take(120.3, 120.405)
    backlog.stamp(120.41, 60_490)
    assert backlog.delay_s < LATE_S


def test_a_peer_that_was_away_is_as_fast_as_before() -> None:
    backlog = worked_off(100.0)
    backlog.stamp(120.0, 1250)
    backlog.stamp(120.1, 1300)
    backlog.take(120.0, 125.0)
    backlog.take(120.1, 125.0 + 2 * AWAY_S)
    backlog.stamp(127.0, 1400)
    assert backlog.delay_s == pytest.approx(1.0)


def test_idle_time_and_the_way_of_a_single_item_are_not_counted_as_work() -> None:
    backlog = worked_off(100.0)
    for number in range(10):
        backlog.stamp(500.0 + number, 1201 + number)
        backlog.take(500.0 + number, 500.2 + number)
    backlog.stamp(600.0, 1310)
    assert backlog.delay_s == pytest.approx(1.0)


def test_nobody_is_late_whose_rate_is_not_known() -> None:
    backlog = Backlog()
    backlog.stamp(100.0, 1_000)
    assert backlog.delay_s == 0.0


@pytest.mark.parametrize("stamp", [0.0, 111.0])
def test_stamps_of_earlier_times_tell_nothing(stamp: float) -> None:
    """A peer may take frames of a predecessor of ours, and an answer may come twice."""
    backlog = worked_off(100.0)
    backlog.stamp(120.0, 1300)
    backlog.take(stamp, 120.5)
    assert backlog.delay_s == pytest.approx(1.0)


def test_what_is_remembered_of_a_peer_that_is_away_is_bounded_and_forgotten_when_it_is_back() -> None:
    backlog = worked_off(100.0)
    for number in range(2 * STAMPS_KEPT):
        backlog.stamp(120.0 + number / 100, 1300 + number)
    backlog.take(1e9, 200.0)
    assert backlog.delay_s == 0.0


@pytest.mark.parametrize("offered", [150, 300, 500])
def test_whatever_is_offered_what_is_served_is_served_in_time(offered: int) -> None:
    """A peer that serves 100 requests a second, at the end of a queue; it tells each 20 ms how far it is."""
    backlog, overload = Backlog(), Overload()
    queue: list[float] = []
    put = taken = 0.0
    late, served = [], 0
    for step in range(30_000):  # of a millisecond
        now = step / 1000
        taken += 0.1 if queue else 0.0
        while queue and taken >= 1.0:
            late.append((now, now - queue.pop(0)))
            taken -= 1.0
            served += 1
        due, put = put + offered / 1000, 0.0
        overload.lag_s = backlog.delay_s
        while due >= 1.0:
            if not overload.refuses(now, of_user=True):
                queue.append(now)
            due -= 1.0
        put = due
        if step % 20 == 0:
            backlog.stamp(now, served + len(queue))
            if late and now - late[-1][0] < 0.02:
                backlog.take(now - late[-1][1], now)
                overload.note(backlog.delay_s, now)
    settled = [lag for at, lag in late if at > 10 * PERSISTS_S]
    assert served > 0.95 * 100 * 30
    assert max(settled) < HOPELESS_S, "nothing has to be sent again"


PEER, OTHER = 0, -1
USER, STRANGER = "10.0.0.11", "10.0.0.99"


def make_admission_control() -> AdmissionControl:
    admission_control = AdmissionControl(lambda host: host == USER)
    for peer in (PEER, OTHER):
        admission_control.overload(peer)
    return admission_control


def press(admission_control: AdmissionControl, now: float) -> None:
    for past_s in (1.5 * SOON_S, 0.0):
        admission_control.overload(PEER).note(HOPELESS_S, now - past_s)


def test_all_may_enter_while_there_is_no_overload() -> None:
    admission_control = make_admission_control()
    assert all(admission_control.admits(PEER, number, STRANGER, 100.0) for number in range(100))


def test_only_the_peer_that_is_overloaded_is_spared() -> None:
    admission_control = make_admission_control()
    press(admission_control, 100.0)
    assert not admission_control.admits(PEER, 1, USER, 100.0)
    assert admission_control.admits(OTHER, 2, STRANGER, 100.0)


def test_users_enter_when_strangers_do_no_longer() -> None:
    admission_control = make_admission_control()
    press(admission_control, 100.0)
    admission_control.overload(PEER).note(LATE_S, 100.1)
    now = 100.0 + 1.5 / LEAST_AT_FIRST
    assert not admission_control.admits(PEER, 1, STRANGER, now)
    assert admission_control.admits(PEER, 2, USER, now)


def test_what_was_admitted_stays_so_and_what_was_refused_too() -> None:
    admission_control = make_admission_control()
    assert admission_control.admits(PEER, 1, STRANGER, 100.0)
    press(admission_control, 101.0)
    assert not admission_control.admits(PEER, 2, STRANGER, 101.0)
    assert admission_control.admits(PEER, 1, STRANGER, 101.0)
    admission_control.overload(PEER).note(0.0, 110.0)  # after so long a silence it is over
    assert not admission_control.admits(PEER, 2, STRANGER, 110.0)
    assert not admission_control.admits(PEER, 2, STRANGER, 101.0 + LASTS_S - 1)
    assert admission_control.admits(PEER, 1, STRANGER, 101.0 + LASTS_S - 1)


def test_verdicts_are_forgotten() -> None:
    admission_control = make_admission_control()
    press(admission_control, 101.0)
    assert not admission_control.admits(PEER, 2, STRANGER, 101.0)
    admission_control.admits(PEER, 3, STRANGER, 101.0 + LASTS_S)
    admission_control.admits(PEER, 4, STRANGER, 101.0 + 2 * LASTS_S)
    assert admission_control.admits(PEER, 2, STRANGER, 101.0 + 2 * LASTS_S)


def test_a_bounded_number_is_remembered() -> None:
    admission_control = make_admission_control()
    press(admission_control, 100.0)
    assert not admission_control.admits(PEER, 1, STRANGER, 100.0)
    admission_control.overload(PEER).note(0.0, 110.0)
    for number in range(2, 2 * MOST + 3):
        admission_control.admits(PEER, number, STRANGER, 110.0)
    assert admission_control.admits(PEER, 1, STRANGER, 110.0)


@pytest.fixture
def outbox(context: BusContext) -> Iterator[PackedOutbox]:
    """Nobody ever takes what is in it."""
    with TemporaryDirectory(prefix="sb") as directory:
        place = Endpoint(f"ipc://{Path(directory)}/router.0.in", "router.0")
        yield PackedOutbox(context, place, "sip.received", KEPT)


def test_a_stamp_comes_behind_what_waits_and_not_too_often(outbox: PackedOutbox) -> None:
    load = Load(outbox, Overload())
    load.stamp(100.0)
    assert not outbox.waiting, "there is nothing to stamp"
    for at in (101.0, 101.0 + STAMP_EVERY_S / 2, 102.0):
        outbox.put(codec.pack("item"))
        load.stamp(at)
    assert list(map(codec.unpack, outbox.take_back())) == ["item", 101.0, "item", "item", 102.0]


def test_a_burst_is_stamped_while_it_comes(outbox: PackedOutbox) -> None:
    load = Load(outbox, Overload())
    for number in range(3):
        outbox.put_all([codec.pack("item")] * (STAMP_ITEMS - 1))
        load.stamp(100.0 + number / 1000)
    stamps = [item for item in map(codec.unpack, outbox.take_back()) if isinstance(item, float)]
    assert stamps == [100.0, 100.001, 100.002]


def test_a_clock_that_was_set_back_does_not_keep_stamps_away(outbox: PackedOutbox) -> None:
    load = Load(outbox, Overload())
    for at in (1000.0, 10.0):
        outbox.put(codec.pack("item"))
        load.stamp(at)
    assert outbox.waiting == 4


def test_most_of_an_outbox_is_left_to_what_was_begun(outbox: PackedOutbox) -> None:
    overload = Overload()
    load = Load(outbox, overload)
    outbox.put_all([b""] * FULL)
    load.look(100.0)
    assert not overload.refuses(100.0, of_user=True)
    outbox.put(b"")
    load.look(100.0)
    assert overload.refuses(100.0, of_user=True)
    outbox.take_back()
    load.look(100.0)
    assert not overload.refuses(100.0, of_user=True)


def test_the_stamps_of_one_edge_are_told_from_those_of_another(
    outbox: PackedOutbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("switchboard.edge.admission._moment", lambda: 100.0)
    loads = Loads([outbox], make_admission_control(), edge=3)
    outbox.put(codec.pack("item"))
    loads.stamp(1)
    item, stamp = map(codec.unpack, outbox.take_back())
    assert (item, read_stamp(stamp)) == ("item", (3, 100.0))
    assert loads.take("router.0", stamp)
    assert loads.stats() == {"router.0.lag_ms": 0.0}
