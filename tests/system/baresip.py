"""A baresip phone on a LAN of namespaces: the second implementation, driven through its console."""

import os
from pathlib import Path
from types import TracebackType

from system.console import Console
from system.lan import HUB, Lan

_CONFIGURATION = """\
sip_listen 0.0.0.0:5060
audio_source aufile,/usr/share/sounds/linphone/hello8000.wav
audio_player aufile,{home}/heard.wav
audio_alert aufile,/dev/null
module_path /usr/lib/baresip/modules
module stdio.so
module g711.so
module aufile.so
module_app account.so
module_app menu.so
"""


_OUTBOUND = ';sipnat=outbound;outbound="sip:{hub};transport=tcp";outbound2="sip:{hub};transport=tcp"'
"""Two flows (RFC 5626)."""


class Baresip:
    """The phone of `user` on the host `host`; registered inside the `with` block. One call at a time.

    It registers over `transport`; with `outbound` over TCP, twice, as an instance with two flows.
    It watches the user `friend`, and publishes that it is there.
    """

    def __init__(
        self,
        lan: Lan,
        host: str,
        user: str,
        home: Path,
        transport: str = "udp",
        *,
        outbound: bool = False,
        password: str = "none",
        friend: str = "",
    ) -> None:
        self.user = user
        self.address = lan.addresses[host]
        self.uri = f"sip:{user}@{HUB}"
        self._command = lan.command(host, "baresip", "-4", "-f", str(home))
        home.mkdir()
        modules = "module uuid.so\n" if outbound else ""
        modules += "module_app contact.so\nmodule_app presence.so\n" if friend else ""
        (home / "config").write_text(_CONFIGURATION.format(home=home) + modules)
        flows = _OUTBOUND.format(hub=HUB) if outbound else ""
        flows += ";pubint=600" if friend else ""
        port = ":5061" if transport == "tls" else ""
        (home / "accounts").write_text(
            f"<{self.uri}{port};transport={transport}>;auth_pass={password};regint=600{flows}\n"
        )
        friends = f'"{friend}" <sip:{friend}@{HUB}>;presence=p2p\n' if friend else ""
        (home / "contacts").write_text(friends)
        self._running: Console | None = None

    def __enter__(self) -> "Baresip":
        self._running = Console(self.user, self._command, os.environ | {"TERM": "dumb"})
        self._running.wait("All 1 useragent registered successfully")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._console.close("/quit")

    def wait_seen(self, user: str, status: str) -> None:
        """It has been told this of a user whom it watches: Online, Offline, Busy."""
        self._console.ask("/contacts", rf"{status}\S*\s+.*sip:{user}@")

    def call(self, user: str) -> None:
        """Place a call, without waiting for an answer of any kind."""
        self._console.forget()
        self._console.say(f"/dial sip:{user}@{HUB}")

    def wait_incoming(self, caller: str) -> None:
        """It rings here: `caller` (a user) calls."""
        self._console.wait_anew(rf"Incoming call from: .*sip:{caller}@")

    def answer(self) -> None:
        """Answer what rings."""
        self._console.say("/accept")

    def wait_connected(self) -> None:
        """The call is up."""
        self._console.wait("Call established")

    def hang_up(self) -> None:
        """End the call."""
        self._console.say("/hangup")

    def wait_ended(self) -> None:
        """The other side has ended the call."""
        self._console.wait("session closed")

    @property
    def _console(self) -> Console:
        assert self._running is not None, f"the phone of {self.user} was not started"
        return self._running
