"""`switchboard calls`: the calls that ring or are up."""

from collections.abc import Mapping
from typing import Any

from switchboard.cli.output import JsonOption, print_json, print_table
from switchboard.cli.running import ask_worker, settings_or_exit
from switchboard.cli.when import local_time

HEADINGS = ("caller", "callee", "state", "started", "answered", "call-id")


def calls(as_json: JsonOption = False) -> None:
    """List the calls that ring or are up now."""
    found = ask_worker(settings_or_exit(), "journal", "call.list")
    if as_json:
        print_json({"calls": found})
    else:
        print_table(HEADINGS, map(_row, found), "There is no call now.")


def _row(call: dict[str, Any]) -> tuple[object, ...]:
    return (
        call["caller"],
        call["callee"],
        state(call),
        local_time(call["started_at"]),
        local_time(call["answered_at"]),
        call["call_id"],
    )


def state(call: Mapping[str, Any]) -> str:
    """`up`, `ringing` or `calling`; of a call that goes past the switchboard what follows from that."""
    if call["answered_at"]:
        return "up, its end may not be seen" if call.get("past_us") else "up"
    return "ringing" if call["ringing_at"] else "calling"
