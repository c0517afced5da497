"""`switchboard migrate`: copies what is kept from one place to another, while the switchboard runs."""

from typing import Annotated

import typer

from switchboard.cli.output import MISUSED, JsonOption, fail
from switchboard.cli.running import settings_or_exit

Source = Annotated[str, typer.Option("--from", metavar="PLACE", help="A file, or postgresql://HOST/DB.")]
Target = Annotated[str, typer.Option("--to", metavar="PLACE", help="The same.")]


def migrate(source: Source, target: Target, as_json: JsonOption = False) -> None:
    """Copy records of calls from cdr.jsonl into PostgreSQL, or back; what is there already is left as it is."""
    from switchboard.cli.migrate_records import is_about_records, move_records
    from switchboard.postgres.url import shown_of

    settings = settings_or_exit()
    if not is_about_records(source, target):
        fail(f"Nobody knows how to copy {shown_of(source)} to {shown_of(target)}: docs/JOURNAL.md.", MISUSED)
    move_records(settings, source, target, as_json)
