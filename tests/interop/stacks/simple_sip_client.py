"""simple-sip-client: a phone in pure Python."""

from interop.agent import Agent, serve
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "simple-sip-client",
    "PyPI",
    "simple-sip-client==0.0.3",
    lambda place: python_phone(place, "simple_sip_client"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "Takes 401 only, as pyVoIP, and keeps the comma behind an unquoted parameter of a "
        'challenge: it says algorithm="MD5,". With passwords: name its address in `trusted`. '
        "When it was called and hangs up, its BYE is addressed to itself."
    ),
)


def main() -> None:
    """One call at a time."""
    import logging

    from simple_sip import SIPClient
    from simple_sip.sip_client import Call

    logging.basicConfig(level=logging.DEBUG)

    class Phone(Agent):
        current: Call = None

        def register(self) -> None:
            if not hasattr(self, "client"):
                self.client = SIPClient()
                for event in ("incoming_call", "call_incoming", "invite", "incoming"):
                    self.client.on(event, self.ring)
                self.client.connect(self.server, 5060, self.user, self.password, local_port=5060)
            else:
                self.client._register()

        def ring(self, call: Call, *_: object) -> None:
            self.incoming = call

        def call(self, user: str) -> None:
            self.current = self.client.make_call(self.uri(user))

        def answer(self) -> None:
            self.current = self.rung()
            self.current.accept()

        def hangup(self) -> None:
            if self.current is not None:
                self.current.hangup()

    serve(Phone())


if __name__ == "__main__":
    main()
