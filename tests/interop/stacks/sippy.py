"""sippy: the stack of the Sippy B2BUA."""

from interop.agent import Agent
from interop.stack import AGAIN, CALLS, IS_CALLED, REGISTERS, Stack, python_phone

STACK = Stack(
    "sippy",
    "PyPI",
    "sippy==2.5.0",
    lambda place: python_phone(place, "sippy"),
    (REGISTERS, AGAIN, *CALLS, *IS_CALLED),
    note=(
        "Its From names its own address, not the switchboard: `auth_from = false` lets it call "
        "with a password (tried once, not part of the table). The digest of a call names the "
        "server's port, which the Request-URI does not; that is served."
    ),
)


def main() -> None:
    """Its own event loop reads the sockets, a thread of ours the input."""
    import sys
    import threading
    from typing import Any

    from sippy.CCEvents import CCEventConnect, CCEventDisconnect, CCEventRing, CCEventTry
    from sippy.Core.EventDispatcher import ED2
    from sippy.MsgBody import MsgBody
    from sippy.SipCallId import SipCallId
    from sippy.SipLogger import SipLogger
    from sippy.SipRegistrationAgent import SipRegistrationAgent
    from sippy.SipTransactionManager import SipTransactionManager
    from sippy.SipURL import SipURL
    from sippy.UA import UA

    class Phone(Agent):
        current: UA = None
        registration: SipRegistrationAgent = None

        def begin(self) -> None:
            self.sdp = MsgBody(
                f"v=0\r\no=- 1 1 IN IP4 {self.address}\r\ns=-\r\nc=IN IP4 {self.address}\r\nt=0 0\r\n"
                "m=audio 40000 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
            )
            self.sdp.parse()
            self.config = {"_sip_address": self.address, "_sip_port": 5060, "_sip_logger": SipLogger("phone")}
            self.config["_sip_tm"] = SipTransactionManager(self.config, self.ring)

        def ring(self, request: Any, transaction: object) -> Any:
            if request.getHFBody("to").getTag() is not None:
                return request.genResponse(481, "Call Leg/Transaction Does Not Exist"), None, None
            if request.getMethod() != "INVITE":
                return request.genResponse(501, "Not Implemented"), None, None
            self.incoming = UA(self.config, self.happened)
            return self.incoming.recvRequest(request, transaction)

        def happened(self, event: object, agent: UA) -> None:
            print(event, flush=True)
            if isinstance(event, CCEventTry):
                agent.recvEvent(CCEventRing((180, "Ringing", None)))

        def register(self) -> None:
            if self.registration is None:
                aor, contact = (SipURL(username=self.user, host=host) for host in (self.server, self.address))
                self.registration = SipRegistrationAgent(
                    self.config, aor, contact, self.user, self.password or None, exp=600
                )
            self.registration.doregister()

        def call(self, user: str) -> None:
            self.current = UA(
                self.config,
                self.happened,
                self.user,
                self.password or None,
                (self.server, 5060),
            )
            event = CCEventTry((SipCallId(), self.user, user, self.sdp, None, None))
            self.current.recvEvent(event)

        def answer(self) -> None:
            self.current = self.incoming
            self.current.recvEvent(CCEventConnect((200, "OK", self.sdp)))

        def hangup(self) -> None:
            if self.current is not None:
                self.current.recvEvent(CCEventDisconnect())
                self.current = None

    def obey(line: str) -> None:
        word, *rest = line.split()
        print("told", word, flush=True)
        getattr(phone, word)(*rest)

    def read() -> None:
        for line in sys.stdin:
            ED2.callFromThread(obey, line)
        ED2.callFromThread(ED2.breakLoop)

    phone = Phone()
    phone.begin()
    threading.Thread(target=read, daemon=True).start()
    ED2.loop()


if __name__ == "__main__":
    main()
