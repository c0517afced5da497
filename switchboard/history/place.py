"""What an account has to know of the switchboard itself, beyond the messages: its names, its rules, its users.

All of it is as it is now; the messages may be of yesterday.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import RpcError, RpcRefused
from switchboard.core.domains import DEFAULT_PORT, OwnDomains
from switchboard.settings.ask import ask_registrar
from switchboard.settings.local import own_domains
from switchboard.settings.model import Settings
from switchboard.settings.types import AccessListSettings
from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri, format_host_port

ANSWER_WITHIN_S = 1.0
MOST_NAMES = 4
"""Names of ours that one sentence tells."""
Contacts = Callable[[str], Sequence[str] | None]
"""The contacts that a user has now; None: nobody could tell."""


def _unknown(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """This switchboard. `own` None: nothing is known of it.

    `names`: what phones may call it, the domains first. `is_user`: whether there is such a user; None: nobody can tell.
    `algorithms`: by which a user is asked for a password; none if nobody is, or nobody knows.
    `access`: the access lists by the name of their setting.
    """

    own: OwnDomains | None = None
    names: Sequence[str] = ()
    port: int = DEFAULT_PORT
    contacts: Contacts = _unknown
    is_user: Callable[[str], bool | None] = _unknown
    algorithms: Callable[[str], Sequence[str]] = lambda _: ()
    access: Sequence[tuple[str, AccessListSettings]] = ()
    max_contacts: int = 0

    def foreign(self, uri: str) -> str:
        """Why `uri` (untrusted) is none of ours, for people; "" if it is ours, or nobody knows."""
        parsed = _parsed(uri)
        if self.own is None or parsed is None or self.own.owns(parsed):
            return ""
        if self.own.is_host(parsed.host) and parsed.port not in self.own.ports:
            return (
                f"{parsed.host} is ours, but not with the port {parsed.port}: this switchboard listens on "
                f"port {self.port}"
            )
        return f"{format_host_port(parsed)} is none of our domains (ours are {self.told})"

    @property
    def told(self) -> str:
        """Our names for people, some of them."""
        shown = self.names[:MOST_NAMES]
        more = len(self.names) - len(shown)
        return ", ".join(shown) + (f" and {more} more" if more else "")

    def remedy(self, uri: str) -> str:
        """What to do about a `uri` that is foreign."""
        parsed = _parsed(uri)
        if self.own is not None and parsed is not None and self.own.is_host(parsed.host):
            return f"Set the port {self.port} in the phone, or leave the port out if it is {DEFAULT_PORT}."
        host = parsed.host if parsed else uri
        one = f" ({self.names[0]})" if self.names else ""
        return (
            f"Set one of our domains{one} in the phone, or add {host} to the setting domains: "
            f"SWITCHBOARD_DOMAINS={','.join((*self._domains, host))}"
        )

    @property
    def _domains(self) -> list[str]:
        return [each for each in self.names if not _is_address(each)]

    def denied_by(self, source: str, method: str) -> str:
        """The rule of the access lists that keeps `source` out; "" if none does."""
        for name, rules in self.access:
            if name.rpartition(".")[2] in ("access", method) and (rule := rules.rule_against(source)):
                return f"{rule} in [{name}]"
        return ""


NOWHERE: Final = Place()
"""Nothing is known."""


def place_of(settings: Settings, context: BusContext) -> Place:
    """The switchboard of these settings; users and contacts are asked for when they are wanted."""
    own, asking = own_domains(settings), _Asking(settings, context)
    lists: list[tuple[str, AccessListSettings]] = [("access", settings.access)]
    lists += [(f"access.methods.{method}", rules) for method, rules in settings.access.methods.items()]
    return Place(
        own=own,
        names=[*settings.domains, *(name for name in sorted(own.hosts) if name not in settings.domains)],
        port=settings.sip_port,
        contacts=asking.contacts,
        is_user=asking.is_user,
        algorithms=asking.algorithms,
        access=lists,
        max_contacts=settings.max_contacts,
    )


class _Asking:
    """Asks the registrar, about each user once; a silent one not again."""

    def __init__(self, settings: Settings, context: BusContext) -> None:
        self._settings = settings
        self._context = context
        self._known: dict[str, bool] = {}
        self._is_silent = False

    def contacts(self, user: str) -> list[str] | None:
        answer = self._ask("location.list", ["", 0, {"name": user}])
        if answer is None:
            return None
        return [each["contact_uri"] for name, bound in answer[1] for each in bound if name == user]

    def is_user(self, user: str) -> bool | None:
        if self._settings.auth == "off":
            return None
        if user not in self._known and isinstance(answer := self._ask("user.known", user), bool):
            self._known[user] = answer
        return self._known.get(user)

    def algorithms(self, user: str) -> Sequence[str]:
        return () if self._settings.auth == "off" else self._settings.algorithms_of(user)

    def _ask(self, question: str, body: object) -> Any:
        if self._is_silent:
            return None
        try:
            return ask_registrar(self._settings, self._context, question, body, ANSWER_WITHIN_S)
        except RpcRefused:
            return None
        except RpcError:
            self._is_silent = True
            return None


def _parsed(uri: str) -> SipUri | None:
    try:
        return SipUri.parse(uri)
    except ParseError:
        return None


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
