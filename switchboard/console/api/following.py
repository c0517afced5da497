"""The stream of events of the JSON API (server-sent events)."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator

from starlette.responses import Response, StreamingResponse

from switchboard.auth.api_tokens import ApiToken, ApiTokens
from switchboard.console.api.operations import GET, Call, Operation
from switchboard.console.api.problems import Problem
from switchboard.console.feed import MOST, Feed, TooMany
from switchboard.storage.unusable import UnusableFile

STREAM = "text/event-stream"
HEARTBEAT_S = 10.0
"""Without events a comment is sent, and the token is looked at again."""
LASTS_S = 3600.0


class Following:
    """Owns nothing."""

    def __init__(self, feed: Feed, tokens: ApiTokens) -> None:
        self._feed = feed
        self._tokens = tokens

    @property
    def operations(self) -> list[Operation]:
        """The one."""
        summary = "Calls and registrations as they begin, change and end"
        return [Operation("events", GET, "/events", summary, self.events, media=STREAM)]

    async def events(self, call: Call) -> Response:
        """Events until the client leaves, the token is void, or LASTS_S are over."""
        stream = self._stream(call.token)
        try:
            first = await anext(stream)
        except TooMany:
            raise Problem(503, f"{MOST} programs follow the events already.", {"Retry-After": "10"}) from None
        return StreamingResponse(
            _behind(first, stream), media_type=STREAM, headers={"Cache-Control": "no-store"}
        )

    async def _stream(self, token: ApiToken) -> AsyncGenerator[str, None]:
        until = time.monotonic() + LASTS_S
        async with self._feed.listening() as listener:
            yield "event: ready\ndata: {}\n\n"
            while time.monotonic() < until and self._is_valid(token):
                try:
                    happening = await asyncio.wait_for(listener.waiting.get(), HEARTBEAT_S)
                except TimeoutError:
                    yield ": \n\n"
                    continue
                yield f"event: {happening.kind}\ndata: {json.dumps(happening.what)}\n\n"
                if listener.is_dropped and listener.waiting.empty():
                    return

    def _is_valid(self, token: ApiToken) -> bool:
        try:
            return token in self._tokens.all()
        except UnusableFile:
            return False


async def _behind(first: str, stream: AsyncGenerator[str, None]) -> AsyncGenerator[str, None]:
    try:
        yield first
        async for each in stream:
            yield each
    finally:
        await stream.aclose()
