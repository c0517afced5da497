"""A fake phone that knows a password (RFC 3261 §22.2-3)."""

import re
from collections.abc import Callable
from secrets import token_hex
from typing import Any

from auth.answering import answer
from system.harness import Switchboard
from system.net import Net
from system.sip_transactions import ClientTransaction
from system.sipmsg import MAGIC_COOKIE, Address, Headers, Message
from system.user_agent import UserAgent

PASSWORD = "a long secret"
ITSELF: Headers = (
    ("User-Agent", "Password phone of the tests, version 1.0.0, build 20240101"),
    ("Allow", "INVITE, ACK, CANCEL, OPTIONS, BYE, REFER, NOTIFY, MESSAGE, SUBSCRIBE, INFO, UPDATE"),
    ("Supported", "replaces, outbound, gruu, path, record-aware, timer, norefersub, histinfo"),
)
ASKED = {401: ("www-authenticate", "Authorization"), 407: ("proxy-authenticate", "Proxy-Authorization")}


class PasswordAgent(UserAgent):
    """Answers every challenge once, by the algorithm that is offered at the place `number`."""

    def __init__(
        self,
        net: Net,
        name: str,
        *,
        password: str = PASSWORD,
        number: int = 0,
        host: str = "",
        proxy: Address | None = None,
    ) -> None:
        super().__init__(net, name, host, proxy)
        self.password = password
        self.number = number
        self.asked: list[Message] = []
        """The challenges so far."""

    def request(
        self, method: str, uri: str, headers: Headers = (), body: bytes = b"", **rest: Any
    ) -> Message:
        """As phones do it says so much of itself that a challenge for each algorithm is no longer."""
        return super().request(method, uri, (*headers, *ITSELF), body, **rest)

    def prove(self, start: Callable[[], ClientTransaction]) -> ClientTransaction:
        """Start a transaction that will be challenged; return the one that answers the challenge."""
        first = start()
        wanted = 401 if first.request.method == "REGISTER" else 407
        self.asked.append(first.expect(wanted))
        return self.start(self.answered(first.request, self.asked[-1]))

    def answered(self, request: Message, asked: Message, count: int = 1) -> Message:
        """The request once more, with credentials for the challenge (§22.2)."""
        field, shown = ASKED[asked.status]
        value = answer(
            asked.all(field)[self.number], self.user, self.password, request.method, request.uri, count=count
        )
        number, method = request.cseq
        new = {"via": _new_branch(request.get("via")), "cseq": f"{number + 1} {method}"}
        kept = [(name, new.get(name.lower(), text)) for name, text in request.headers if name != shown]
        if method == "REGISTER":
            self._registrations = number + 1
        return Message(request.start_line, (*kept, (shown, value)), request.body)

    def renewed(self, request: Message) -> Message:
        """The same once more, credentials and all, as whoever has read it would send it."""
        headers = [
            (name, _new_branch(text) if name.lower() == "via" else text) for name, text in request.headers
        ]
        return Message(request.start_line, tuple(headers), request.body)

    def sign_in(self) -> "PasswordAgent":
        """Register with the password."""
        self.prove(self.register).expect(200)
        return self


def add_user(switchboard: Switchboard, phone: PasswordAgent) -> None:
    """Let the phone's user register and call, with a password that nobody chose."""
    phone.password = switchboard.cli("user", "add", phone.user, "--generate").stdout.strip()


def _new_branch(via: str) -> str:
    return re.sub(r"branch=[^;]+", f"branch={MAGIC_COOKIE}{token_hex(8)}", via)
