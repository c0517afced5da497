"""A stub of a registrar on WebSockets, which answers as a test wants it to."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from system.sipmsg import Headers, Message, parse
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request, TextMessage

RECEIVED_BYTES = 1 << 14
COPIED = ("via", "from", "call-id", "cseq")


class WebRegistrar:
    """Serves one page inside the `with` block: 200 for each REGISTER, `ahead` of it in its frame.

    `fields` makes what the 200 has beside what is copied, from the Contact's value.
    """

    def __init__(self, fields: Callable[[str], Headers], ahead: bytes = b"") -> None:
        self.registrations = 0
        self._fields, self._ahead = fields, ahead
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._connection: socket.socket | None = None
        self._thread = threading.Thread(target=self._serve)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"ws://127.0.0.1:{self._listener.getsockname()[1]}/"

    def __enter__(self) -> "WebRegistrar":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for sock in filter(None, (self._listener, self._connection)):
            with suppress(OSError):  # the page may have closed it
                sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        for sock in filter(None, (self._listener, self._connection)):
            sock.close()

    def _serve(self) -> None:
        with suppress(OSError):
            self._connection, source = self._listener.accept()
            web = WSConnection(ConnectionType.SERVER)
            while came := self._connection.recv(RECEIVED_BYTES):
                web.receive_data(came)
                for event in web.events():
                    if isinstance(event, Request):
                        self._connection.sendall(web.send(AcceptConnection(subprotocol="sip")))
                    elif isinstance(event, TextMessage) and event.data.startswith("REGISTER "):
                        self.registrations += 1
                        frame = self._ahead + self._answer(parse(event.data.encode(), source)).encode()
                        self._connection.sendall(web.send(TextMessage(frame.decode())))

    def _answer(self, request: Message) -> Message:
        copied = [(name, value) for name, value in request.headers if name.lower() in COPIED]
        to, contact = f"{request.get('to')};tag=stub", request.get("contact")
        return Message("SIP/2.0 200 OK", (*copied, ("To", to), *self._fields(contact)))
