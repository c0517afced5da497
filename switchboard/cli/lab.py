"""`switchboard lab`: what a newcomer sees without owning a phone."""

import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Annotated, NoReturn

import typer

from switchboard.auth.users import make_entry
from switchboard.cli.credentials import ask_password, generate_password
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import settings_or_exit
from switchboard.cli.user import UserBook
from switchboard.lab.call import OtherPhones, heading, place_call, rung
from switchboard.lab.phone import CHALLENGES, Declined, Line, NoAnswer, Phone, Seen
from switchboard.settings.local import own_addresses
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


lab = typer.Typer(help="Built-in fake phones: see a call before you own a phone.", no_args_is_help=True)

Caller = Annotated[str, typer.Argument(help="The user who calls.")]
Callee = Annotated[str, typer.Argument(help="The user who is called.")]
Ring = Annotated[float, typer.Option("--ring", min=0, max=60, help="Seconds until it is answered.")]
Talk = Annotated[float, typer.Option("--talk", min=0, max=600, help="Seconds until it is hung up.")]
Start = Annotated[bool, typer.Option("--start", help="Start a switchboard at a free port for the time.")]


@lab.command()
def call(
    caller: Caller = "lab-anna",
    callee: Callee = "lab-boris",
    ring: Ring = 1.0,
    talk: Talk = 1.0,
    start: Start = False,
    as_json: JsonOption = False,
) -> None:
    """Place a call between two built-in phones through the running switchboard, and show its ladder."""
    if caller == callee:
        fail("The two users are the same: name two.", MISUSED)
    with ExitStack() as stack:
        settings = settings_or_exit()
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # it hangs up before it ends
        address, port = _start(stack, settings) if start else _reach(settings)
        users = () if start else (caller, callee)
        passwords = stack.enter_context(passwords_of(users, settings))
        calling, called = (
            stack.enter_context(_plugged(Phone(user, address, port, password=passwords.get(user, ""))))
            for user in (caller, callee)
        )
        shown = _Shown(caller, callee, as_json)
        try:
            call_id = place_call(Line([calling, called], shown), calling, called, ring, talk)
        except NoAnswer as failure:
            _explain_silence(failure, address, port)
        except Declined as failure:
            _explain_refusal(failure)
        except OtherPhones as failure:
            fail(
                f"{failure.user} has {failure.count} other phone(s), which would ring. "
                "Name users that nobody uses: switchboard lab call FROM TO."
            )
    shown.finish(call_id)


@lab.callback()
def _group() -> None:
    """Keeps `call` a command of its own, however few there are."""


class _Shown:
    """The ladder on the terminal, or as JSON at the end."""

    def __init__(self, caller: str, callee: str, as_json: bool) -> None:
        self._caller, self._callee = caller, callee
        self._as_json = as_json
        self._began = time.monotonic()
        self._messages: list[dict[str, object]] = []
        if not as_json:
            typer.echo(heading(caller, callee))

    def __call__(self, seen: Seen) -> None:
        if self._as_json:
            self._messages.append(_to_map(seen, self._began))
        else:
            typer.echo(rung(seen, self._caller, self._began))

    def finish(self, call_id: str) -> None:
        """All went well."""
        if self._as_json:
            print_json({"call_id": call_id, "messages": self._messages})
            return
        say("")
        say(
            f"{self._caller} called {self._callee}, who answered; {self._caller} hung up. "
            f"Both phones are unregistered again.\nCall-ID: {call_id}"
        )


def _to_map(seen: Seen, began: float) -> dict[str, object]:
    message = seen.message
    return {
        "at_s": round(seen.at - began, 6),
        "phone": seen.user,
        "sent": seen.sent,
        "call_id": message.call_id,
        "line": message.raw.partition(b"\r\n")[0].decode(),
    }


def _reach(settings: Settings) -> tuple[str, int]:
    """Where the running switchboard is reached from here; the loopback address if it has all."""
    addresses = own_addresses(settings)
    near = [each for each in addresses if each in ("127.0.0.1", "::1")]
    return (near or addresses)[0], settings.sip_port


def _start(stack: ExitStack, settings: Settings) -> tuple[str, int]:
    from switchboard.lab.switchboard import NotStarted, started

    try:
        return stack.enter_context(started(settings.language))
    except NotStarted as failure:
        fail(f"The switchboard did not start:\n{failure}", FAILED)


@contextmanager
def _plugged(phone: Phone) -> Iterator[Phone]:
    try:
        yield phone
    finally:
        phone.close()


def _explain_silence(failure: NoAnswer, address: str, port: int) -> NoReturn:
    if failure.refused:
        fail(
            f"Nobody listens at {address}, UDP port {port}. Start the switchboard with the same settings in "
            "another terminal (make lab, or honcho start), or let this command start one: "
            "switchboard lab call --start."
        )
    fail(
        f"No answer from {address}, UDP port {port}, to: {failure}. "
        "See whether all is up (switchboard status) and what is in the way (switchboard doctor)."
    )


def _explain_refusal(failure: Declined) -> NoReturn:
    if failure.response.status in CHALLENGES:
        fail(
            f"The switchboard wants another password ({failure}), or runs with other settings. "
            "Name users that do not exist, or none: they are added for the time of the call."
        )
    fail(f"The switchboard refused: {failure.response.method} got {failure}. See its log.")
