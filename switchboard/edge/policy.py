"""What the filter is told by the settings."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from switchboard.core.domains import AccessList, IpAddress, Network, is_within
from switchboard.core.overload import LASTS_S


@dataclass(frozen=True, slots=True)
class FilterPolicy:
    """`rate`: datagrams a second from one source, 0 for no limit; `burst`: so many at once; `ignored_s`:
    so long nobody listens to who sent more. `exempt` are not counted. `access` is for every datagram,
    `methods` for requests besides; `silent`: whoever may not is not answered. `scanners`: how the User-Agent
    of a scanner begins, in lower case. `largest` (octets) and `most_fields` (of the header): of a request
    that begins something, from an address where nobody is registered. `transaction_s`: 64 T1.
    """

    rate: float = 0.0
    burst: float = 0.0
    ignored_s: float = 0.0
    exempt: tuple[Network, ...] = ()
    access: AccessList = AccessList()
    methods: Mapping[str, AccessList] = field(default_factory=dict)
    silent: bool = False
    scanners: tuple[str, ...] = ()
    largest: int = 65_535
    most_fields: int = 16_000
    transaction_s: float = LASTS_S

    def is_exempt(self, address: IpAddress) -> bool:
        """Whether the datagrams of `address` are not counted."""
        return not self.rate or is_within(address, self.exempt)

    def is_free(self, address: IpAddress) -> bool:
        """Whether `address` may send whatever it likes."""
        return self.access.lets_in(address) and all(
            access.lets_in(address) for access in self.methods.values()
        )

    def lets_in(self, address: IpAddress, method: str) -> bool:
        """Whether `address` may send a request of this method; "": a response."""
        access = self.methods.get(method)
        return self.access.lets_in(address) and (access is None or access.lets_in(address))
