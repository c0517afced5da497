"""Takes texts for users who are not there, and has them delivered when these register (RFC 3428 §8).

Theory. A text is in the store before its sender hears 202, and leaves it when a phone has taken or refused it. A kill
in between loses nothing: what was under way is tried again, with the Call-ID, CSeq and From tag that it has always had,
so that a phone that still knows it answers 482, and a router that is sending it yet does not send it once more. Only
what a phone had taken in the instant of the kill may come twice. A router that was killed hands a text over once more;
what was delivered meanwhile is known by its key for `KNOWN_S`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final, NamedTuple

from switchboard.messages.box import SETTLE_S, Box, Slip
from switchboard.messages.kept import is_worth_keeping, key_of, make_kept
from switchboard.messages.store import MessageStore
from switchboard.sip.message import Message
from switchboard.storage.unusable import NotWritten
from switchboard.storage.writing import RETRY_S

TOKEN: Final = b"m."
"""So begin the tokens of the requests that deliver."""
START_S: Final = 2.0
"""After a start: what routers have to say of what the predecessor sent comes first."""
KNOWN_S: Final = 300.0
"""How long what is kept no longer is known: a router may ask for 128 T1."""
_LOOK_S: Final = 60.0
"""Between two looks for what is kept no longer."""


class Verdict(NamedTuple):
    """What the sender of a text hears: 202, or the refusal that it would have heard, and why it is not kept."""

    status: int
    why: str = ""


class Letter(NamedTuple):
    """A text to be sent now. `token` comes back with its answer."""

    token: bytes
    raw: bytes
    user: str


class Desk:
    """Owns the kept texts. `keep_s`: how long one is kept. `now`: monotonic s, `at`: epoch s."""

    def __init__(self, store: MessageStore, keep_s: float, now: float, at: float) -> None:
        self.counters: Counter[str] = Counter()
        self._store = store
        self._at = at
        self._keep_s = keep_s
        self._box = Box()
        self._added: list[str] = []
        self._gone: dict[str, None] = {}  # delivered or refused, and still in the store
        self._known = dict.fromkeys(store.removed(), now)
        self._changed: dict[str, None] = {}
        self._next_look = now
        self._next_try = now
        for slip in store.slips():
            self._box.put(slip, now)
        for user in list(self._box.users):
            self._box.hurry(user, now + START_S)

    @property
    def waits(self) -> bool:
        """Whether any text is kept."""
        return len(self._box) > 0

    def listing(self) -> list[tuple[str, int, float, int]]:
        """Of each user with texts, by name: how many, when the oldest was sent (epoch s), and their octets."""
        return self._box.listing()

    def count(self, user: str) -> int:
        """How many texts wait for the user."""
        return self._box.count(user)

    def take_changed(self) -> list[str]:
        """The users of whose texts there are others now than at the last time."""
        changed, self._changed = self._changed, {}
        return list(changed)

    @contextmanager
    def batch(self) -> Iterator[None]:
        """What `keep` says within is true behind it. NotWritten: nothing of it has happened."""
        self._added.clear()
        try:
            with self._store.batch():
                yield
        except NotWritten:
            self.counters["messages_unwritten"] += len(self._added)
            for key in self._added:
                self._box.remove(key)
            raise
        self.counters["messages_kept"] += len(self._added)
        self._added.clear()

    def keep(
        self, message: Message, user: str, is_proved: bool, refusal: int, now: float, at: float
    ) -> Verdict:
        """Keep a MESSAGE for the user; within a batch. ParseError. `refusal`: what its sender hears otherwise."""
        key = key_of(message, user)
        if key in self._box or key in self._known:
            self.counters["messages_repeated"] += 1
            return Verdict(202)
        if not is_worth_keeping(message):
            self.counters["messages_passing"] += 1
            return Verdict(refusal)
        kept = make_kept(message, user, is_proved, at, self._keep_s)
        sender = kept.sender if is_proved else ""
        if why := self._box.has_no_room(user, len(kept.raw), sender):
            self.counters["messages_without_room"] += 1
            self.counters["messages_without_room_of_strangers"] += not sender
            return Verdict(refusal, why)
        self._store.add(kept)
        self._box.put(Slip(kept.key, user, at, kept.ends_at, len(kept.raw), sender), now)
        self._added.append(kept.key)
        self._changed[user] = None
        return Verdict(202)

    def arrived(self, message: Message, user: str, now: float) -> None:
        """A phone of the user has taken a MESSAGE after all, late."""
        self._remove([key_of(message, user)], "messages_arrived_late", now)

    def registered(self, users: Iterable[str], now: float) -> None:
        """These users have registered, or are said to have."""
        for user in users:
            self._box.hurry(user, now + SETTLE_S)

    def next_deadline(self) -> float:
        """When `handle_timer` or `take_due` has something to do."""
        due = self._box.next_deadline()
        is_behind = self._gone or self._store.writing.error
        first = min(self._next_look, self._next_try) if is_behind else self._next_look
        return first if due is None else min(first, due)

    def handle_timer(self, now: float, at: float) -> None:
        """Forget what is kept no longer, and what could not be forgotten."""
        self._at = at
        if now >= self._next_look:
            self._next_look = now + _LOOK_S
            self._remove(self._box.ended(at), "messages_expired", now)
            self._purge(now, at)
        if now >= self._next_try and (self._gone or self._store.writing.error):
            self._forget(now)

    def take_due(self, now: float) -> list[Letter]:
        """The texts to be sent now."""
        letters = []
        for key in self._box.take_due(now):
            kept = self._store.find(key)
            if kept is None:
                self._remove([key], "messages_missing", now)
            else:
                self.counters["messages_tried"] += 1
                letters.append(Letter(TOKEN + key.encode(), kept.raw, kept.user))
        return letters

    def answered(self, token: bytes, status: int, now: float) -> None:
        """What came of a text that was sent; 0: nobody knows."""
        key = token.removeprefix(TOKEN).decode("ascii", "replace")
        if key not in self._box:
            return
        is_delivered = self._box.answered(key, status, now)
        if is_delivered is not None:
            self._remove([key], "messages_delivered" if is_delivered else "messages_refused", now)

    def delete(self, user: str, now: float) -> int:
        """Forget all texts for the user, for the operator; return how many there were. NotWritten."""
        keys = self._box.keys(user)
        self._store.remove(keys, self._at)
        self._remove(keys, "messages_deleted", now)
        return len(keys)

    def stats(self) -> dict[str, float]:
        """Counters, and how many texts wait for how many users, and their octets."""
        box = self._box
        return {
            **self.counters,
            "messages_waiting": len(box),
            "messages_users": len(list(box.users)),
            "messages_octets": box.octets,
            "messages_of_strangers": box.of_strangers,
        }

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()

    def _remove(self, keys: Iterable[str], counter: str, now: float) -> None:
        """These are not kept any more; each user's next one is due."""
        for key in keys:
            user = self._box.remove(key)
            if user:
                self.counters[counter] += 1
                self._changed[user] = None
                self._gone[key] = None
                self._known[key] = now
                self._box.hurry(user, now)
        if self._gone:
            self._forget(now)

    def _purge(self, now: float, at: float) -> None:
        if not any(since <= now - KNOWN_S for since in self._known.values()):
            return
        with suppress(NotWritten):
            self._store.purge(at - KNOWN_S)
            self._known = {key: since for key, since in self._known.items() if since > now - KNOWN_S}

    def _forget(self, now: float) -> None:
        self._next_try = now + RETRY_S
        try:
            if self._store.writing.error:
                self._store.try_again()
            self._store.remove(self._gone, self._at)
        except NotWritten:
            return
        self._gone.clear()
