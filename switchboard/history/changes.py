"""What the switchboard changed in a message between its coming in and its leaving."""

from dataclasses import dataclass

from switchboard.history.glance import Glance, long_name


@dataclass(frozen=True, slots=True)
class Change:
    """`what`: `Request-URI`, `reason phrase`, `body`, or a field's name; "" where there was or is nothing.

    Several values of a field stand one a line.
    """

    what: str
    before: str
    after: str


def changes_between(incoming: Glance, outgoing: Glance) -> list[Change]:
    """Return what differs, in the order of a message."""
    found = [
        Change("Request-URI", incoming.uri, outgoing.uri),
        Change("reason phrase", incoming.phrase, outgoing.phrase),
        *(_change_of(name, incoming, outgoing) for name in _names(incoming, outgoing)),
        Change("body", _shown(incoming.body), _shown(outgoing.body)),
    ]
    return [change for change in found if change.before != change.after]


def _names(incoming: Glance, outgoing: Glance) -> list[str]:
    return list(dict.fromkeys(name for name, _ in (*outgoing.fields, *incoming.fields)))


def _change_of(name: str, incoming: Glance, outgoing: Glance) -> Change:
    before, after = (glance.all(long_name(name)) for glance in (incoming, outgoing))
    return Change(name, "\n".join(before), "\n".join(after))


def _shown(body: bytes) -> str:
    return body.decode("utf-8", "replace")
