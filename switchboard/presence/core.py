"""The presence worker's core: packages, who watches them, and what has to be kept. No clock, no socket, no store."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Final

from switchboard.codec import CodecError, pack, unpack
from switchboard.presence.calls import Calls
from switchboard.presence.dialog_info import DialogInfo
from switchboard.presence.packages import Package
from switchboard.presence.pidf import Presence
from switchboard.presence.publications import Publication, Publications
from switchboard.presence.reception import Handler
from switchboard.presence.reg_info import RegInfo
from switchboard.presence.subscription import Subscription
from switchboard.presence.watching import Limits, Place, Policy, Watching
from switchboard.registrar.replica import Replica

_SUBSCRIPTION: Final = "s"
_PUBLICATION: Final = "p"
RESTORED: Final = "restored"
"""The name of a record that says that all others come from a backup."""
AFTER_A_RESTORE: Final = 1_000_000
"""CSeq numbers of NOTIFYs that are skipped then: the phones have heard higher ones than the backup knows."""


class PresenceCore:
    """All of it. `clock`: epoch s, never falling. `user_of`: the user of ours whom a URI names, "" for none.

    `packages` and `handlers` (by method) may be given more by others.
    """

    def __init__(
        self,
        replica: Replica,
        policy: Policy,
        limits: Limits,
        place: Place,
        user_of: Callable[[str], str],
        clock: Callable[[], float],
    ) -> None:
        self.packages: dict[str, Package] = {}
        self.watching = Watching(self.packages, policy, limits, place)
        self.publications = Publications(limits, self._published)
        self.calls = Calls(user_of, self._called)
        self.unreadable = 0
        self._is_restored = False
        self._clock = clock
        self._replica = replica
        replica.tell = self._registered
        for package in (
            Presence(self.publications.of, self._is_registered),
            DialogInfo(self.calls.legs),
            RegInfo(replica.lookup),
        ):
            self.packages[package.name] = package
        self.handlers: dict[str, Handler] = {"SUBSCRIBE": self.watching, "PUBLISH": self.publications}

    def expire(self, at: float) -> None:
        """End what is over."""
        self.publications.expire(at)
        self.watching.expire(at)
        self.calls.purge(at)

    def next_deadline(self) -> float | None:
        """When something is due (epoch s)."""
        dues = [self.watching.next_deadline(), self.publications.next_deadline()]
        return min((due for due in dues if due is not None), default=None)

    def take_changes(self) -> dict[str, bytes | None]:
        """What has to be durable before anything leaves: records by their names; None: they are gone."""
        changes: dict[str, bytes | None] = {RESTORED: None} if self._is_restored else {}
        self._is_restored = False
        for kind, changed in (
            (_SUBSCRIPTION, self.watching.take_changes()),
            (_PUBLICATION, self.publications.take_changes()),
        ):
            for tag, each in changed.items():
                changes[kind + tag] = None if each is None else pack(each.saved())
        return changes

    def load(self, records: Iterable[tuple[str, bytes]], at: float) -> None:
        """Go on with these records, and with nothing else; what cannot be read is left out, and counted."""
        subscriptions: list[Subscription] = []
        publications: list[Publication] = []
        self.unreadable = 0
        self._is_restored = False
        for name, packed in records:
            if name == RESTORED:
                self._is_restored = True
                continue
            try:
                if name[:1] == _SUBSCRIPTION:
                    subscriptions.append(Subscription.restore(unpack(packed)))
                else:
                    publications.append(Publication.restore(unpack(packed)))
            except (CodecError, TypeError):
                self.unreadable += 1
        self.publications.load(publications)
        self.watching.load(subscriptions, at)
        if self._is_restored:
            self.watching.skip(AFTER_A_RESTORE)

    def listed(self, start: int, most: int, at: float) -> list[dict[str, object]]:
        """Who watches whom, for people: at most so many, behind the first `start`."""
        some = islice(self.watching.subscriptions.values(), start, start + most)
        return [_described(each, at) for each in some]

    def find(self, text: str, start: int, most: int, at: float) -> tuple[list[dict[str, object]], int, int]:
        """The same of those that have this text, in any case; how many these are, and how many there are in all."""
        known, wanted = self.watching.subscriptions.values(), text.lower()
        found = [each for each in known if _has(each, wanted)]
        return [_described(each, at) for each in found[start : start + most]], len(found), len(known)

    def stats(self) -> Mapping[str, float]:
        """Counters."""
        watching = self.watching
        return {
            "subscriptions": len(watching.subscriptions),
            "publications": len(self.publications.by_tag),
            "calls_followed": len(self.calls),
            "notified": watching.notified,
            "notify_failed": watching.failed,
            "watchers_refused": watching.refused,
            "records_unreadable": self.unreadable,
        }

    def _is_registered(self, user: str, at: float) -> bool:
        return bool(self._replica.lookup(user, at))

    def _published(self, user: str, at: float) -> None:
        self.watching.changed("presence", user, at)

    def _called(self, user: str) -> None:
        self.watching.changed("dialog", user, self._clock())

    def _registered(self, users: Iterable[str] | None) -> None:
        """The bindings of these users are others now; None: of any."""
        at = self._clock()
        for package in ("presence", "reg"):
            for user in self.watching.watched(package) if users is None else users:
                self.watching.changed(package, user, at)


def _has(each: Subscription, text: str) -> bool:
    texts = each.watcher, each.remote, each.user, each.package, each.target
    return not text or any(text in one.lower() for one in texts)


def _described(each: Subscription, at: float) -> dict[str, object]:
    return {
        "watcher": each.watcher,
        "from": each.remote,
        "user": each.user,
        "package": each.package,
        "contact": each.target,
        "since_at": each.since_at,
        "left_s": round(each.expires_at - at, 1),
        "notified": each.cseq,
        "state": "ends" if each.ends else "waits" if each.is_waiting else "active",
        "failures": each.failures,
        "tag": each.tag,
    }
