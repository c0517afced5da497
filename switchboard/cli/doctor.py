"""`switchboard doctor`: checks the set-up and says what to do."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import typer

from switchboard.cli.output import FAILED, MISUSED, JsonOption, fail, print_json, say
from switchboard.cli.running import context_or_exit
from switchboard.settings.model import Settings, SettingsError, read_settings
from switchboard.settings.origin import Origins
from switchboard.settings.site import host_of, is_here

if TYPE_CHECKING:
    from switchboard.doctor.facts import Finding, RunningFacts

EDGE = "edge-rx.0"
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
    from switchboard.doctor.facts import ok
    from switchboard.doctor.machine import check_machine, check_running
    from switchboard.doctor.network import check_network
    from switchboard.doctor.probe import machine_facts, network_facts, running_facts

    yield from _check_settings(settings, origins)
    with context_or_exit(settings) as context:
        running = running_facts(settings, context)
    if is_here(EDGE, settings):
        edge_runs = _edge_runs(running)
        yield from check_network(network_facts(settings, edge_runs), edge_runs)
    else:
        yield ok("port", f"phones speak to {host_of(EDGE, settings)}: ask the doctor there, too")
    yield from check_machine(machine_facts(settings))
    yield from check_running(running)


def _check_settings(settings: Settings, origins: Origins) -> "Iterator[Finding]":
    from switchboard.cli.check import check_soundness, unknown_variables
    from switchboard.doctor.facts import ok, problem, warning

    try:
        check_soundness(settings, origins)
    except SettingsError as error:
        yield problem("settings", str(error), "correct it; switchboard check lists all of them")
    else:
        yield ok("settings", "they are good")
    if unknown := unknown_variables(origins):
        yield warning("settings", unknown, "correct its name, or take it out of the environment")


def _edge_runs(running: "RunningFacts") -> bool:
    return running.runs and EDGE not in running.not_up


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
