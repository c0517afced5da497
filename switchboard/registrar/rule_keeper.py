"""Changes the rules of users and groups, for the registrar and for commands while none runs (docs/BUS.md, rules.*)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, Final

from switchboard.core.call_rules import GROUP, Group, UserRules, check_name, plain
from switchboard.registrar.rule_checks import MOST_NAMED, Surroundings, check_group, check_user
from switchboard.registrar.rule_replica import RuleReplica
from switchboard.registrar.rule_store import RuleStore, read_body
from switchboard.storage.record_store import OwnFollower
from switchboard.storage.records import A_PAGE

USER: Final = re.compile(r"[^\x00-\x20\x7f\":\\@<>]{1,64}")
FIELDS: Final = tuple(field.name for field in fields(UserRules))
GROUP_FIELDS: Final = tuple(field.name for field in fields(Group) if field.name not in ("name", "members"))
NO_GROUP: Final = "there is no group {}: switchboard group list"

Told = dict[str, Any]
"""`name`, `rules` as a map (None: there are none), and `notes`; or `refused`: why nothing was changed."""


class RuleKeeper:
    """Owns what is known of the rules beside their store. A change is durable when `answer` returns it."""

    def __init__(self, store: RuleStore, around: Surroundings, clock: Callable[[], float]) -> None:
        self.rules = RuleReplica()
        self._store = store
        self._around = around
        self._clock = clock
        self.follower = OwnFollower(self.rules, store)

    def answer(self, question: str, body: Any) -> Any:
        """Of a user: rules.of, rules.set (with changes); of a group: rules.group, rules.group.set, rules.group.delete:
        what is so now (`Told`). rules.naming: notes on whose rules lead to a destination. rules.list: the next ones by
        name. NotWritten; LookupError for other questions.
        """
        try:
            match question, body:
                case "rules.of", str(user):
                    return self._told_user(self._around.user_of(user))
                case "rules.set", [str(user), dict(changes)]:
                    return self._set(user, changes)
                case "rules.group", str(name):
                    return self._told_group(name)
                case "rules.group.set", [str(name), dict(changes)]:
                    return self._set_group(name, changes)
                case "rules.group.delete", str(name):
                    return self._delete_group(name)
                case "rules.naming", str(destination):
                    return self._still_named(destination)
                case "rules.list", [str(prefix), str(after), int(at_most)]:
                    return self._list(prefix, after, min(max(0, at_most), A_PAGE))
        except (ValueError, TypeError) as error:
            return {"refused": str(error)}
        raise LookupError(question)

    def forget(self, user: str) -> None:
        """Remove the rules of a user who goes. NotWritten."""
        self._put(user, None)

    def _set(self, user: str, changes: Mapping[str, Any]) -> Told:
        user = self._around.user_of(user)
        if not USER.fullmatch(user):
            raise ValueError(f"{user!r} cannot be a user")
        rules = changed(self.rules.of(user) or UserRules(), changes)
        notes = check_user(user, rules, self.rules, self._around)
        self._put(user, None if rules.says_nothing else rules)
        return {"name": user, "rules": map_of(self.rules.of(user)), "notes": notes}

    def _told_user(self, user: str) -> Told:
        rules = self.rules.of(user)
        notes = _words(lambda: check_user(user, rules, self.rules, self._around)) if rules else []
        return {"name": user, "rules": map_of(rules), "notes": notes}

    def _set_group(self, name: str, changes: Mapping[str, Any]) -> Told:
        check_name(name)
        group = changed_group(name, self.rules.group(name), changes)
        notes = check_group(group, self.rules, self._around)
        self._put(GROUP + name, group)
        return {"name": name, "rules": map_of(group), "notes": notes}

    def _told_group(self, name: str) -> Told:
        group = self.rules.group(name)
        if group is None:
            raise ValueError(NO_GROUP.format(name))
        notes = _words(lambda: check_group(group, self.rules, self._around))
        return {"name": name, "rules": map_of(group), "notes": notes}

    def _delete_group(self, name: str) -> Told:
        if self.rules.group(name) is None:
            raise ValueError(NO_GROUP.format(name))
        self._put(GROUP + name, None)
        return {"name": name, "rules": None, "notes": self._still_named(GROUP + name)}

    def _still_named(self, destination: str) -> list[str]:
        naming = self.rules.naming(destination)
        more = f" and {len(naming) - MOST_NAMED} more" if len(naming) > MOST_NAMED else ""
        names = ", ".join(naming[:MOST_NAMED])
        return [f"the rules of {names}{more} still lead to {destination}"] if naming else []

    def _list(self, prefix: str, after: str, at_most: int) -> list[Told]:
        """By name: all rules with the prefix "group:" are of groups, and those of users are the others."""
        found = self._store.named(prefix, after, at_most)
        return [{"name": each.name, "rules": _shown(each.name, each.body)} for each in found]

    def _put(self, name: str, rules: UserRules | Group | None) -> None:
        self._store.put(name, rules, self._clock())
        self.follower.catch_up()


def _words(check: Callable[[], list[str]]) -> list[str]:
    """What a check says of rules that are set already; they may have come from another switchboard."""
    try:
        return check()
    except ValueError as error:
        return [str(error)]


def changed(rules: UserRules, changes: Mapping[str, Any]) -> UserRules:
    """The rules with these fields. ValueError, for people."""
    changes = _checked(changes, FIELDS)
    now = rules.to_map() | changes
    return UserRules(**now | {"also": tuple(dict.fromkeys(now["also"]))})


def changed_group(name: str, group: Group | None, changes: Mapping[str, Any]) -> Group:
    """The group with these fields; `members` are all that it has then, `add` and `remove` some. ValueError."""
    changes = _checked(changes, (*GROUP_FIELDS, "members", "add", "remove"))
    if group is None and "remove" in changes:
        raise ValueError(NO_GROUP.format(name))
    members = list(changes.get("members", group.members if group else ()))
    if absent := [each for each in changes.get("remove", ()) if each not in members]:
        raise ValueError(f"{', '.join(absent)}: not in the group {name}")
    members = [each for each in members if each not in changes.get("remove", ())]
    members = list(dict.fromkeys((*members, *changes.get("add", ()))))
    now: dict[str, Any] = {each: getattr(group, each) for each in GROUP_FIELDS} if group else {}
    now |= {each: value for each, value in changes.items() if each in GROUP_FIELDS}
    return Group(name, tuple(members), **now)


def _checked(changes: Mapping[str, Any], known: tuple[str, ...]) -> dict[str, Any]:
    """The changes, their destinations as rules have them. ValueError."""
    if unknown := changes.keys() - set(known):
        raise ValueError(f"nobody knows {', '.join(sorted(unknown))}; there are: {', '.join(known)}")
    for name, value in changes.items():
        is_texts = not isinstance(value, list) or all(isinstance(each, str) for each in value)
        if type(value) is not _kind_of(name) or not is_texts:
            raise ValueError(f"{name} cannot be {value!r}")
    return {name: _plain(value) for name, value in changes.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [plain(each) for each in value]
    return plain(value) if isinstance(value, str) else value


def _kind_of(name: str) -> type:
    if name in ("also", "members", "add", "remove"):
        return list
    return {"after_s": int, "dnd": bool}.get(name, str)


def map_of(rules: UserRules | Group | None) -> dict[str, Any] | None:
    """The fields by their names; None if there are no rules."""
    return rules.to_map() if rules else None


def _shown(name: str, body: str) -> dict[str, Any] | None:
    try:
        return map_of(read_body(name, body))
    except ValueError:
        return None
