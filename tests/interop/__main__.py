"""Runs real SIP stacks against a switchboard: python -m interop [--only NAME …] [--write PAGE]

Needs root and iproute2: each stack has a network namespace of its own. Those of PyPI and npm are installed in
the given versions into a folder; Debian's have to be there. Half an hour, outside CI.
"""

import argparse
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from interop.catalogue import ABSENT, STACKS
from interop.friend import HOST, friend_at
from interop.page import DEFAULT, MD5, OPEN, OWN, SECTION, TRUSTED, Report, page, wants_md5, wants_trust
from interop.stack import Place, Stack
from interop.tap import Tap
from interop.trial import Facts, Trial
from system.harness import Switchboard
from system.lan import HUB, Lan
from system.tools import require_root

from bench.report import write_section

PREFIX = "io"
"""Of the network namespaces."""
SETTINGS: Mapping[str, Mapping[str, str]] = {
    OPEN: {},
    DEFAULT: {"SWITCHBOARD_AUTH": "on"},
    MD5: {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_AUTH_ALGORITHMS": "MD5"},
}


@contextmanager
def board(stacks: Sequence[Stack], name: str) -> Iterator[tuple[Lan, Switchboard, Tap]]:
    """A switchboard with the setting `name` on a LAN that has a host for each stack."""
    with ExitStack() as stack:
        lan = stack.enter_context(Lan([HOST, *(one.slug for one in stacks)], prefix=PREFIX))
        tap = stack.enter_context(Tap(lan))
        settings = settings_of(name, [lan.addresses[one.slug] for one in stacks], stacks)
        yield lan, stack.enter_context(Switchboard(settings, host=HUB, port=5060, namespace=lan.hub)), tap


def settings_of(name: str, addresses: Sequence[str], stacks: Sequence[Stack]) -> Mapping[str, str]:
    """The environment of a setting; OWN and TRUSTED are for these stacks alone."""
    own = {stack.slug: {"auth_algorithms": ["MD5"]} for stack in stacks}
    special = {
        OWN: {"SWITCHBOARD_USERS": json.dumps(own)},
        TRUSTED: {"SWITCHBOARD_TRUSTED": ",".join(addresses)},
    }
    return {**SETTINGS[DEFAULT], **special[name]} if name in special else SETTINGS[name]


def add_user(switchboard: Switchboard, user: str) -> str:
    """Give the user a password; return it."""
    return switchboard.cli("user", "add", user, "--generate").stdout.strip()


def try_stack(stack: Stack, lan: Lan, switchboard: Switchboard, tap: Tap, name: str, folder: Path) -> Facts:
    """Run one stack with the setting `name`; what it says is in `folder`."""
    asked = name != OPEN
    home = folder / "said" / f"{stack.slug}-{name.lower()}"
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    with friend_at(lan, asked) as friend:
        password = add_user(switchboard, stack.slug) if asked else ""
        friend.password = add_user(switchboard, friend.user) if asked else ""
        friend.prove_if_asked(friend.register).expect(200)
        packages = folder / "packages" / stack.slug
        address = lan.addresses[stack.slug]
        place = Place(stack.slug, password, address, home, packages, lan.command(stack.slug))
        facts = Trial(stack, place, friend, tap).run()
    facts.failures = failures(switchboard.log(), stack.slug, address)
    return facts


def failures(log: str, user: str, address: str) -> list[str]:
    """The reasons in the lines that fail2ban reads, of one user's phone."""
    lines = [line for line in log.splitlines() if "auth failed" in line and address in line]
    return [line.split("auth failed", 1)[1].strip() for line in lines if user in line]


def run(stacks: Sequence[Stack], settings: Sequence[str], folder: Path, report: Report) -> None:
    """Each of the settings for all stacks; then what may help those that do not work with passwords."""
    for name in settings:
        run_all(stacks, name, folder, report)
    if wanting := [stack for stack in stacks if wants_md5(report.of(stack))]:
        run_all(wanting, OWN, folder, report)
    if helpless := [stack for stack in stacks if wants_trust(report.of(stack))]:
        run_all(helpless, TRUSTED, folder, report)


def run_all(stacks: Sequence[Stack], name: str, folder: Path, report: Report) -> None:
    """All stacks with one setting; what is known is written down as it comes."""
    with board(stacks, name) as (lan, switchboard, tap):
        for stack in stacks:
            try:
                facts = try_stack(stack, lan, switchboard, tap, name, folder)
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                report.lack(stack, str(error).splitlines()[0])
            else:
                report.add(stack, name, facts)
                print(f"{name:8} {stack.name:22} {json.dumps(facts.as_dict())}", flush=True)
            report.save()


def installed(stacks: Sequence[Stack], folder: Path, report: Report) -> list[Stack]:
    """Those that can be run; why the others cannot goes to the report."""
    there = []
    for stack in stacks:
        why_not = stack.install(folder / "packages" / stack.slug)
        if why_not:
            report.lack(stack, why_not)
            print(f"{stack.name}: {why_not}", flush=True)
        else:
            there.append(stack)
    return there


def main() -> None:
    """Run the stacks, and write the page."""
    parser = argparse.ArgumentParser(description="SIP stacks against a switchboard")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these stacks")
    parser.add_argument("--settings", nargs="*", default=list(SETTINGS), choices=SETTINGS)
    parser.add_argument("--folder", type=Path, default=Path("build/interop"), help="for packages and logs")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables there")
    chosen = parser.parse_args()
    require_root()
    folder = chosen.folder.resolve()
    stacks = [stack for stack in STACKS if not chosen.only or stack.slug in chosen.only]
    report = Report(folder / "facts.json", kept=bool(chosen.only))
    run(installed(stacks, folder, report), chosen.settings, folder, report)
    text = page(report, STACKS, ABSENT)
    print(text)
    if chosen.write:
        write_section(chosen.write, SECTION, text)


if __name__ == "__main__":
    main()
