"""simplesip: a phone in pure Python that answers by itself."""

from interop.agent import Agent, serve
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "simplesip",
    "PyPI",
    "simplesip==0.1.5",
    lambda place: python_phone(place, "simplesip"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "Answers a request with the last Via alone, so no answer of its own reaches the other "
        "side through a proxy: it cannot be called. Its credentials leave out the qop, count "
        "and cnonce that its digest was made with; refused, it repeats them at once, hundreds "
        "of times a second."
    ),
)


def main() -> None:
    """It answers a call after a second."""
    from simplesip import SimpleSIPClient

    class Phone(Agent):
        client: SimpleSIPClient = None

        def register(self) -> None:
            if self.client is not None:
                self.client.register()
            else:
                self.client = SimpleSIPClient(self.user, self.password or "none", self.server)
                self.client.connect()

        def call(self, user: str) -> None:
            self.client.make_call(user)

        def answer(self) -> None:
            """It does so by itself."""

        def hangup(self) -> None:
            self.client.hangup_call()

    serve(Phone())


if __name__ == "__main__":
    main()
