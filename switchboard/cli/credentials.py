"""Passwords from people and files, never from the command line; `switchboard console-password` and `keys`."""

import csv
import getpass
import secrets
import string
import sys
from collections.abc import Iterator
from pathlib import Path

import typer

from switchboard.auth.keys import make_key
from switchboard.bus.context import PUBLIC, SECRET, KeysError, fingerprints, make_keys
from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import settings_or_exit
from switchboard.settings.password import SALT_BYTES, hash_password

GENERATED_LENGTH = 20
SHORT = 10
"""Shorter ones are guessed by who may try often, or who has got hold of the store."""
_ALPHABET = string.ascii_letters + string.digits


def generate_password() -> str:
    """A password that nobody guesses, of letters and digits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(GENERATED_LENGTH))


def read_password(user: str) -> str:
    """The password for `user`: asked for twice at a terminal, else the first line of standard input."""
    if not sys.stdin.isatty():
        return checked(sys.stdin.readline().rstrip("\r\n"))
    password = getpass.getpass(f"Password for {user}: ")
    if getpass.getpass("Again: ") != password:
        fail("The two passwords differ. Nothing was changed.")
    return checked(password)


def ask_password(user: str) -> str:
    """The password that `user` has: asked for at a terminal, else the next line of standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.readline().rstrip("\r\n")
    return getpass.getpass(f"Password of {user}: ")


def checked(password: str) -> str:
    """`password` if it is one; else the command ends."""
    if not password:
        fail("The password is empty. Nothing was changed.", MISUSED)
    if len(password) < SHORT:
        say(f"Warning: a password of less than {SHORT} characters is guessed easily.")
    return password


def read_csv(path: Path) -> list[tuple[str, str]]:
    """User and password of each line of a CSV file; a first line `user,password` is its heading."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            return list(_rows(path, csv.reader(file)))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        fail(f"The file {path} cannot be read: {error}. Nothing was changed.")


def _rows(path: Path, lines: Iterator[list[str]]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        cells = [cell.strip() for cell in line]
        if not any(cells) or (number == 1 and [cell.lower() for cell in cells] == ["user", "password"]):
            continue
        if len(cells) != 2 or not all(cells):
            fail(f"Line {number} of {path} is not USER,PASSWORD. Nothing was changed.", MISUSED)
        yield cells[0], cells[1]


SHORTEST = 10


def console_password() -> None:
    """Ask for the console's password, or read it from standard input, and print its hash."""
    if sys.stdin.isatty():
        password = typer.prompt(
            "Password of the console", hide_input=True, confirmation_prompt=True, err=True
        )
    else:
        password = sys.stdin.readline().rstrip("\n")
    if len(password) < SHORTEST:
        fail(f"At least {SHORTEST} characters are wanted.", MISUSED)
    typer.echo(str(hash_password(password, secrets.token_bytes(SALT_BYTES))))


def keys(as_json: JsonOption = False) -> None:
    """Make a pair of keys for each host of the settings that has none."""
    settings = settings_or_exit()
    if not settings.hosts:
        fail("The settings name no hosts: there is nobody to need a key (docs/HOSTS.md).", MISUSED)
    directory = settings.keys_path
    try:
        made = make_keys(directory, settings.hosts)
        if not settings.shared_key_path.exists():
            make_key(settings.shared_key_path)
        prints = fingerprints(directory, settings.hosts)
    except OSError as error:
        fail(f"The keys cannot be written to {directory}: {error.strerror}.")
    except KeysError as error:
        fail(str(error))
    if as_json:
        print_json({"directory": str(directory), "made": made, "fingerprints": prints})
    say(f"Made in {directory}: {', '.join(made)}." if made else f"All hosts have keys in {directory}.")
    say("Fingerprints: " + ", ".join(f"{host} {print_}" for host, print_ in prints.items()) + ".")
    for host in settings.hosts:
        if host != settings.here:
            say(
                f"Copy to that directory of {host}: all *{PUBLIC}, {settings.shared_key_path.name}, "
                f"and {host}{SECRET}; then remove that here."
            )
