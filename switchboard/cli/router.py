"""`switchboard router drain` and `undrain`: a router takes no new calls, finishes its own, and may be stopped then."""

from typing import Annotated

import typer

from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import context_or_exit, refuse_strangers, settings_or_exit
from switchboard.settings.site import endpoints_of, router_numbers

router = typer.Typer(help="Take a router out of service, and back.", no_args_is_help=True)
Number = Annotated[
    int, typer.Argument(metavar="N", help="The router's number, as in router.N of `status`.", min=0)
]


@router.command()
def drain(number: Number, as_json: JsonOption = False) -> None:
    """Give a router no new calls: others get its share.

    It finishes what it has; `switchboard status` shows how much that is. It remains drained when it is restarted.
    """
    _tell(number, True, as_json)


@router.command()
def undrain(number: Number, as_json: JsonOption = False) -> None:
    """Give a drained router its share of the new calls again."""
    _tell(number, False, as_json)


def _tell(number: int, is_drained: bool, as_json: bool) -> None:
    settings = settings_or_exit()
    refuse_strangers(settings)
    if number not in router_numbers(settings):
        fail(f"There is no router.{number}: routers is {settings.routers}.", MISUSED)
    try:
        with context_or_exit(settings) as context:
            note = call_rpc(
                endpoints_of(settings).ask("router", number), "router.drain", is_drained, 3.0, context
            )
    except RpcError as error:
        fail(f"router.{number} cannot be told: {error}", FAILED)
    if as_json:
        print_json({"router": number, "drained": is_drained})
    say(f"router.{number}: {note}")
