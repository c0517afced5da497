"""The operations of the JSON API about rules of users and groups: who is called when."""

import structlog

from switchboard.console.api import models
from switchboard.console.api.operations import GET, Call, Operation
from switchboard.console.api.problems import Problem
from switchboard.console.api.workshop import Workshop
from switchboard.console.people import People
from switchboard.console.rule_desk import NO_RULES, Ruled
from switchboard.core.call_rules import GROUP


class Ruling:
    """Owns nothing: what a page does is done by the same functions."""

    def __init__(self, people: People, workshop: Workshop) -> None:
        self._people = people
        self._rules = people.rules
        self._run = workshop.run

    @property
    def operations(self) -> list[Operation]:
        """All of them."""
        return [*self._of_users(), *self._of_groups()]

    def _of_users(self) -> list[Operation]:
        path = "/users/{user}/rules"
        return [
            Operation(
                "rules", GET, "/rules", "Users with rules", self.all, models.AllRules, models.RulesQuery
            ),
            Operation(
                "user_rules",
                GET,
                path,
                "Where calls of a user go",
                self.of,
                models.UserRules,
                problems=(404,),
            ),
            Operation(
                "change_rules",
                "PATCH",
                path,
                "Change where calls of a user go",
                self.change,
                models.UserRules,
                body=models.RulesChange,
            ),
        ]

    def _of_groups(self) -> list[Operation]:
        path = "/groups/{group}"
        return [
            Operation("groups", GET, "/groups", "All groups", self.groups, models.Groups, models.GroupsQuery),
            Operation("group", GET, path, "One group", self.group, models.NotedGroup, problems=(404,)),
            Operation(
                "put_group",
                "PUT",
                path,
                "Make a group, or another one of that name",
                self.put_group,
                models.NotedGroup,
                body=models.GroupRules,
            ),
            Operation(
                "delete_group",
                "DELETE",
                path,
                "Delete a group",
                self.delete_group,
                status=204,
                problems=(404,),
            ),
        ]

    async def all(self, call: Call) -> models.AllRules:
        """Users with rules. Groups stand among them by name, and are passed over."""
        query: models.RulesQuery = call.query
        found = await self._run(lambda: self._rules.some(query.prefix, query.cursor, query.limit))
        users = [each for each in found if not each.name.startswith(GROUP)]
        return models.AllRules(
            rules=[models.RulesOfOne(user=each.name, rules=models.Rules(**each.rules)) for each in users],
            next=found[-1].name if len(found) == query.limit else None,
        )

    async def of(self, call: Call) -> models.UserRules:
        """The rules of a user, who may be one only by having them."""
        user = call.path["user"]
        ruled = await self._run(lambda: self._rules.of(user))
        if ruled.rules is NO_RULES and await self._run(lambda: self._people.one(user)) is None:
            raise Problem(404, f"There is no user {user}.")
        return _user_rules(ruled)

    async def change(self, call: Call) -> models.UserRules:
        """Some of a user's rules."""
        user, body = call.path["user"], call.body
        ruled = await self._run(lambda: self._rules.change(user, body.model_dump(exclude_none=True)))
        _log("user has other rules", call, user=user)
        return _user_rules(ruled)

    async def groups(self, call: Call) -> models.Groups:
        """All groups."""
        query: models.GroupsQuery = call.query
        after = GROUP + query.cursor if query.cursor else ""
        found = await self._run(lambda: self._rules.some(GROUP, after, query.limit))
        named = [(each.name.removeprefix(GROUP), each.rules) for each in found]
        return models.Groups(
            groups=[models.Group(group=name, **rules) for name, rules in named],
            next=named[-1][0] if len(named) == query.limit else None,
        )

    async def group(self, call: Call) -> models.NotedGroup:
        """One group."""
        return _group(await self._run(lambda: self._rules.group(call.path["group"])))

    async def put_group(self, call: Call) -> models.NotedGroup:
        """A group as it is to be."""
        name, body = call.path["group"], call.body
        ruled = await self._run(lambda: self._rules.put_group(name, body.model_dump()))
        _log("group changed", call, group=name)
        return _group(ruled)

    async def delete_group(self, call: Call) -> None:
        """A group less."""
        name = call.path["group"]
        await self._run(lambda: self._rules.delete_group(name))
        _log("group deleted", call, group=name)


def _user_rules(ruled: Ruled) -> models.UserRules:
    return models.UserRules(user=ruled.name, notes=list(ruled.notes), **ruled.rules)


def _group(ruled: Ruled) -> models.NotedGroup:
    return models.NotedGroup(group=ruled.name, notes=list(ruled.notes), **ruled.rules)


def _log(what: str, call: Call, **more: str) -> None:
    structlog.get_logger().info(what, token=call.token.name, source=call.source, **more)
