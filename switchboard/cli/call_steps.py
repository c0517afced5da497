"""What the rules of users and groups make of a call, for `switchboard dialplan try`."""

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote

from switchboard.core.call_plan import Callee, Forward, Plan, Stage
from switchboard.core.call_rules import Group, UserRules
from switchboard.core.dial_plan import DialPlan, Step
from switchboard.core.domains import OwnDomains
from switchboard.core.planner import Planner
from switchboard.core.refusal import Refusal
from switchboard.core.star_codes import StarCodes
from switchboard.core.trunks import PARAM as TRUNK
from switchboard.registrar.rule_checks import CASES
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings
from switchboard.sip.uri import parse_uri

_WHY: Final = {
    "always": "always",
    "busy": "busy",
    "no_answer": "no answer for {} s",
    "unregistered": "not registered",
    "dnd": "do not disturb",
    "group": "nobody took it",
}


class AskedRules:
    """The rules as `ask` tells them (`RuleKeeper.answer`; None: nobody answers). See `CallRules`."""

    def __init__(self, ask: Callable[[str, object], Any]) -> None:
        self._ask = ask

    def __bool__(self) -> bool:
        return True

    def of(self, user: str) -> UserRules | None:
        """The rules of a user; None if there are none."""
        rules = self._rules("rules.of", user)
        return UserRules(**rules | {"also": tuple(rules["also"])}) if rules else None

    def group(self, name: str) -> Group | None:
        """The group called so; None if there is none."""
        rules = self._rules("rules.group", name)
        return Group(name, **rules | {"members": tuple(rules["members"])}) if rules else None

    def _rules(self, question: str, name: str) -> dict[str, Any]:
        told = self._ask(question, name)
        return (told or {}).get("rules") or {}


class Place:
    """What a planner needs to know besides the rules."""

    def __init__(self, settings: Settings, knows: Callable[[str], bool]) -> None:
        self._own = own_domains(settings)
        self._dial_plan = settings.make_dial_plan()
        self._knows = knows

    @property
    def own(self) -> OwnDomains:
        return self._own

    @property
    def dial_plan(self) -> DialPlan | None:
        return self._dial_plan

    def has_user(self, user: str, _at: float) -> bool:
        """Whether there is such a user."""
        return self._knows(user)


def plan_of(
    settings: Settings, rules: AskedRules, knows: Callable[[str], bool], callee: str, caller: str
) -> Plan:
    """The stages of a call to a user or group; () if no rules concern it."""
    place, status = Place(settings, knows), settings.do_not_disturb_status
    planner = Planner(rules, place, settings.max_forks, status, settings.foreign_users)
    return planner.plan(callee, caller, 0.0) if planner.concerns(callee, 0.0) else ()


def star_step(settings: Settings, dialled: str, user: str) -> Step | None:
    """What a star code would do; None if it is none."""
    try:
        changes = StarCodes(settings.star_codes.actions).read(dialled)
    except Refusal as refusal:
        return Step("star_codes", f"refused with {refusal.status} {refusal.reason}")
    if changes is None:
        return None
    words = ", ".join(_change(name, value) for name, value in changes.items())
    return Step("star_codes", f"the registrar changes the rules of {user or 'who dials it'}: {words}")


def _change(name: str, value: object) -> str:
    if name == "dnd":
        return f"do not disturb {'on' if value else 'off'}"
    words = CASES.get(name, name)
    return f"{words} → {value}" if value else f"{words} off"


def steps_of(callee: str, plan: Plan) -> Iterator[Step]:
    """Each stage in words."""
    for place, stage in enumerate(plan):
        yield Step(led_to(stage) or ("then" if place else callee), _found(stage))


def refusal_of(plan: Plan) -> str:
    """What the caller hears if nobody can be reached."""
    place = 0
    while following := plan[place].absent:
        place = following
    return _refusal(plan[place])


def led_to(stage: Stage) -> str:
    """The rules that have led to a stage since the one before; "" for none."""
    return "; ".join(map(_forward, stage.forwards[-stage.fresh :] if stage.fresh else ()))


def _forward(forward: Forward) -> str:
    return f"{forward.by}: {_WHY[forward.why].format(forward.after_s)} → {forward.to}"


def _found(stage: Stage) -> str:
    if not stage.callees:
        return f"refused with {_refusal(stage)}"
    *others, last = map(_name, stage.callees)
    names = f"{', '.join(others)} and {last}" if others else last
    verb = "ring" if len(stage.callees) > 1 else "rings"
    return f"{names} {verb}" + (f" for {stage.limit_s} s" if stage.limit_s else "")


def _refusal(stage: Stage) -> str:
    return f"{stage.status} {unquote(stage.reason)}".rstrip()


def _name(callee: Callee) -> str:
    if callee.user:
        return callee.user
    uri = parse_uri(callee.uris[0])
    trunk = uri.param(TRUNK)
    return f"{uri.username} by trunk {trunk}" if trunk else callee.uris[0]
