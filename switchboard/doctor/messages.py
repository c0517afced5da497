"""Looks at the texts that wait for users: how many, and whether there is room."""

from collections.abc import Iterator, Mapping

from switchboard.doctor.facts import Finding, ok, warning
from switchboard.settings.model import Settings

CHECK = "texts"


def check_messages(settings: Settings, counted: Mapping[str, float] | None) -> Iterator[Finding]:
    """What the presence worker has `counted`; None: it does not run."""
    if not settings.keep_messages_days or counted is None:
        return
    waiting, users = int(counted.get("messages_waiting", 0)), int(counted.get("messages_users", 0))
    wait = f"{waiting} wait for {users} users" if waiting else "none waits for anybody"
    if refused := int(counted.get("messages_without_room", 0)):
        yield warning(
            CHECK,
            f"{wait}; {refused} were refused, as too many waited",
            "switchboard messages says for whom, switchboard messages delete USER forgets them",
        )
    else:
        yield ok(CHECK, wait)
