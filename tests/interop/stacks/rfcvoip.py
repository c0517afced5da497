"""rfcvoip: a descendant of pyVoIP."""

from interop.agent import Agent, serve
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "rfcvoip",
    "PyPI",
    "rfcvoip==2.10.3",
    lambda place: python_phone(place, "rfcvoip"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "A descendant of pyVoIP that answers 407. Its ACK and BYE go straight to the other "
        "phone, past every proxy: the journal does not see such a call end, and behind NAT the "
        "other phone does not hear it."
    ),
)


def main() -> None:
    """Its own sound is silence."""
    import rfcvoip
    from rfcvoip.VoIP import CallState, VoIPCall, VoIPPhone

    rfcvoip.DEBUG = True

    class Phone(Agent):
        current: VoIPCall = None

        def register(self) -> None:
            if self.current is None and not hasattr(self, "phone"):
                self.phone = VoIPPhone(
                    self.server,
                    5060,
                    self.user,
                    self.password or "none",
                    myIP=self.address,
                    callCallback=self.ring,
                )
                self.phone.start()
            else:
                self.phone.sip.register()

        def ring(self, call: VoIPCall) -> None:
            self.incoming = call

        def call(self, user: str) -> None:
            self.current = self.phone.call(user)

        def answer(self) -> None:
            self.current = self.rung()
            self.current.answer()

        def hangup(self) -> None:
            if self.current is not None and self.current.state == CallState.ANSWERED:
                self.current.hangup()

    serve(Phone())


if __name__ == "__main__":
    main()
