"""baresip-python: a newer baresip than Debian's, with libre 4.10, as a library."""

import asyncio

from interop.agent import AsyncAgent, serve_async
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "baresip-python",
    "PyPI",
    "baresip-python==0.5.2a3",
    lambda place: python_phone(place, "baresip_python"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=("baresip as a library, with libre 4.10. A MESSAGE gets 501 unless the program asks for them."),
)


async def main() -> None:
    """One call at a time."""
    from baresip import Account, Call, Config, Runtime, UserAgent

    class Phone(AsyncAgent):
        async def begin(self) -> None:
            self.runtime = Runtime()
            await self.runtime.start(Config(extra_config_text=f"sip_listen {self.address}:5060\n"))
            account = Account(self.user, self.server, self.password or "none")
            self.agent = await UserAgent.create(self.runtime, account)
            self.agent.on_incoming(self.ring)

        def ring(self, call: Call) -> None:
            self.incoming = call

        async def register(self) -> None:
            await self.agent.register()

        async def call(self, user: str) -> None:
            self.current = await self.agent.dial(self.uri(user))

    phone = Phone()
    await phone.begin()
    await serve_async(phone)


if __name__ == "__main__":
    asyncio.run(main())
