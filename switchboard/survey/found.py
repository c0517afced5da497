"""What a search among many finds, page by page."""

from typing import Any, NamedTuple


class Found(NamedTuple):
    """Some rows as maps; how many rows the search finds, and how many there are."""

    rows: list[dict[str, Any]]
    found: int
    total: int
