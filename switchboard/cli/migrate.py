"""`switchboard migrate`: copies what is kept from one place to another, while the switchboard runs."""

from typing import Annotated

import typer

from switchboard.cli.output import MISUSED, JsonOption, fail
from switchboard.cli.running import settings_or_exit

Source = Annotated[
    str, typer.Option("--from", metavar="PLACE", help="A file, redis://HOST or postgresql://HOST/DB.")
]
Target = Annotated[str, typer.Option("--to", metavar="PLACE", help="The same.")]


def migrate(source: Source, target: Target, as_json: JsonOption = False) -> None:
    """Copy registrations, users, their rules or records of calls; what is there already or later is left as it is.

    Registrations are in location.db, redis://… or postgresql://…, users in users.db or postgresql://…, rules in
    rules.db or postgresql://…, records of calls in cdr.jsonl or postgresql://….
    """
    from switchboard.cli.migrate_location import contents_of, move
    from switchboard.cli.migrate_records import is_about_records, move_records
    from switchboard.storage.server_url import shown_of

    settings = settings_or_exit()
    if is_about_records(source, target):
        move_records(settings, source, target, as_json)
    elif ".jsonl" not in source + target and contents_of(source, target):
        move(settings, source, target, as_json)
    else:
        fail(
            f"Nobody knows how to copy {shown_of(source)} to {shown_of(target)}: docs/LOCATION.md and "
            "docs/JOURNAL.md say what can be copied.",
            MISUSED,
        )
