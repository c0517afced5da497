"""Routers follow one of several registrars, and know at once what the other ones change."""

import random
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from switchboard.registrar.binding import Binding
from switchboard.registrar.follower import SILENT_S, StoreFollower
from switchboard.registrar.following import CONFIRMED_S, Following
from switchboard.registrar.replica import Replica
from switchboard.registrar.sqlite import SqliteStore, read_snapshot
from switchboard.registrar.store import NUMBERS, Change, registrar_of

USERS = ("anna", "eva", "lenka")


class Board:
    """Two registrars with stores that are brought to the same state by `share`, and a router that follows one."""

    def __init__(self, directory: Path) -> None:
        self.paths = [directory / f"location-{each}.db" for each in range(2)]
        self.stores = [SqliteStore(path, NUMBERS * each) for each, path in enumerate(self.paths)]
        self.replica, self.now = Replica(), 0.0
        self.heard: list[int] = []
        self.router = Following(
            self.replica,
            [0, 1],
            lambda each: StoreFollower(self.replica, self.paths[each]),
            self.heard.append,
        )
        self.router.start(self.now)

    def put(self, registrar: int, user: str, *contacts: str, ends_at: float = 2e9) -> Change:
        with self.stores[registrar].batch() as change:
            self.stores[registrar].put(user, [Binding(each, 1.0, ends_at) for each in contacts])
        return change

    def tell(self, change: Change) -> None:
        body = change.pack()
        number, start = Change.split(body)
        self.router.changed(number, body, start, self.now)

    def pass_time(self, seconds: float, *beating: int) -> None:
        """In steps of a second, in which these registrars tell their numbers."""
        for _ in range(round(seconds)):
            self.now += 1.0
            for each in beating:
                self.router.told(self.stores[each].number, self.now)
            while self.router.next_deadline() <= self.now:
                self.router.handle_timer(self.now)

    def contacts(self, user: str) -> list[str]:
        return [each.contact for each in self.replica.lookup(user, 1e9)]


@pytest.fixture
def board(tmp_path: Path) -> Iterator[Board]:
    board = Board(tmp_path)
    with closing(board.stores[0]), closing(board.stores[1]):
        board.pass_time(1, 0, 1)
        yield board


def test_a_number_tells_whose_change_it_is(board: Board, tmp_path: Path) -> None:
    assert [registrar_of(board.put(each, "eva", "sip:e@h").number) for each in (0, 1)] == [0, 1]
    board.stores[1].close()
    again = SqliteStore(board.paths[1], NUMBERS)
    assert (again.number, read_snapshot(board.paths[1])[0]) == (NUMBERS + 1, NUMBERS + 1)
    again.close()
    new = SqliteStore(tmp_path / "new.db", 3 * NUMBERS)
    assert (new.number, read_snapshot(tmp_path / "new.db")) == (3 * NUMBERS, (3 * NUMBERS, {}))
    new.close()


def test_a_file_that_was_taken_away_goes_on_with_its_numbers(board: Board) -> None:
    store = board.stores[1]
    board.paths[1].unlink()
    with pytest.raises(Exception, match="gone"):
        board.put(1, "eva", "sip:e@h")
    assert store.try_again()
    assert board.put(1, "eva", "sip:e@h").number == NUMBERS + 1
    assert read_snapshot(board.paths[1])[1].keys() == {"eva"}


def test_changes_of_both_are_known_at_once_and_confirmed(board: Board) -> None:
    board.tell(board.put(1, "eva", "sip:e@h"))
    assert board.contacts("eva") == ["sip:e@h"]
    board.tell(board.put(0, "eva", "sip:e@h"))  # as the location has told it
    board.tell(board.put(0, "lukas", "sip:l@h"))
    board.pass_time(2 * CONFIRMED_S, 0, 1)
    assert (board.router.registrar, board.router.changes) == (0, 0)
    assert board.replica.snapshot() == board.stores[0].snapshot()


def test_what_was_confirmed_before_it_came_is_not_waited_for(board: Board) -> None:
    board.tell(board.put(0, "eva", "sip:e@h"))
    board.tell(board.put(1, "eva", "sip:e@h"))
    board.pass_time(2 * CONFIRMED_S, 0, 1)
    assert board.router.registrar == 0


def test_a_clock_that_is_an_hour_ahead_makes_no_difference(board: Board) -> None:
    board.tell(board.put(0, "eva", "sip:e@h"))
    board.tell(board.put(1, "eva", "sip:e@h", ends_at=2e9 + 3600))
    board.pass_time(2 * CONFIRMED_S, 0, 1)
    assert board.router.registrar == 0
    assert board.replica.snapshot() == board.stores[0].snapshot()


