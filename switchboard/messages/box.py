"""Which texts wait for whom, and when each user's next one is to be tried.

Theory. A user's texts are delivered in the order in which they came, one after the other: the next one leaves when the
one before has been answered. An attempt begins soon after the user registers, and otherwise after a pause that doubles
with each failure, as long as nobody answers. It costs little if the user is still away: routers know that.

    2xx, 482            delivered (482: the phone has it, by another way)
    3xx, 4xx, 513...    refused for good: it goes, and is counted
    all else            not now: it stays, and so do those behind it

What a sender may cause is bounded: texts to one user, those of strangers to one user, all texts, and their octets. Of
all places and octets each user has a share, and strangers have one together: From names anybody, so they are not told
apart. So neither a crowd of strangers nor one user keeps the texts of the others out.
"""

import heapq
from collections.abc import Iterable
from typing import Final, NamedTuple

MOST_OF_USER: Final = 200
MOST_OF_STRANGERS: Final = 20
"""Texts to one user from those who have not proved to be users."""
MOST: Final = 20_000
MOST_OCTETS: Final = 100_000_000
STRANGERS: Final = 0.25
"""The share of all strangers together, of places and octets."""
SENDER: Final = 0.1
"""The share of one user who sends."""
AT_ONCE: Final = 50
"""Users to whom something is under way."""
SETTLE_S: Final = 0.5
"""From a registration to the first text: the phone hears its 200 first."""
FIRST_PAUSE_S: Final = 60.0
LONGEST_PAUSE_S: Final = 3600.0
_NOT_NOW: Final = frozenset({0, 408, 430, 480, 486, 503, 600})
_NEVER: Final = frozenset({501, 505, 513})
"""Of the 5xx."""
_HAD_IT: Final = 482


class Slip(NamedTuple):
    """What is in memory of a kept text. `sender`: of whose share it is, "" for that of strangers."""

    key: str
    user: str
    sent_at: float
    ends_at: float
    octets: int
    sender: str


class _Share:
    """What one sender, or all strangers, have here."""

    __slots__ = ("octets", "texts")

    def __init__(self) -> None:
        self.texts = self.octets = 0

    def add(self, texts: int, octets: int) -> None:
        self.texts += texts
        self.octets += octets

    def has_room(self, octets: int, part: float) -> bool:
        """Whether one more text leaves it within this part of all."""
        return self.texts < part * MOST and self.octets + octets <= part * MOST_OCTETS


class _Waiting:
    """The texts of one user, in order. `due`: when to try (monotonic s); `under_way`: the key of what is tried now."""

    __slots__ = ("due", "pause_s", "slips", "strangers", "under_way")

    def __init__(self) -> None:
        self.slips: dict[str, Slip] = {}
        self.strangers = 0
        self.due = 0.0
        self.pause_s = FIRST_PAUSE_S
        self.under_way = ""


