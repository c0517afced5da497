"""Requests that the presence worker answers instead of a phone: SUBSCRIBE (RFC 6665) and PUBLISH (RFC 3903).

Theory. A router authenticates a request and finds out whom it is for. If the switchboard itself has what the request
asks for, the router hands it to the worker, with both users, and forgets it: the worker repeats its answer to a
retransmission. So a router has no state of a subscription. Requests within a dialog of ours are known by the tag in
To, which the worker has made. Everything else goes to the phone: another package, a GRUU, a dialog of a phone.
"""

from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.sip.headers import Header

TAG: Final = "sbp."
"""So begin the tags that the worker gives to its side of a dialog."""
OF_GROUPS: Final = frozenset({"dialog"})
"""Packages that tell of groups, too."""
PUBLISHED: Final = frozenset({"presence"})
"""Packages of which phones publish the state (RFC 3903)."""


class Delegation(Exception):
    """Ends the processing of a request: the worker answers it. `user`: of ours, whom it is for.

    `status`: what the sender would hear of us, 0 for nothing.
    """

    def __init__(self, user: str, status: int = 0) -> None:
        super().__init__(user)
        self.user = user
        self.status = status


class Either:
    """Names that are in one of two places."""

    def __init__(self, first: Container[str], second: Container[str]) -> None:
        self._places = first, second

    def __contains__(self, name: object) -> bool:
        return name in self._places[0] or name in self._places[1]


@dataclass(frozen=True, slots=True)
class EventPolicy:
    """What the worker answers. `packages`: of which it has the state. `users`: of whom; None: of anybody."""

    packages: tuple[str, ...]
    users: Container[str] | None = None

    def check(self, incoming: IncomingRequest, user: str, group: str = "") -> None:
        """Raise the `Delegation` of a request for `user` that is the worker's; `Refusal` if there is no such user.

        `group`: "group:NAME" if it is no user but that.
        """
        if not self._takes(incoming):
            return
        if group and package_of(incoming.message.get(Header.EVENT)) in OF_GROUPS:
            raise Delegation(group)
        if self.users is not None and user not in self.users and not incoming.is_in_dialog:
            raise Refusal(404)
        raise Delegation(user)

    def _takes(self, incoming: IncomingRequest) -> bool:
        message = incoming.message
        if incoming.method == "PUBLISH":
            return not incoming.is_in_dialog and package_of(message.get(Header.EVENT)) in PUBLISHED
        if incoming.method != "SUBSCRIBE":
            return False
        if message.to_tag:
            return message.to_tag.startswith(TAG)
        return package_of(message.get(Header.EVENT)) in self.packages


def package_of(event: str | None) -> str:
    """The package that the value of Event names (RFC 6665 §8.2.1), in lower case; "" without one."""
    return (event or "").partition(";")[0].strip().lower()
