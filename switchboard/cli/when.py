"""Instants of the records (RFC 3339, UTC) as people read them: local time."""

from datetime import datetime


def local_time(instant: str | None) -> str | None:
    """`2026-11-22T10:00:00.123Z` as `2026-11-22 11:00:00` in Bratislava; None stays None."""
    if instant is None:
        return None
    return datetime.fromisoformat(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")
