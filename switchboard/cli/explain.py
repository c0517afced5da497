"""`switchboard explain`: what happened to a call, in plain words."""

from collections.abc import Sequence

import typer

from switchboard.bus.ask import BusError, ask
from switchboard.cli.history import CallIdArgument, LastOption, chosen
from switchboard.cli.output import JsonOption, print_json
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.history.explain import explain as explain_messages
from switchboard.history.glance import Glance
from switchboard.history.seen import Seen
from switchboard.history.summary import user_of
from switchboard.settings.site import endpoints_of

ANSWER_WITHIN_S = 1.0


def explain(call_id: CallIdArgument = None, last: LastOption = False, as_json: JsonOption = False) -> None:
    """Say what happened to a call or registration, and what to check where it failed.

    Exit status: 0 also for a call that failed, 1 if the history has none, 2 for misuse.
    """
    name, messages = chosen(call_id, last)
    account = explain_messages(messages, _contacts(messages))
    if as_json:
        told = {"account": account.sentences, "failed": account.failed, "advice": account.advice}
        print_json({"call_id": name, **told})
    else:
        typer.echo(account.text)


def _contacts(messages: Sequence[Seen]) -> list[str] | None:
    """The contacts of the callee now; None if no registrar answers."""
    callee = user_of(Glance.of(messages[0]).callee)
    settings = settings_or_exit()
    with context_or_exit(settings) as context:
        door = endpoints_of(settings).ask("registrar")
        try:
            users = ask(door, "location.list", None, ANSWER_WITHIN_S, context)
        except BusError:
            return None
    return [each["contact_uri"] for user, bound in users for each in bound if user == callee]
