"""Looks at where the settings lead calls: numbers of trunks, and rules of the dial plan, that reach nobody."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from switchboard.core.call_rules import group_of
from switchboard.core.dial_plan import DialPlan
from switchboard.doctor.facts import Finding, warning
from switchboard.settings.model import Settings
from switchboard.settings.trunks import TrunkSettings

CHECK = "numbers"
USER = "user:"
Known = Callable[[str], bool | None]
"""Whether there is a user, or a group, of this name; None: nobody can say."""


@dataclass(frozen=True, slots=True)
class Ends:
    """Where calls may end. `plan` knows whose a number is."""

    plan: DialPlan
    knows: Known
    has_group: Known

    def gap(self, destination: str) -> str:
        """What is wrong with it, in words; "" for nothing."""
        if group := group_of(destination):
            return "and there is no such group" if self.has_group(group) is False else ""
        user = self.plan.alias(destination.removeprefix(USER))
        return "who has not registered lately" if self.knows(user) is False else ""


def check_leads(settings: Settings, knows: Known, has_group: Known) -> Iterator[Finding]:
    """Each number and rule that leads to nobody."""
    ends = Ends(settings.make_dial_plan() or DialPlan(), knows, has_group)
    for name, trunk in settings.trunks.items():
        yield from _check_trunk(name, trunk, ends)
    classes = {each.dial_class for each in settings.users.values()}
    for rule in settings.dialplan.rules:
        title, to = f"the rule {rule.name or rule.match} of the dial plan", rule.to[0]
        if to.startswith(USER):
            yield from _gap(f"{title} leads to {to.removeprefix(USER)}", ends.gap(to))
        yield from _check_classes(title, rule.classes, classes)


def _check_trunk(name: str, trunk: TrunkSettings, ends: Ends) -> Iterator[Finding]:
    if trunk.register_ and not trunk.numbers:
        found = f"trunk {name} has no numbers, so who calls by it hears 404"
        yield warning(CHECK, found, f"say who is called, in [trunks.{name}.numbers]")
    for number, to in trunk.numbers.items():
        yield from _gap(f"{number} of trunk {name} leads to {to}", ends.gap(to))
    for user in trunk.callers:
        yield from _gap(f"callers of trunk {name} has {user}", ends.gap(user))


def _gap(found: str, words: str) -> Iterator[Finding]:
    if words:
        yield warning(CHECK, f"{found}, {words}", "correct the name, or make it one that there is")


def _check_classes(title: str, wanted: Sequence[str], there: set[str]) -> Iterator[Finding]:
    if wanted and not there.intersection(wanted):
        found = f"{title} is for {', '.join(wanted)} only, which nobody is"
        yield warning(CHECK, found, "give users this dial_class, in [users.NAME]")
