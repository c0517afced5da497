"""Keeps the way open by which a provider reaches us, and learns that it has vanished: OPTIONS along the flow of the
registration (RFC 3261 §11), whose answer counts whatever it is (compare RFC 5626 §4.4).

A NAT forgets a mapping that nobody uses, over UDP often after 30 s, and a connection may vanish without a word.
"""

from switchboard.trunks.registration import Account

_WORD = "alive"


class KeepAlive:
    """Of one trunk, every `every_s` seconds; 0: never."""

    def __init__(self, account: Account, every_s: float) -> None:
        self.sent = 0
        self._account = account
        self._every_s = every_s
        self._is_waiting = False
        self._next_at = 0.0

    @property
    def token(self) -> bytes:
        """By which the answer to the last one is known."""
        return f"{self._account.name} {_WORD} {self.sent}".encode()

    def next_at(self) -> float | None:
        """When the next one is due (epoch s); None while one is under way, or if there are none."""
        return None if self._is_waiting or not self._every_s else self._next_at

    def begin(self, at: float) -> None:
        """The flow has just been used: the first one is due later."""
        self._next_at = at + self._every_s

    def request(self, at: float, call_id: str) -> bytes:
        """Return the next one, without Via."""
        self.sent += 1
        self._is_waiting = True
        self.begin(at)
        account = self._account
        lines = [
            f"OPTIONS {account.registrar} SIP/2.0",
            "Max-Forwards: 70",
            f"From: <sip:{account.user}@{account.domain}>;tag={_WORD}",
            f"To: <{account.registrar}>",
            f"Call-ID: {call_id}",
            "CSeq: 1 OPTIONS",
            "User-Agent: Switchboard",
            "Content-Length: 0",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def take(self, token: bytes, was_answered: bool) -> bool:
        """Take what became of one; True: it was the last one, and nobody is there."""
        if not self._is_waiting or token != self.token:
            return False
        self._is_waiting = False
        return not was_answered
