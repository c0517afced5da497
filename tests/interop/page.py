"""The tables of docs/PHONES.md, and the file that holds what they are made of."""

import json
import platform
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from interop.stack import CALLS, IS_CALLED, Stack
from interop.trial import Facts

SECTION = "phones"
OPEN, DEFAULT, MD5 = "none", "default", "MD5"
"""The settings: no passwords, passwords with the default algorithms, passwords with MD5 only."""
_HEAD = (
    "stack",
    "from",
    "no passwords",
    "SHA-256, MD5",
    "MD5 only",
    "messages",
    "Record-Route",
    "credentials",
    "set",
)
_NO_PASSWORDS = "no passwords"
_MD5_ONLY = '`auth_algorithms = ["MD5"]`'
OWN, TRUSTED = "own", "trusted"
"""With the default algorithms: but MD5 for the user of a stack that needs it; with its address trusted."""
_WORDS_OF_SETTING = {
    OPEN: "without passwords",
    DEFAULT: "with SHA-256 and MD5",
    MD5: "with MD5 only",
    OWN: "with MD5 for its user only",
    TRUSTED: "with its address trusted",
}
_BRIEFER = (
    (r"^no (\d+) to (\w+) [^(]*SIP/2\.0 \([^)]*\), only .*", r"no \1 to \2"),
    (r"^SIP/2\.0 (\d+ [^(]*) \(.*\) instead of .*?( \(\d+ to \w+\))?$", r"\1\2"),
)
_HABITS = {"": "–", "once": "once a challenge", "count": "again, counted", "same": "again, the same"}
_ROUTES = {"": "–", "yes": "followed", "past": "**past it**", "no Route": "no Route, but sent to us"}


@dataclass
class Entry:
    """What is known of one stack."""

    version: str = ""
    lacking: str = ""
    """Why it could not be run."""
    settings: dict[str, Facts] = field(default_factory=dict)


class Report:
    """What is known of all stacks; `kept`: what the file knows from an earlier run, too."""

    def __init__(self, path: Path, kept: bool = True) -> None:
        self._path = path
        known: dict[str, dict[str, Any]] = json.loads(path.read_text()) if kept and path.exists() else {}
        self.entries = {name: _entry(said) for name, said in known.items()}

    def of(self, stack: Stack) -> Entry:
        """What is known of a stack."""
        return self.entries.setdefault(stack.name, Entry())

    def add(self, stack: Stack, setting: str, facts: Facts) -> None:
        """It was run."""
        entry = self.of(stack)
        entry.version, entry.lacking = stack.version(), ""
        entry.settings[setting] = facts

    def lack(self, stack: Stack, why: str) -> None:
        """It could not be run."""
        self.of(stack).lacking = why

    def save(self) -> None:
        """Write it down."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps({name: asdict(entry) for name, entry in self.entries.items()}))


def page(report: Report, stacks: Sequence[Stack], absent: Sequence[tuple[str, str]]) -> str:
    """The table, a paragraph a stack, and what could not be had."""
    run = [stack for stack in stacks if report.of(stack).settings]
    rows = [row(stack, report.of(stack)) for stack in run]
    table = [_line(_HEAD), _line(["---"] * len(_HEAD)), *map(_line, rows)]
    not_run = [(stack.name, report.of(stack).lacking) for stack in stacks if stack not in run]
    lacking = [_line(("not tried", "why")), _line(("---", "---")), *map(_line, [*not_run, *absent])]
    return "\n".join(
        [made(), "", *table, "", *(paragraph(stack, report.of(stack)) for stack in run), "", *lacking]
    )


def made() -> str:
    """When and where the table was made."""
    system = platform.freedesktop_os_release()["PRETTY_NAME"]
    return f"Made on {date.today():%d %B %Y} with {system} and Python {platform.python_version()}."


def row(stack: Stack, entry: Entry) -> Sequence[str]:
    """A stack's line in the table."""
    known = entry.settings
    first = next(iter(known.values()))
    proved = min(
        (known[name] for name in (DEFAULT, OWN, MD5) if name in known),
        key=lambda facts: len(failed(facts)),
        default=first,
    )
    in_the_open = known.get(OPEN, first)
    works = [cell(known[name]) if name in known else "–" for name in (OPEN, DEFAULT, MD5)]
    does = [messages(in_the_open), routes(in_the_open), credentials(proved)]
    return (stack.name, f"{entry.version}, {stack.source}", *works, *does, needs(entry))


