"""The settings of the edge's gate: `[access]`, and how they become its policy."""

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from switchboard.core.networks import AccessList, parse_networks
from switchboard.edge.policy import GatePolicy

if TYPE_CHECKING:
    from switchboard.settings.model import Settings

LOOPBACK = ("127.0.0.0/8", "::1/128")
SCANNERS = (
    "friendly-scanner", "friendly-request", "sipvicious", "sipcli", "pplsip", "sip-scan", "sundayddr", "smap",
    "iwar", "sivus", "gulp", "siparmyknife",
)  # fmt: skip
METHOD = "[A-Z]+"


def check_network(text: str) -> str:
    """A network as `10.0.0.0/8` or one address. ValueError, whose text is for people."""
    try:
        return str(*parse_networks([text.strip()]))
    except ValueError:
        raise ValueError(f"{text!r} is no network") from None


def check_scanner(text: str) -> str:
    """How a User-Agent begins, in lower case. ValueError."""
    if len(text.encode()) < 4:
        raise ValueError(f"{text!r} is shorter than 4 letters")
    return text.lower()


Network = Annotated[str, AfterValidator(check_network)]
Method = Annotated[str, Field(pattern=METHOD)]


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


class AccessSettings(AccessListSettings):
    """`[access]` and the tables `[access.methods.METHOD]`."""

    answer: Literal["forbidden", "silence"] = "forbidden"
    methods: dict[Method, AccessListSettings] = Field(default_factory=dict)

    def __str__(self) -> str:
        methods = (f"{method}: {access}" for method, access in self.methods.items())
        return "; ".join(filter(None, (super().__str__(), *methods))) or "everybody"


def gate_policy(settings: "Settings") -> GatePolicy:
    """What the gate is told."""
    access = settings.access
    return GatePolicy(
        rate=settings.rate_limit,
        burst=max(settings.rate_limit, settings.rate_burst),
        ignored_s=settings.rate_ignored_s,
        exempt=parse_networks(settings.rate_exempt),
        access=access.to_list(),
        methods={method: each.to_list() for method, each in access.methods.items()},
        silent=access.answer == "silence",
        scanners=settings.scanners,
        largest=settings.max_message_bytes,
        most_fields=settings.max_header_fields,
        transaction_s=64 * settings.t1_s,
    )
