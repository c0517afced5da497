"""The connections of phones over all edge-streams, page by page: a switchboard may have many thousands."""

from typing import Any, Final

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.settings.hosts import EDGE_STREAM
from switchboard.settings.model import Settings
from switchboard.settings.site import edge_streams, endpoints_of
from switchboard.survey.found import Found

QUESTION: Final = "connections.list"
ANSWER_S: Final = 2.0


def connection_page(settings: Settings, context: BusContext, text: str, skip: int, limit: int) -> Found:
    """Return `limit` connections that `text` finds (`transports/listing.py`), behind the first `skip`. RpcError.

    The oldest of each worker come first.
    """
    shown: list[dict[str, Any]] = []
    found = total = 0
    for instance in range(edge_streams(settings)):
        wanted = [text, max(0, skip - found), limit - len(shown)]
        server = endpoints_of(settings).ask(EDGE_STREAM, instance)
        some, matching, count = call_rpc(server, QUESTION, wanted, ANSWER_S, context)
        shown += some
        found, total = found + matching, total + count
    return Found(shown, found, total)
