"""Pages that show what a search finds among many, a hundred rows at a time."""

import asyncio
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request

from switchboard.bus.rpc import RpcError
from switchboard.survey.found import Found

A_PAGE = 100
MAX_SKIP = 1_000_000
Search = Callable[[str, int, int], Found]
"""Finds by text: as many rows as the last number says, behind the first ones. RpcError."""


async def search(
    request: Request, path: str, find: Search, silent: str
) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return the rows that a request for the page at `path` asks for, and what its template says of them.

    `silent`: the problem if nobody answers.
    """
    text, skip = request.query_params.get("text", "").strip()[:256], _skip(request)
    found, problem = Found([], 0, 0), ""
    try:
        found = await asyncio.to_thread(find, text, skip, A_PAGE)
    except RpcError:
        problem = silent
    end = skip + len(found.rows)
    return found.rows, {
        "text": text,
        "problem": problem,
        "first": skip + 1,
        "last": end,
        "newer": _link(path, text, max(0, skip - A_PAGE)) if skip else "",
        "older": _link(path, text, end) if skip < end < found.found else "",
        "found": found.found,
        "total": found.total,
    }


def _link(path: str, text: str, skip: int) -> str:
    return f"{path}?{urlencode({'text': text, 'skip': skip})}"


def _skip(request: Request) -> int:
    """How many rows stand before those of the page that is asked for."""
    text = request.query_params.get("skip", "")
    return min(int(text), MAX_SKIP) if text.isascii() and text.isdigit() else 0
