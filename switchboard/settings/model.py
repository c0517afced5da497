"""The settings: one frozen tree, read once at the start of each process.

Sources, first wins: environment variables SWITCHBOARD_*, a TOML file (SWITCHBOARD_CONFIG, else
./switchboard.toml), the defaults below.
"""

import json
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings import SettingsError as UndecodableError

from switchboard.core.dial_plan import DialPlan
from switchboard.core.trunks import Trunk
from switchboard.postgres.url import is_postgres
from switchboard.settings.dialplan import DialPlanSettings, dial_plan
from switchboard.settings.hosts import (
    HostSettings,
    edge_hosts,
    listed_registrars,
    listed_routers,
    place,
    standbys,
)
from switchboard.settings.origin import PREFIX, Origins, SettingsError, explain, variable_of
from switchboard.settings.password import parse_password_hash
from switchboard.settings.run_dir import find_run_dir
from switchboard.settings.star_codes import StarCodeSettings
from switchboard.settings.trunks import TrunkSettings, check_name, trunks_of
from switchboard.settings.types import (
    ANY_CLASS,
    LOOPBACK,
    SCANNERS,
    SQLITE,
    AccessSettings,
    Address,
    Algorithms,
    Classes,
    Collector,
    ConsoleAddress,
    ConsoleUrl,
    Directory,
    Domain,
    Domains,
    JournalPlace,
    Location,
    LogLevel,
    MediaEngines,
    Networks,
    OptionalDirectory,
    OptionalFile,
    Pins,
    PublicAddress,
    Realm,
    Scanners,
    Transports,
    UsersStore,
    WebOrigins,
    is_loopback,
    parse_listening,
)

__all__ = ["Settings", "SettingsError", "UserSettings", "allowed_values", "load_settings", "read_settings"]

MAX_ROUTERS = 64
MAX_REGISTRARS = 16
DEFAULT_EXPIRES = 3600
DAY_S = 86_400
YEAR_S = 365 * DAY_S
MOST = 1_000_000
"""Of what a switchboard counts: more is a slip of the finger, and no number of compiled code, or of SQLite."""


def _default_routers(data: Mapping[str, Any]) -> int:
    """As many as the hosts list one by one; else by the cores of this one."""
    return listed_routers(data.get("hosts", {})) or min(MAX_ROUTERS, max(1, len(os.sched_getaffinity(0)) - 1))


def _default_registrars(data: Mapping[str, Any]) -> int:
    """As many as the hosts have."""
    return max(1, listed_registrars(data.get("hosts", {})))


def _default_tcp_port(data: Mapping[str, Any]) -> int:
    return int(data["sip_port"])


def _default_expires(data: Mapping[str, Any]) -> int:
    return int(min(max(DEFAULT_EXPIRES, data["min_expires"]), data["max_expires"]))


def _default_realm(data: Mapping[str, Any]) -> str:
    return str(data["domains"][0]) if data.get("domains") else "switchboard"


def _setting(default: object, allowed: str, **limits: Any) -> Any:
    """A field of the tree; `allowed` tells people what it may be."""
    return Field(default, description=allowed, **limits)


def _computed(default: Any, allowed: str, **limits: Any) -> Any:
    """The same, its default a function, of the fields before it if it takes an argument."""
    return Field(default_factory=default, description=allowed, **limits)


