"""Commands that go to a Redis server at once, and whose answers are waited for where there is time."""

import time
from collections.abc import Sequence
from typing import Any

import redis


class Exchange:
    """Sent when made, over one `connection` of redis-py's client. Everything here: RedisError, OSError."""

    def __init__(self, client: Any, commands: Sequence[Sequence[Any]]) -> None:
        self._pool = client.connection_pool
        self.connection: Any = self._pool.get_connection()
        self._left = len(commands)
        self._answers: list[Any] = []
        self.connection.send_packed_command(self.connection.pack_commands(commands))

    def is_answered(self, within_s: float) -> bool:
        """Take the answers that come within this time; whether these are all."""
        until = time.monotonic() + within_s
        while self._left and self.connection.can_read(max(0.0, until - time.monotonic())):
            self._take()
        return not self._left

    @property
    def lacks_script(self) -> bool:
        """Whether the server does not have the script that it was told to run."""
        return any(isinstance(each, redis.exceptions.NoScriptError) for each in self._answers)

    def answers(self) -> list[Any]:
        """All, once, errors among them; each is waited for as long as the client's timeout says."""
        while self._left:
            self._take()
        self._pool.release(self.connection)
        return self._answers

    def _take(self) -> None:
        try:
            self._answers.append(self.connection.read_response())
        except redis.ResponseError as error:
            self._answers.append(error)
        self._left -= 1


def is_idle(connection: Any) -> bool:
    """Whether a connection that was used before can be used again as it is: nothing has come, nor has it ended."""
    try:
        return connection is not None and not connection.can_read(0)
    except (redis.RedisError, OSError):
        return False
