"""`switchboard check` and `doctor`: whether settings and set-up are sound, and what to do."""

import socket
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import typer

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, call_rpc
from switchboard.cli.asked_registrar import AskedRegistrar
from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, print_table, say
from switchboard.cli.running import context_or_exit
from switchboard.phrases.catalogue import available_languages
from switchboard.phrases.language import explain_unknown
from switchboard.settings.journal import check_journal
from switchboard.settings.local import interfaces
from switchboard.settings.location import check_location
from switchboard.settings.model import Settings, SettingsError, UserSettings, read_settings
from switchboard.settings.origin import Origins, shown
from switchboard.settings.site import edge_here, edges, endpoints_of, has_registrar, is_here, open_context
from switchboard.settings.users import check_users
from switchboard.supervisor.open_files import allow_files, needed_to_ask

if TYPE_CHECKING:
    from switchboard.doctor.facts import Finding, RunningFacts


def check_soundness(settings: Settings, origins: Origins) -> None:
    """Raise SettingsError if the address is not of this machine or a language has no catalogue.

    Each host of several looks at what concerns its own components.
    """
    if settings.sip_host and edge_here(settings) is not None and not _is_own(settings.sip_host):
        raise _foreign_address(settings.sip_host, origins)
    if is_here("translator.0", settings):
        _check_phrases(settings, origins)
    if has_registrar(settings):
        check_location(settings)
        check_users(settings)
    if is_here("journal.0", settings):
        check_journal(settings)


def _check_phrases(settings: Settings, origins: Origins) -> None:
    if settings.phrases_dir and not settings.phrases_dir.is_dir():
        raise SettingsError(
            f"Bad setting phrases_dir: {settings.phrases_dir} ({origins.of('phrases_dir')}) is no directory. "
            "Make it, or leave the setting empty.",
            "bad setting phrases_dir",
        )
    wanted = {f"language ({origins.of('language')})": settings.language}
    for user, chosen in settings.users.items():
        if chosen.language is not None:
            wanted[f"users.{user}.language ({origins.of('users')})"] = chosen.language
    if problem := explain_unknown(wanted, available_languages(settings.phrases_dir)):
        raise SettingsError(f"Bad setting language. {problem}", "bad setting language")


def unknown_variables(origins: Origins) -> str:
    """A warning about variables that look like settings and are none; "" if there are none."""
    unknown = origins.unknown_variables(Settings.model_fields)
    return f"Warning: unknown environment variable {', '.join(unknown)}, ignored." if unknown else ""


def _is_own(host: str) -> bool:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((host, 0))
        except OSError:
            return False
    return True


def _foreign_address(host: str, origins: Origins) -> SettingsError:
    own = ", ".join(str(each.ip) for each in interfaces())
    return SettingsError(
        f"Bad setting sip_host: {host} ({origins.of('sip_host')}) is no address of this machine. "
        f"Allowed: {own}; or empty for all of them.",
        "bad setting sip_host",
    )


SECRET = frozenset({"console_password"})
HEADINGS = ("setting", "value", "from")


def check(as_json: JsonOption = False) -> None:
    """Validate the settings and list them with their sources. Exit status: 0 if they are good, else 2."""
    from switchboard.cli.doctor import check_soundness, unknown_variables  # with psutil: 40 ms

    try:
        settings, origins = read_settings()
        check_soundness(settings, origins)
    except SettingsError as error:
        fail(str(error), MISUSED)
    if as_json:
        listed = [
            {"setting": key, "value": _masked(key, value), "from": origins.of(key)}
            for key, value in settings.model_dump(mode="json").items()
        ]
        print_json({"settings": listed})
    else:
        rows = [(key, _shown(key, getattr(settings, key)), origins.of(key)) for key in Settings.model_fields]
        print_table(HEADINGS, rows, "")
    if warning := unknown_variables(origins):
        say(warning)
    for each in _leads(settings):
        say(f"Warning: {each.found}: {each.remedy}.")
    say("The settings are good.")


def _shown(key: str, value: object) -> object:
    return _readable(_masked(key, value))


def _masked(key: str, value: object) -> object:
    return "(set)" if value and key in SECRET else shown(key, value)


def _readable(value: object) -> object:
    match value:
        case bool():
            return str(value).lower()
        case tuple():
            return ", ".join(map(str, value))
        case dict():
            return ", ".join(f"{name}: {_readable(each)}" for name, each in value.items())
        case UserSettings():
            return value.language
    return value


