"""Rules in words, for commands, console and phones."""

from collections.abc import Mapping
from typing import Any, Final

WAYS: Final = {
    "all": "all at once",
    "turn": "one after the other",
    "rotate": "one after the other, each call beginning with the next one",
    "idle": "one after the other, who has not spoken for longest first",
}

Line = tuple[str, str]
"""When, and what happens then."""


def lines_of(rules: Mapping[str, Any]) -> list[Line]:
    """What a user's rules do (`rule_keeper.map_of`), in the order in which a call meets them."""
    found: list[Line] = []
    if rules["always"]:
        found.append(("always", rules["always"]))
    if rules["dnd"]:
        found.append(("do not disturb", rules["busy"] or "nobody rings"))
    if rules["also"]:
        found.append(("at the same time", ", ".join(rules["also"])))
    if rules["busy"]:
        found.append(("busy", rules["busy"]))
    if rules["no_answer"]:
        found.append((f"no answer for {rules['after_s']} s", rules["no_answer"]))
    if rules["unregistered"]:
        found.append(("not registered", rules["unregistered"]))
    return found


def group_lines(rules: Mapping[str, Any]) -> list[Line]:
    """The same of a group."""
    found = [(WAYS[rules["way"]], ", ".join(rules["members"]))]
    if rules["then"]:
        found.append((f"nobody for {rules['after_s']} s", rules["then"]))
    return found


def sentence(name: str, lines: list[Line]) -> str:
    """All in one line."""
    return f"{name}: " + "; ".join(f"{when} → {what}" for when, what in lines)
