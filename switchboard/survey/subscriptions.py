"""Who watches whom, page by page, as the presence worker tells."""

from typing import Any, Final, NamedTuple

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.settings.hosts import Component
from switchboard.settings.model import Settings
from switchboard.settings.site import components, endpoints_of

ANSWER_S: Final = 5.0


class SubscriptionPage(NamedTuple):
    """Some subscriptions as maps, the oldest first; how many a search finds, and how many there are."""

    subscriptions: list[dict[str, Any]]
    found: int
    total: int


def has_subscriptions(settings: Settings) -> bool:
    """Whether there is a worker that has any."""
    return Component.PRESENCE in components(settings)


def subscription_page(
    settings: Settings, context: BusContext, text: str, skip: int, limit: int
) -> SubscriptionPage:
    """Return `limit` subscriptions that `text` finds, behind the first `skip`; none without the worker. RpcError."""
    if not has_subscriptions(settings):
        return SubscriptionPage([], 0, 0)
    return SubscriptionPage(*_ask(settings, context, "subscriptions.find", [text, skip, limit]))


def end_subscription(settings: Settings, context: BusContext, tag: str) -> bool:
    """End one; whether there was one with this tag. RpcError."""
    return has_subscriptions(settings) and bool(_ask(settings, context, "subscriptions.end", tag))


def _ask(settings: Settings, context: BusContext, question: str, body: object) -> Any:
    return call_rpc(endpoints_of(settings).ask("presence"), question, body, ANSWER_S, context)