ANSWER_S = 1.0
"""How long the registrar may take, which may not run."""
_STYLES = {"ok": "green", "warning": "yellow", "problem": "bold red"}


def doctor(as_json: JsonOption = False) -> None:
    """Check settings, network, machine and what runs, and say what to do. Exit status 1 for a problem."""
    try:
        settings, origins = read_settings()
    except SettingsError as error:
        fail(str(error), MISUSED)
    findings = list(_examine(settings, origins))
    if as_json:
        print_json({"findings": [asdict(each) for each in findings]})
    else:
        _print(findings)
    if any(each.level == "problem" for each in findings):
        raise typer.Exit(FAILED)


def _examine(settings: Settings, origins: Origins) -> "Iterator[Finding]":
    from switchboard.doctor.facts import ok, problem
    from switchboard.doctor.journal import check_journal as examine_journal
    from switchboard.doctor.location import check_location as examine_location
    from switchboard.doctor.machine import check_machine, check_running
    from switchboard.doctor.media import check_media
    from switchboard.doctor.messages import check_messages
    from switchboard.doctor.network import check_network
    from switchboard.doctor.probe import machine_facts, network_facts, running_facts
    from switchboard.doctor.trunks import check_trunks
    from switchboard.doctor.users import check_users as examine_users

    yield from _check_settings(settings, origins)
    if why_not := allow_files(needed_to_ask(settings)):
        yield problem("files", why_not, "raise it, then ask again")
        return
    with context_or_exit(settings) as context:
        running = running_facts(settings, context)
        trunks = _trunks(settings, context)
    if (edge := edge_here(settings)) is not None:
        edge_runs = _edge_runs(running, edge)
        yield from check_network(network_facts(settings, edge_runs), edge_runs)
    else:
        yield ok("port", f"phones speak to {' and '.join(edges(settings))}: ask the doctor there, too")
    yield from check_machine(machine_facts(settings))
    if has_registrar(settings):
        yield from examine_location(settings)
        yield from examine_users(settings)
    if is_here("journal.0", settings):
        yield from examine_journal(settings, running.to_ship)
    yield from check_trunks(settings, trunks)
    yield from _leads(settings)
    if is_here("router.0", settings):
        yield from check_media(settings)
    yield from check_messages(settings, running.presence)
    yield from check_running(running)


def _leads(settings: Settings) -> "Iterator[Finding]":
    """Numbers and rules that lead to nobody; of users and groups only while a registrar answers."""
    from switchboard.doctor.leads import check_leads

    if settings.trunks or settings.dialplan.rules:
        registrar = AskedRegistrar(settings, ANSWER_S, _open_quietly)
        yield from check_leads(settings, registrar.is_user, registrar.has_group)


def _open_quietly(settings: Settings) -> BusContext:
    """Settings are to be checked before there are keys, too, and by who may not use the sockets. RpcError."""
    try:
        return open_context(settings)
    except SettingsError as error:
        raise RpcError(str(error)) from error


def _trunks(settings: Settings, context: BusContext) -> Sequence[Mapping[str, Any]] | None:
    """How the trunks are registered; None if nobody can say."""
    if not settings.trunks:
        return None
    try:
        found: list[Mapping[str, Any]] = call_rpc(
            endpoints_of(settings).ask("trunks"), "trunks.list", None, 1.0, context
        )
    except RpcError:
        return None
    return found


def _check_settings(settings: Settings, origins: Origins) -> "Iterator[Finding]":
    from switchboard.cli.doctor import check_soundness, unknown_variables
    from switchboard.doctor.facts import ok, problem, warning

    try:
        check_soundness(settings, origins)
    except SettingsError as error:
        yield problem("settings", str(error), "correct it; switchboard check lists all of them")
    else:
        yield ok("settings", "they are good")
    if unknown := unknown_variables(origins):
        yield warning("settings", unknown, "correct its name, or take it out of the environment")


def _edge_runs(running: "RunningFacts", edge: int) -> bool:
    return running.runs and f"edge-rx.{edge}" not in running.not_up


def _print(findings: "list[Finding]") -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    for each in findings:
        remedy = f"\n→ {each.remedy}" if each.remedy else ""
        table.add_row(Text(each.level, _STYLES[each.level]), Text(each.check), Text(each.found + remedy))
    Console().print(table)
    counts = Counter(each.level.value for each in findings)
    say(f"Problems: {counts['problem']}. Warnings: {counts['warning']}.")
