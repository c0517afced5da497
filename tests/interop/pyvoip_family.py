"""The phone of pyVoIP and its descendants, whose modules differ in name only."""

from typing import Any

from interop.agent import Agent, serve


class Phone(Agent):
    """A phone by the library's module `voip`."""

    current: Any = None
    voip: Any
    phone: Any = None

    def register(self) -> None:
        """Start the library, which registers; later register again."""
        if self.phone is not None:
            self.phone.sip.register()
            return
        self.phone = self.voip.VoIPPhone(
            self.server,
            5060,
            self.user,
            self.password or "none",
            myIP=self.address,
            callCallback=self.ring,
        )
        self.phone.start()

    def ring(self, call: Any) -> None:
        """Somebody calls."""
        self.incoming = call

    def call(self, user: str) -> None:
        """Call a user; the sound is silence."""
        self.current = self.phone.call(user)

    def answer(self) -> None:
        """Answer the call that rings."""
        self.current = self.rung()
        self.current.answer()

    def hangup(self) -> None:
        """End the call, if it is up."""
        if self.current is not None and self.current.state == self.voip.CallState.ANSWERED:
            self.current.hangup()


def run(library: Any, voip: Any) -> None:
    """Do what the standard input says. `voip`: the module of `library` that has the phone."""
    library.DEBUG = True
    phone = Phone()
    phone.voip = voip
    serve(phone)
