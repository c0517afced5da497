"""`switchboard user`: the users and their passwords, at the registrar or, while none runs, in its store."""

import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from switchboard.auth.user_store import UserStore
from switchboard.auth.users import Entry, make_entry
from switchboard.cli.credentials import generate_password, read_csv, read_password
from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.registrar import ask_registrar, open_store, told
from switchboard.cli.rule_book import RuleBook, say_notes
from switchboard.cli.running import settings_or_exit
from switchboard.settings.model import Settings
from switchboard.settings.users import open_users


class UserBook:
    """The users, wherever they are. A command ends with status 1 if they cannot be reached."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._store: UserStore | None = None

    def put(self, entries: Sequence[Entry]) -> int:
        """Let these users have these secrets; return how many are new."""
        new = self._ask("user.put", [list(entry) for entry in entries])
        if new is None:
            with told():
                new = self._open().put(entries, time.time())
        return int(new)

    def remove(self, user: str) -> bool:
        """Let nobody be `user`; False if nobody was."""
        done = self._ask("user.remove", user)
        if done is None:
            with told():
                done = self._open().remove(user, time.time())
        return bool(done)

    def users(self) -> list[tuple[str, str, float]]:
        """Name, realm and when the password was set (epoch s) of all users, by name."""
        found = self._ask("user.list", None)
        if found is None:
            return [(each.user, each.realm, each.changed_at) for each in self._open().users()]
        return [(user, realm, changed_at) for user, realm, changed_at in found]

    def has(self, user: str) -> bool:
        """Whether there is a user called so."""
        return any(name == user for name, *_ in self.users())

    def _ask(self, question: str, body: object) -> Any:
        """The registrar's answer; None if none runs on this host."""
        return None if self._store else ask_registrar(self._settings, question, body)

    def _open(self) -> UserStore:
        if self._store is None:
            self._store = open_store(self._settings, open_users)
        return self._store


NAME = re.compile(r"[^\x00-\x20\x7f\":\\@<>]{1,64}")
A_TIME = 100
HEADINGS = ("user", "password set", "realm")
user = typer.Typer(help="The users and their passwords.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="The user part of the address-of-record.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a password, and print it.")]


@user.command()
def add(user: Name, generate: Generate = False, as_json: JsonOption = False) -> None:
    """Add a user; the password is asked for, or read from standard input."""
    settings, book = settings_or_exit(), _book(user)
    if book.has(user):
        fail(f"There is a user {user} already; a new password: switchboard user passwd {user}")
    _put(settings, book, user, generate, as_json)
    say(f"{user} may register and call." + _hint(settings))


@user.command()
def passwd(user: Name, generate: Generate = False, as_json: JsonOption = False) -> None:
    """Give a user another password."""
    settings, book = settings_or_exit(), _book(user)
    if not book.has(user):
        fail(_unknown(user))
    _put(settings, book, user, generate, as_json)
    say(f"{user} has a new password." + _hint(settings))


@user.command()
def remove(user: Name, as_json: JsonOption = False) -> None:
    """Remove a user, and its rules. What is registered stays so until it expires; it cannot be renewed."""
    book, rules = _book(user), RuleBook(settings_or_exit())
    if not book.has(user):
        fail(_unknown(user))
    rules.forget(user)  # before the user: a kill in between leaves no rules of nobody
    book.remove(user)
    if as_json:
        print_json({"removed": user})
    say(f"{user} is no user any more.")
    say_notes(rules.ask("rules.naming", user))


@user.command(name="list")
def list_users(as_json: JsonOption = False) -> None:
    """List the users; their passwords are known to nobody."""
    settings = settings_or_exit()
    users = UserBook(settings).users()
    if as_json:
        print_json({"users": [{"user": name, "realm": realm, "set_at": at} for name, realm, at in users]})
        return
    rows = [(name, time.strftime("%Y-%m-%d %H:%M", time.localtime(at)), realm) for name, realm, at in users]
    print_table(HEADINGS, rows, "There are no users: switchboard user add NAME")
    if any(realm != settings.realm for _, realm, _ in users):
        say(f"Passwords of a realm other than {settings.realm} are void: switchboard user passwd NAME")


@user.command(name="import")
def import_users(
    file: Annotated[Path, typer.Argument(help="CSV: USER,PASSWORD on each line.")],
    as_json: JsonOption = False,
) -> None:
    """Add the users of a file, or give them its passwords: all lines are good, or nothing is changed."""
    settings = settings_or_exit()
    pairs = read_csv(file)
    for user, _ in pairs:
        _check_name(user)
    new = _put_all(UserBook(settings), [make_entry(user, settings.realm, word) for user, word in pairs])
    if as_json:
        print_json({"added": new, "changed": len(pairs) - new})
    say(f"{new} users added, {len(pairs) - new} got another password." + _hint(settings))


def _put_all(book: UserBook, entries: Sequence[Entry]) -> int:
    parts = [entries[at : at + A_TIME] for at in range(0, len(entries), A_TIME)]
    return sum(book.put(part) for part in _shown(parts))


def _shown(parts: Sequence[Sequence[Entry]]) -> Iterator[Sequence[Entry]]:
    from rich.console import Console  # 80 ms that only this command needs
    from rich.progress import track

    console = Console(stderr=True)
    yield from track(parts, "Importing", console=console, transient=True, disable=not console.is_terminal)


def _book(user: str) -> UserBook:
    _check_name(user)
    return UserBook(settings_or_exit())


def _put(settings: Settings, book: UserBook, user: str, generate: bool, as_json: bool) -> None:
    password = generate_password() if generate else read_password(user)
    book.put([make_entry(user, settings.realm, password)])
    if as_json:
        print_json({"user": user, "password": password if generate else None})
    elif generate:
        typer.echo(password)


def _check_name(user: str) -> None:
    if not NAME.fullmatch(user):
        fail(
            f"{user!r} cannot be a user: 1 to 64 characters, without spaces, quotes and any of : \\ @ < >",
            MISUSED,
        )


def _unknown(user: str) -> str:
    return f"There is no user {user}. All there are: switchboard user list"


def _hint(settings: Settings) -> str:
    return "" if settings.auth == "on" else ' Nobody is asked for passwords yet: set auth = "on".'
