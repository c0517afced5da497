"""Limits of a router: not more work than it can finish, and not all of it from one source (503, RFC 3261 §21.5.4).

Theory. Only a new request outside a dialog may be refused; that needs no transaction. Requests of work that was
begun, and every CANCEL, are always served. For each source the router counts the transactions of two periods of 64
T1, the present and the previous one. That needs one number for each source instead of a list of times.
"""

from typing import Protocol

from switchboard.bounded import Cache, Generations
from switchboard.core.commands import ProxyEffects, Reader
from switchboard.core.contacts import Locations
from switchboard.core.domains import Network, is_within, parse_host
from switchboard.core.overload import LASTS_S, MOST, Overload, Verdicts
from switchboard.core.refusal import Refusal, tag_of, try_later
from switchboard.core.request import IncomingRequest
from switchboard.sip.headers import Header
from switchboard.sip.stateless import StatelessAnswers


class Recency(Protocol):
    """Who counts them."""

    limit: int

    def admits(self, source: str, now: float) -> bool: ...


class Recent:
    """Counts by source over the generation that runs and the one before, `lasts_s` each: a bounded memory.

    A server transaction outlives its final response by 64 T1. `limit`: of one source in that time. `now` is
    monotonic.
    """

    def __init__(self, limit: int, lasts_s: float = LASTS_S) -> None:
        self.limit = limit
        self._counts: Generations[str, int] = Generations(MOST, lasts_s)

    def admits(self, source: str, now: float) -> bool:
        """Count one more transaction of `source`; False, and it is not counted, if it has too many."""
        self._counts.age(now)
        count = self._counts.young.get(source, 0)
        if count + self._counts.old.get(source, 0) >= self.limit:
            return False
        if count:
            self._counts.young[source] = count + 1
        else:
            self._counts.put(source, 1, now)
        return True


LATE_S = 0.3
"""At this lateness a router refuses what the edge let pass; the edge refuses earlier, and at less cost."""
MOST_PASSED = 60
"""Via and Route values of a request; Max-Forwards lets a request pass 70 proxies."""
_NOBODY = Reader("", "")


class Caps:
    """`transactions`: of the router; `of_source`: of one source in `lasts_s` (64 T1), `exempt` ones excepted.

    A request that was refused is refused again, for `lasts_s` at least: its sender has been told.
    """

    def __init__(
        self,
        locations: Locations,
        transactions: int,
        of_source: int,
        exempt: tuple[Network, ...],
        lasts_s: float = LASTS_S,
    ) -> None:
        self.overload = Overload(LATE_S)
        self._locations = locations
        self.transactions = transactions
        self.recent: Recency = Recent(of_source, lasts_s)
        self._refused = Verdicts(lasts_s)
        self._exempt = exempt
        self._known: Cache[str, bool] = Cache(1000)

    def cause(self, incoming: IncomingRequest, transactions: int, effects: ProxyEffects) -> str:
        """Why a request that begins a transaction is refused; "" if it is not. ParseError."""
        if incoming.method == "CANCEL" or incoming.is_in_dialog:
            return ""
        number = hash(incoming.key)
        if self._refused.find(number, effects.now) is not None:
            return "again"
        cause = self._cause_now(incoming, transactions, effects)
        if cause:
            self._refused.add(number, False, effects.now)
        return cause

    def _cause_now(self, incoming: IncomingRequest, transactions: int, effects: ProxyEffects) -> str:
        if transactions >= self.transactions:
            return "transactions"
        if self.overload.refuses(effects.now, self._is_of_user(incoming, effects)):
            return "overload"
        host = incoming.source.host
        return "" if self.is_exempt(host) or self.recent.admits(host, effects.now) else "source"

    def _is_of_user(self, incoming: IncomingRequest, effects: ProxyEffects) -> bool:
        if not self.overload.is_pressing(effects.now) or not incoming.caller:
            return False
        return self._locations.registered_from(incoming.caller, incoming.source.host, effects.at)

    def is_exempt(self, host: str) -> bool:
        """Whether no cap holds for what comes from there."""
        known = self._known.get(host)
        if known is None:
            known = self._known.keep(host, is_within(parse_host(host), self._exempt))
        return known


def send_away(incoming: IncomingRequest, answers: StatelessAnswers, effects: ProxyEffects) -> None:
    """Answer 503 without a transaction, and say when to try again."""
    message, source, later = incoming.message, incoming.source.hop, [try_later(incoming.message)]
    answer = answers.make(message, source, 503, optional=later, to_tag=tag_of(message), at=effects.at)
    if answer:
        response, hop = answer
        effects.send_response(incoming.source.towards(hop), response, _NOBODY)


def check_passed(incoming: IncomingRequest) -> None:
    """Refuse a request with more Via or Route values than an honest one can have collected."""
    request = incoming.message
    for number in (Header.VIA, Header.ROUTE):
        if request.raw.count(b",") + request.numbers.count(number) <= MOST_PASSED:
            continue
        if len(request.values(number)) > MOST_PASSED:
            raise Refusal(400, f"Too Many {number.name.title()} Values")
