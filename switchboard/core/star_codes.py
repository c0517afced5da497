"""Star codes: what a user dials to change the own rules, as *72101 to have all calls go to 101.

Theory. A code is dialled as a number. The router finds out who dials it, and hands the INVITE to the registrar, which
owns the rules, changes them, and answers with a final response whose reason phrase says what is so now. So the router
has no state of it: a repetition of the INVITE is another change to the same, and the ACK of the answer ends here.
"""

from collections.abc import Mapping
from typing import Any, Final

from switchboard.core.call_rules import CASES, NO_FORWARDS
from switchboard.core.preprocess import Routing
from switchboard.core.refusal import Refusal
from switchboard.core.request import IncomingRequest
from switchboard.core.targets import TargetPolicy

OFF: Final = "_off"
_CHANGES: Final[Mapping[str, Mapping[str, Any]]] = {
    "off": NO_FORWARDS,
    "dnd_on": {"dnd": True},
    "dnd_off": {"dnd": False},
    **{f"{case}{OFF}": {case: ""} for case in CASES},
}
ACTIONS: Final = (*CASES, *_CHANGES)
"""Those of `CASES` are followed by a number."""


class StarDial(Exception):
    """Ends the processing of an INVITE: `user` has dialled these changes of the own rules (`rule_keeper.FIELDS`)."""

    def __init__(self, user: str, changes: Mapping[str, Any]) -> None:
        super().__init__(user)
        self.user = user
        self.changes = changes


class StarCodes:
    """Those of the settings. `actions`: by code."""

    def __init__(self, actions: Mapping[str, str]) -> None:
        self._actions = sorted(actions.items(), key=lambda each: -len(each[0]))

    def check(self, incoming: IncomingRequest, routing: Routing, policy: TargetPolicy, at: float) -> None:
        """Raise the `StarDial` of an INVITE that dials a code; `Refusal` if nobody knows who dials, or it is not whole.

        `at`: epoch s.
        """
        dialled = routing.uri.username.partition(";")[0]
        if incoming.method != "INVITE" or incoming.is_in_dialog or not dialled.startswith("*"):
            return
        if routing.target is not None or not policy.own.owns(routing.uri):
            return
        changes = self.read(dialled)
        if changes is None:
            return
        user = policy.sender_of(incoming, routing, at)
        if not user:
            raise Refusal(403, "Star Codes Are For Known Users")
        raise StarDial(user, changes)

    def read(self, dialled: str) -> Mapping[str, Any] | None:
        """What the longest code at its beginning means; None for none. `Refusal` without its number."""
        code, action = next((each for each in self._actions if dialled.startswith(each[0])), ("", ""))
        rest = dialled.removeprefix(code).strip(" *-").removesuffix("#")
        if action in CASES:
            if not rest:
                raise Refusal(484, f"Dial {code} And A Number")
            return {action: rest}
        return None if rest else _CHANGES.get(action)
