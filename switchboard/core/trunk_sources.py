"""Where providers are: the addresses to which their names lead, asked again and again, since calls come from there."""

from collections.abc import Sequence
from functools import partial
from typing import Final

from switchboard.core.commands import Lookup, NextHop, ProxyEffects, Question
from switchboard.core.environment import Environment
from switchboard.core.forwarding import literal_hop
from switchboard.core.place import transport_of
from switchboard.core.trunks import Trunks
from switchboard.sip.uri import parse_uri

EVERY_S: Final = 10.0
"""Between two questions; the resolver remembers an answer for its lifetime."""
ASKER: Final = "trunks"


class TrunkSources:
    """One router's. `due`: when `handle_timer` is to ask next (monotonic s)."""

    def __init__(self, env: Environment, trunks: Trunks) -> None:
        self.due = 0.0
        self._env = env
        self._trunks = trunks

    def handle_timer(self, effects: ProxyEffects) -> None:
        """Ask for each name; an address is what it says."""
        if effects.now < self.due:
            return
        self.due = effects.now + EVERY_S
        for name, trunk in self._trunks.by_name.items():
            uri = parse_uri(trunk.uri)
            is_named = uri.port is None and uri.param("transport") is not None
            lookup = Lookup(uri.host.strip("[]"), uri.port, transport_of(uri), is_named)
            hop = literal_hop(lookup)
            if hop is not None:
                self._trunks.note_hosts(name, [hop[0]], effects.now)
            elif lookup not in self._env.waiting:
                self._env.ask(Question(lookup, ASKER), partial(self._note, name), effects)

    def _note(self, name: str, hops: Sequence[NextHop], effects: ProxyEffects) -> None:
        self._trunks.note_hosts(name, [hop.host for hop in hops], effects.now)
