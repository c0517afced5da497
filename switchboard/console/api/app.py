"""The JSON API as an ASGI application: reads a request, has it done, and writes the answer."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from switchboard.console.access import MAX_BODY_BYTES, read_body
from switchboard.console.api.description import describe
from switchboard.console.api.gate import Gate, check_may, source_of
from switchboard.console.api.operations import GET, Call, Operation, choose, split_path
from switchboard.console.api.problems import Problem, invalid

ROOT = "/api/v1"
DESCRIPTION = "openapi.json"
MOST_AT_ONCE = 64
"""Requests that are being done; those beyond are answered 503."""


class Api:
    """Owns the requests that are being done."""

    def __init__(self, gate: Gate, operations: Sequence[Operation]) -> None:
        self._gate = gate
        self._operations = operations
        self._description = describe(operations, ROOT)
        self._at_once = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        try:
            response = await self._respond(request)
        except Problem as problem:
            response = problem.response()
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        parts = split_path(request.scope["raw_path"], ROOT)
        if parts == [DESCRIPTION] and request.method in (GET, "HEAD"):
            return JSONResponse(self._description)
        token = await self._gate.admit(request)
        operation, path = choose(self._operations, request.method, parts)
        check_may(operation, token)
        query = _read_query(request, operation)
        body = await _read_json(request, operation.body) if operation.body else None
        answer = await self._do(operation, Call(path, query, body, token, source_of(request)))
        if answer is None:
            return Response(status_code=204)
        if isinstance(answer, Response):
            return answer
        return Response(answer.model_dump_json(), operation.status, media_type="application/json")

    async def _do(self, operation: Operation, call: Call) -> BaseModel | Response | None:
        if self._at_once >= MOST_AT_ONCE:
            raise Problem(503, "Too much is asked for at once. Try again.", {"Retry-After": "1"})
        self._at_once += 1
        try:
            return await operation.act(call)
        finally:
            self._at_once -= 1


def _read_query(request: Request, operation: Operation) -> BaseModel:
    pairs = request.query_params.multi_items()
    if len({name for name, _ in pairs}) < len(pairs):
        raise Problem(400, "A parameter stands in the query more than once.")
    try:
        return operation.query.model_validate(dict(pairs))
    except ValidationError as error:
        raise invalid("query", error) from error


async def _read_json(request: Request, model: type[BaseModel]) -> BaseModel:
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise Problem(415, "The body has to be application/json.")
    raw = await read_body(request.receive)
    if raw is None:
        raise Problem(413, f"The body has more than {MAX_BODY_BYTES} octets.", {"Connection": "close"})
    try:
        found: Any = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise Problem(400, "The body is no JSON.") from error
    try:
        return model.model_validate(found, strict=True)
    except ValidationError as error:
        raise invalid("body", error) from error
