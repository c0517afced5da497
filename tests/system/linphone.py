"""A Linphone phone on a LAN of namespaces: the real `linphonec`, driven through its console.

Its quirks: numbers of calls are never used again while it runs; to answer a call that is not there ends the
program; a call that was refused ends with "ended (reason)" after 603, and with "error" after most others;
nothing is sent over RTP unless a file is played.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from system.console import Console
from system.harness import wait_until
from system.lan import HUB, Lan

_SPEECH = "/usr/share/sounds/linphone/hello16000.wav"
_CONFIGURATION = """\
[sip]
sip_port=5060
sip_tcp_port={tcp_port}
sip_tls_port={tls_port}
default_proxy=0
use_ipv6=0
{trust}contact="{user}" <sip:{user}@{address}{named}>
inc_timeout={ring_s}
[rtp]
audio_rtp_port=7078
video_rtp_port=9078
[misc]
max_calls={max_calls}
[proxy_0]
reg_proxy=<sip:{registrar}{port};transport={transport}>
reg_identity=sip:{user}@{registrar}
reg_route={route}
reg_sendregister=1
reg_expires=600
publish={publishes}
"""
_FRIEND = """\
[friend_0]
url="{friend}" <sip:{friend}@{registrar}>
pol=accept
subscribe=1
"""
_TRUST = """\
root_ca={authority}
verify_server_certs=1
verify_server_cn=1
"""
_PASSWORD = """\
[auth_info_0]
username={user}
passwd={password}
realm={realm}
"""


class Linphone:
    """The phone of `user`, on the host of that name; registered inside the `with` block.

    An unanswered call is refused with 486 after `ring_s` seconds; so is at once what exceeds `max_calls`.
    With `video` the phone can send a still picture, and takes the video that it is offered. With
    `outbound_proxy` all its requests go to the switchboard, not only those for its domain or its dialogs.
    `domain`: the switchboard's address. `password`: what it shows where it is asked for one in `realm`. It registers
    over `transport`; with TLS it wants a certificate of `authority` (PEM). `listens_on_tcp`: at its port of UDP, too.
    It watches the user `friend`, and publishes that it is there.
    """

    def __init__(
        self,
        lan: Lan,
        user: str,
        home: Path,
        *,
        video: bool = False,
        outbound_proxy: bool = False,
        ring_s: int = 5,
        max_calls: int = 10,
        domain: str = HUB,
        password: str = "",
        realm: str = "switchboard",
        transport: str = "udp",
        authority: Path | None = None,
        listens_on_tcp: bool = False,
        friend: str = "",
    ) -> None:
        self.user = user
        self._domain = domain
        self.address = lan.addresses[user]
        self.uri = f"sip:{user}@{domain}"
        self._video = video
        self._log = home / "log"
        self._configuration = _CONFIGURATION.format(
            user=user,
            address=self.address,
            registrar=domain,
            publishes=int(bool(friend)),
            ring_s=ring_s,
            max_calls=max_calls,
            route=f"<sip:{domain};transport={transport};lr>" if outbound_proxy else "",
            transport=transport,
            tcp_port=5060 if transport == "tcp" or listens_on_tcp else 0,
            tls_port=5061 if transport == "tls" else 0,
            port=":5061" if transport == "tls" else "",
            trust=_TRUST.format(authority=authority) if authority else "",
            named="" if transport == "udp" else f";transport={transport}",
        )
        if friend:
            self._configuration += _FRIEND.format(friend=friend, registrar=domain)
        if password:
            self._configuration += _PASSWORD.format(user=user, password=password, realm=realm)
        self._command = self._prepare(lan, home)
        self._environment = os.environ | {"HOME": str(home), "TERM": "dumb", "LC_ALL": "C.UTF-8"}
        self._running: Console | None = None

    def __enter__(self) -> "Linphone":
        self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def register(self) -> None:
        """Register (again); returns when the registrar has said 200."""
        self._console.say(f"register {self.uri} sip:{self._domain} none")
        self.wait_registered()

    def wait_seen(self, user: str, status: str) -> None:
        """It has been told this of a user whom it watches: open, closed, away, busy."""
        told = f'We are notified that ["{user}" <sip:{user}@{self._domain}>] has presence [{status}]'
        wait_until(lambda: told in self._log.read_text(errors="replace"), f"{told} in the log of {self.user}")

    def unregister(self) -> None:
        """Remove the registration; does not wait for the registrar."""
        self._console.say("unregister")

    def wait_registered(self) -> None:
        """Return as soon as the phone counts itself registered."""
        self._console.ask("status register", r"registered, identity=sip:\S+ duration=[1-9]")

    def call(self, user: str, *, video: bool = False) -> int:
        """Place a call; returns its number on this phone, without waiting for an answer of any kind."""
        self._console.say(f"call sip:{user}@{self._domain}" + ("" if video else " --audio-only"))
        return int(self._console.wait(r"Establishing call id to .*, assigned id (\d+)")[1])

    def wait_ringing(self, call: int) -> None:
        """It rings at the other side of our call (180)."""
        self._console.wait(rf"Call {call} to .* ringing\.")

    def wait_incoming(self, caller: str) -> int:
        """It rings here, `caller` (a user) calls; returns the call's number on this phone."""
        words = rf"Receiving new incoming call from .*sip:{caller}@.*, assigned id (\d+)"
        return int(self._console.wait(words)[1])

    def wait_media(self, call: int) -> str:
        """The streams of the call run (again); returns "audio" or "video"."""
        return self._console.wait(rf"Media streams established with .* for call {call} \((\w+)\)")[1]

    def wait_ended(self, call: int) -> str:
        """The call is over; returns the console's reason: "No error", "Call declined", … or "error"."""
        ended = self._console.wait(rf"Call {call} with .* (?:ended \((.*)\)|(error))\.")
        return ended[1] or ended[2]

    def answer(self, call: int) -> None:
        """Answer an incoming call."""
        self._console.say(f"answer {call}")

    def hang_up(self, call: int) -> None:
        """End a call: BYE when it is up, CANCEL when it rings at the other side."""
        self._console.say(f"terminate {call}")

    def hang_up_all(self) -> None:
        """End all calls."""
        self._console.say("terminate all")

    def decline(self, call: int) -> None:
        """Refuse an incoming call (603)."""
        self._console.say(f"terminate {call}")

    def pause(self, call: int) -> None:
        """Hold the current call, which must be `call`; returns when the other side has agreed."""
        self._console.say("pause")
        self._console.wait(rf"Call {call} with .* is now paused\.")

    def wait_paused(self, call: int) -> None:
        """The other side holds the call."""
        self._console.wait(rf"Call {call} has been paused by ")

    def resume(self, call: int) -> None:
        """Take up a held call; returns when its streams run again."""
        self._console.say(f"resume {call}")
        self.wait_media(call)

    def transfer(self, call: int, user: str) -> None:
        """Send the other side of the call to `user` (blind transfer)."""
        self._console.say(f"transfer {call} sip:{user}@{self._domain}")

    def attended_transfer(self, call: int, consultation: int) -> None:
        """Connect the other sides of two calls of ours with each other."""
        self._console.say(f"transfer {call} --to-call {consultation}")

    def wait_transferred(self, call: int) -> None:
        """The other side of the call has told us that its new call is up (NOTIFY with 200)."""
        self._console.wait(rf"The distant endpoint .* of call {call} has been transfered")

    def redirect(self, user: str) -> None:
        """Answer what rings here with 302 and `user` as its new target."""
        self._console.say(f"redirect all sip:{user}@{self._domain}")

    def conference(self, calls: Sequence[int]) -> None:
        """Mix `calls`; returns when the console lists them all as parts of the conference."""
        for call in calls:
            self._console.say(f"conference add {call}")
            self.wait_media(call)
        for call in calls:
            self._console.ask("calls", rf"\n{call} +\| .*\| StreamsRunning +\| conferencing")

    def chat(self, user: str, text: str) -> None:
        """Send a message of one line."""
        self._console.say(f"chat sip:{user}@{self._domain} {text}")

    def wait_message(self, sender: str) -> str:
        """A message of `sender` (a user) has come; returns its text."""
        return self._console.wait(rf"Message received from sip:{sender}@\S+: (.*?)\r?\n")[1]

    def reset(self) -> None:
        """Make the phone as new: no call, what it has said is past; started anew if it has died."""
        if self._console.alive:
            self._console.say("terminate all")
            self._console.ask("calls", r"No active call\.")
            self._console.forget()
        else:
            self._start()

    def _prepare(self, lan: Lan, home: Path) -> list[str]:
        """Make the phone's home directory with its configuration; returns the command line that starts it."""
        (home / ".local/share/linphone").mkdir(parents=True)
        path = home / "linphonerc"
        path.write_text(self._configuration)
        words = ["linphonec", "-c", str(path), "-l", str(self._log), "-d", "6"]
        return lan.command(self.user, *words, *(["-V"] if self._video else []))

    def log(self) -> str:
        """All that the phone has logged, the messages that it sent and received among it."""
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        """Switch the phone on; returns when its console answers."""
        self._running = Console(self.user, self._command, self._environment, self._log)
        self._running.wait("linphonec> ")
        self._running.say("soundcard use files")
        self._running.wait("Using wav files")
        self._running.say(f"play {_SPEECH}")
        if self._video:
            self._running.say("webcam use 0")
            self._running.wait("Using video device")

    def _start(self) -> None:
        self.start()
        self.wait_registered()

    def stop(self) -> None:
        """Switch the phone off."""
        self._console.close("quit")

    def crash(self) -> None:
        """It is gone, and has told nobody."""
        self._console.kill()

    @property
    def _console(self) -> Console:
        assert self._running is not None, f"the phone of {self.user} was not started"
        return self._running
