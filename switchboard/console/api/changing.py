"""The operations of the JSON API that change something. Each is in the log with the token that asked for it."""

import structlog

from switchboard.bus.context import BusContext
from switchboard.console.api import models
from switchboard.console.api.operations import Call, Operation
from switchboard.console.api.problems import Problem
from switchboard.console.api.workshop import Workshop
from switchboard.console.people import People
from switchboard.console.restarting import owners, restart
from switchboard.history.ending import end_call
from switchboard.history.endings import CannotEnd, NoSuchCall
from switchboard.history.reader import history_of
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.survey.subscriptions import end_subscription


class Changing:
    """Owns nothing: what a page does is done by the same functions."""

    def __init__(self, settings: Settings, context: BusContext, people: People, workshop: Workshop) -> None:
        self._settings = settings
        self._context = context
        self._people = people
        self._run = workshop.run

    @property
    def operations(self) -> list[Operation]:
        """All of them."""
        return [
            Operation(
                "add_user",
                "POST",
                "/users",
                "Add a user with a new password",
                self.add,
                models.Password,
                body=models.NewUser,
                status=201,
                problems=(409,),
            ),
            Operation(
                "rename_user",
                "PATCH",
                "/users/{user}",
                "Give a user another display name",
                self.rename,
                body=models.Rename,
                status=204,
                problems=(404,),
            ),
            Operation(
                "renew_password",
                "POST",
                "/users/{user}/password",
                "Give a user another password",
                self.renew,
                models.Password,
                problems=(404,),
            ),
            Operation(
                "remove_user",
                "DELETE",
                "/users/{user}",
                "Remove a user and its bindings",
                self.remove,
                status=204,
                problems=(404,),
            ),
            Operation(
                "remove_binding",
                "DELETE",
                "/bindings",
                "Remove a binding, until the phone registers again",
                self.unbind,
                query=models.BindingQuery,
                status=204,
                problems=(404,),
            ),
            Operation(
                "end_subscription",
                "DELETE",
                "/subscriptions/{tag}",
                "End a subscription; a phone that wants to watch subscribes again",
                self.unsubscribe,
                status=204,
                problems=(404,),
            ),
            Operation(
                "hang_up",
                "POST",
                "/calls/{call_id}/hangup",
                "End a call that rings or is up",
                self.hang_up,
                models.HungUp,
                problems=(404, 409),
            ),
            Operation(
                "restart_worker",
                "POST",
                "/workers/{worker}/restart",
                "Replace a worker gracefully",
                self.restart,
                models.Restarted,
                problems=(404,),
            ),
        ]

    async def add(self, call: Call) -> models.Password:
        """Add a user."""
        body: models.NewUser = call.body
        password = await self._run(lambda: self._people.add(body.user, body.display_name))
        _log("user added", call, user=body.user)
        return models.Password(user=body.user, password=password or None)

    async def rename(self, call: Call) -> None:
        """Give a user another display name."""
        user = call.path["user"]
        await self._run(lambda: self._people.rename(user, call.body.display_name))
        _log("user has a new display name", call, user=user)

    async def renew(self, call: Call) -> models.Password:
        """Give a user another password."""
        user = call.path["user"]
        password = await self._run(lambda: self._people.renew(user))
        _log("user has a new password", call, user=user)
        return models.Password(user=user, password=password)

    async def remove(self, call: Call) -> None:
        """Remove a user."""
        user = call.path["user"]
        await self._run(lambda: self._people.remove(user))
        _log("user removed", call, user=user)

    async def unbind(self, call: Call) -> None:
        """Remove a binding."""
        query: models.BindingQuery = call.query
        await self._run(lambda: self._people.unbind(query.user, query.contact))
        _log("binding removed", call, user=query.user, contact=query.contact)

    async def unsubscribe(self, call: Call) -> None:
        """End a subscription."""
        tag = call.path["tag"]
        if not await self._run(lambda: end_subscription(self._settings, self._context, tag)):
            raise Problem(404, "There is no such subscription (any more).")
        _log("subscription ended", call, tag=tag)

    async def hang_up(self, call: Call) -> models.HungUp:
        """End a call."""
        call_id, history = call.path["call_id"], history_of(self._settings)
        _log("hang-up asked for", call, call_id=call_id)
        try:
            ended = await self._run(lambda: end_call(call_id, history, self._settings, self._context))
        except CannotEnd as error:
            raise Problem(404 if isinstance(error, NoSuchCall) else 409, str(error)) from error
        return models.HungUp(call_id=call_id, told=list(ended.told), not_told=list(ended.not_told))

    async def restart(self, call: Call) -> models.Restarted:
        """Replace a worker; the console itself goes after the answer."""
        worker = call.path["worker"]
        known = owners(self._settings)
        if worker not in known:
            raise Problem(404, f"There is no worker {worker}. All there are: /api/v1/status")
        _log("restart asked for", call, worker_wanted=worker)
        done = await self._run(lambda: restart(self._settings, self._context, worker))
        if known[worker] is Component.CONSOLE:
            return models.Restarted(worker=worker, state="restarting")
        if not done:
            raise Problem(503, f"{worker} was not restarted: see the log.")
        return models.Restarted(worker=worker, state="restarted")


def _log(what: str, call: Call, **more: str) -> None:
    structlog.get_logger().info(what, token=call.token.name, source=call.source, **more)