class Box:
    """The texts of all users. `octets`: of all of them."""

    def __init__(self) -> None:
        self.octets = 0
        self._users: dict[str, _Waiting] = {}
        self._user_of: dict[str, str] = {}
        self._heap: list[tuple[float, str]] = []
        self._under_way = 0
        self._shares: dict[str, _Share] = {}

    def __len__(self) -> int:
        return len(self._user_of)

    def __contains__(self, key: str) -> bool:
        return key in self._user_of

    @property
    def users(self) -> Iterable[str]:
        """Whose texts are kept."""
        return self._users.keys()

    def count(self, user: str) -> int:
        """How many wait for the user."""
        found = self._users.get(user)
        return len(found.slips) if found else 0

    def keys(self, user: str) -> list[str]:
        """Of the user's texts, in order."""
        found = self._users.get(user)
        return list(found.slips) if found else []

    def listing(self) -> list[tuple[str, int, float, int]]:
        """Of each user with texts, by name: how many, when the oldest was sent, and their octets."""
        return [
            (
                user,
                len(found.slips),
                next(iter(found.slips.values())).sent_at,
                sum(each.octets for each in found.slips.values()),
            )
            for user, found in sorted(self._users.items())
        ]

    @property
    def of_strangers(self) -> int:
        """How many texts are from strangers."""
        return self._share("").texts

    def has_no_room(self, user: str, octets: int, sender: str) -> str:
        """Why no further text for the user can be kept, for people; "" if it can. `sender`: "" for strangers."""
        found = self._users.get(user)
        if len(self) >= MOST or self.octets + octets > MOST_OCTETS:
            return "Too Many Messages Wait Here"
        if found and len(found.slips) >= MOST_OF_USER:
            return "Too Many Messages Wait For This User"
        if found and not sender and found.strangers >= MOST_OF_STRANGERS:
            return "Too Many Messages Of Strangers Wait For This User"
        if not self._share(sender).has_room(octets, SENDER if sender else STRANGERS):
            return f"Too Many Messages Of {'This Sender' if sender else 'Strangers'} Wait Here"
        return ""

    def _share(self, sender: str) -> _Share:
        return self._shares.get(sender) or _Share()

    def put(self, slip: Slip, now: float) -> None:
        """A text is kept, behind the user's others; it is tried after a pause, if nothing else happens."""
        found = self._users.setdefault(slip.user, _Waiting())
        found.slips[slip.key] = slip
        found.strangers += not slip.sender
        self._user_of[slip.key] = slip.user
        self.octets += slip.octets
        self._shares.setdefault(slip.sender, _Share()).add(1, slip.octets)
        if not found.due and not found.under_way:
            self._arm(slip.user, found, now + found.pause_s)

    def remove(self, key: str) -> str:
        """A text is not kept any more; return whose it was, "" for nobody's."""
        user = self._user_of.pop(key, "")
        if user:
            found = self._users[user]
            slip = found.slips.pop(key)
            found.strangers -= not slip.sender
            self.octets -= slip.octets
            self._give_back(slip)
            self._end(found, key)
            if not found.slips:
                del self._users[user]
        return user

    def _give_back(self, slip: Slip) -> None:
        share = self._shares[slip.sender]
        share.add(-1, -slip.octets)
        if not share.texts:
            del self._shares[slip.sender]

    def hurry(self, user: str, due: float) -> None:
        """The user is there, or may be: try at this moment (monotonic s), or right after what is under way."""
        found = self._users.get(user)
        if found is None:
            return
        found.pause_s = SETTLE_S if found.under_way else FIRST_PAUSE_S
        if not found.under_way and (not found.due or due < found.due):
            self._arm(user, found, due)

    def next_deadline(self) -> float | None:
        """When `take_due` has something, as far as may be under way at once."""
        return self._heap[0][0] if self._heap and self._under_way < AT_ONCE else None

    def take_due(self, now: float) -> list[str]:
        """The keys of the texts to be sent now; each is under way until `answered`, or `remove`."""
        keys = []
        while self._heap and self._heap[0][0] <= now and self._under_way < AT_ONCE:
            due, user = heapq.heappop(self._heap)
            found = self._users.get(user)
            if found is None or found.due != due or found.under_way:
                continue
            found.due, found.under_way = 0.0, next(iter(found.slips))
            self._under_way += 1
            keys.append(found.under_way)
        return keys

    def answered(self, key: str, status: int, now: float) -> bool | None:
        """What came of a text that was sent (0: nothing): whether it was delivered; None: it stays.

        One that was delivered or refused is to be removed; then the user's next one is due.
        """
        is_delivered = 200 <= status < 300 or status == _HAD_IT
        if is_delivered or not is_for_now(status):
            return is_delivered
        found = self._users.get(self._user_of.get(key, ""))
        if found and found.under_way == key:
            self._end(found, key)
            self._arm(self._user_of[key], found, now + found.pause_s)
            found.pause_s = min(max(2 * found.pause_s, FIRST_PAUSE_S), LONGEST_PAUSE_S)
        return None

    def ended(self, at: float) -> list[str]:
        """The keys of what is kept no longer (epoch s)."""
        return [
            slip.key for found in self._users.values() for slip in found.slips.values() if slip.ends_at <= at
        ]

    def _end(self, found: _Waiting, key: str) -> None:
        if found.under_way == key:
            found.under_way = ""
            self._under_way -= 1

    def _arm(self, user: str, found: _Waiting, due: float) -> None:
        found.due = due
        heapq.heappush(self._heap, (due, user))


def is_for_now(status: int) -> bool:
    """Whether a final status (0: none) says nothing of what is later."""
    return status in _NOT_NOW or (500 <= status < 600 and status not in _NEVER)
