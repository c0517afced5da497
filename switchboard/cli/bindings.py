"""`switchboard bindings`: who is registered, and where."""

import time
from typing import Any

from switchboard.cli.output import JsonOption, duration, print_json, print_table
from switchboard.cli.running import ask_worker, settings_or_exit

HEADINGS = ("user", "contact", "q", "expires in", "source", "user agent")


def bindings(as_json: JsonOption = False) -> None:
    """List the bindings of all users, as the registrar has them now."""
    users = ask_worker(settings_or_exit(), "registrar", "location.list")
    found = [{"user": user, **binding} for user, bound in users for binding in bound]
    if as_json:
        print_json({"bindings": found})
    else:
        now_at = time.time()
        print_table(HEADINGS, (_row(binding, now_at) for binding in found), "Nobody is registered.")


def _row(binding: dict[str, Any], now_at: float) -> tuple[object, ...]:
    return (
        binding["user"],
        binding["contact_uri"],
        f"{binding['q']:g}",
        duration(binding["expires_at"] - now_at),
        binding["source"],
        binding["user_agent"],
    )
