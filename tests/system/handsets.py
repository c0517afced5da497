"""One face for phones of all makes, which have one call at a time."""

from typing import Protocol

from system.linphone import Linphone


class Handset(Protocol):
    """A phone that is registered."""

    @property
    def user(self) -> str: ...
    @property
    def address(self) -> str: ...
    def call(self, user: str) -> None:
        """Place a call, without waiting for an answer of any kind."""

    def wait_incoming(self, caller: str) -> None:
        """It rings here: `caller` (a user) calls."""

    def answer(self) -> None:
        """Answer what rings."""

    def wait_connected(self) -> None:
        """The call is up."""

    def hang_up(self) -> None:
        """End the call."""

    def wait_ended(self) -> None:
        """The call is over."""


class OneLine:
    """A Linphone of which only the newest call is spoken of."""

    def __init__(self, phone: Linphone) -> None:
        self.user, self.address = phone.user, phone.address
        self._phone = phone
        self._call = 0

    def call(self, user: str) -> None:
        self._call = self._phone.call(user)

    def wait_incoming(self, caller: str) -> None:
        self._call = self._phone.wait_incoming(caller)

    def answer(self) -> None:
        self._phone.answer(self._call)

    def wait_connected(self) -> None:
        self._phone.wait_media(self._call)

    def hang_up(self) -> None:
        self._phone.hang_up(self._call)

    def wait_ended(self) -> None:
        assert self._phone.wait_ended(self._call) == "No error"
