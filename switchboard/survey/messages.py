"""For whom texts wait, as their worker tells."""

from dataclasses import dataclass

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of

ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The texts that wait for a user: how many, when the oldest was sent (epoch s), and their octets."""

    user: str
    messages: int
    oldest_at: float
    octets: int


def texts_waiting(settings: Settings, context: BusContext, user: str = "") -> list[Waiting]:
    """Return for whom texts wait, by name, or of one user; [] where none are kept. RpcError."""
    if not settings.keep_messages_days:
        return []
    wanted = [user] if user else []
    server = endpoints_of(settings).ask("presence")
    return [Waiting(*each) for each in call_rpc(server, "messages.list", wanted, ANSWER_S, context)]


def forget_texts(settings: Settings, context: BusContext, user: str) -> int:
    """Forget the texts for a user; return how many there were. RpcError."""
    server = endpoints_of(settings).ask("presence")
    return int(call_rpc(server, "messages.delete", [user], ANSWER_S, context))
