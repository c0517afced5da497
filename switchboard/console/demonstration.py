"""The console's demonstration call: two built-in phones call each other through the switchboard."""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from switchboard.bus.rpc import RpcError
from switchboard.console.bad_user import BadUser
from switchboard.console.people import People
from switchboard.history.reader import history_of
from switchboard.history.store import HistoryError
from switchboard.lab.call import OtherPhones, place_call
from switchboard.lab.phone import Declined, Line, NoAnswer, Phone
from switchboard.settings.local import own_addresses
from switchboard.settings.model import Settings
from switchboard.sip.errors import ParseError
from switchboard.storage.unusable import NotWritten

CALLER, CALLEE = "lab-anna", "lab-boris"
RING_S, TALK_S = 0.8, 1.2
SEEN_WITHIN_S = 3.0
LOOK_S = 0.1


class CannotPlace(Exception):
    """The text says why, for people. `is_busy`: another one is being placed."""

    def __init__(self, text: str, *, is_busy: bool = False) -> None:
        super().__init__(text)
        self.is_busy = is_busy


class Demonstration:
    """Owns the call; there is one at a time."""

    def __init__(self, settings: Settings, people: People) -> None:
        self._settings = settings
        self._people = people
        self._placing = asyncio.Lock()
        self.routes = [Route("/demonstration", self.place, methods=["POST"])]

    async def place(self, request: Request) -> Response:
        """Place it, and show its page; Now with a reason if that fails."""
        structlog.get_logger().info("demonstration call", source=request.client and request.client.host)
        try:
            call_id = await self.call()
        except CannotPlace as error:
            return RedirectResponse(f"/?said=demonstration-{'runs' if error.is_busy else 'failed'}", 303)
        seen = await asyncio.to_thread(self.is_seen, call_id)
        return RedirectResponse(f"/call?call_id={call_id}" if seen else "/journal", 303)

    async def call(self) -> str:
        """Place it, and return its Call-ID. CannotPlace."""
        if self._placing.locked():
            raise CannotPlace("A demonstration call is being placed already.", is_busy=True)
        async with self._placing:
            try:
                return await asyncio.to_thread(self._place)
            except (
                NoAnswer,
                Declined,
                OtherPhones,
                ParseError,
                BadUser,
                NotWritten,
                RpcError,
                OSError,
            ) as error:
                structlog.get_logger().warning("demonstration call failed", why=str(error))
                raise CannotPlace(f"The demonstration call was not placed: {error}") from error

    def _place(self) -> str:
        addresses = own_addresses(self._settings)
        address = next((each for each in addresses if each in ("127.0.0.1", "::1")), addresses[0])
        port = self._settings.sip_port
        with ExitStack() as stack:
            passwords = stack.enter_context(_users(self._people))
            caller, callee = (
                stack.enter_context(closing(Phone(user, address, port, password=passwords[user])))
                for user in (CALLER, CALLEE)
            )
            return place_call(Line([caller, callee], lambda _seen: None), caller, callee, RING_S, TALK_S)

    def is_seen(self, call_id: str) -> bool:
        """Whether the history tells of it, which may take a moment."""
        history, until = history_of(self._settings), time.monotonic() + SEEN_WITHIN_S
        while time.monotonic() < until:
            with suppress(HistoryError):
                if (found := history.summary(call_id)) and found.ended_ns:
                    return True
            time.sleep(LOOK_S)
        return False


@contextmanager
def _users(people: People) -> Iterator[Mapping[str, str]]:
    """The passwords of the two, who are users meanwhile where users have passwords."""
    if not people.has_passwords:
        yield {CALLER: "", CALLEE: ""}
        return
    try:
        yield {
            user: people.renew(user) if people.has_password(user) else people.add(user)
            for user in (CALLER, CALLEE)
        }
    finally:
        for user in (CALLER, CALLEE):
            with suppress(BadUser, NotWritten, RpcError):
                people.remove(user)
