"""What all workers know that the first registrar owns: users, rules. Told by numbers, read by pages (docs/BUS.md)."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic

import structlog

from switchboard.bus.context import BusContext
from switchboard.bus.outbox import Outbox
from switchboard.bus.peer import Publisher
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here
from switchboard.storage.record_store import OwnFollower, RecordStore
from switchboard.storage.records import A_PAGE, Follower, Page, PageFollower, R, Replica, StoreFollower

PAGES_KEPT: Final = 2
"""For a worker that is away; it asks again."""
QUESTIONS_KEPT: Final = 1


def follow_records(
    what: str,
    replica: Replica[R],
    settings: Settings,
    context: BusContext,
    asker: int,
    read: Callable[[int], Page[R] | None],
    open_copy: Callable[[], RecordStore[R]],
) -> tuple[Follower, list[Outbox]]:
    """Return what keeps `replica` as the first registrar has it, and how that is asked if it is on another host.

    `what`: as in the subjects on the bus. `asker`: a router's number, or REGISTRAR less that of a registrar. `read`: a
    page of the store, if that is here; `open_copy`: the store of its own that the asker has otherwise.
    """
    if is_here("registrar.0", settings):
        return StoreFollower(replica, read), []
    asked = Outbox(context, endpoints_of(settings).inbox("registrar"), f"{what}.wanted", QUESTIONS_KEPT)
    return PageFollower(replica, open_copy(), lambda after: asked.put([asker, after])), [asked]


class RecordRegister(Generic[R]):
    """Owns a store: a change is on disk before who asked hears of it, and in force at once.

    `what`: as in the subjects on the bus. `follower`: keeps the worker's own replica; None: there is none, and nobody
    else has one. `followed`: who follows, by the number under which it asks; those on other hosts get pages. Tells the
    last change's number (WHAT.number).
    """

    def __init__(
        self,
        what: str,
        store: RecordStore[R],
        follower: OwnFollower[R] | None,
        settings: Settings,
        context: BusContext,
        publisher: Publisher,
        followed: Mapping[int, tuple[str, int]],
    ) -> None:
        self._what = what
        self._store = store
        self._follower = follower
        self.writing = store.writing
        self._told_joined = 0
        self._publisher = publisher
        endpoints = endpoints_of(settings)
        self._pages = {
            number: Outbox(context, endpoints.inbox(*worker), f"{what}.page", PAGES_KEPT)
            for number, worker in followed.items()
            if not is_here("{}.{}".format(*worker), settings)
        }

    @property
    def outboxes(self) -> list[Outbox]:
        """To those that follow from other hosts."""
        return list(self._pages.values())

    @property
    def fd(self) -> int | None:
        """Readable when others have changed something."""
        return self._store.fd

    def send_page(self, item: Any) -> bool:
        """Answer an item of `WHAT.wanted`; False if it is none."""
        match item:
            case [int(number), int(after)] if number in self._pages:
                self._pages[number].put(self._store.page(after, A_PAGE).to_wire())
                return True
        return False

    def tell(self) -> None:
        """Take in what has changed, and tell it. To be called every second, and when `fd` is readable."""
        self._store.go_on()
        self._store.keep_place()
        self._tell_joined()
        if self._follower is not None:
            self._follower.catch_up()
            replica = self._follower.replica
            self._publisher.send(f"{self._what}.number", [replica.series, replica.number])

    def _tell_joined(self) -> None:
        if (joined := self._store.joined) > self._told_joined:
            told = {self._what: joined - self._told_joined}
            structlog.get_logger().info(f"{self._what} of {self._what}.db were put into the database", **told)
            self._told_joined = joined

    def try_again(self) -> None:
        """See whether it can be written again, if it could not be."""
        if self.writing.error:
            self._store.try_again()

    def close(self) -> None:
        """Let go of the store."""
        self._store.close()
