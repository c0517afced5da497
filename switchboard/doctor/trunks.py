"""Looks at the trunks: whether each has a password that can be read, and is registered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from switchboard.doctor.facts import Finding, ok, problem, warning
from switchboard.settings.model import Settings
from switchboard.settings.trunks import PasswordError, password_path, read_password

CHECK = "trunk"


def check_trunks(settings: Settings, told: Sequence[Mapping[str, Any]] | None) -> Iterator[Finding]:
    """What the worker `told` of each (`trunks.list`); None: it does not run."""
    known = {str(each["name"]): each for each in told or ()}
    for name, trunk in settings.trunks.items():
        try:
            password = read_password(password_path(settings.trunks_path, name, trunk), name)
        except PasswordError as error:
            yield problem(CHECK, f"{name}: {error}", "calls by it are refused where the provider asks for it")
            continue
        if not password:
            yield warning(CHECK, f"{name} has no password", f"switchboard trunk password {name}")
        if name in known:
            yield _registered(known[name])


def _registered(told: Mapping[str, Any]) -> Finding:
    name = told["name"]
    if not told["registers"]:
        return ok(CHECK, f"{name} does not register, as the settings say")
    if told["refusal"] or not told["registered_s"]:
        why = told["refusal"] or "no answer yet"
        return problem(CHECK, f"{name}: {why}", f"switchboard trunk test {name} tries it now")
    return ok(CHECK, f"{name} is registered at {told['registrar']} for {told['registered_s']:.0f} s more")
