"""`switchboard dialplan try`: what becomes of a number that a user dials, without a phone."""

import asyncio
from typing import Annotated

import typer

from switchboard.bus.rpc import RpcError
from switchboard.cli.output import FAILED, JsonOption, print_json, print_table, say
from switchboard.cli.running import context_or_exit, settings_or_exit
from switchboard.core.commands import Lookup
from switchboard.core.dial_plan import DialPlan, Lead, Step
from switchboard.core.place import address_named, transport_of
from switchboard.registrar.listing import Wanted, read_pages
from switchboard.settings.ask import ask_registrar
from switchboard.settings.model import Settings
from switchboard.sip.flow import NAMES
from switchboard.sip.uri import SipUri, parse_uri

dialplan = typer.Typer(help="Try the dial plan.", no_args_is_help=True)
LIMIT_S = 3.0


@dialplan.callback()
def _commands() -> None:
    """One command for now; it has its name all the same."""


@dialplan.command("try")
def attempt(
    number: Annotated[str, typer.Argument(help="What is dialled.")],
    user: Annotated[str, typer.Option("--as", help="Who dials it.")] = "",
    as_json: JsonOption = False,
) -> None:
    """Print each step of the dial plan for a number, and where the call would go. Nothing is sent to anybody."""
    settings = settings_or_exit()
    plan = settings.make_dial_plan() or DialPlan()
    steps: list[Step] = []
    contacts = _contacts(settings, number)
    lead = plan.find(number, user, lambda name: name in settings.users or bool(contacts), steps)
    found = [
        f"INVITE {each}" for each in _requests(settings, lead, contacts if lead.user == number else None)
    ]
    if as_json:
        print_json({"steps": [each._asdict() for each in steps], **lead._asdict(), "requests": found})
    else:
        print_table(("step", "found"), steps, "No step of the dial plan concerns it.")
        say("\n".join(found) if found else _nowhere(lead))
    if not found:
        raise typer.Exit(FAILED)


def _requests(settings: Settings, lead: Lead, contacts: list[str] | None) -> list[str]:
    """The Request-URIs that would leave, and to where."""
    if lead.uris:
        return [each for uri in lead.uris for each in _ways(uri, settings)]
    if lead.user:
        return _contacts(settings, lead.user) if contacts is None else contacts
    return []


def _ways(uri: str, settings: Settings) -> list[str]:
    hops = _hops(parse_uri(uri), settings)
    return [f"{uri} to {hop}" for hop in hops] or [f"{uri}, but its name leads nowhere"]


def _hops(uri: SipUri, settings: Settings) -> list[str]:
    """Where the name of a gateway leads now, in order."""
    from switchboard.transports.names import Names
    from switchboard.transports.services import in_turn

    host, _ = address_named(uri)
    names = Names(may_be_private=settings.private_names)
    named = Lookup(host, uri.port, transport_of(uri), uri.param("transport") is not None)
    found = asyncio.run(names.find(named))
    hops = [hop for service in in_turn(found.services, lambda: 0.0) for hop in service.hops]
    return [f"{hop.host}:{hop.port} over {NAMES[hop.transport]}" for hop in hops]


def _contacts(settings: Settings, user: str) -> list[str]:
    """Where the user is registered now; nothing, and a word about it, if the registrar does not answer."""
    try:
        with context_or_exit(settings) as context:
            pages = read_pages(
                lambda body: ask_registrar(settings, context, "location.list", body, LIMIT_S),
                Wanted("", user),
            )
            found = [each for name, bound in pages for each in bound if name == user]
    except RpcError as error:
        say(f"It is not known who is registered: {error}.")
        return []
    return [str(each["contact_uri"]) for each in found]


def _nowhere(lead: Lead) -> str:
    if lead.status:
        return f"It is refused with {lead.status} by {lead.rule}."
    return f"Nobody is registered as {lead.user}: 404, or 480 if the user is known."
