"""Passwords for the built-in phones, where the switchboard wants some."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from switchboard.auth.users import make_entry
from switchboard.cli.passwords import ask_password, generate_password
from switchboard.cli.user_book import UserBook
from switchboard.settings.model import Settings

OURS = "lab-"
"""Users whose names begin so are the lab's own, also those that a killed command has left behind."""


@contextmanager
def passwords_of(users: Sequence[str], settings: Settings) -> Iterator[Mapping[str, str]]:
    """User -> password; none with `auth` off. Who is a user is asked for; others are users meanwhile."""
    if settings.auth != "on" or not users:
        yield {}
        return
    book = UserBook(settings)
    known = {name for name, *_ in book.users() if not name.startswith(OURS)}
    asked = {user: ask_password(user) for user in users if user in known}
    made = {user: generate_password() for user in users if user not in known}
    try:
        book.put([make_entry(user, settings.realm, password) for user, password in made.items()])
        yield asked | made
    finally:
        for user in made:
            book.remove(user)
