"""What single settings may be: each type checks its text, and says in words for people what is wrong."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_settings import NoDecode

from switchboard.core.domains import AccessList, is_within, parse_host, parse_networks
from switchboard.media.engine import Engine
from switchboard.postgres.url import PostgresUrl, is_postgres
from switchboard.registrar.redis_url import RedisUrl
from switchboard.sip.advertised import is_inner
from switchboard.sip.flow import format_hop

OFF = "off"
SQLITE = "sqlite"
FILE = "file"
ANY_ORIGIN = "*"
ANY_CLASS = "*"
_LISTENING = re.compile(r"(?:\[(?P<v6>[0-9A-Fa-f:.]+)\]|(?P<v4>[0-9.]+)):(?P<port>[0-9]{1,5})")


def parse_listening(text: str) -> tuple[str, int] | None:
    """Return the IP address (without brackets) and the port; None for `off`. ValueError, for people."""
    if text.strip().lower() == OFF:
        return None
    match = _LISTENING.fullmatch(text.strip())
    if not match or not 0 < int(match["port"]) < 65536:
        raise ValueError(f"{text!r} is not an address with a port, such as 127.0.0.1:8080")
    return str(ipaddress.ip_address(match["v6"] or match["v4"])), int(match["port"])


def is_loopback(address: str) -> bool:
    """Whether only this machine reaches what listens at the IP address."""
    return ipaddress.ip_address(address).is_loopback


def show_address(address: str, port: int) -> str:
    """As it stands in a URL."""
    return format_hop(address, port)


CONSOLE_URL = re.compile(r"https?://([a-z0-9.-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?", re.IGNORECASE)
PIN = re.compile(
    r"(edge-rx|edge-tx|edge-stream|registrar|router|translator|journal|history|presence|trunks|console)"
    r"(\.[0-9]+)?=[0-9]+"
)
COLLECTOR = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\s:]+):(?P<port>[0-9]{1,5})")
REALM = re.compile(r"[!#-\[\]-~]([ !#-\[\]-~]{0,98}[!#-\[\]-~])?")
DOMAIN = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+\]")


def check_network(text: str) -> str:
    """A network as `10.0.0.0/8` or one address. ValueError, whose text is for people."""
    try:
        return str(*parse_networks([text.strip()]))
    except ValueError:
        raise ValueError(f"{text!r} is not a network") from None


def check_scanner(text: str) -> str:
    """How a User-Agent begins, in lower case. ValueError."""
    if len(text.encode()) < 4:
        raise ValueError(f"{text!r} is shorter than 4 letters")
    return text.lower()


def _split_commas(value: object) -> object:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    return value


def _check_engine(text: str) -> str:
    return str(Engine.parse(text))


def _check_domain(text: str) -> str:
    if not DOMAIN.fullmatch(text):
        raise ValueError(f"{text!r} is not a host name")
    return text.lower()


def _check_pin(text: str) -> str:
    if not PIN.fullmatch(text):
        raise ValueError(f"{text!r} does not name a worker and a processor")
    return text


def _check_transports(found: tuple[str, ...]) -> tuple[str, ...]:
    if "udp" not in found:
        raise ValueError("udp cannot be left out")
    return tuple(dict.fromkeys(found))


def _check_origin(text: str) -> str:
    """The scheme, the host and perhaps the port of a web page; * for all. ValueError."""
    if text != ANY_ORIGIN and not CONSOLE_URL.fullmatch(text):
        raise ValueError(f"{text!r} is no origin, such as https://example.com")
    return text.lower()


def _check_public(text: str) -> str:
    """An IPv4 address that is not private; "" for none."""
    address = _check_address(text)
    if address and (":" in address or is_inner(address)):
        raise ValueError("It is not a public IPv4 address")
    return address


def _check_address(text: str) -> str:
    """An IP address without brackets; "" for none and for the wildcards 0.0.0.0 and ::, which mean all."""
    literal = text.strip().removeprefix("[").removesuffix("]")
    try:
        wildcard = not literal or ipaddress.ip_address(literal).is_unspecified
    except ValueError:
        raise ValueError("It is not an IP address") from None
    return "" if wildcard else literal


def _check_console_address(text: str) -> str:
    parse_listening(text)
    return text.strip()


def _check_console_url(text: str) -> str:
    """A scheme, a host, perhaps a port; "" for none."""
    url = text.strip().removesuffix("/")
    if url and not CONSOLE_URL.fullmatch(url):
        raise ValueError(f"{text!r} is neither https://NAME nor https://NAME:PORT")
    return url.lower()


def _check_location(text: str) -> str:
    if is_postgres(text):
        PostgresUrl.parse(text)
    elif text != SQLITE:
        RedisUrl.parse(text)
    return text


def _check_users_store(text: str) -> str:
    if text != SQLITE:
        PostgresUrl.parse(text)
    return text


def _check_journal(text: str) -> str:
    if text != FILE:
        PostgresUrl.parse(text)
    return text


def _check_collector(text: str) -> str:
    match = COLLECTOR.fullmatch(text)
    if text and not (match and 0 < int(match["port"]) < 65536):
        raise ValueError(f"{text!r} is not HOST:PORT")
    return text


def _check_realm(text: str) -> str:
    if not REALM.fullmatch(text):
        raise ValueError("It is not ASCII text without quotes")
    return text


def _check_directory(value: object) -> object:
    if value == "":
        raise ValueError("It is empty")
    return value


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _absolute_if_any(path: Path | None) -> Path | None:
    return path and _absolute(path)


def _lower_case(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _empty_is_none(value: object) -> object:
    return None if value == "" else value


Network = Annotated[str, AfterValidator(check_network)]
Method = Annotated[str, Field(pattern="^[A-Z]+$")]
Address = Annotated[str, AfterValidator(_check_address)]
PublicAddress = Annotated[str, AfterValidator(_check_public)]
Domain = Annotated[str, AfterValidator(_check_domain)]
Pin = Annotated[str, AfterValidator(_check_pin)]
Transport = Annotated[Literal["udp", "tcp", "tls", "ws", "wss"], BeforeValidator(_lower_case)]
Transports = Annotated[
    tuple[Transport, ...], NoDecode, BeforeValidator(_split_commas), AfterValidator(_check_transports)
]
WebOrigin = Annotated[str, AfterValidator(_check_origin)]
WebOrigins = Annotated[tuple[WebOrigin, ...], NoDecode, BeforeValidator(_split_commas)]
Pins = Annotated[tuple[Pin, ...], NoDecode, BeforeValidator(_split_commas)]
Realm = Annotated[str, AfterValidator(_check_realm)]
Algorithms = Annotated[tuple[Literal["SHA-256", "MD5"], ...], NoDecode, BeforeValidator(_split_commas)]
Classes = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split_commas)]
Domains = Annotated[tuple[Domain, ...], NoDecode, BeforeValidator(_split_commas)]
Networks = Annotated[tuple[Network, ...], NoDecode, BeforeValidator(_split_commas)]
Scanner = Annotated[str, AfterValidator(check_scanner)]
Scanners = Annotated[tuple[Scanner, ...], NoDecode, BeforeValidator(_split_commas)]
Directory = Annotated[Path, BeforeValidator(_check_directory), AfterValidator(_absolute)]
Location = Annotated[str, AfterValidator(_check_location)]
UsersStore = Annotated[str, AfterValidator(_check_users_store)]
JournalPlace = Annotated[str, AfterValidator(_check_journal)]
Collector = Annotated[str, AfterValidator(_check_collector)]
OptionalDirectory = Annotated[Path | None, BeforeValidator(_empty_is_none)]
OptionalFile = Annotated[OptionalDirectory, AfterValidator(_absolute_if_any)]
ConsoleUrl = Annotated[str, AfterValidator(_check_console_url)]
ConsoleAddress = Annotated[str, AfterValidator(_check_console_address)]
MediaEngine = Annotated[str, AfterValidator(_check_engine)]
MediaEngines = Annotated[tuple[MediaEngine, ...], NoDecode, BeforeValidator(_split_commas)]
LogLevel = Literal["debug", "info", "warning", "error"]


LOOPBACK = ("127.0.0.0/8", "::1/128")
SCANNERS = (
    "friendly-scanner", "friendly-request", "sipvicious", "sipcli", "pplsip", "sip-scan", "sundayddr", "smap",
    "iwar", "sivus", "gulp", "siparmyknife",
)  # fmt: skip


class AccessListSettings(BaseModel):
    """Networks that may, and that may not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    allow: tuple[Network, ...] = ()
    deny: tuple[Network, ...] = ()

    def __str__(self) -> str:
        parts = [
            f"{name} {', '.join(each)}" for name, each in (("allow", self.allow), ("deny", self.deny)) if each
        ]
        return "; ".join(parts)

    def to_list(self) -> AccessList:
        """The core's form."""
        return AccessList(parse_networks(self.allow), parse_networks(self.deny))

    def rule_against(self, host: str) -> str:
        """What keeps an IP address out, as people read it; "" if nothing does."""
        address = parse_host(host)
        for network in self.deny:
            if is_within(address, parse_networks([network])):
                return f"deny {network}"
        allowed = self.to_list().lets_in(address)
        return "" if allowed else f"allow {', '.join(self.allow)}, which leaves it out"


class AccessSettings(AccessListSettings):
    """`[access]` and the tables `[access.methods.METHOD]`."""

    answer: Literal["forbidden", "silence"] = "forbidden"
    methods: dict[Method, AccessListSettings] = Field(default_factory=dict)

    def __str__(self) -> str:
        methods = (f"{method}: {access}" for method, access in self.methods.items())
        return "; ".join(filter(None, (super().__str__(), *methods))) or "everybody"
