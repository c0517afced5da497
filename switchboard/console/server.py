"""Serves the application from a thread of its own, so that the worker goes on answering its parent."""

import asyncio
import socket
import threading
import time

import uvicorn
from starlette.types import ASGIApp

MAX_CONNECTIONS = 200
END_S = 1
ANSWERS_WITHIN_S = 10.0


class Server:
    """uvicorn in a thread; `alive` tells whether its loop still turns."""

    def __init__(self, app: ASGIApp, sock: socket.socket) -> None:
        config = uvicorn.Config(
            app,
            http="h11",
            ws="none",
            loop="asyncio",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=END_S,
        )
        self._server = uvicorn.Server(config)
        self._sock = sock
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="console", daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def alive(self) -> bool:
        """Whether it serves, and has not hung for ANSWERS_WITHIN_S."""
        return self._thread.is_alive() and time.monotonic() < self._beat + ANSWERS_WITHIN_S

    def stop(self) -> None:
        """Close the connections and end."""
        self._server.should_exit = True
        self._thread.join(2 * END_S)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        beating = asyncio.create_task(self._beat_on())
        await self._server.serve(sockets=[self._sock])
        beating.cancel()

    async def _beat_on(self) -> None:
        while True:
            self._beat = time.monotonic()
            await asyncio.sleep(1.0)
