"""sipua: a library by the authors of aiortc; without authentication."""

import asyncio

from interop.agent import Agent, serve_async
from interop.stack import ALL, Stack, python_phone

STACK = Stack(
    "sipua",
    "PyPI",
    "sipua==0.5.7",
    lambda place: python_phone(place, "sipua"),
    ALL,
    note=(
        "Has no authentication: with passwords, name its address in `trusted`. Its Contact has no "
        "user. Its BYE is addressed to the other side's address-of-record, not to the Contact, so it "
        "reaches each phone of that user."
    ),
)


async def main() -> None:
    """One call at a time."""
    import logging

    import sipmessage
    from sipua import Application, Call, Dialog, TransportAddress
    from sipua.utils import create_response

    logging.basicConfig(level=logging.INFO)

    class Phone(Agent, Application):
        current: Call = None

        def __init__(self) -> None:
            Agent.__init__(self)
            Application.__init__(self)

        def outgoing(self, kind: type[Dialog], user: str) -> Dialog:
            local, remote = (
                sipmessage.Address(uri=sipmessage.URI.parse(self.uri(name))) for name in (self.user, user)
            )
            return kind.create_uac(dialog_layer=self.dialog_layer, local_address=local, remote_address=remote)

        async def handle_request(self, request: sipmessage.Request) -> None:
            if request.method != "INVITE":
                await self.transaction_layer.send_response(create_response(request=request, code=200))
                return
            call = Call.create_uas(dialog_layer=self.dialog_layer, request=request)
            await call.send_response(call.create_response(request, 180))
            self.incoming = call, request

        async def register(self) -> None:
            dialog = self.outgoing(Dialog, self.user)
            request = dialog.create_request("REGISTER")
            request.uri = sipmessage.URI.parse(f"sip:{self.server}")
            request.headers.add("Expires", "600")
            print(await dialog.send_request(request), flush=True)

        async def call(self, user: str) -> None:
            self.current = self.outgoing(Call, user)
            await self.current.invite()

        async def answer(self) -> None:
            self.current, request = await self.rung_async()
            await self.current.accept(request)

        async def hangup(self) -> None:
            if self.current is not None:
                await self.current.hangup()

        async def message(self, user: str, text: str) -> None:
            dialog = self.outgoing(Dialog, user)
            request = dialog.create_request("MESSAGE")
            request.content_type = sipmessage.MediaType(mime_type="text/plain")
            request.body = text.encode()
            await dialog.send_request(request)

    phone = Phone()
    await phone.listen(TransportAddress("udp", phone.address, 5060))
    await serve_async(phone)


if __name__ == "__main__":
    asyncio.run(main())
