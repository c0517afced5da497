"""pjsua2: PJSIP's Python binding, as it comes as a wheel."""

from interop.agent import Agent, serve
from interop.stack import Stack, python_phone

STACK = Stack(
    "pjsua2-python",
    "PyPI",
    "pjsua2-python==2.15.1.post1",
    lambda place: python_phone(place, "pjsua2_python"),
    note=(
        "A Python program sets `threadCnt = 0` and `mainThreadOnly = True` and handles the "
        "events itself; without a sound card `setNullDev()`. Its instance (RFC 5626) comes from the host's "
        "name: phones of one user on hosts of one name need a `sipOutboundInstanceId` each, or only the last "
        "one is called."
    ),
)


def main() -> None:
    """One account, one call at a time."""
    import pjsua2 as pj

    class Call(pj.Call):
        def __init__(self, phone: "Phone", account: "Account", number: int = pj.PJSUA_INVALID_ID) -> None:
            super().__init__(account, number)
            self.phone = phone

        def onCallState(self, prm: object) -> None:  # noqa: ARG002, N802
            info = self.getInfo()
            print("state", info.stateText, flush=True)

    class Account(pj.Account):
        def __init__(self, phone: "Phone") -> None:
            super().__init__()
            self.phone = phone

        def onIncomingCall(self, prm: pj.OnIncomingCallParam) -> None:  # noqa: N802
            self.phone.incoming = Call(self.phone, self, prm.callId)
            self.phone.incoming.answer(_with_status(180))

        def onRegState(self, prm: pj.OnRegStateParam) -> None:  # noqa: N802
            print("registration", prm.code, prm.reason, flush=True)

    def _with_status(status: int) -> pj.CallOpParam:
        prm = pj.CallOpParam(True)
        prm.statusCode = status
        return prm

    class Phone(Agent):
        current: Call | None = None

        def begin(self) -> None:
            self.endpoint = pj.Endpoint()
            self.endpoint.libCreate()
            config = pj.EpConfig()
            config.uaConfig.threadCnt = 0
            config.uaConfig.mainThreadOnly = True
            config.logConfig.level = 4
            config.logConfig.consoleLevel = 4
            self.endpoint.libInit(config)
            transport = pj.TransportConfig()
            transport.port = 5060
            self.endpoint.transportCreate(pj.PJSIP_TRANSPORT_UDP, transport)
            self.endpoint.libStart()
            self.endpoint.audDevManager().setNullDev()
            self.account = Account(self)
            self.account.create(self._account_config())

        def _account_config(self) -> pj.AccountConfig:
            config = pj.AccountConfig()
            config.idUri = self.uri(self.user)
            config.regConfig.registrarUri = f"sip:{self.server}"
            config.regConfig.registerOnAdd = False
            if self.password:
                known = pj.AuthCredInfo("digest", "*", self.user, 0, self.password)
                config.sipConfig.authCreds.append(known)
            return config

        def idle(self) -> None:
            self.endpoint.libHandleEvents(20)

        def register(self) -> None:
            self.account.setRegistration(True)

        def call(self, user: str) -> None:
            self.current = Call(self, self.account)
            self.current.makeCall(self.uri(user), pj.CallOpParam(True))

        def answer(self) -> None:
            self.current = self.rung()
            self.current.answer(_with_status(200))

        def hangup(self) -> None:
            if self.current and self.current.isActive():
                self.current.hangup(pj.CallOpParam())

        def message(self, user: str, text: str) -> None:
            self.buddy = pj.Buddy()
            config = pj.BuddyConfig()
            config.uri = self.uri(user)
            self.buddy.create(self.account, config)
            prm = pj.SendInstantMessageParam()
            prm.content = text
            self.buddy.sendInstantMessage(prm)

    phone = Phone()
    phone.begin()
    serve(phone, 0.0)


if __name__ == "__main__":
    main()
