"""The plain-language account of what happened, and what to check where it failed."""

from dataclasses import dataclass
from ipaddress import ip_address

from switchboard.history.glance import Glance


@dataclass(frozen=True, slots=True)
class Account:
    """`sentences` tell what happened, in order; `advice` what to check, the likeliest first."""

    sentences: list[str]
    failed: bool
    advice: list[str]

    @property
    def text(self) -> str:
        """All of it as lines for a terminal."""
        return "\n".join((" ".join(self.sentences), *(f"- {line}" for line in self.advice)))


def unreachable_addresses(glance: Glance, who: str) -> list[str]:
    """What is wrong with the addresses that a phone announced in a message that came from it."""
    source = glance.seen.source.host
    found = []
    if _leads_nowhere(glance.contact_host, source):
        found.append(
            f"The phone of {who} says that it is reached at {glance.contact_host}, but its messages come "
            f"from {source}: behind address translation (NAT). Switch on STUN or ICE in the phone, or "
            "keep-alives (RFC 5626), so that the path stays open."
        )
    if _leads_nowhere(glance.media_host, source):
        found.append(
            f"The phone of {who} wants to hear at {glance.media_host}, but its messages come from {source}: "
            "where that address cannot be reached, there is no sound in its direction. Switch on STUN or ICE "
            "in the phone."
        )
    return found


def seconds(duration_ns: int) -> str:
    """A duration as people say it: `0.4 s`, `11 s`, `2 min 05 s`."""
    value = duration_ns / 1e9
    if value < 9.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _leads_nowhere(announced: str, source: str) -> bool:
    """Whether a private address was announced by who is seen at another one."""
    try:
        address = ip_address(announced)
    except ValueError:
        return False  # a name, or nothing
    return announced != source and address.is_private and not address.is_unspecified
