"""What the JSON API can do: one operation for each method of each path, with the models of what it takes and gives."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from pydantic import BaseModel
from starlette.responses import Response

from switchboard.auth.api_tokens import ApiToken
from switchboard.console.api.models import Nothing
from switchboard.console.api.problems import Problem

GET = "GET"


@dataclass(frozen=True, slots=True)
class Call:
    """One request that may be done: the parameters of its path, its query and its body, and who asks."""

    path: Mapping[str, str]
    query: Any
    body: Any
    token: ApiToken
    source: str


@dataclass(frozen=True, slots=True)
class Operation:
    """`path` as in OpenAPI; `act` raises Problem. `answer` None: 204, or what is `media`, which `act` returns whole."""

    name: str
    method: str
    path: str
    summary: str
    act: Callable[[Call], Awaitable[BaseModel | Response | None]]
    answer: type[BaseModel] | None = None
    query: type[BaseModel] = Nothing
    body: type[BaseModel] | None = None
    status: int = 200
    problems: Sequence[int] = ()
    media: str = ""

    @property
    def changes(self) -> bool:
        """Whether a token that may only read must not do it."""
        return self.method != GET

    @property
    def parameters(self) -> list[str]:
        """The names in the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    def match(self, parts: Sequence[str]) -> dict[str, str] | None:
        """The parameters of a path of ours (untrusted, each part decoded); None if it is another."""
        wanted = self.path.strip("/").split("/")
        if len(wanted) != len(parts) or not all(parts):
            return None
        found: dict[str, str] = {}
        for pattern, part in zip(wanted, parts, strict=True):
            if pattern.startswith("{"):
                found[pattern[1:-1]] = part
            elif pattern != part:
                return None
        return found


def split_path(raw_path: bytes, root: str) -> list[str]:
    """The parts of a path below `root`, each decoded by itself: a %2F is no slash between two."""
    path = raw_path.decode("latin-1").partition("?")[0]
    return [unquote(part) for part in path.removeprefix(root).strip("/").split("/")]


def choose(
    operations: Sequence[Operation], method: str, parts: Sequence[str]
) -> tuple[Operation, dict[str, str]]:
    """The operation that is asked for, and its parameters. Problem: 404 or 405."""
    found = [(each, match) for each in operations if (match := each.match(parts)) is not None]
    if not found:
        raise Problem(404, "There is nothing of this name. All there is: /api/v1/openapi.json")
    wanted = GET if method == "HEAD" else method
    for operation, match in found:
        if operation.method == wanted:
            return operation, match
    allowed = sorted({each.method for each, _ in found})
    raise Problem(405, f"Only {', '.join(allowed)} can be done here.", {"Allow": ", ".join(allowed)})
