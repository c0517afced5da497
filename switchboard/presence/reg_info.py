"""Registrations as a document (RFC 3680): where a user is registered. Nobody else may see the addresses."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from switchboard.presence.subscription import identifier
from switchboard.presence.xml import HEAD, attribute, text_for
from switchboard.registrar.binding import Binding

NAMESPACE: Final = "urn:ietf:params:xml:ns:reginfo"


class RegInfo:
    """The package `reg`. `bindings`: a user's valid ones."""

    name = "reg"
    content_type = "application/reginfo+xml"
    lasts_s = 3761
    is_private = True

    def __init__(self, bindings: Callable[[str, float], Iterable[Binding]]) -> None:
        self._bindings = bindings

    def state(self, user: str, at: float) -> tuple[tuple[str, str, int, float], ...]:
        """Contact, Call-ID, CSeq and q of each binding: a refreshed one is news, as RFC 3680 §4.7.2 has it."""
        found = self._bindings(user, at)
        return tuple((each.contact, each.call_id, each.cseq, each.q) for each in found)

    def body(self, entity: str, state: Any, version: int) -> bytes:
        """The document."""
        head = f'<reginfo xmlns={attribute(NAMESPACE)} version={attribute(str(version))} state="full">'
        registration = (
            f"<registration aor={attribute(entity)} id={attribute(identifier(entity))} "
            f"state={attribute('active' if state else 'init')}>"
        )
        lines = (head, registration, *(_contact(*each) for each in state), "</registration>", "</reginfo>\n")
        return HEAD + "\n".join(lines).encode()


def _contact(uri: str, call_id: str, cseq: int, q: float) -> str:
    return (
        f'<contact id={attribute(identifier(uri))} state="active" event="registered" '
        f"callid={attribute(call_id)} cseq={attribute(str(cseq))} q={attribute(f'{q:g}')}>"
        f"<uri>{text_for(uri)}</uri></contact>"
    )
