"""Who watches whom, page by page, as the presence worker tells."""

from typing import Any, Final

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components, endpoints_of
from switchboard.survey.found import Found

ANSWER_S: Final = 5.0


def has_subscriptions(settings: Settings) -> bool:
    """Whether there is a worker that has any."""
    return Component.PRESENCE in components(settings)


def subscription_page(settings: Settings, context: BusContext, text: str, skip: int, limit: int) -> Found:
    """Return `limit` subscriptions that `text` finds, the oldest first, behind the first `skip`. RpcError.

    Without the worker there are none.
    """
    if not has_subscriptions(settings):
        return Found([], 0, 0)
    return Found(*_ask(settings, context, "subscriptions.find", [text, skip, limit]))


def end_subscription(settings: Settings, context: BusContext, tag: str) -> bool:
    """End one; whether there was one with this tag. RpcError."""
    return has_subscriptions(settings) and bool(_ask(settings, context, "subscriptions.end", tag))


def _ask(settings: Settings, context: BusContext, question: str, body: object) -> Any:
    return call_rpc(endpoints_of(settings).ask("presence"), question, body, ANSWER_S, context)
