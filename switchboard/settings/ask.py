"""Asks a registrar, whichever of several answers."""

from typing import Any, Final

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, RpcRefused, call_rpc
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of

OF_THE_FIRST: Final = ("user.", "rules.")
"""Questions about users and rules are for the first registrar, which has them."""


def ask_registrar(
    settings: Settings, context: BusContext, question: str, body: object = None, timeout_s: float = 1.0
) -> Any:
    """The answer of the first registrar that is there, of which each gets `timeout_s`. RpcError, RpcRefused."""
    servers = 1 if question.startswith(OF_THE_FIRST) else settings.registrars
    endpoints = endpoints_of(settings)
    for number in range(servers - 1):
        try:
            return call_rpc(endpoints.ask("registrar", number), question, body, timeout_s, context)
        except RpcRefused:
            raise
        except RpcError:
            continue
    return call_rpc(endpoints.ask("registrar", servers - 1), question, body, timeout_s, context)
