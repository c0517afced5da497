"""How a worker sends as the settings have it."""

from switchboard.bus.context import BusContext
from switchboard.bus.endpoints import Endpoints
from switchboard.settings.model import Settings
from switchboard.settings.site import is_here
from switchboard.transports.lending import NAME, Borrower
from switchboard.transports.sender import Sender


def make_sender(settings: Settings, context: BusContext, endpoints: Endpoints) -> Sender:
    """One that borrows the edge's sockets, if the edge is on this host."""
    is_beside_edge = is_here("edge-tx.0", settings)
    return Sender(context, endpoints, Borrower(settings.run_dir / NAME) if is_beside_edge else None)
