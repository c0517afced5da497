"""The fake phones of one bench: they retransmit and complain, and live from one event to the next."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

from system.access import Access
from system.net import Endpoint, Net
from system.sipmsg import Address, uri_in
from system.stream_agent import StreamAgent
from system.user_agent import UserAgent

from bench.leg import response
from bench.outside import OutsidePhone
from bench.script import Script

EXPIRES_S = 7000


class Lab(Net):
    """Phones that retransmit; what they get and should not is kept by the name of the phone."""

    def __init__(self, proxy: Address) -> None:
        super().__init__(proxy, retransmits=True)
        self.complaints: dict[str, list[str]] = defaultdict(list)
        self.provider: Address | None = None
        self._numbers = count()

    def outside_phone(self, name: str) -> OutsidePhone:
        """A phone behind the provider."""
        assert self.provider is not None
        return OutsidePhone(self, name, self.provider, next(self._numbers))

    def knows(self, source: Address) -> bool:
        """Proxy and provider alone: ports are used again, and other switchboards may remember them."""
        return source in (self.proxy, self.provider)

    def blame(self, endpoint: Endpoint, error: AssertionError) -> None:
        """Note it, and go on."""
        self.complaints[endpoint.name].append(str(error))


@dataclass(frozen=True)
class Line:
    """The phones of one call: `second` shares the callee's address-of-record, `third` has one of its own.

    `outside` is behind a provider, and does not register.
    """

    caller: UserAgent
    callee: UserAgent
    second: UserAgent | None = None
    third: UserAgent | None = None
    outside: OutsidePhone | None = None

    @property
    def phones(self) -> list[UserAgent]:
        """Those that register."""
        return [each for each in (self.caller, self.callee, self.second, self.third) if each]

    @property
    def everyone(self) -> list[UserAgent]:
        """All of them."""
        return [*self.phones, *([self.outside] if self.outside else [])]

    @property
    def users(self) -> list[str]:
        return list(dict.fromkeys(phone.user for phone in self.everyone))

    @property
    def is_cut(self) -> bool:
        """Whether a phone has lost its connection."""
        return any(map(is_cut, self.phones))

    def register(self) -> Script[None]:
        """Every phone registers."""
        for transaction in [phone.register(expires=EXPIRES_S) for phone in self.phones]:
            yield from response(transaction, 200)

    def unplug(self) -> None:
        """End the phones."""
        for phone in self.everyone:
            phone.close()


def make_line(
    net: Lab, name: str, extra: str, make_call_id: Callable[[], str], access: Access | None = None
) -> Line:
    """A line whose extra phone, if any, is its `second`, `third` or `outside`; they are on UDP unless told."""
    access = access or Access()
    line = Line(
        access.phone(net, f"{name}-a"),
        access.phone(net, f"{name}-b"),
        access.phone(net, f"{name}-b") if extra == "second" else None,
        access.phone(net, f"{name}-c") if extra == "third" else None,
        net.outside_phone(f"{name}-o") if extra == "outside" else None,
    )
    for phone in line.everyone:
        phone.make_call_id = make_call_id
    return line


def is_cut(phone: UserAgent) -> bool:
    """Whether it had a connection, and lost it."""
    return isinstance(phone, StreamAgent) and phone.connection.is_closed


def register(phone: UserAgent) -> Script[None]:
    """It registers."""
    yield from response(phone.register(expires=EXPIRES_S), 200)


def look_up(phone: UserAgent, missing: list[str]) -> Script[None]:
    """Ask the registrar for this phone's binding; name it among the `missing` if there is none."""
    answer = yield from response(phone.register([], None), 200)
    if phone.contact not in [uri_in(value) for value in answer.values("contact")]:
        missing.append(phone.contact)
