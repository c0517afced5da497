"""A pjsua2 phone on a LAN of namespaces: PJSIP's library, as PyPI has it, in a program that a console drives."""

import os
import re
import sys
from pathlib import Path
from types import TracebackType

from system.console import Console
from system.lan import HUB, Lan

PROGRAM = Path(__file__).with_name("pjsua_program.py")
"""Not imported: pjsua2 is not everywhere."""


class Pjsua:
    """The phone of `user` on the host `host`; registered inside the `with` block. One call at a time.

    It registers over `transport`; with TLS it wants a certificate of `authority` (PEM). Without `outbound` it does
    as if it knew no RFC 5626. `publishes`: what `publish` says, and else that it is there.
    """

    def __init__(
        self,
        lan: Lan,
        host: str,
        user: str,
        home: Path,
        transport: str = "tcp",
        *,
        outbound: bool = True,
        authority: Path | None = None,
        password: str = "",
        publishes: bool = False,
    ) -> None:
        home.mkdir()
        self.user = user
        self.address = lan.addresses[host]
        self._log = home / "log"
        words = ["--server", HUB, "--user", user, "--transport", transport, "--log", str(self._log)]
        words += ["--password", password] if password else []
        words += ["--outbound"] if outbound else []
        words += ["--publishes"] if publishes else []
        words += ["--authority", str(authority)] if authority else []
        self._command = lan.command(host, sys.executable, "-P", str(PROGRAM), *words)
        self._running: Console | None = None

    def __enter__(self) -> "Pjsua":
        self.start()
        self.wait_registered()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Switch it on."""
        self._running = Console(self.user, self._command, os.environ | {"TERM": "dumb"}, self._log)

    def stop(self) -> None:
        """Switch it off."""
        self._console.close("quit")

    def wait_refused(self, status: int) -> None:
        """The registrar has refused it so."""
        self._console.wait(rf"registration {status}\b")

    def wait_registered(self) -> None:
        """The registrar has said 200 (again)."""
        self._console.wait("registration 200")

    def registrations(self) -> list[str]:
        """The REGISTERs that it has sent."""
        return re.findall(r"^REGISTER sip:.*?\n\r?\n", self.log(), re.DOTALL | re.MULTILINE)

    def wait_disconnected(self) -> None:
        """Its connection has ended."""
        self._console.wait("connection DISCONNECTED")

    def call(self, user: str) -> None:
        """Place a call, without waiting for an answer of any kind."""
        self._console.forget()
        self._console.say(f"call {user}")

    def wait_ringing(self) -> None:
        """It rings at the other side."""
        self._console.wait("call EARLY")

    def wait_incoming(self, caller: str) -> None:
        """It rings here: `caller` (a user) calls."""
        self._console.wait_anew(rf"incoming .*sip:{caller}@")

    def answer(self) -> None:
        """Answer what rings."""
        self._console.say("answer")

    def wait_confirmed(self) -> None:
        """The call is up."""
        self._console.wait("call CONFIRMED")

    def wait_connected(self) -> None:
        """The call is up, and voice comes."""
        self.wait_confirmed()
        self._console.ask("heard", r"heard [1-9]")

    def watch(self, user: str) -> None:
        """Watch whether `user` is there."""
        self._console.say(f"watch {user}")

    def publish(self, activity: str) -> None:
        """Publish what its user does: away, busy, here."""
        self._console.say(f"publish {activity}")

    def wait_seen(self, user: str, status: str, activity: str = "here") -> None:
        """It has been told this of a user: Online or Offline; here, away or busy."""
        self._console.wait(rf"buddy .*sip:{user}@\S+ ACTIVE {status} {activity}\b")

    def hang_up(self) -> None:
        """End the call."""
        self._console.say("hang_up")

    def wait_ended(self) -> None:
        """The call is over."""
        self._console.wait("call DISCONNECTED")

    def log(self) -> str:
        """All that it has logged, the messages that it sent and received among it."""
        return self._log.read_text(errors="replace")

    @property
    def _console(self) -> Console:
        assert self._running is not None, f"the phone of {self.user} was not started"
        return self._running
