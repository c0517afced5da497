"""The links by which users without the console's password set their own forwarding: signed, for a time, revocable.

Theory. A link names its user and its end, and is signed with the console's key. Signed, too, and not in the link, are a
random text that the file has of each user with a link, and when the user's password was set. So another link, another
password, the removal of the user and the loss of the file all make it void, and the file alone makes no link.
"""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Final

from switchboard.console.names import DisplayNames

LIFETIME_S: Final = 180 * 86_400.0
_RANDOM_BYTES: Final = 16
_LONGEST: Final = 256


class OwnLinks:
    """Owns the file, which has a random text and an end (epoch s) by user. `key` signs the links."""

    def __init__(self, file: DisplayNames, key: bytes, clock: Callable[[], float]) -> None:
        self._file = file
        self._key = key
        self._clock = clock

    def make(self, user: str, set_at: float | None) -> str:
        """A new link's token; earlier ones of the user are void. `set_at`: of the password. NotWritten."""
        self._file.put(user, f"{secrets.token_hex(_RANDOM_BYTES)} {self._clock() + LIFETIME_S:.0f}")
        return self.current(user, set_at)

    def current(self, user: str, set_at: float | None) -> str:
        """The token of the user's link; "" if there is none that is valid."""
        random, _, ends = self._file.get(user).partition(" ")
        if not ends.isdecimal() or float(ends) <= self._clock():
            return ""
        named = base64.urlsafe_b64encode(user.encode()).decode().rstrip("=")
        since = "" if set_at is None else f"{set_at:.3f}"
        text = "\0".join(("own link", user, random, ends, since))
        return f"{named}.{hmac.digest(self._key, text.encode(), hashlib.sha256).hex()[:32]}"

    def revoke(self, user: str) -> None:
        """Make the user's links void. NotWritten."""
        self._file.put(user, "")

    def is_link(self, token: str, user: str, set_at: float | None) -> bool:
        """Whether it is the user's valid link."""
        current = self.current(user, set_at)
        return bool(current) and hmac.compare_digest(current.encode(), token.encode(errors="replace"))


def user_named(token: str) -> str:
    """Whose link it would be (untrusted); "" for no link at all."""
    named = token.partition(".")[0][:_LONGEST]
    try:
        return base64.urlsafe_b64decode(named + "=" * (-len(named) % 4)).decode()
    except ValueError:
        return ""
