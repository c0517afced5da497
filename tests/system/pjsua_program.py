"""The program of `pjsua.py`: a phone of pjsua2 that does what the lines of its input say, and prints what happens.

All happens in one thread (`threadCnt = 0`): pjsua2's callbacks come while its events are handled.
"""

import ctypes
import select
import sys
from argparse import ArgumentParser, Namespace
from typing import Any

import pjsua2 as pj

HANDLE_MS = 20
TONE = (350, 440, 1000)
"""Two frequencies in Hz, and how long they last in ms."""

ACTIVITIES = {"away": pj.PJRPID_ACTIVITY_AWAY, "busy": pj.PJRPID_ACTIVITY_BUSY}


def say(*words: object) -> None:
    """Print what happens."""
    print(*words, flush=True)


class Endpoint(pj.Endpoint):
    """The library."""

    def onTransportState(self, prm: Any) -> None:  # noqa: N802
        """A connection has been made or has ended."""
        names = {pj.PJSIP_TP_STATE_CONNECTED: "CONNECTED", pj.PJSIP_TP_STATE_DISCONNECTED: "DISCONNECTED"}
        if prm.state in names:
            say("connection", names[prm.state])


class Call(pj.Call):
    """A call, in which it plays a tone."""

    def onCallState(self, prm: Any) -> None:  # noqa: ARG002, N802
        """The dialog has begun, or gone on, or ended."""
        told = self.getInfo()
        say("call", told.stateText, told.lastStatusCode)

    def onCallMediaState(self, prm: Any) -> None:  # noqa: ARG002, N802
        """Its streams are there."""
        self.tone = pj.ToneGenerator()
        self.tone.createToneGenerator()
        tone = pj.ToneDesc()
        tone.freq1, tone.freq2, tone.on_msec = TONE
        self.tone.play(pj.ToneDescVector([tone]), True)
        self.tone.startTransmit(self.getAudioMedia(-1))


class Buddy(pj.Buddy):
    """A user who is watched."""

    def onBuddyState(self) -> None:  # noqa: N802
        """There is news of him."""
        told = self.getInfo()
        seen = told.presStatus
        names = {activity: name for name, activity in ACTIVITIES.items()}
        doing = names.get(seen.activity, "here")
        say("buddy", told.uri, told.subStateName, seen.statusText or "nothing", doing)


class Account(pj.Account):
    """The user."""

    def __init__(self) -> None:
        super().__init__()
        self.current: Call | None = None

    def onIncomingCall(self, prm: Any) -> None:  # noqa: N802
        """Let it ring."""
        self.current = Call(self, prm.callId)
        say("incoming", self.current.getInfo().remoteUri)
        self.current.answer(_with_status(pj.PJSIP_SC_RINGING))

    def onRegState(self, prm: Any) -> None:  # noqa: N802
        """The registrar has answered, or cannot be reached."""
        say("registration", prm.code)


class Phone:
    """What it can be told to do: each method is a word of its input."""

    def __init__(self, options: Namespace) -> None:
        self._server = options.server
        self.endpoint = Endpoint()
        self.endpoint.libCreate()
        self.endpoint.libInit(_endpoint_config(options))
        self.endpoint.transportCreate(*_transport(options))
        self.endpoint.libStart()
        self.endpoint.audDevManager().setNullDev()
        self._buddies: list[Buddy] = []
        self._account = Account()
        self._account.create(_account_config(options))

    def call(self, user: str) -> None:
        """Place a call."""
        self._account.current = Call(self._account)
        self._account.current.makeCall(f"sip:{user}@{self._server}", pj.CallOpParam(True))

    def answer(self) -> None:
        """Answer what rings."""
        self._call.answer(_with_status(pj.PJSIP_SC_OK))

    def hang_up(self) -> None:
        """End the call."""
        self._call.hangup(pj.CallOpParam())

    def watch(self, user: str) -> None:
        """Watch who is there."""
        config = pj.BuddyConfig()
        config.uri, config.subscribe = f"sip:{user}@{self._server}", True
        self._buddies.append(Buddy())
        self._buddies[-1].create(self._account, config)

    def publish(self, activity: str) -> None:
        """Publish what the user does: away, busy, or here."""
        status = pj.PresenceStatus()
        status.status = pj.PJSUA_BUDDY_STATUS_ONLINE
        status.activity = ACTIVITIES.get(activity, pj.PJRPID_ACTIVITY_UNKNOWN)
        self._account.setOnlineStatus(status)

    def heard(self) -> None:
        """Tell how many packets of voice have come in this call."""
        say("heard", self._call.getStreamStat(0).rtcp.rxStat.pkt)

    def quit(self) -> None:
        """End the registration and the program."""
        self.endpoint.libDestroy()
        sys.exit()

    @property
    def _call(self) -> Call:
        assert self._account.current is not None, "there is no call"
        return self._account.current


def _with_status(status: int) -> pj.CallOpParam:
    prm = pj.CallOpParam(True)
    prm.statusCode = status
    return prm


def _endpoint_config(options: Namespace) -> pj.EpConfig:
    config = pj.EpConfig()
    config.uaConfig.threadCnt = 0
    config.uaConfig.mainThreadOnly = True
    config.logConfig.filename = options.log
    config.logConfig.level = 5
    config.logConfig.consoleLevel = 0
    return config


def _transport(options: Namespace) -> tuple[int, pj.TransportConfig]:
    config = pj.TransportConfig()
    if options.authority:
        config.tlsConfig.CaListFile = options.authority
        config.tlsConfig.verifyServer = True
    return getattr(pj, f"PJSIP_TRANSPORT_{options.transport.upper()}"), config


def _account_config(options: Namespace) -> pj.AccountConfig:
    port = ":5061" if options.transport == "tls" else ""
    way = f"sip:{options.server}{port};transport={options.transport}"
    config = pj.AccountConfig()
    config.idUri = f"sip:{options.user}@{options.server}"
    config.regConfig.registrarUri = way
    config.regConfig.randomRetryIntervalSec = 1
    config.sipConfig.proxies.append(f"{way};lr")
    if options.password:
        config.sipConfig.authCreds.append(pj.AuthCredInfo("digest", "*", options.user, 0, options.password))
    config.presConfig.publishEnabled = options.publishes
    config.natConfig.sipOutboundUse = int(options.outbound)
    return config


def _options() -> Namespace:
    parser = ArgumentParser()
    for name in ("server", "user", "transport", "log", "authority", "password"):
        parser.add_argument(f"--{name}", default="")
    parser.add_argument("--outbound", action="store_true")
    parser.add_argument("--publishes", action="store_true")
    return parser.parse_args()


def main() -> None:
    """Obey, until it is told to quit."""
    phone, libc = Phone(_options()), ctypes.CDLL(None)
    while True:
        phone.endpoint.libHandleEvents(HANDLE_MS)
        libc.fflush(None)  # its log
        while select.select([sys.stdin], [], [], 0)[0]:
            word, *rest = sys.stdin.readline().split()
            getattr(phone, word)(*rest)


if __name__ == "__main__":
    main()