def cell(facts: Facts) -> str:
    """What does not work."""
    wrong = failed(facts)
    for whole, parts in (("calls", CALLS), ("is called", IS_CALLED)):
        if set(parts) <= set(wrong):
            wrong = [whole if name == parts[0] else name for name in wrong if name != parts[1]]
    return f"**not:** {'; '.join(wrong)}" if wrong else "works"


def failed(facts: Facts) -> list[str]:
    """The steps that went wrong, without messages and what follows from no registration."""
    wrong = [name for name, outcome in facts.outcomes.items() if outcome != "yes" and "message" not in name]
    if "registers" in wrong:
        wrong = [name for name in wrong if not name.startswith("is called") and name != "registers again"]
    return wrong


def messages(facts: Facts) -> str:
    """Which way MESSAGE works."""
    ways = {"sends": "sends a message", "gets": "gets a message"}
    does = [word for word, name in ways.items() if facts.outcomes.get(name) == "yes"]
    return " and ".join(does) or "–"


def routes(facts: Facts) -> str:
    """What becomes of our Record-Route."""
    return _ROUTES[facts.routes] + ("; not in its 200" if facts.echoes == "no" else "")


def credentials(facts: Facts) -> str:
    """How the credentials are used, and by which algorithm."""
    return f"{' and '.join(facts.algorithms)}, {_HABITS[facts.credentials]}" if facts.algorithms else "–"


def needs(entry: Entry) -> str:
    """What has to be set for it, so that it works with passwords as well as without."""
    known = entry.settings
    if OPEN not in known or DEFAULT not in known or MD5 not in known:
        return ""
    wrong = {name: set(failed(facts)) for name, facts in known.items()}
    if wrong[DEFAULT] <= wrong[OPEN]:
        return "–"
    if wrong[MD5] <= wrong[OPEN]:
        return f"{_MD5_ONLY} for {'its user' if wrong.get(OWN, wrong[DEFAULT]) <= wrong[OPEN] else 'all'}"
    return "`trusted`" if wrong.get(TRUSTED, wrong[DEFAULT]) <= wrong[OPEN] else _NO_PASSWORDS


def wants_trust(entry: Entry) -> bool:
    """Whether no algorithm helps."""
    return needs(entry) in ("`trusted`", _NO_PASSWORDS)


def wants_md5(entry: Entry) -> bool:
    """Whether it works with MD5 only as it does without passwords, and with the default algorithms not."""
    return needs(entry).startswith(_MD5_ONLY)


def paragraph(stack: Stack, entry: Entry) -> str:
    """What a user has to know of one stack."""
    lines = [f"**{stack.name}** {entry.version} ({stack.source}). {stack.note}".strip()]
    said: dict[str, list[str]] = {}
    for name, facts in entry.settings.items():
        for what in wrongs(facts):
            said.setdefault(what, []).append(_WORDS_OF_SETTING[name])
    lines += [f"{_upper(', '.join(names))}: {what}." for what, names in said.items()]
    complaints = next((facts.complaints for facts in entry.settings.values() if facts.complaints), [])
    if complaints:
        lines.append(f"A strict reader finds: {'; '.join(map(_escaped, complaints))}.")
    return "\n".join(["", "  \n".join(lines)])


def wrongs(facts: Facts) -> list[str]:
    """What went wrong with one setting, a sentence each."""
    steps = [f"{step}: {_escaped(brief(facts.outcomes[step]))}" for step in failed(facts)]
    refused = f"{len(facts.failures)} attempts count as failed, though the password is right"
    return [*(["; ".join(steps)] if steps else []), *([refused] if facts.failures else [])]


def brief(outcome: str) -> str:
    """An outcome without what is the same for all."""
    for pattern, words in _BRIEFER:
        outcome = re.sub(pattern, words, outcome)
    return outcome


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]


def _entry(said: dict[str, Any]) -> Entry:
    settings = {name: Facts(**facts) for name, facts in said["settings"].items()}
    return Entry(said["version"], said["lacking"], settings)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(_escaped(cell) for cell in cells)} |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")
