"""The attacks that want something of others: rows of `make attack`, with what reached a third party."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from bench import forged, hijack, leadback
from bench.bystander import Reach

REACH_SECTION: Final = "third parties"
REACH_HEAD: Final = (
    "attack",
    "what was sent",
    "reached a third party",
    "repetitions",
    "of these a second",
    "octets",
)
Row = tuple[str, ...]


def reaches(names: Iterable[str]) -> Iterator[Row]:
    """The rows of so many of the `REACHES`, as they are measured."""
    for name in names:
        row = (name, *REACHES[name]())
        print(*row, sep="  ", flush=True)
        yield row


def _hijacked() -> Row:
    """Calls go on while others register their contacts; strangers send what the sides would."""
    found = hijack.measure()
    what = (
        f"{found.requests} requests of calls, {found.delivered} of them delivered; "
        f"{found.foreign} of a stranger who knows the tags"
    )
    return what, *_figures(found.reach)


def _forged() -> Row:
    found = forged.measure()
    what = (
        f"{found.requests} requests with a To tag, {found.judged} of them judged; "
        f"{found.cancels} CANCEL of a call that rings"
    )
    return what, *_figures(found.reach)


def _led_back(auth: bool) -> Row:
    """The victims who got most."""
    found = leadback.measure(auth)
    what = f"1 MESSAGE of {found.request} octets to each of {found.circles} circles"
    return what, *_figures(found.worst)


def _figures(reach: Reach) -> Row:
    return tuple(map(str, reach))


REACHES: Final[Mapping[str, Callable[[], Row]]] = {
    "dialog hijack": _hijacked,
    "forged dialog": _forged,
    "contacts that lead back": lambda: _led_back(auth=False),
    "contacts that lead back, auth": lambda: _led_back(auth=True),
}
