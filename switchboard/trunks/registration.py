"""The registration of one trunk with its provider: a user agent client without sockets or clock (RFC 3261 §10.2).

Theory. There is one REGISTER at a time. What the next one needs is in a `Saved`, which the owner keeps on disk before
the request leaves: Call-ID and CSeq, which may only grow (§10.2), and the nonce with the count of its uses, which may
not come twice (RFC 7616 §3.4). So a process that dies at any moment has a successor that goes on where it was.

    200                  registered until the Contact's expiry; again after about three quarters of that
    423                  again at once, with the least expiry that the provider takes; a second one is a refusal
    401, 407             again at once with an answer to the strongest challenge; a second answer in a row only if the
                         provider says that the nonce was stale, and no third one
    5xx, nobody there    later: after Retry-After, else twice as late each time
    any other            much later: a provider that refuses us may lock the account if it is asked often

A registration that is valid stays so while a refresh fails. It is refreshed early where its flow has ended, over which
the provider reaches us (RFC 5626 §4.5): at once, but not at the same instant as all others whose flows a provider's
restart has ended; and later each time, if the flows end soon.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from switchboard.auth.proving import ANSWER_FIELDS, Asked, asked_in
from switchboard.core.own_requests import HERE
from switchboard.sip.address import NameAddr
from switchboard.sip.errors import ParseError
from switchboard.sip.headers import Header
from switchboard.sip.message import Message, parse_message
from switchboard.sip.uri import parse_uri

MOST_ANSWERS: Final = 2
"""Challenges answered in a row: the second one if the nonce of the first was stale."""
SOON_S: Final = 2.0
LATE_S: Final = 300.0
"""Between two tries while the provider is away: from and to, twice as long each time."""
REFUSED_S: Final = 60.0
REFUSED_LATE_S: Final = 1800.0
"""The same while it refuses us."""
LOST_S: Final = 1.0
"""From the end of a flow until the next REGISTER, at most; twice as long each time, up to LATE_S."""
STABLE_S: Final = 120.0
"""A flow that has lasted so long ends by no fault of ours (RFC 5626 §4.5)."""
LONGEST_S: Final = 2**32 - 1
LONGEST_WAIT_S: Final = 3600.0
"""Whatever Retry-After says."""
_SHORTEST_S: Final = 5
_MOST_DOUBLED: Final = 12
_LONGEST_REASON: Final = 120
ENDED: Final = "its connection has ended"
SILENT: Final = "it does not answer keep-alives"
_OWN_WORDS: Final = {
    400: "its settings make no request that can be sent",
    408: "nobody answers there",
    430: "its connection is gone",
    482: "its registrar is this switchboard",
    503: "nobody can be reached there",
}


@dataclass(frozen=True, slots=True)
class Account:
    """What the settings say of a trunk. `registrar`: a URI without user. `token`: the user part of our Contact."""

    name: str
    registrar: str
    domain: str
    user: str
    auth_user: str
    token: str
    expires_s: int


@dataclass(slots=True)
class Saved:
    """What a successor needs. Instants: epoch s. `account`: of whom it is; of another one all else is void.

    `challenge`: the last one, "" for none; `answer_to`: its status; `count`: uses of its nonce. `answers`: challenges
    answered in a row; 0: the nonce is an old one. `is_waiting`: a request is under way. `until_at`: registered until
    then, since `since_at`, by `flow` (packed, in hexadecimal digits); "" if that has ended. `losses`: flows in a row
    that have not lasted. `refusal`: why it is not, or why the last try came to nothing; "" if it worked.
    """

    call_id: str
    tag: str
    account: str = ""
    cseq: int = 0
    asked_s: int = 0
    challenge: str = ""
    answer_to: int = 0
    count: int = 0
    answers: int = 0
    is_waiting: bool = False
    until_at: float = 0.0
    since_at: float = 0.0
    flow: str = ""
    losses: int = 0
    next_at: float = 0.0
    failures: int = 0
    refusal: str = ""
    refused_at: float = 0.0

    def to_dict(self) -> dict[str, Any]:
        """As it is kept."""
        return asdict(self)

    @classmethod
    def of(cls, found: object) -> "Saved | None":
        """Read what `to_dict` made; None if it is damaged."""
        if not isinstance(found, dict):
            return None
        like = cls("", "").to_dict()
        if not {"call_id", "tag"} <= found.keys() <= like.keys():
            return None
        is_whole = all(type(value) is type(like[name]) for name, value in found.items())
        return cls(**found) if is_whole else None


class Registration:
    """One trunk. `saved` is what to keep; `random` returns evenly from [0, 1)."""

    def __init__(self, account: Account, saved: Saved, random: Callable[[], float]) -> None:
        self.account = account
        self.saved = saved
        self._random = random
        self._was_too_short = False
        owner = f"{account.user}@{account.domain} {account.auth_user} {account.registrar}"
        if saved.account != owner:
            saved.account, saved.challenge, saved.refusal, saved.flow = owner, "", "", ""
            saved.until_at = saved.next_at = saved.refused_at = 0.0
            saved.asked_s = saved.failures = saved.answers = 0
        if saved.is_waiting:  # its answer will not come here
            saved.is_waiting = False
            saved.next_at = 0.0

    def is_registered(self, at: float) -> bool:
        """Whether the provider leads calls here."""
        return at < self.saved.until_at

    def request(self, at: float, password: str, cnonce: str) -> bytes:
        """Return the next REGISTER, without Via. The state that it leaves behind has to be kept before it is sent."""
        saved, account = self.saved, self.account
        saved.cseq += 1
        saved.is_waiting = True
        saved.next_at = at
        asked_s = max(account.expires_s, saved.asked_s)
        lines = [
            f"REGISTER {account.registrar} SIP/2.0",
            "Max-Forwards: 70",
            f"From: <sip:{account.user}@{account.domain}>;tag={saved.tag}",
            f"To: <sip:{account.user}@{account.domain}>",
            f"Call-ID: {saved.call_id}",
            f"CSeq: {saved.cseq} REGISTER",
            f"Contact: <sip:{account.token}@{HERE.decode()}{_transport_in(account.registrar)}>;expires={asked_s}",
            f"Expires: {asked_s}",
            *self._credentials(password, cnonce),
            "User-Agent: Switchboard",
            "Content-Length: 0",
        ]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")

    def take(self, status: int, raw: bytes, at: float, has_password: bool = True, flow: bytes = b"") -> bool:
        """Take the final response, `raw` empty for a `status` of our own; True: the next request may leave at once.

        `flow`: over which the request had gone, packed.
        """
        self.saved.is_waiting = False
        try:
            response = parse_message(raw) if raw else None
        except ParseError:
            return self._wait(at, "its answer cannot be read", SOON_S, LATE_S)
        if response is None:
            return self._wait(at, _OWN_WORDS.get(status, f"our own status {status}"), SOON_S, LATE_S)
        if status < 300:
            return self._accept(response, at, flow)
        if status in ANSWER_FIELDS:
            return self._take_challenge(response, at, has_password)
        if status == 423:
            return self._take_longer(response, at)
        words = _words_of(response)
        after_s = _seconds(response.get("retry-after") or "")
        if status >= 600 or 300 <= status < 500:
            return self._wait(at, words, max(REFUSED_S, after_s), REFUSED_LATE_S)
        return self._wait(at, words, SOON_S, LATE_S, after_s)

    def miss(self, at: float) -> None:
        """Nobody told what became of the request: its router may have died."""
        self.saved.is_waiting = False
        self._wait(at, "no router has answered", SOON_S, LATE_S)

    def lose(self, at: float, words: str) -> bool:
        """The flow has ended by which it is registered; False: there is none. `words`: for people."""
        saved = self.saved
        if saved.is_waiting or not saved.flow:
            return False
        saved.losses = 0 if at - saved.since_at >= STABLE_S else saved.losses + 1
        saved.flow = ""
        saved.refusal, saved.refused_at = words, at
        self._hasten(at, min(LOST_S * 2 ** min(max(0, saved.losses - 1), _MOST_DOUBLED), LATE_S))
        return True

    def doubt(self, at: float) -> None:
        """Its flow may have ended while nobody looked."""
        if self.saved.flow:
            self._hasten(at, LOST_S)

    def _hasten(self, at: float, most_s: float) -> None:
        """Try again within this time, not before the half of it."""
        self.saved.next_at = min(self.saved.next_at, at + most_s * (0.5 + 0.5 * self._random()))

    def _credentials(self, password: str, cnonce: str) -> list[str]:
        saved = self.saved
        if not saved.challenge or not password:
            return []
        saved.count += 1
        asked, account = Asked.parse(saved.challenge), self.account
        value = asked.answer(account.auth_user, password, "REGISTER", account.registrar, cnonce, saved.count)
        return [f"{ANSWER_FIELDS[saved.answer_to]}: {value}"]

    def _accept(self, response: Message, at: float, flow: bytes) -> bool:
        saved = self.saved
        granted_s = self._granted(response)
        if granted_s <= 0:
            return self._wait(
                at, "it has taken the registration, and dropped it again", REFUSED_S, REFUSED_LATE_S
            )
        saved.until_at, saved.since_at, saved.flow = at + granted_s, at, flow.hex()
        saved.next_at = at + max(min(granted_s, _SHORTEST_S) / 2, granted_s * (0.7 + 0.1 * self._random()))
        saved.answers = saved.failures = 0
        self._was_too_short = False
        saved.refusal, saved.refused_at = "", 0.0
        return False

    def _granted(self, response: Message) -> int:
        """For how many seconds (§10.2.4): what our Contact says, else Expires, else what we asked for."""
        for value in response.values(Header.CONTACT):
            try:
                contact = NameAddr.parse(value)
                is_ours = parse_uri(contact.uri).username == self.account.token
            except ParseError:
                continue
            expires = contact.param("expires") or ""
            if is_ours and expires.isascii() and expires.isdigit():
                return _seconds(expires)
        expires = response.get("expires") or ""
        return _seconds(expires) if expires else max(self.account.expires_s, self.saved.asked_s)

    def _take_challenge(self, response: Message, at: float, has_password: bool) -> bool:
        saved, asked = self.saved, asked_in(response)
        words = _words_of(response)
        if asked is None:
            return self._refuse(at, f"it asks for what we cannot prove ({words})")
        if not has_password:
            return self._refuse(at, f"it wants a password: switchboard trunk password {self.account.name}")
        if saved.answers and not (asked.is_stale and saved.answers < MOST_ANSWERS):
            return self._refuse(at, f"it does not take the password ({words})")
        saved.answers += 1
        saved.challenge, saved.answer_to, saved.count = asked.text, response.status, 0
        return True

    def _refuse(self, at: float, words: str) -> bool:
        self.saved.challenge, self.saved.count = "", 0
        return self._wait(at, words, REFUSED_S, REFUSED_LATE_S)

    def _take_longer(self, response: Message, at: float) -> bool:
        least_s, saved = _seconds(response.get("min-expires") or ""), self.saved
        if self._was_too_short or not max(saved.asked_s, self.account.expires_s) < least_s:
            return self._wait(at, "423, but with no longer Min-Expires", REFUSED_S, REFUSED_LATE_S)
        saved.asked_s = least_s
        self._was_too_short = True
        return True

    def _wait(self, at: float, words: str, first_s: float, most_s: float, after_s: float = 0.0) -> bool:
        """Try again later, and not at the same instant as others whom the provider has turned away. False."""
        saved = self.saved
        doubled = first_s * 2 ** min(saved.failures, _MOST_DOUBLED)
        pause_s = min(after_s, LONGEST_WAIT_S) or min(doubled, most_s)
        saved.failures += 1
        saved.answers = 0
        self._was_too_short = False
        saved.refusal, saved.refused_at = words, at
        saved.next_at = at + pause_s * (1.0 + 0.25 * self._random())
        return False


def _words_of(response: Message) -> str:
    """Status and reason phrase for people; octets that are no text are replaced."""
    reason = response.reason.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return f"{response.status} {reason[:_LONGEST_REASON]}".strip()


def _seconds(text: str) -> int:
    """The number at the beginning (RFC 3261 §20.33 allows a comment behind it); 0 if there is none."""
    digits = text.strip()
    end = next((place for place, each in enumerate(digits) if not ("0" <= each <= "9")), len(digits))
    return min(int(digits[:end] or 0), LONGEST_S) if end <= 10 else LONGEST_S


def _transport_in(registrar: str) -> str:
    """The parameter of our Contact: what leads to us over the transport that we register over."""
    transport = parse_uri(registrar).param("transport")
    return f";transport={transport}" if transport else ""
