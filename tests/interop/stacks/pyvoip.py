"""pyVoIP: a phone in pure Python, of which there are several descendants."""

from interop.agent import Agent, serve
from interop.stack import AGAIN, CALLS, IS_CALLED, IS_WRITTEN_TO, REGISTERS, Stack, python_phone

STACK = Stack(
    "pyVoIP",
    "PyPI",
    "pyVoIP==1.6.8",
    lambda place: python_phone(place, "pyvoip"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED, IS_WRITTEN_TO),
    note=(
        "Takes 401 only: the 407 that a proxy answers an INVITE with leaves it waiting for "
        "ever, and deaf. With passwords: name its address in `trusted`, or take rfcvoip. Its "
        "BYE has no Route, and says To with another host than the INVITE had."
    ),
)


def main() -> None:
    """Its own sound is silence."""
    import pyVoIP
    from pyVoIP.VoIP import CallState, VoIPCall, VoIPPhone

    pyVoIP.DEBUG = True

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
