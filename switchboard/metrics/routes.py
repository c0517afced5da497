"""The pages for the systems around it: /metrics, /healthz, /readyz; the console has them."""

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from switchboard.metrics.exposition import Exposition
from switchboard.settings.model import Settings


def routes(settings: Settings) -> list[Route]:
    """What to mount. The functions ask and wait: Starlette runs them on threads of their own."""
    exposition = Exposition(settings)

    def metrics(_request: Request) -> Response:
        return Response(exposition.text(), media_type=CONTENT_TYPE_LATEST)

    def ready(_request: Request) -> Response:
        not_up = exposition.survey().not_up()
        return JSONResponse({"ready": not not_up, "not_up": not_up}, 503 if not_up else 200)

    return [
        Route("/metrics", metrics),
        Route("/healthz", lambda _request: PlainTextResponse("ok\n")),
        Route("/readyz", ready),
    ]
