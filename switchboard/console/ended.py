"""The sessions that were logged out before they expired, on disk: no copy of their cookies is valid, also after a
restart.
"""

import json
from pathlib import Path
from typing import Any

import structlog

from switchboard.storage.durable import replace_file

VERSION = 1
MOST = 1000
"""Of more, all sessions that end before the last of them are void."""


class EndedSessions:
    """Session ids with the instants (epoch s) at which they would have ended. `path`: None for memory alone.

    `longest_s`: how long a session lasts; `now_at`: this moment. A file that cannot be read makes all earlier sessions
    void.
    """

    def __init__(self, path: Path | None, longest_s: float, now_at: float) -> None:
        self.is_saved = True
        self._path = path
        self._ended: dict[str, float] = {}
        self._void_until = 0.0
        try:
            self._load()
        except (OSError, ValueError, TypeError, KeyError) as error:
            self._ended, self._void_until, self.is_saved = {}, now_at + longest_s - 1, False
            structlog.get_logger().warning("console sessions void: the file cannot be read", why=str(error))

    def __contains__(self, session: tuple[str, float]) -> bool:
        """Whether the session with this id, which lasts until an instant, has ended already."""
        session_id, expires_at = session
        return session_id in self._ended or expires_at <= self._void_until

    def add(self, session_id: str, expires_at: float, now_at: float) -> None:
        """It has ended; to be followed by `save`."""
        self._ended = {each: at for each, at in self._ended.items() if at > now_at}
        self._ended[session_id] = expires_at
        if len(self._ended) > MOST:
            self._void_until, self._ended = max(self._ended.values()), {}
        self.is_saved = False

    def save(self) -> None:
        """Have it on disk, whole. OSError."""
        if self._path is None or self.is_saved:
            return
        saved = {"version": VERSION, "void_until": self._void_until, "ended": self._ended}
        replace_file(self._path, json.dumps(saved).encode())
        self.is_saved = True

    def _load(self) -> None:
        if self._path is None or not self._path.exists():
            return
        found: dict[str, Any] = json.loads(self._path.read_text())
        if found["version"] != VERSION:
            raise ValueError(f"version {found['version']} is not ours")
        self._ended = {str(each): float(at) for each, at in dict(found["ended"]).items()}
        self._void_until = float(found["void_until"])
