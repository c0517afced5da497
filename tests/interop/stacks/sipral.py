"""sipral: a stack in Rust with a Python binding."""

import asyncio

from interop.agent import Agent, serve_async
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "sipral",
    "PyPI",
    "sipral==1.2.0",
    lambda place: python_phone(place, "sipral"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
)


async def main() -> None:
    """One call at a time."""
    from sipral import Call
    from sipral import Stack as Sipral

    class Phone(Agent):
        current: Call = None

        async def begin(self) -> None:
            self.sipral = Sipral(bind_host=self.address, bind_port=5060, loop=asyncio.get_running_loop())
            proof = {"auth_user": self.user, "auth_password": self.password} if self.password else {}
            self.account = self.sipral.add_account(
                self.uri(self.user),
                registrar_address=f"{self.server}:5060",
                registrar=f"sip:{self.server}",
                **proof,
            )
            self.watching = asyncio.create_task(self.watch())

        async def watch(self) -> None:
            while True:
                event = await self.sipral.events.get()
                print(event.kind_name, flush=True)
                if event.kind_name == "incoming call":
                    self.incoming = event

        async def register(self) -> None:
            self.account.register()

        async def call(self, user: str) -> None:
            self.current = self.sipral.place_call(self.account, self.uri(user))

        async def answer(self) -> None:
            self.current = self.sipral.answer_call(await self.rung_async())

        async def hangup(self) -> None:
            if self.current is not None and not self.current.ended:
                self.current.hangup()

    phone = Phone()
    await phone.begin()
    await serve_async(phone)


if __name__ == "__main__":
    asyncio.run(main())
