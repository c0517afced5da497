"""The settings `[access]`: which networks may send, and what."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from switchboard.core.networks import AccessList, parse_networks
from switchboard.settings.types import Method, Network

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


class AccessSettings(AccessListSettings):
    """`[access]` and the tables `[access.methods.METHOD]`."""

    answer: Literal["forbidden", "silence"] = "forbidden"
    methods: dict[Method, AccessListSettings] = Field(default_factory=dict)

    def __str__(self) -> str:
        methods = (f"{method}: {access}" for method, access in self.methods.items())
        return "; ".join(filter(None, (super().__str__(), *methods))) or "everybody"
