"""The authority by which phones trust our certificate: a page with its link and QR code, and the file."""

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from switchboard.console.pages import Pages, qr_code
from switchboard.settings.model import Settings

PATH = "/authority.pem"
"""Open to all: a certificate is no secret, and a phone has no session."""
_MEDIA_TYPE = "application/x-x509-ca-cert"
"""By which phones offer to install it."""


def authority_url(settings: Settings, console: str) -> str:
    """Where phones get it. `console`: HOST:PORT by which the browser knows us.

    Without TLS, unless a proxy speaks that: who asks does not trust us yet.
    """
    return f"{settings.console_url or f'http://{console}'}{PATH}"


class Authority:
    """Owns the page."""

    def __init__(self, pages: Pages, settings: Settings) -> None:
        self._pages, self._settings = pages, settings
        self.routes = [Route("/authority", self.show), Route(PATH, self.download)]

    async def show(self, request: Request) -> Response:
        """The link, its QR code, and the fingerprint to compare."""
        content = await asyncio.to_thread(self._read)
        url = authority_url(self._settings, request.headers["host"])
        authority = None
        if content:
            from switchboard.transports.certificates import read_certificate  # 60 ms that only TLS needs

            authority = read_certificate(content)
        status = 200 if content else 404
        return self._pages.page(
            request, "authority.html", status, authority=authority, url=url, code=qr_code(url)
        )

    async def download(self, _request: Request) -> Response:
        """The certificate in PEM."""
        content = await asyncio.to_thread(self._read)
        if not content:
            return Response("There is no authority of our own making.\n", 404, media_type="text/plain")
        headers = {"Content-Disposition": 'attachment; filename="switchboard-authority.pem"'}
        return Response(content, media_type=_MEDIA_TYPE, headers=headers)

    def _read(self) -> bytes:
        """The file; b"" if there is none, or TLS is off, or the certificate is one of the user's."""
        if not self._settings.wants_certificate:
            return b""
        from switchboard.transports.tls_files import files_of

        path = files_of(self._settings).authority
        if path is None:
            return b""
        try:
            return path.read_bytes()
        except OSError:
            return b""
