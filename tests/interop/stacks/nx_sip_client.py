"""nx-sip-client: its own stack over UDP (it has a wrapper of PJSIP beside it)."""

from interop.agent import Agent, serve
from interop.stack import CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "nx-sip-client",
    "PyPI",
    "nx-sip-client==1.0.2",
    lambda place: python_phone(place, "nx_sip_client"),
    (REGISTERS, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "Answers a request with the first Via alone, as simplesip. Takes the server's name for "
        "the realm: `realm` has to be what it calls the server; if not it tries at once again, "
        "hundreds of times a second."
    ),
)


def main() -> None:
    """It registers when it is made."""
    from sip_client.udp.sip_client import SipClient

    class Phone(Agent):
        def register(self) -> None:
            self.client = SipClient(self.server, 5060, self.user, self.password or "none", self.address, 5060)

        def call(self, user: str) -> None:
            self.client.make_call(user)

        def answer(self) -> None:
            self.client.answer_call()

        def hangup(self) -> None:
            self.client.hangup_call()

    serve(Phone())


if __name__ == "__main__":
    main()
