"""`switchboard group`: users and numbers that are called together."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from switchboard.cli.output import JsonOption, print_json, print_table, say
from switchboard.cli.rule_book import RuleBook, say_notes
from switchboard.cli.running import settings_or_exit
from switchboard.core.call_rules import GROUP
from switchboard.registrar.rule_words import group_lines

HEADINGS = ("group", "members", "way", "after", "then")
group = typer.Typer(help="Groups of users and numbers that are called together.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="GROUP", help="Its name; calls reach it as group:GROUP.")]
Members = Annotated[list[str], typer.Argument(help="Users, numbers, group:NAME, sip:USER@HOST.")]


class Way(StrEnum):
    """As `call_rules.WAYS`."""

    ALL = "all"
    TURN = "turn"
    ROTATE = "rotate"
    IDLE = "idle"


@group.command()
def add(
    name: Name,
    members: Annotated[
        list[str] | None,
        typer.Argument(metavar="[MEMBER]…", help="Users, numbers, group:NAME, sip:USER@HOST."),
    ] = None,
    way: Annotated[
        Way | None,
        typer.Option(
            help="all at once, in turn, rotate the beginning, or who has been idle for longest first."
        ),
    ] = None,
    after: Annotated[
        int | None, typer.Option(metavar="SECONDS", help="Of ringing before the next one, or --then.")
    ] = None,
    then: Annotated[
        str | None, typer.Option(metavar="TO", help="Who gets the call that nobody has taken; none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Make a group, add members to it, or change how it is called."""
    changes: dict[str, Any] = {"add": members or []}
    if way is not None:
        changes["way"] = way.value
    if after is not None:
        changes["after_s"] = after
    if then is not None:
        changes["then"] = "" if then.strip().lower() == "none" else then.strip()
    _show(RuleBook(settings_or_exit()).ask("rules.group.set", [name, changes]), as_json)


@group.command()
def remove(name: Name, members: Members, as_json: JsonOption = False) -> None:
    """Remove members of a group."""
    _show(RuleBook(settings_or_exit()).ask("rules.group.set", [name, {"remove": members}]), as_json)


@group.command()
def delete(name: Name, as_json: JsonOption = False) -> None:
    """Delete a group."""
    answer = RuleBook(settings_or_exit()).ask("rules.group.delete", name)
    if as_json:
        print_json({"deleted": name, "notes": answer["notes"]})
        return
    say(f"There is no group {name} any more.")
    say_notes(answer["notes"])


@group.command()
def show(name: Name, as_json: JsonOption = False) -> None:
    """Show a group."""
    _show(RuleBook(settings_or_exit()).ask("rules.group", name), as_json)


@group.command(name="list")
def list_groups(as_json: JsonOption = False) -> None:
    """List all groups."""
    found = list(RuleBook(settings_or_exit()).all(GROUP))
    named = [each | {"name": each["name"].removeprefix(GROUP)} for each in found if each["rules"]]
    if as_json:
        print_json({"groups": named})
        return
    rows = [_row(each["name"], each["rules"]) for each in named]
    print_table(HEADINGS, rows, "There are no groups: switchboard group add GROUP MEMBER…")


def _row(name: str, rules: dict[str, Any]) -> tuple[object, ...]:
    return name, ", ".join(rules["members"]), rules["way"], f"{rules['after_s']} s", rules["then"]


def _show(answer: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    rows = [(answer["name"], *line) for line in group_lines(answer["rules"])]
    print_table(("group", "calls", "whom"), rows, "")
    say_notes(answer["notes"])
