"""opensip: a phone in pure Python on asyncio."""

import asyncio

from interop.agent import AsyncAgent, serve_async
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "opensip",
    "PyPI",
    "opensip==0.2.1",
    lambda place: python_phone(place, "opensip"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note="ACK and BYE have no Route.",
)


async def main() -> None:
    """One call at a time."""
    import logging

    from opensip import Account, Call, UserAgent

    logging.basicConfig(level=logging.DEBUG)

    class Phone(AsyncAgent):
        async def begin(self) -> None:
            self.agent = UserAgent(local_addr=(self.address, 5060))
            self.agent.on_incoming_call(self.ring)
            await self.agent.start()
            self.account = Account(self.user, self.server, self.password or "none", (self.server, 5060))

        async def ring(self, call: Call) -> None:
            self.incoming = call

        async def register(self) -> None:
            await self.agent.register(self.account)

        async def call(self, user: str) -> None:
            self.current = await self.agent.invite(self.account, self.uri(user))

    phone = Phone()
    await phone.begin()
    await serve_async(phone)


if __name__ == "__main__":
    asyncio.run(main())
