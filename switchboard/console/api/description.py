"""The OpenAPI 3.1 description of the JSON API, made of its operations and their models."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from switchboard.console.api.operations import Operation
from switchboard.console.api.problems import MEDIA_TYPE, ProblemDetails

ALWAYS = (400, 401, 429, 503)
_REFERENCE = "#/components/schemas/{model}"
_TEXT = (
    "What the console's pages show and do. Tokens: `switchboard token add NAME [--read-only]`. Errors are RFC 9457 "
    "problems. Lists come in pages: ask again with `cursor` as long as there is a `next`. See docs/API.md."
)


def describe(operations: Sequence[Operation], root: str) -> dict[str, Any]:
    """The description. `root`: the path below which the operations are."""
    paths: dict[str, dict[str, Any]] = {}
    for each in operations:
        paths.setdefault(each.path, {})[each.method.lower()] = _operation(each)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Switchboard", "version": "1", "description": _TEXT},
        "servers": [{"url": root}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": _schemas(operations),
        },
    }


def _schemas(operations: Iterable[Operation]) -> dict[str, Any]:
    taken = [each.body for each in operations if each.body]
    given = [each.answer for each in operations if each.answer] + [ProblemDetails]
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((each, "validation") for each in taken),
        *((each, "serialization") for each in given),
    ]
    _, schema = models_json_schema(list(dict.fromkeys(models)), ref_template=_REFERENCE)
    found: dict[str, Any] = schema["$defs"]
    return found


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [*map(_path_parameter, operation.parameters), *_query_parameters(operation.query)],
        "responses": _responses(operation),
    }
    if operation.body:
        content = {"application/json": {"schema": _ref(operation.body)}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _query_parameters(model: type[BaseModel]) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema.get("properties", {}).items()
    ]


def _responses(operation: Operation) -> dict[str, Any]:
    done: dict[str, Any] = {"description": HTTPStatus(operation.status).phrase}
    if operation.answer:
        done["content"] = {"application/json": {"schema": _ref(operation.answer)}}
    if operation.media:
        done["content"] = {operation.media: {"schema": {"type": "string"}}}
    more = [403, 413, 415] if operation.changes else []
    if not operation.body:
        more = [each for each in more if each not in (413, 415)]
    problems = sorted({*ALWAYS, *operation.problems, *more})
    return {str(operation.status): done, **{str(each): _problem(each) for each in problems}}


def _problem(status: int) -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": _ref(ProblemDetails)}}
    return {"description": HTTPStatus(status).phrase, "content": content}


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": _REFERENCE.format(model=model.__name__)}