class UserSettings(BaseModel):
    """What the operator sets for one user: `[users.NAME]` in the file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    language: str | None = None
    auth_algorithms: Algorithms | None = Field(default=None, min_length=1)
    numbers: tuple[str, ...] = ()
    dial_class: str = ""


def _user_tables(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError:
        raise ValueError("It is no JSON") from None


def _number(value: object) -> object:
    """The environment has texts."""
    return int(value) if isinstance(value, str) and value.isdecimal() else value


DisturbedStatus = Annotated[Literal[480, 603], BeforeValidator(_number)]
UserTables = Annotated[dict[str, UserSettings], NoDecode, BeforeValidator(_user_tables)]


class Settings(BaseSettings):
    """All settings. Each field's description says what is allowed; durations are seconds."""

    model_config = SettingsConfigDict(
        frozen=True, extra="forbid", env_prefix=PREFIX, validate_default=True, allow_inf_nan=False
    )

    sip_host: Address = _setting("", "an IPv4 or IPv6 address of this machine; empty for all of them")
    advertise: PublicAddress = _setting(
        "", "the public IPv4 address that the network maps to this machine's; empty if there is none"
    )
    sip_port: int = _setting(5060, "a UDP port from 1 to 65535", ge=1, le=65535)
    transports: Transports = _setting(
        ("udp", "tcp"), "udp, tcp, tls, ws, wss, with udp among them; comma-separated, or a list in the file"
    )
    tcp_port: int = _computed(_default_tcp_port, "a TCP port from 1 to 65535", ge=1, le=65535)
    tcp_above_bytes: int = _setting(
        1300,
        "bytes of a request, up to 65535, above which it goes by TCP where the phone has it; 0: never",
        ge=0,
        le=65535,
    )
    private_names: bool = _setting(
        True, "true (name servers may lead requests to private addresses) or false"
    )
    tls: bool = _setting(False, "true or on (TLS at tls_port, as tls among transports), or false")
    tls_port: int = _setting(5061, "a TCP port from 1 to 65535", ge=1, le=65535)
    tls_certificate: OptionalFile = _setting(
        None, "a PEM file: our certificate, then those above it; empty: one of our own making in data_dir/tls"
    )
    tls_key: OptionalFile = _setting(None, "a PEM file: the key of tls_certificate, without a password")
    tls_ca: OptionalFile = _setting(
        None, "a PEM file of authorities; phones at tls_port then need a certificate of theirs; empty: none"
    )
    tls_verify: bool = _setting(True, "true (others that we connect to have to prove who they are) or false")
    tls_survive: bool = _setting(True, "true (TLS connections outlive the worker that serves them) or false")
    ws_port: int = _setting(8088, "a TCP port from 1 to 65535", ge=1, le=65535)
    wss_port: int = _setting(8089, "a TCP port from 1 to 65535", ge=1, le=65535)
    ws_origins: WebOrigins = _setting(
        (), "origins of web pages, as https://example.com, besides our own; * for all; or a list in the file"
    )
    edge_streams: int = _setting(1, "a number of workers from 1 to 16", ge=1, le=16)
    max_connections: int = _setting(
        20_000, "connections of all transports, from 10 to 1000000", ge=10, le=MOST
    )
    max_connections_a_source: int = _setting(
        500, "connections of one source, from 1 to 1000000", ge=1, le=MOST
    )
    domains: Domains = _setting((), "host names; in the environment comma-separated, in the file a list")
    data_dir: Directory = _setting(Path("data"), "a directory that the switchboard may write to")
    language: str = _setting("en", "a catalogue of phrases: en, sk, cs, de, hu, pl, uk or one of your own")
    hosts: dict[str, HostSettings] = _setting(
        {}, "tables [hosts.NAME] with address and components; in the environment JSON. Empty: one host"
    )
    host: str = _setting("", "the name of this host in hosts; empty: the machine's host name")
    bus_port: int = _setting(7100, "the first of some 300 TCP ports, from 1024 to 65000", ge=1024, le=65000)
    keys_dir: OptionalDirectory = _setting(None, "a directory with the hosts' keys; empty: keys in data_dir")
    routers: int = _computed(_default_routers, "a number of workers from 1 to 64", ge=1, le=MAX_ROUTERS)
    registrars: int = _computed(
        _default_registrars, "a number of workers from 1 to 16", ge=1, le=MAX_REGISTRARS
    )
    router_standby: bool = _setting(
        False, "true (calls that ring outlive the host of their router; needs hosts) or false"
    )
    router_standby_after_s: float = _setting(
        3.0,
        "seconds from 1 to 86400 without a sign of a router after which another one takes over",
        ge=1,
        le=DAY_S,
    )
    min_expires: int = _setting(60, "whole seconds, from 0 to max_expires", ge=0)
    max_expires: int = _setting(7200, "whole seconds, from min_expires to 4294967295", ge=1, lt=2**32)
    default_expires: int = _computed(_default_expires, "whole seconds, from min_expires to max_expires", ge=1)
    location: Location = _setting(
        "sqlite",
        "sqlite (a file in data_dir), or a URL: redis://HOST, postgresql://HOST/DB, and others (docs/LOCATION.md)",
    )
    location_password_file: OptionalFile = _setting(
        None, "a file with the password of location; empty: it is in the URL, or there is none"
    )
    location_wait_replicas: int = _setting(
        0,
        "replicas of location on Redis, from 0 to 10, that have to have a REGISTER before its 200",
        ge=0,
        le=10,
    )
    max_contacts: int = _setting(20, "contacts that one user may register, from 1 to 10000", ge=1, le=10_000)
    phrases_dir: OptionalDirectory = _setting(None, "a directory with catalogues of your own; empty: none")
    ascii_phrases: bool = _setting(False, "true (phrases in plain ASCII, for old phones) or false")
    users: UserTables = _setting(
        {},
        "tables [users.NAME] with a language, auth_algorithms as below, numbers, or a dial_class; "
        'in the environment JSON: {"NAME": {"language": "sk"}}; or a URL, which stands for users_store',
    )
    users_store: UsersStore = _setting(
        "sqlite", "where users and passwords are: sqlite (a file in data_dir), or postgresql://HOST/DB"
    )
    dialplan: DialPlanSettings = _setting(
        DialPlanSettings(),
        "a table [dialplan] with country, emergency, emergency_to and [[dialplan.rules]]: match, to, and maybe name, "
        "strip, prepend, classes; in the environment JSON",
    )
    trunks: dict[str, TrunkSettings] = _setting(
        {},
        "tables [trunks.NAME] with registrar and user, and maybe password_file, auth_user, domain, transport, "
        "register, expires_s, identity, caller, callers, numbers, sources; in the environment JSON",
    )
    do_not_disturb_status: DisturbedStatus = _setting(
        480, "480 (the phones of who is not to be disturbed seem to be away) or 603 (the call is declined)"
    )
    forward_foreign: Classes = _setting(
        ("*",), "the dial_class of users who may forward their calls to other domains; * for all users"
    )
    diversion: bool = _setting(
        False, "true or false: whether calls that are forwarded outside bear Diversion fields (RFC 5806)"
    )
    star_codes: StarCodeSettings = _setting(
        StarCodeSettings(),
        "a table [star_codes] with a code, as *72, for always, busy, no_answer, unregistered, off, dnd_on, dnd_off, "
        "and always_off and its like; in the environment JSON",
    )
    relay: Literal["registered", "open"] = _setting(
        "registered", "registered (foreign domains only for registered users) or open (for everyone)"
    )
    auth: Literal["off", "on"] = _setting("off", "off (no passwords) or on (users need a password)")
    realm: Realm = _computed(
        _default_realm,
        "ASCII text that phones show beside the password; passwords are valid for one realm only",
    )
    auth_algorithms: Algorithms = _setting(
        ("SHA-256", "MD5"), "SHA-256, MD5 or both, in the order in which they are offered", min_length=1
    )
    auth_from: bool = _setting(True, "true (From must name the user who has authenticated) or false")
    strangers: Literal["refuse", "call"] = _setting(
        "refuse", "with auth on: refuse (only users may call) or call (anybody may call the users)"
    )
    trusted: Networks = _setting(
        (), "networks that need no password, as 10.1.0.0/16; gateways, other proxies"
    )
    identity_headers: Literal["trusted", "all"] = _setting(
        "trusted",
        "sources of P-Asserted-Identity and its like that are accepted: trusted networks only, or all",
    )
    asserted_domain: Domain | Literal[""] = _setting(
        "", "a domain: trusted networks get sip:USER@DOMAIN of the calling user; empty: they do not"
    )
    nonce_s: float = _setting(
        3600.0, "seconds from 10 to 86400 for which a challenge is valid", ge=10, le=86400
    )
    media: MediaEngines = _setting(
        (),
        "rtpengine://127.0.0.1:2223: where media engines take NG commands; comma-separated, or a list in the file",
    )
    relay_media: Literal["auto", "always", "never"] = _setting(
        "auto", "auto (where media could not pass by itself), always or never; without `media` never"
    )
    recurse: bool = _setting(True, "true (call the contact that a callee redirects to) or false")
    max_call_s: float = _setting(
        43200.0,
        "seconds above 0, at most a year; a call unseen for this time counts as ended",
        gt=0,
        le=YEAR_S,
    )
    journal: JournalPlace = _setting(
        "file", "file (cdr.jsonl in data_dir alone), or a URL: postgresql://HOST/DB, too (docs/JOURNAL.md)"
    )
    t1_s: float = _setting(0.5, "seconds above 0, at most 3600 (T1 of RFC 3261)", gt=0, le=3600)
    t2_s: float = _setting(4.0, "seconds above 0, at most 3600 (T2 of RFC 3261)", gt=0, le=3600)
    t4_s: float = _setting(5.0, "seconds above 0, at most 3600 (T4 of RFC 3261)", gt=0, le=3600)
    timer_c_s: float = _setting(
        185.0, "seconds above 0, at most 86400 (Timer C; RFC 3261 wants more than 180)", gt=0, le=DAY_S
    )
    access: AccessSettings = _setting(
        AccessSettings(), "a table [access] with allow, deny, answer, methods; in the environment JSON"
    )
    rate_limit: float = _setting(
        400.0, "datagrams a second from one source, up to 1000000, or 0 for no limit", ge=0, le=MOST
    )
    rate_burst: float = _setting(
        2000.0, "datagrams that one source may send at once, up to 1000000", ge=0, le=MOST
    )
    rate_ignored_s: float = _setting(
        10.0, "seconds above 0, at most 86400, that a flooder is ignored", gt=0, le=DAY_S
    )
    rate_exempt: Networks = _setting(
        LOOPBACK, "networks; in the environment comma-separated, in the file a list"
    )
    scanners: Scanners = _setting(
        SCANNERS,
        "beginnings of at most 100 User-Agents, 4 letters or more; comma-separated, or a list in the file",
        max_length=100,
    )
    qualify_s: float = _setting(
        0.0,
        "seconds between two OPTIONS to each registered phone, from 1 to 86400, or 0 for none",
        ge=0,
        le=DAY_S,
    )
    max_message_bytes: int = _setting(16384, "bytes from 1500 to 65535", ge=1500, le=65535)
    max_header_fields: int = _setting(200, "header fields of a message, from 20 to 16000", ge=20, le=16000)
    max_forks: int = _setting(50, "targets that one request is sent to, from 1 to 10000", ge=1, le=10_000)
    max_transactions: int = _setting(
        200_000, "transactions of one router, from 100 to 100000000", ge=100, le=100 * MOST
    )
    max_source_transactions: int = _setting(
        5000,
        "transactions that one source begins in half a minute, from 10 to 100000000",
        ge=10,
        le=100 * MOST,
    )
    receive_buffer_bytes: int = _setting(4 << 20, "bytes from 4096 to 1073741823", ge=4096, lt=2**30)
    tick_s: float = _setting(
        0.002,
        "seconds from 0 to 0.02: the longest time that datagrams gather before they are read",
        ge=0,
        le=0.02,
    )
    pins: Pins = _setting((), "WORKER=PROCESSOR or WORKER.INSTANCE=PROCESSOR, as edge-rx=0, router.1=3")
    spares: bool = _setting(True, "true (keep a standby process behind each worker) or false")
    hung_after_s: float = _setting(10.0, "seconds above 0, at most 86400, or 0 for never", ge=0, le=DAY_S)
    console: ConsoleAddress = _setting(
        "127.0.0.1:8080", "ADDRESS:PORT where browsers reach the console, [ADDRESS]:PORT for IPv6, or off"
    )
    console_password: str = _setting(
        "", "the output of `switchboard console-password`; may be empty for a loopback address"
    )
    console_names: Domains = _setting(
        (), "host names in the console's address, besides our domains; in the environment comma-separated"
    )
    console_url: ConsoleUrl = _setting(
        "", "https://NAME or https://NAME:PORT of the TLS proxy in front of the console; empty: none"
    )
    console_tls: Literal["auto", "on", "off"] = _setting(
        "auto",
        "auto (TLS at the console's address if tls or wss is on, without it only this machine), "
        "on (nothing without TLS), or off",
    )
    history: bool = _setting(True, "true (keep the messages of past calls) or false")
    history_calls: int = _setting(
        5000, "calls and registrations that are kept, from 1 to 100000000", ge=1, le=100 * MOST
    )
    history_hours: float = _setting(
        24.0, "hours above 0, at most ten years, that messages are kept", gt=0, le=87_600
    )
    history_mb: int = _setting(200, "megabytes of messages that are kept, from 1 to 1000000", ge=1, le=MOST)
    history_rate: int = _setting(
        1000,
        "messages a second that are kept, from 1 to 1000000; beyond that whole calls are left out",
        ge=1,
        le=MOST,
    )
    history_hops: bool = _setting(False, "true (keep also the messages between workers) or false")
    hep: Collector = _setting("", "HOST:PORT of a HEP3 collector such as Homer; empty: none")
    presence: bool = _setting(
        False, "true (answer SUBSCRIBE and PUBLISH for the users, who is there, who is on the phone) or false"
    )
    watchers: Literal["users", "all"] = _setting(
        "users", "users (only users may watch users) or all (anybody who may call them)"
    )
    keep_messages_days: float = _setting(
        0.0,
        "days for which texts to users who are not there are kept, 0 (not at all) to 365",
        ge=0.0,
        le=365.0,
    )
    log_level: LogLevel = _setting("info", "debug, info, warning or error")
    log_format: Literal["auto", "text", "json"] = _setting(
        "auto", "text (for people), json (for machines) or auto (text at a terminal and under honcho)"
    )

    @model_validator(mode="before")
    @classmethod
    def _take_url_of_users(cls, values: dict[str, Any]) -> dict[str, Any]:
        """`users = "postgresql://…"` is the short form of `users_store`."""
        users = values.get("users")
        if isinstance(users, str) and is_postgres(users):
            return {"users_store": users} | values | {"users": {}}
        return values

    @field_validator("*", mode="before")
    @classmethod
    def _check_numbers(cls, value: object, field: ValidationInfo) -> object:
        """TOML has true and false, which Python would count as 1 and 0."""
        assert field.field_name
        if isinstance(value, bool) and cls.model_fields[field.field_name].annotation is not bool:
            raise ValueError("True or false is not allowed here")
        return value

    @model_validator(mode="after")
    def _check_expires(self) -> "Settings":
        if not self.min_expires <= self.default_expires <= self.max_expires:
            raise ValueError(
                f"min_expires {self.min_expires} ≤ default_expires {self.default_expires} "
                f"≤ max_expires {self.max_expires} must hold"
            )
        return self

    @model_validator(mode="after")
    def _check_qualify(self) -> "Settings":
        if 0 < self.qualify_s < 1:
            raise ValueError(f"qualify_s is {self.qualify_s:g}: let it be 1 or more, or 0 for none")
        return self

    @model_validator(mode="after")
    def _check_numbers_of_users(self) -> "Settings":
        self.make_dial_plan()
        return self

    @model_validator(mode="after")
    def _check_gateways(self) -> "Settings":
        for transport, gateway in self.dialplan.transports.items():
            if transport not in self.ports:
                raise ValueError(f"dialplan: {gateway} needs the transport {transport}, which is not on")
        return self

    @model_validator(mode="after")
    def _check_replicas(self) -> "Settings":
        if self.location_wait_replicas and is_postgres(self.location):
            raise ValueError(
                "location_wait_replicas is for Redis; on PostgreSQL its own synchronous_standby_names decides"
            )
        return self

    @model_validator(mode="after")
    def _check_registrars(self) -> "Settings":
        if self.registrars > 1 and self.location == SQLITE:
            raise ValueError(
                f"registrars is {self.registrars}, and location is a file, which one registrar has for itself: "
                "several need a location on a server (redis://…, postgresql://…; docs/LOCATION.md)"
            )
        return self

    @model_validator(mode="after")
    def _check_hosts(self) -> "Settings":
        if not self.hosts:
            if self.router_standby:
                raise ValueError("router_standby needs routers on several hosts, and hosts is empty")
            return self
        if self.keep_messages_days and not any("presence" in host.components for host in self.hosts.values()):
            raise ValueError("keep_messages_days needs the component presence on one of hosts")
        if self.here not in self.hosts:
            known = ", ".join(self.hosts)
            raise ValueError(f"host {self.here!r} is not one of hosts ({known}): say which one this is")
        if "routers" not in self.model_fields_set and not listed_routers(self.hosts):
            raise ValueError("routers has to be set, because each of hosts would count its own cores")
        places = place(self.hosts, self.routers, self.edge_streams, self.registrars)
        if self.router_standby and not standbys(places, self.routers):
            raise ValueError(
                "router_standby needs a router on a host without edge, and one on another host than that"
            )
        if places.get("presence.0", places["registrar.0"]) != places["registrar.0"]:
            raise ValueError("hosts: presence has to be on the host of the registrar")
        if self.advertise and len(edge_hosts(self.hosts)) > 1:
            raise ValueError(
                "advertise is one address, and there are several edges: set hosts.NAME.advertise"
            )
        return self

    @model_validator(mode="after")
    def _check_streams(self) -> "Settings":
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("tls_certificate and tls_key are a pair: set both of them, or neither")
        names: dict[int, str] = {}
        for transport, port in self.ports.items():
            if transport != "udp" and names.setdefault(port, transport) != transport:
                raise ValueError(f"{names[port]}_port and {transport}_port are both {port}")
        return self

    @model_validator(mode="after")
    def _check_console(self) -> "Settings":
        address = parse_listening(self.console)
        if self.console_password:
            parse_password_hash(self.console_password)
        elif address is not None and not is_loopback(address[0]):
            raise ValueError(
                f"console {self.console} can be reached from other machines and console_password is empty: "
                "set it to what `switchboard console-password` prints"
            )
        elif self.console_url:
            raise ValueError("console_url needs console_password, which is empty: set it, too")
        return self

    @property
    def has_dial_plan(self) -> bool:
        """Whether numbers mean something of their own."""
        return self.dialplan.leads or any(user.numbers for user in self.users.values())

    @model_validator(mode="after")
    def _check_trunks(self) -> "Settings":
        for name, trunk in self.trunks.items():
            check_name(name)
            if trunk.transport not in self.ports:
                raise ValueError(f"trunks.{name} needs the transport {trunk.transport}, which is not on")
        if (
            self.trunks
            and self.hosts
            and not any("trunks" in each.components for each in self.hosts.values())
        ):
            raise ValueError("hosts: no host has trunks among its components")
        return self

    def make_trunks(self) -> dict[str, Trunk]:
        """Return the trunks by name."""
        return trunks_of(self.trunks, self.dialplan.normal)

    @property
    def foreign_users(self) -> frozenset[str] | None:
        """Who may forward calls to other domains; None: all users."""
        classes = self.forward_foreign
        if ANY_CLASS in classes:
            return None
        return frozenset(name for name, user in self.users.items() if user.dial_class in classes)

    def make_dial_plan(self) -> DialPlan | None:
        """Return the dial plan; None if there is none."""
        numbers = {name: user.numbers for name, user in self.users.items()}
        classes = {name: user.dial_class for name, user in self.users.items()}
        return dial_plan(self.dialplan, numbers, classes, self.make_trunks())

    @property
    def here(self) -> str:
        """The name of this host."""
        return self.host or socket.gethostname()

    def algorithms_of(self, user: str) -> tuple[str, ...]:
        """Those by which this user may prove a password, in the order in which they are offered."""
        chosen = self.users.get(user)
        return (chosen and chosen.auth_algorithms) or self.auth_algorithms

    @property
    def ports(self) -> dict[str, int]:
        """The transports that are on, as `udp`, `tcp`, `tls`, `ws` and `wss`, and the port of each."""
        port_of = {
            "udp": self.sip_port,
            "tcp": self.tcp_port,
            "tls": self.tls_port,
            "ws": self.ws_port,
            "wss": self.wss_port,
        }
        wanted = {*self.transports, *(["tls"] if self.tls else [])}
        return {transport: port for transport, port in port_of.items() if transport in wanted}

    @property
    def has_tls(self) -> bool:
        """Whether phones may use TLS."""
        return not {"tls", "wss"}.isdisjoint(self.ports)

    @property
    def console_has_tls(self) -> bool:
        """Whether browsers may use TLS at the console's address."""
        wanted = self.has_tls if self.console_tls == "auto" else self.console_tls == "on"
        return wanted and parse_listening(self.console) is not None

    @property
    def console_scheme(self) -> str:
        """What people type before the console's address: where only this machine can ask, it may do without TLS."""
        address = parse_listening(self.console)
        is_local = self.console_tls == "auto" and address is not None and is_loopback(address[0])
        return "https" if self.console_has_tls and not is_local else "http"

    @property
    def wants_certificate(self) -> bool:
        """Whether anything that is on needs one."""
        return self.has_tls or self.console_has_tls

    @property
    def tls_path(self) -> Path:
        """The directory of the certificate of our own making, and of its authority."""
        return self.data_dir / "tls"

    @property
    def keys_path(self) -> Path:
        """The directory of the hosts' keys."""
        return self.keys_dir or self.data_dir / "keys"

    @property
    def run_dir(self) -> Path:
        """Directory of the sockets and locks, as the parents have made it."""
        return find_run_dir(self.data_dir)

    @property
    def store_path(self) -> Path:
        """The registrar's bindings (SQLite)."""
        return self.data_dir / "location.db"

    @property
    def users_path(self) -> Path:
        """The users and their secrets (SQLite)."""
        return self.data_dir / "users.db"

    @property
    def rules_path(self) -> Path:
        """The rules of users and groups (SQLite): who is called when."""
        return self.data_dir / "rules.db"

    @property
    def turns_path(self) -> Path:
        """Whose turn it is in groups (SQLite)."""
        return self.data_dir / "turns.db"

    @property
    def auth_key_path(self) -> Path:
        """The secret key of nonces and Record-Routes: that of all hosts if there is one."""
        shared = self.shared_key_path
        return shared if self.hosts and shared.exists() else self.data_dir / "auth.key"

    @property
    def shared_key_path(self) -> Path:
        """Where the hosts of one switchboard have that key in common."""
        return self.keys_path / "auth.key_secret"

    @property
    def cdr_path(self) -> Path:
        """The call detail records, one JSON object a line."""
        return self.data_dir / "cdr.jsonl"

    @property
    def journal_name_path(self) -> Path:
        """The name by which a database of records knows this switchboard."""
        return self.data_dir / "journal.name"

    @property
    def console_key_path(self) -> Path:
        """The key with which the console signs its sessions."""
        return self.data_dir / "console.key"

    @property
    def console_names_path(self) -> Path:
        """The display names that the console's users were given."""
        return self.data_dir / "console.names"

    @property
    def console_links_path(self) -> Path:
        """Which users have a link to a page of their own."""
        return self.data_dir / "console.links"

    @property
    def api_tokens_path(self) -> Path:
        """The tokens of the console's JSON API, by their hashes."""
        return self.data_dir / "api.tokens"

    @property
    def console_ended_path(self) -> Path:
        """The console's sessions that were logged out before their time."""
        return self.data_dir / "console.ended"

    @property
    def history_path(self) -> Path:
        """The messages of past calls (SQLite)."""
        return self.data_dir / "history.db"

    @property
    def presence_path(self) -> Path:
        """Who watches whom, and what phones have published (SQLite)."""
        return self.data_dir / "presence.db"

    @property
    def messages_path(self) -> Path:
        """Texts to users who are not there (SQLite)."""
        return self.data_dir / "messages.db"

    @property
    def trunks_path(self) -> Path:
        """The directory with the trunks' passwords, and what their registrations have to remember."""
        return self.data_dir / "trunks"

    @property
    def journal_path(self) -> Path:
        """The journal's calls in progress (SQLite)."""
        return self.data_dir / "journal.db"


def allowed_values() -> dict[str, str]:
    """What each setting may be, in words."""
    return {key: field.description or "" for key, field in Settings.model_fields.items()}


def read_settings() -> tuple[Settings, Origins]:
    """The settings and where each came from. Raises SettingsError with a text for people."""
    origins = Origins.read()
    try:
        return Settings(**origins.from_file()), origins
    except ValidationError as error:
        raise explain(error, origins, allowed_values()) from error
    except UndecodableError as error:
        raise _undecodable(origins) from error


def load_settings() -> Settings:
    """The settings of this process. Raises SettingsError with a text for people."""
    return read_settings()[0]


def _undecodable(origins: Origins) -> SettingsError:
    """The environment says one of the settings in JSON as no JSON."""
    texts = {
        key: origins.variables.get(variable_of(key), "{}")
        for key in ("hosts", "access", "dialplan", "trunks", "star_codes")
    }
    key = next(key for key, text in texts.items() if not _is_json(text))
    message = f"Bad setting {key}: {texts[key]!r} ({origins.of(key)}). Allowed: {allowed_values()[key]}."
    return SettingsError(message, f"bad setting {key}")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
