"""The router's engine, where it was compiled: how it is made of the parts of the reference, and shares with it."""

from typing import TYPE_CHECKING, Final

from switchboard.core.environment import Environment
from switchboard.core.facts import Facts
from switchboard.core.relay_rules import ALWAYS
from switchboard.core.relays import LINGERS_S
from switchboard.core.server_transaction import ServerState
from switchboard.sip.flow import packed_address

if TYPE_CHECKING:
    from switchboard._native.engine import Engine, Reference

try:
    from switchboard._native import engine as _module
except ImportError:
    _module = None  # type: ignore[assignment]

IS_COMPILED: Final = _module is not None
_MANY: Final = 1 << 60
_STATES: Final = (
    ServerState.TRYING,
    ServerState.PROCEEDING,
    ServerState.COMPLETED,
    ServerState.CONFIRMED,
    ServerState.ACCEPTED,
    ServerState.TERMINATED,
)


def make_engine(env: Environment, reference: "Reference", facts: Facts) -> "Engine | None":
    """Return an engine that serves what is plain for the router of `env`; None where it was not compiled.

    From then on it gives out the numbers, and counts what both have to count together.
    """
    if _module is None:
        return None
    values, caps = env.layer.values, env.caps
    engine = _module.Engine(
        reference,
        facts,
        key=env.policy.seals.key,
        prefix=env.branches.prefix,
        router=env.branches.router,
        incarnation=env.incarnation,
        values=(values.t1, values.t2, values.t4, values.c, values.lifetime, values.d, values.first_trying),
        states=[int(state) for state in _STATES],
        admits_all=env.admission is None,
        realm=env.policy.own.realm,
        asserts=bool(env.asserted_domain),
        transactions=caps.transactions if caps else _MANY,
        of_source=caps.recent.limit if caps else _MANY,
        tcp_above=env.tcp_above,
        keeps_messages=env.policy.keeps_messages,
        relays=0 if env.relays is None else 2 if env.relays.mode == ALWAYS else 1,
    )
    if env.relays is not None:
        engines = [(each.host, each.port, str(each), each.sum) for each in env.relays.engines]
        advertised = env.relays.advertised
        engine.know_media(engines, advertised, packed_address(advertised), LINGERS_S)
    engine.saved = env.numbers.saved
    env.numbers = env.branches.numbers = engine
    env.layer.elsewhere = engine
    env.layer.repetitions = SharedRepetitions(engine)
    if caps:
        caps.recent = SharedRecent(engine, caps.recent.limit)
    return engine


class SharedRepetitions:
    """`Repetitions` that the engine counts for both."""

    def __init__(self, engine: "Engine") -> None:
        self._engine = engine

    @property
    def withheld(self) -> int:
        """What was not repeated."""
        return self._engine.withheld

    def answered(self, host: str) -> None:
        """A request of ours to `host` was answered."""
        self._engine.answered(packed_address(host))

    def allows(self, host: str, now: float) -> bool:
        """Whether a request may be repeated to `host` at this moment; it counts as one if it may."""
        return self._engine.allows(packed_address(host), now)


class SharedRecent:
    """`Recent` that the engine counts for both."""

    def __init__(self, engine: "Engine", limit: int) -> None:
        self.limit = limit
        self._engine = engine

    def admits(self, source: str, now: float) -> bool:
        """Count one more transaction of `source`; False, and it is not counted, if it has too many."""
        return self._engine.admits(source, now)