def test_who_tells_what_is_not_confirmed_is_followed(board: Board) -> None:
    """The location is away from the one that was followed, or the other one's change came late."""
    board.tell(board.put(0, "eva", "sip:new@h"))
    board.put(1, "eva", "sip:new@h")
    late = Change(NUMBERS, board.put(1, "eva", "sip:old@h").records)
    board.put(1, "eva", "sip:new@h")
    board.tell(late)
    assert board.contacts("eva") == ["sip:old@h"]
    board.pass_time(CONFIRMED_S, 0, 1)
    assert (board.router.registrar, board.heard) == (1, [1])
    assert board.contacts("eva") == ["sip:new@h"]
    assert board.replica.snapshot() == board.stores[1].snapshot()


def test_a_silent_one_is_left_for_the_next_and_nothing_is_forgotten_meanwhile(board: Board) -> None:
    for each in (0, 1):
        change = board.put(each, "eva", "sip:e@h")
    board.tell(change)
    board.pass_time(SILENT_S - 1, 1)
    board.tell(board.put(1, "lukas", "sip:l@h"))
    assert (board.contacts("eva"), board.contacts("lukas")) == (["sip:e@h"], ["sip:l@h"])
    board.pass_time(2, 1)
    assert (board.router.registrar, board.router.changes, board.router.snapshots) == (1, 1, 2)
    assert board.router.is_current
    assert board.router.is_fresh(board.now)
    assert board.replica.snapshot() == board.stores[1].snapshot()
    board.tell(board.put(1, "lukas"))
    assert board.contacts("lukas") == []
    board.pass_time(SILENT_S, 0)
    assert board.router.registrar == 0


def test_frames_of_a_registrar_that_is_followed_no_more_do_no_harm(board: Board) -> None:
    board.put(0, "eva", "sip:e@h")
    board.put(1, "eva", "sip:e@h")
    board.pass_time(SILENT_S + 1, 1)
    assert board.router.registrar == 1
    board.router.told(board.stores[0].number, board.now)
    board.router.take_page(board.stores[0].page("", 10).to_wire(), board.now)
    assert board.replica.snapshot() == board.stores[1].snapshot()
    assert board.router.is_current


def test_a_registrar_that_the_settings_do_not_have_is_not_heard(board: Board) -> None:
    stranger = Change(5 * NUMBERS + 1, board.put(1, "eva", "sip:e@h").records)
    board.tell(stranger)
    assert board.contacts("eva") == []


class Shared:
    """Two registrars, and the location by which they learn of each other; the router gets their frames in any order."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.version = 0
        self.there: dict[str, tuple[int, str]] = {}
        self.known: list[dict[str, int]] = [{}, {}]
        self.frames: list[list[tuple[Change, bool]]] = [[], []]

    def register(self, registrar: int, user: str) -> None:
        """It learns of others first, if they were faster."""
        self.learn(registrar, [user])
        self.version += 1
        self.there[user] = self.version, f"sip:{self.version}@h"
        self._put(registrar, user, is_own=True)

    def learn(self, registrar: int, users: Iterable[str]) -> None:
        for user in users:
            if self.known[registrar].get(user, 0) < self.there.get(user, (0, ""))[0]:
                self._put(registrar, user, is_own=False)

    def _put(self, registrar: int, user: str, *, is_own: bool) -> None:
        version, contact = self.there[user]
        self.known[registrar][user] = version
        self.frames[registrar].append((self.board.put(registrar, user, contact), is_own))

    def deliver(self, registrar: int) -> None:
        """The next frame reaches the router, if it hears it."""
        if not self.frames[registrar]:
            return
        change, is_own = self.frames[registrar].pop(0)
        body = change.pack()
        number, start = Change.split(body)
        take = self.board.router.changed if is_own else self.board.router.learned
        take(number, body, start, self.board.now)


@pytest.mark.parametrize("seed", range(25))
def test_in_whatever_order_the_router_hears_it_knows_in_the_end_what_the_location_has(
    board: Board, seed: int
) -> None:
    dice, shared = random.Random(seed), Shared(board)
    for _ in range(80):
        registrar = dice.randrange(2)
        match dice.randrange(6):
            case 0 | 1:
                shared.register(registrar, dice.choice(USERS))
            case 2:
                shared.learn(registrar, USERS)
            case 3 | 4:
                shared.deliver(registrar)
            case 5:
                board.pass_time(1, *dice.choice(((0, 1), (0, 1), (0,), (1,))))
    for registrar in (0, 1):
        shared.learn(registrar, USERS)
        while shared.frames[registrar]:
            shared.deliver(registrar)
    board.pass_time(SILENT_S + 2 * CONFIRMED_S, 0, 1)
    assert {user: board.contacts(user) for user in shared.there} == {
        user: [contact] for user, (_, contact) in shared.there.items()
    }
    assert board.router.is_fresh(board.now)
