"""Pages that stay open and get live updates: server-sent events, limited in time and in number."""

import time
from collections.abc import AsyncGenerator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from switchboard.console.connections import site_of
from switchboard.console.sessions import Session, Sessions

MOST = 50
MOST_OF_ONE = 20
"""Streams of one address, or of one IPv6 site."""
LASTS_S = 3600.0
"""After so long the browser asks anew, by itself."""
AGAIN_MS = 500


class Streams:
    """Owns those that are open."""

    def __init__(self, sessions: Sessions) -> None:
        self._sessions = sessions
        self._sites: list[str] = []

    def open(self, request: Request, news: AsyncGenerator[str, None]) -> Response:
        """Answer with `news`, until its session or LASTS_S is over; 503 if there are too many."""
        site = site_of(request.client.host if request.client else "")
        if len(self._sites) >= MOST or self._sites.count(site) >= MOST_OF_ONE:
            return Response("Too many pages are open.\n", 503)
        return StreamingResponse(
            self._tell(site, request.state.session, news), media_type="text/event-stream"
        )

    async def _tell(
        self, site: str, session: Session, news: AsyncGenerator[str, None]
    ) -> AsyncGenerator[str, None]:
        self._sites.append(site)
        until = time.monotonic() + LASTS_S
        try:
            yield f"retry: {AGAIN_MS}\n\n"
            async for text in news:
                if time.monotonic() >= until or self._sessions.is_over(session, self._sessions.clock()):
                    break
                yield text
        finally:
            self._sites.remove(site)
            await news.aclose()
