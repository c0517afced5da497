"""The filter of edge-rx: which datagrams are heard, which messages may go on, and what operators are told of that."""

import re
from collections import Counter
from collections.abc import Mapping

from switchboard.bounded import Cache
from switchboard.core.domains import parse_host
from switchboard.core.refusal import begins, is_ack_of_such, transaction_of
from switchboard.edge.admission import AdmissionControl
from switchboard.edge.rate_limit import FilterPolicy, Sources
from switchboard.sip.headers import Header
from switchboard.sip.message import Message

LINES_A_SECOND = 20
"""An attacker with many sources must not fill the disk."""
AGAIN_S = 60.0
"""The same event of the same source is reported once in this time."""
REMEMBERED = 10_000

Notice = tuple[str, Mapping[str, str]]
"""The event, and what is to be known of it; `source` is an IP address."""


class Notices:
    """Gathers notices; `suppressed` counts those beyond LINES_A_SECOND. `now` is monotonic."""

    def __init__(self) -> None:
        self.suppressed = 0
        self._told: Cache[tuple[str, str], float] = Cache(REMEMBERED)
        self._waiting: list[Notice] = []
        self._second = 0.0
        self._left = LINES_A_SECOND

    def add(self, event: str, source: str, now: float, **details: str) -> None:
        """Tell it, unless the same was told of `source` lately, or too much is told already."""
        key = event, source
        told_at = self._told.get(key)
        if told_at is not None and now - told_at < AGAIN_S:
            return
        if now - self._second >= 1.0:
            self._second, self._left = now, LINES_A_SECOND
        if not self._left:
            self.suppressed += 1
            return
        self._left -= 1
        self._told.keep(key, now)
        self._waiting.append((event, {"source": source, **details}))

    @property
    def waiting(self) -> bool:
        """Whether something has been gathered."""
        return bool(self._waiting)

    def take(self) -> list[Notice]:
        """Return what has been gathered since the last call."""
        waiting, self._waiting = self._waiting, []
        return waiting


TOO_LARGE = 513
FORBIDDEN = 403
NEVER_ANSWERED = ("", "ACK")
_UNPRINTED = re.compile("[^!-~]|=")
"""In a log line, a value of a stranger's must not look like a field."""


_CAUSES = ("forbidden", "scanners", "oversized", "acks_ended", "sent_away_overload")


class Refused(Exception):
    """A message that is refused. `status`: of the response; 0: no response."""

    def __init__(self, status: int = 0) -> None:
        super().__init__(status)
        self.status = status


class EdgeFilter:
    """Owns what is known of the sources. `now` is monotonic; a host is an IP address."""

    def __init__(self, policy: FilterPolicy) -> None:
        self.policy = policy
        self.sources = Sources(policy)
        self.admission_control = AdmissionControl(self.sources.phones.knows, policy.transaction_s)
        self.notices = Notices()
        self._scanners = tuple(name.encode() for name in policy.scanners)
        self._counters: Counter[str] = Counter(dict.fromkeys(_CAUSES, 0))

    def hears(self, host: str, port: int, now: float) -> bool:
        """Whether a datagram from `host` is to be read."""
        return self.sources.hears(self.sources.find(host, now), host, port, now)

    def check(self, message: Message, host: str, now: float) -> None:
        """Let a message pass that was read; Refused."""
        if not self.sources.find(host, now).free:
            self._check_access(message, host)
        if message.status == 0:
            self._check_scanner(message, host, now)
            self._check_ack(message)
            self._check_size(message, host)

    def admits(self, message: Message, peer: int, host: str, now: float) -> bool:
        """Whether a message may go to `peer`, by number; False if that has too much to do."""
        return not begins(message) or self.admission_control.admits(peer, transaction_of(message), host, now)

    def send_away(self) -> None:
        """Count a request whose peer has too much to do."""
        self._counters["sent_away_overload"] += 1

    def end_ack(self) -> None:
        """Count an ACK of an answer without a transaction."""
        self._counters["acks_ended"] += 1

    @property
    def has_news(self) -> bool:
        """Whether operators are to be told something."""
        return bool(self.sources.floods) or self.notices.waiting

    def tell(self, now: float) -> None:
        """Make notices of the floods that began."""
        floods, self.sources.floods = self.sources.floods, []
        for host in floods:
            limit, ignored_s = f"{self.policy.rate:g}", f"{self.policy.ignored_s:g}"
            self.notices.add("flood ignored", host, now, limit_a_second=limit, ignored_s=ignored_s)

    def stats(self) -> Mapping[str, float]:
        """Datagrams that were not read; messages that went no further, by cause; sources that are known."""
        return {
            "datagrams.ignored": self.sources.ignored,
            "datagrams.denied": self.sources.denied,
            **self._counters,
            "sources": self.sources.known,
            "notices_suppressed": self.notices.suppressed,
        }

    def _check_access(self, message: Message, host: str) -> None:
        method = message.method if message.status == 0 else ""
        if self.policy.lets_in(parse_host(host), method):
            return
        self._counters["forbidden"] += 1
        raise Refused(0 if self.policy.silent or method in NEVER_ANSWERED else FORBIDDEN)

    def _check_scanner(self, message: Message, host: str, now: float) -> None:
        agent = message.value(Header.USER_AGENT) or b""
        if agent.lower().startswith(self._scanners):
            self._counters["scanners"] += 1
            name = _UNPRINTED.sub("_", agent[:40].decode("latin-1"))
            self.notices.add("scanner dropped", host, now, user_agent=name)
            raise Refused

    def _check_ack(self, message: Message) -> None:
        if is_ack_of_such(message):
            self.end_ack()
            raise Refused

    def _check_size(self, message: Message, host: str) -> None:
        """What begins something is limited while nobody is registered at its source; all else may be as
        large as a datagram (RFC 3261 §18.1.1).
        """
        if len(message.raw) <= self.policy.largest and len(message.numbers) <= self.policy.most_fields:
            return
        if begins(message) and not self.sources.phones.knows(host):
            self._counters["oversized"] += 1
            raise Refused(TOO_LARGE)
