"""Errors of the JSON API as RFC 9457 has them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus

from pydantic import BaseModel, ValidationError
from starlette.responses import Response

from switchboard.bus.rpc import RpcError, RpcRefused
from switchboard.console.bad_user import BadUser
from switchboard.storage.unusable import NotWritten, UnusableFile

MEDIA_TYPE = "application/problem+json"
AGAIN_S = 1


class Fault(BaseModel):
    """One part of a request that is not as it has to be. `where`: as `query.limit`."""

    where: str
    what: str


class ProblemDetails(BaseModel):
    """What went wrong (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Fault] = []


class Problem(Exception):
    """What a request is answered with instead of what it asked for."""

    def __init__(
        self, status: int, detail: str, headers: Mapping[str, str] | None = None, errors: Sequence[Fault] = ()
    ) -> None:
        super().__init__(detail)
        self.status = status
        self._detail = detail
        self._headers = headers
        self._errors = list(errors)

    def response(self) -> Response:
        """The response that tells of it."""
        title = HTTPStatus(self.status).phrase
        details = ProblemDetails(title=title, status=self.status, detail=self._detail, errors=self._errors)
        return Response(details.model_dump_json(), self.status, self._headers, MEDIA_TYPE)


def invalid(where: str, error: ValidationError) -> Problem:
    """A query or a body (`where`) that does not fit its model."""
    faults = [
        Fault(where=".".join(map(str, (where, *each["loc"]))), what=each["msg"])
        for each in error.errors(include_url=False, include_context=False, include_input=False)
    ]
    return Problem(400, f"{faults[0].where}: {faults[0].what}.", errors=faults)


@contextmanager
def told() -> Iterator[None]:
    """What may go wrong behind the API, as a Problem."""
    try:
        yield
    except BadUser as error:
        raise Problem(error.status, str(error)) from error
    except (RpcRefused, NotWritten, UnusableFile) as error:
        raise Problem(503, f"{str(error).rstrip('.')}.", {"Retry-After": str(AGAIN_S)}) from error
    except (RpcError, OSError) as error:
        text = f"Who keeps this does not answer: {error}. Look at /api/v1/status."
        raise Problem(503, text, {"Retry-After": str(AGAIN_S)}) from error
