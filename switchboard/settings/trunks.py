"""The tables `[trunks.NAME]` of the settings: accounts at providers (docs/TRUNKS.md)."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from switchboard.core.call_rules import check_destination, plain
from switchboard.core.dial_plan import number_of
from switchboard.core.domains import parse_networks
from switchboard.core.e164 import same
from switchboard.core.trunks import ANY_NUMBER, Trunk
from switchboard.settings.types import Domain, Network, OptionalFile
from switchboard.sip.errors import ParseError
from switchboard.sip.uri import SipUri, is_sip, parse_uri
from switchboard.storage.secret import exposure

NAME: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
SCHEME: Final = "trunk:"
"""So begins where a rule of the dial plan leads to a trunk."""
_ACCOUNT: Final = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%]{1,64}")
_LOGIN: Final = re.compile(r"[^\x00-\x1f\x7f\"\\]{1,128}")
MOST_PASSWORD: Final = 1024
LEAST_KEEP_ALIVE_S: Final = 5.0


def check_name(name: str) -> str:
    """The name of a trunk. ValueError."""
    if not NAME.fullmatch(name):
        raise ValueError(f"{name!r} cannot be a trunk's name: 1 to 32 of a-z, 0-9 and -, no - at its ends")
    return name


def _check_registrar(text: str) -> str:
    full = text if text.lower().startswith("sip:") else f"sip:{text}"
    try:
        uri = parse_uri(full)
    except ParseError:
        uri = None
    if uri is None or uri.user is not None or not uri.has_host or uri.port == 0 or uri.headers or uri.params:
        raise ValueError(f"{text!r} is no registrar: HOST, or HOST:PORT")
    return full


def _check_caller(text: str) -> str:
    return _check_user(plain(text))


def _check_user(text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{text!r} cannot be the user part of a SIP URI")
    return text


def _check_login(text: str) -> str:
    if text and not _LOGIN.fullmatch(text):
        raise ValueError(f"{text!r} cannot be sent as a user name")
    return text


def _check_numbers(numbers: dict[str, str]) -> dict[str, str]:
    for number, to in numbers.items():
        if number != ANY_NUMBER and not number_of(number):
            raise ValueError(f"{number!r} is no number; {ANY_NUMBER} stands for all others")
        if not to or is_sip(to):
            raise ValueError(f"{number} leads to nobody: a user, a number of one, or group:NAME")
        check_destination(to.removeprefix("user:"))
    return numbers


Registrar = Annotated[str, AfterValidator(_check_registrar)]
Account = Annotated[str, AfterValidator(_check_user)]
Caller = Annotated[str, AfterValidator(_check_caller)]


class TrunkSettings(BaseModel):
    """One account, `[trunks.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    registrar: Registrar
    user: Account
    auth_user: Annotated[str, AfterValidator(_check_login)] = ""
    password_file: OptionalFile = None
    domain: Domain | Literal[""] = ""
    transport: Literal["udp", "tcp", "tls"] = "udp"
    register_: bool = Field(True, alias="register")
    expires_s: int = Field(3600, ge=60, le=86_400)
    keep_alive_s: float = Field(0.0, ge=0.0, le=3600.0)
    identity: Literal["from", "p-asserted", "none"] = "from"
    caller: Caller | Literal[""] = ""
    callers: dict[str, Caller] = {}
    numbers: Annotated[dict[str, str], AfterValidator(_check_numbers)] = {}
    sources: tuple[Network, ...] = ()
    trusts_identity: bool = False

    @model_validator(mode="after")
    def _check_caller(self) -> Self:
        if self.identity == "none" and (self.caller or self.callers):
            raise ValueError('identity = "none" tells nobody who calls, and caller or callers are set')
        return self

    @model_validator(mode="after")
    def _check_keep_alive(self) -> Self:
        if 0.0 < self.keep_alive_s < LEAST_KEEP_ALIVE_S:
            raise ValueError(f"keep_alive_s is 0 (none), or {LEAST_KEEP_ALIVE_S:g} at least")
        return self

    @property
    def uri(self) -> str:
        """Where REGISTERs and calls go."""
        return self.registrar if self.transport == "udp" else f"{self.registrar};transport={self.transport}"

    def trunk(self, name: str, normal: Callable[[str], str] = same) -> Trunk:
        """The trunk for the core. `normal`: see `DialPlan`. ValueError, for people."""
        self._check_owners(name, normal)
        return Trunk(
            name,
            self.uri,
            self.domain or _host_of(self.registrar),
            self.user,
            self.auth_user or self.user,
            self.identity,
            _written(self.caller, normal),
            {user: _written(caller, normal) for user, caller in self.callers.items()},
            {
                number if number == ANY_NUMBER else number_of(number): to.removeprefix("user:")
                for number, to in self.numbers.items()
            },
            parse_networks(self.sources),
            self.trusts_identity,
        )

    def _check_owners(self, name: str, normal: Callable[[str], str]) -> None:
        found: dict[str, str] = {}
        for number, to in self.numbers.items():
            if found.setdefault(normal(number_of(number)).removeprefix("+"), to) != to:
                raise ValueError(
                    f"trunks.{name}.numbers: {number} leads to {to}, and in another form to somebody else"
                )


def register_over_streams(trunks: Mapping[str, TrunkSettings]) -> bool:
    """Whether one of them registers over connections."""
    return any(each.register_ and each.transport != "udp" for each in trunks.values())


def _written(caller: str, normal: Callable[[str], str]) -> str:
    """A number in its one form; a name as it is."""
    number = normal(number_of(caller))
    return number if number.startswith("+") else caller


def _host_of(registrar: str) -> str:
    uri: SipUri = parse_uri(registrar)
    return uri.host


def trunks_of(settings: Mapping[str, TrunkSettings], normal: Callable[[str], str] = same) -> dict[str, Trunk]:
    """All trunks by name. `normal`: see `DialPlan`. ValueError, for people."""
    return {name: each.trunk(name, normal) for name, each in settings.items()}


class PasswordError(Exception):
    """The password of a trunk cannot be had; the text is for people, without it."""


def password_path(directory: Path, name: str, settings: TrunkSettings) -> Path:
    """The file with the password of a trunk. `directory`: of those that `switchboard trunk password` keeps."""
    return settings.password_file or directory / f"{name}.password"


def read_password(path: Path, name: str) -> str:
    """The first line of the file; "" if there is no file. PasswordError."""
    try:
        if problem := exposure(path):
            raise PasswordError(f"the password file {path} {problem}")
        text = path.read_text("utf-8", "surrogateescape").partition("\n")[0].rstrip("\r")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise PasswordError(f"the password file {path} cannot be read: {error.strerror}") from error
    if not text or len(text) > MOST_PASSWORD:
        raise PasswordError(f"the file {path} holds no password: switchboard trunk password {name}")
    return text
