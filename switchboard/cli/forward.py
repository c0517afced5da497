"""`switchboard forward` and `switchboard dnd`: where the calls of a user go, and whether they may disturb."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from switchboard.cli.output import MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.rule_book import RuleBook, say_notes
from switchboard.cli.running import settings_or_exit
from switchboard.core.call_rules import NO_FORWARDS
from switchboard.registrar.rule_words import lines_of

NONE = "none"
HEADINGS = ("user", "when", "goes to")
TO = "USER, number, group:NAME, sip:USER@HOST; none"
User = Annotated[str, typer.Argument(metavar="[USER]", help="Whose calls; all rules without.")]


def _option(name: str, help_text: str) -> Any:
    return typer.Option(name, metavar="TO", help=help_text)


def forward(
    user: User = "",
    always: Annotated[str | None, _option("--always", f"All calls go there: {TO}.")] = None,
    busy: Annotated[str | None, _option("--busy", "Calls go there while the user is busy.")] = None,
    no_answer: Annotated[str | None, _option("--no-answer", "Calls go there that nobody takes.")] = None,
    unregistered: Annotated[
        str | None, _option("--unregistered", "Calls go there while no phone is registered.")
    ] = None,
    also: Annotated[
        list[str] | None, _option("--also", "Rings at the same time; may be given several times.")
    ] = None,
    after: Annotated[
        int | None, typer.Option("--after", metavar="SECONDS", help="Of ringing before --no-answer.")
    ] = None,
    off: Annotated[bool, typer.Option("--off", help="No forwarding any more.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or change where calls go; "none" clears one case, --off all of them."""
    changes: dict[str, Any] = dict(NO_FORWARDS) if off else {}
    named = {"always": always, "busy": busy, "no_answer": no_answer, "unregistered": unregistered}
    changes |= {name: _destination(text) for name, text in named.items() if text is not None}
    if also is not None:
        changes["also"] = [each for each in map(_destination, also) if each]
    if after is not None:
        changes["after_s"] = after
    book = RuleBook(settings_or_exit())
    if user:
        answer = book.ask("rules.set", [user, changes]) if changes else book.ask("rules.of", user)
        _show(answer, as_json)
    elif changes:
        fail("Whose calls? switchboard forward USER …", MISUSED)
    else:
        _show_all(book, as_json)


class Switch(StrEnum):
    """Of `dnd`."""

    ON = "on"
    OFF = "off"


def dnd(
    user: Annotated[str, typer.Argument(help="Whose phones.")],
    switch: Annotated[Switch, typer.Argument(help="Whether nobody may disturb.")],
    as_json: JsonOption = False,
) -> None:
    """Let nobody disturb a user, or let the phones ring again."""
    answer = RuleBook(settings_or_exit()).ask("rules.set", [user, {"dnd": switch is Switch.ON}])
    _show(answer, as_json)


def _destination(text: str) -> str:
    return "" if text.strip().lower() == NONE else text.strip()


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    rows = [(answer["name"], *line) for line in lines_of(answer["rules"])] if answer["rules"] else []
    print_table(HEADINGS, rows, f"The phones of {answer['name']} ring; nothing is forwarded.")
    say_notes(answer["notes"])


def _show_all(book: RuleBook, as_json: bool) -> None:
    found = [each for each in book.all() if not each["name"].startswith("group:")]
    if as_json:
        print_json({"users": found})
        return
    unreadable = [each["name"] for each in found if each["rules"] is None]
    rows = [(each["name"], *line) for each in found if each["rules"] for line in lines_of(each["rules"])]
    print_table(HEADINGS, rows, "Nobody's calls are forwarded: switchboard forward USER --busy TO")
    if unreadable:
        say(f"Rules that this program cannot read: {', '.join(unreadable)}")
