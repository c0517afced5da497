"""The table `[dialplan]` of the settings (`switchboard.core.dial_plan`)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from switchboard.core.call_rules import check_destination
from switchboard.core.dial_plan import DialPlan, Rule, number_of, numbers_of, pattern_of
from switchboard.core.e164 import normal_form, same
from switchboard.core.place import transport_of
from switchboard.core.trunks import PARAM, Trunk
from switchboard.settings.trunks import SCHEME, check_name
from switchboard.sip.errors import ParseError
from switchboard.sip.flow import NAMES, TCP, TLS, UDP
from switchboard.sip.uri import parse_uri

_REFUSED: Final = re.compile(r"refuse(?::([4-6][0-9][0-9]))?")
MOST_GATEWAYS: Final = 8
_DIALLED: Final = (UDP, TCP, TLS)
_FROZEN: Final = ConfigDict(frozen=True, extra="forbid")


def _check_gateway(text: str) -> str:
    if text.startswith(SCHEME):
        check_name(text.removeprefix(SCHEME))
        return text
    try:
        uri = parse_uri(text)
    except ParseError as error:
        raise ValueError(
            f"{text!r} is no gateway: sip:HOST, sip:HOST:PORT, sip:HOST;transport=tcp"
        ) from error
    is_reached = uri.has_host and uri.port != 0 and transport_of(uri) in _DIALLED
    if uri.user is not None or not is_reached or uri.headers or uri.param(PARAM) is not None:
        raise ValueError(
            f"{text!r} is no gateway: trunk:NAME, or sip:HOST, with a port or ;transport= if need be"
        )
    return text


def _check_gateways(texts: tuple[str, ...]) -> tuple[str, ...]:
    if not 0 < len(texts) <= MOST_GATEWAYS:
        raise ValueError(f"let it be one gateway, or a list of at most {MOST_GATEWAYS}")
    return tuple(map(_check_gateway, texts))


def _check_end(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Where a rule leads: gateways, `user:NAME`, `refuse` or `refuse:403`."""
    text = texts[0] if len(texts) == 1 else ""
    user = text.removeprefix("user:")
    if user != text and user:
        check_destination(user)
        return texts
    return texts if _REFUSED.fullmatch(text) else _check_gateways(texts)


def _listed(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _check_pattern(text: str) -> str:
    pattern_of(text)
    return text


def _check_number(text: str) -> str:
    if not number_of(text):
        raise ValueError(f"{text!r} is no number")
    return text


def _check_country(text: str) -> str:
    if text:
        normal_form(text)
    return text


Gateways = Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_check_gateways)]


class RuleSettings(BaseModel):
    """One rule, `[[dialplan.rules]]`."""

    model_config = _FROZEN

    match: Annotated[str, AfterValidator(_check_pattern)]
    to: Annotated[tuple[str, ...], BeforeValidator(_listed), AfterValidator(_check_end)]
    name: str = ""
    strip: int = Field(0, ge=0, le=32)
    prepend: Annotated[str, Field(pattern=r"^[0-9+*#]*$", max_length=32)] = ""
    classes: tuple[str, ...] = ()

    def rule(self) -> Rule:
        """The rule for the core."""
        to = self.to[0]
        refused = _REFUSED.fullmatch(to)
        user = to.removeprefix("user:") if to.startswith("user:") else ""
        return Rule(
            self.name or self.match,
            pattern_of(self.match),
            self.strip,
            self.prepend,
            () if refused or user else self.to,
            user,
            int(refused[1] or 403) if refused else 0,
            frozenset(self.classes),
        )


class DialPlanSettings(BaseModel):
    """`[dialplan]`."""

    model_config = _FROZEN

    emergency: tuple[Annotated[str, AfterValidator(_check_number)], ...] = ()
    emergency_to: Gateways | None = None
    rules: tuple[RuleSettings, ...] = ()
    country: Annotated[str, AfterValidator(_check_country)] = ""

    @property
    def leads(self) -> bool:
        """Whether it leads anybody anywhere."""
        return bool(self.rules or self.emergency)

    @property
    def transports(self) -> dict[str, str]:
        """The transports that gateways need, as `udp`, and the last gateway that needs each."""
        listed = [*(self.emergency_to or ()), *(text for rule in self.rules for text in rule.rule().uris)]
        gateways = [text for text in listed if not text.startswith(SCHEME)]
        return {NAMES[transport_of(parse_uri(text))].lower(): text for text in gateways}

    @property
    def normal(self) -> Callable[[str], str]:
        """What makes the one form of a number."""
        return normal_form(self.country) if self.country else same

    @model_validator(mode="after")
    def _check_emergency(self) -> Self:
        if self.emergency and self.emergency_to is None:
            raise ValueError("emergency numbers need emergency_to, a gateway")
        return self


def _ways(texts: Sequence[str], trunks: Mapping[str, Trunk]) -> tuple[str, ...]:
    """Gateways as URIs, those of trunks with the trunk's name. ValueError."""
    return tuple(_way(text, trunks) for text in texts)


def _way(text: str, trunks: Mapping[str, Trunk]) -> str:
    if not text.startswith(SCHEME):
        return text
    trunk = trunks.get(text.removeprefix(SCHEME))
    if trunk is None:
        raise ValueError(f"dialplan: there is no trunk {text.removeprefix(SCHEME)!r}: [trunks.NAME]")
    return f"{trunk.uri};{PARAM}={trunk.name}"


def dial_plan(
    settings: DialPlanSettings,
    numbers: Mapping[str, Sequence[str]],
    classes: Mapping[str, str],
    trunks: Mapping[str, Trunk],
) -> DialPlan | None:
    """Return the plan; None if there is none. `numbers` and `classes`: of users. ValueError, for people."""
    owners = numbers_of(numbers, settings.normal)
    if not (settings.leads or owners):
        return None
    rules = tuple(each.rule()._replace(uris=_ways(each.rule().uris, trunks)) for each in settings.rules)
    emergency = frozenset(map(number_of, settings.emergency))
    return DialPlan(
        rules, emergency, _ways(settings.emergency_to or (), trunks), owners, classes, settings.normal
    )
