"""How a router keeps up with the users (docs/BUS.md, users.*)."""

from collections.abc import Callable
from typing import Any, Protocol

from switchboard.auth.users import Page, Users


class Follower(Protocol):
    """Keeps `Users` up to date."""

    def start(self) -> None:
        """Read what is at hand."""

    def told(self, series: str, number: int) -> None:
        """The store is `series`, and `number` its last change's."""

    def take_page(self, item: list[Any]) -> None:
        """Take an item of `users.page`."""


class StoreFollower:
    """Reads the registrar's own store, which is on this host. `read`: what changed after a number."""

    def __init__(self, users: Users, read: Callable[[int], Page | None]) -> None:
        self._users = users
        self._read = read

    def start(self) -> None:
        self._catch_up(0)

    def told(self, series: str, number: int) -> None:
        if series != self._users.series:
            self._catch_up(0)
        elif number != self._users.number:
            self._catch_up(self._users.number)

    def take_page(self, item: list[Any]) -> None:
        """Nobody was asked for one."""

    def _catch_up(self, after: int) -> None:
        page = self._read(after)
        while page and self._users.apply(page) and page.more:
            page = self._read(self._users.number)


class Copy(Protocol):
    """The users as last known, on the disk of a host that does not have the registrar."""

    def page(self, after: int, at_most: int) -> Page: ...
    def adopt(self, page: Page) -> None: ...


class PageFollower:
    """Asks the registrar, which is on another host; until it answers, a copy has to do.

    `ask` casts `users.wanted` for what changed after a number. The registrar tells its number every second,
    so what got no answer is asked again then.
    """

    def __init__(self, users: Users, copy: Copy, ask: Callable[[int], None]) -> None:
        self._users = users
        self._copy = copy
        self._ask = ask

    def start(self) -> None:
        kept = self._copy.page(0, -1)
        if kept.records:
            self._users.apply(kept)

    def told(self, series: str, number: int) -> None:
        if series != self._users.series:
            self._ask(0)
        elif number != self._users.number:
            self._ask(self._users.number)

    def take_page(self, item: list[Any]) -> None:
        page = Page.from_wire(item)
        if not self._users.apply(page):
            return
        self._copy.adopt(page)
        if page.more:
            self._ask(self._users.number)
