"""How the trunks are registered, as their worker tells."""

from typing import Any

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of

ANSWER_S = 2.0


def trunks_of(settings: Settings, context: BusContext) -> list[dict[str, Any]]:
    """Return what `trunks.list` answers (docs/BUS.md); [] without trunks. RpcError."""
    if not settings.trunks:
        return []
    found: list[dict[str, Any]] = call_rpc(
        endpoints_of(settings).ask("trunks"), "trunks.list", None, ANSWER_S, context
    )
    return found


def try_trunk(settings: Settings, context: BusContext, name: str) -> bool:
    """Have a trunk registered now; False if the worker knows none of this name. RpcError."""
    return bool(call_rpc(endpoints_of(settings).ask("trunks"), "trunks.try", name, ANSWER_S, context))
