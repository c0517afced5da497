"""What an event package is to the worker (RFC 6665 §7): a state of a user, and the document that tells it.

A package is another class with these members, put into the worker's list (`workers/presence.py`). Whoever changes a
state calls `Watching.changed` with the package's name and the user; everything else is done for all packages alike.
"""

from collections.abc import Hashable
from typing import Any, Protocol


class Package(Protocol):
    """One event package.

    `content_type` of its documents. `lasts_s`: how long a subscription lasts whose watcher does not say.
    `is_private`: only the user himself may watch.
    """

    @property
    def name(self) -> str: ...
    @property
    def content_type(self) -> str: ...
    @property
    def lasts_s(self) -> int: ...
    @property
    def is_private(self) -> bool: ...

    def state(self, user: str, at: float) -> Hashable:
        """What is to be told of `user` now: a value that differs if there is news. `at`: epoch s."""

    def body(self, entity: str, state: Any, version: int) -> bytes:
        """The document of a `state`. `entity`: the URI that is watched, `version`: from 0, of this subscription."""
