"""`switchboard dialplan try`: what becomes of a number that a user dials, without a phone."""

import asyncio
from typing import Annotated

import typer

from switchboard.cli.asked_registrar import AskedRegistrar
from switchboard.cli.call_steps import AskedRules, led_to, plan_of, refusal_of, star_step, steps_of
from switchboard.cli.output import FAILED, JsonOption, print_json, print_table, say
from switchboard.cli.running import settings_or_exit
from switchboard.core.call_plan import Callee, Plan
from switchboard.core.commands import Lookup
from switchboard.core.dial_plan import DialPlan, Lead, Step
from switchboard.core.place import address_named, transport_of
from switchboard.core.trunks import PARAM as TRUNK
from switchboard.settings.model import Settings
from switchboard.sip.flow import NAMES
from switchboard.sip.uri import SipUri, parse_uri

dialplan = typer.Typer(help="Try the dial plan.", no_args_is_help=True)
LIMIT_S = 3.0
_NO_PLAN = (
    "There is no dial plan: what is dialled is the name of a user, and leads nowhere else (docs/DIALPLAN.md)."
)


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
    if star := star_step(settings, number, user):
        _print_star(star, as_json)
        return
    plan = settings.make_dial_plan()
    registrar = AskedRegistrar(settings, LIMIT_S)
    steps: list[Step] = []
    lead = (plan or DialPlan()).find(number, user, registrar.knows, steps)
    stages = _stages(settings, lead, registrar, user)
    steps += steps_of(lead.user, stages)
    found = [f"INVITE {each}" for each in _requests(settings, lead, stages, registrar)]
    nowhere = "" if found else _nowhere(lead, stages, registrar)
    if as_json:
        print_json({"steps": [each._asdict() for each in steps], **lead._asdict(), "requests": found})
    else:
        none = "No step of the dial plan concerns it." if plan else _NO_PLAN
        print_table(("step", "found"), steps if plan or stages else (), none)
        say("\n".join(found) or nowhere)
    if not found:
        raise typer.Exit(FAILED)


def _print_star(step: Step, as_json: bool) -> None:
    if as_json:
        print_json({"steps": [step._asdict()], **Lead()._asdict(), "requests": []})
    else:
        print_table(("step", "found"), [step], "")


def _stages(settings: Settings, lead: Lead, registrar: AskedRegistrar, caller: str) -> Plan:
    """What the rules of the user or group say; () for none, and while nobody knows."""
    if not lead.user:
        return ()
    plan = plan_of(settings, AskedRules(registrar.rules), registrar.knows, lead.user, caller)
    return () if registrar.failure else plan


def _requests(settings: Settings, lead: Lead, stages: Plan, registrar: AskedRegistrar) -> list[str]:
    """The Request-URIs that would leave, to where, and by which rule."""
    if not stages:
        return _called(settings, Callee(lead.user, lead.uris), registrar)
    return [
        f"{request} ({rule})" if (rule := led_to(stage)) else request
        for stage in stages
        for callee in stage.callees
        for request in _called(settings, callee, registrar)
    ]


def _called(settings: Settings, callee: Callee, registrar: AskedRegistrar) -> list[str]:
    if callee.uris:
        return [each for uri in callee.uris for each in _ways(uri, settings)]
    return registrar.contacts(callee.user) if callee.user else []


def _ways(uri: str, settings: Settings) -> list[str]:
    parsed = parse_uri(uri)
    trunk = parsed.param(TRUNK)
    uri, by = (str(parsed.without_params(TRUNK)), f" by trunk {trunk}") if trunk else (uri, "")
    hops = _hops(parsed, settings)
    return [f"{uri} to {hop}{by}" for hop in hops] or [f"{uri}, but its name leads nowhere"]


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


def _nowhere(lead: Lead, stages: Plan, registrar: AskedRegistrar) -> str:
    if lead.status:
        return f"It is refused with {lead.status} by {lead.rule}."
    is_known = not stages and registrar.knows(lead.user)
    if registrar.failure:
        return registrar.failure
    if stages:
        return f"Nobody can be called now: {refusal_of(stages)}."
    return f"{lead.user} is not registered now: 480." if is_known else f"Nobody is known as {lead.user}: 404."
