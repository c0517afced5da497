"""Other people's dialogs: whether requests of a call that is up go to anybody else, or come from anybody else.

While anna and boris talk, users register each other's contacts, as if behind address translation, and are removed;
customers share a private contact; and a stranger who knows Call-ID and tags sends requests.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from itertools import product

from system.dialog import Call, Dialog
from system.harness import Switchboard
from system.net import Net
from system.password import PasswordAgent, add_user
from system.sipmsg import Address, Headers, Message, host_port
from system.user_agent import SDP

from bench.bystander import Ground, Party, Reach

SETTINGS = {"SWITCHBOARD_AUTH": "on", "SWITCHBOARD_ROUTERS": "2"}
ANNA, BORIS, MALLORY, CARL, DORA, STRANGER = (f"127.0.0.{last}" for last in (11, 12, 66, 21, 22, 99))
PRIVATE = ("127.0.0.200", 5060)
"""Where two customers' phones say to be: each is right in its own network."""


class TranslatedAgent(PasswordAgent):
    """Names the address `named` in Via and Contact, as one does behind address translation, and `user` there."""

    def __init__(self, net: Net, name: str, host: str, named: Address, user: str = "pbx") -> None:
        super().__init__(net, name, host=host)
        self._named = named
        self._contact_user = user

    @property
    def contact(self) -> str:
        return f"sip:{self._contact_user}@{host_port(self._named)}"

    def request(
        self, method: str, uri: str, headers: Headers = (), body: bytes = b"", **rest: object
    ) -> Message:
        made = super().request(method, uri, headers, body, **rest)
        there = f"SIP/2.0/UDP {host_port(self._named)};"
        fields = [
            (name, there + value.partition(";")[2] if name == "Via" else value)
            for name, value in made.headers
        ]
        return Message(made.start_line, tuple(fields), made.body)


@dataclass
class Outcome:
    """Requests of calls, and how many were delivered; what reached anybody else, and what strangers brought in."""

    requests: int = 0
    delivered: int = 0
    foreign: int = 0
    """What others sent."""
    reach: Reach = field(default_factory=Reach)


def measure() -> Outcome:
    """Attack a fresh switchboard."""
    with Switchboard(SETTINGS) as board, Ground(board.address) as ground:
        return _Attack(board, ground).run()


def _nothing() -> None:
    """No event."""


class _Attack:
    def __init__(self, board: Switchboard, ground: Ground) -> None:
        self._board = board
        self._ground = ground
        self._outcome = Outcome()
        self._anna = self._user(PasswordAgent(ground, "anna", host=ANNA))
        self._boris = self._user(PasswordAgent(ground, "boris", host=BORIS))
        self._stranger = Party(ground, STRANGER)

    def run(self) -> Outcome:
        anna, boris = self._anna, self._boris
        mallory = TranslatedAgent(self._ground, "mallory", MALLORY, boris.address, boris.user)
        add_user(self._board, mallory)
        for event in (_nothing, mallory.sign_in, lambda: self._remove(mallory)):
            self._calls((anna, boris), (mallory,), event)
        carl = self._user(TranslatedAgent(self._ground, "carl", CARL, PRIVATE))
        dora = self._user(TranslatedAgent(self._ground, "dora", DORA, PRIVATE))
        self._calls((anna, carl), (dora,), dora.sign_in)
        self._calls((anna, dora), (carl,), carl.sign_in)
        self._calls((dora, carl), (anna,), _nothing)
        self._intrude()
        return self._outcome

    def _user(self, phone: PasswordAgent) -> PasswordAgent:
        add_user(self._board, phone)
        return phone.sign_in()

    def _remove(self, phone: PasswordAgent) -> None:
        self._board.cli("user", "remove", phone.user)

    def _calls(
        self,
        pair: tuple[PasswordAgent, PasswordAgent],
        others: Iterable[PasswordAgent],
        event: Callable[[], object],
    ) -> None:
        """Each calls the other, and each hangs up once; in the first call the `event` comes before the ACK."""
        names = [other.user for other in others]
        for caller_at, ending_at in product((0, 1), (0, 1)):
            caller, callee = pair[caller_at], pair[1 - caller_at]
            call = partial(self._call, caller, callee, event, bool(ending_at))
            self._outcome.reach += self._ground.reached(call, *names)
            event = _nothing

    def _call(
        self, caller: PasswordAgent, callee: PasswordAgent, event: Callable[[], object], by_callee: bool
    ) -> None:
        try:
            call = self._place(caller, callee, event)
        except AssertionError:  # something else came
            self._outcome.requests += 1
            return
        sides = (call.caller, call.callee)
        for one, other in (sides, sides[::-1]):
            self._deliver(one, other, "INFO")
            self._deliver(one, other, "INVITE")
        ending, other = sides[::-1] if by_callee else sides
        self._deliver(ending, other, "BYE")

    def _place(
        self, caller: PasswordAgent, callee: PasswordAgent, event: Callable[[], object] = _nothing
    ) -> Call:
        invite = caller.prove(lambda: caller.invite(callee.aor))
        incoming = callee.expect("INVITE")
        sent = incoming.reply(200, body=SDP)
        received = invite.expect(200)
        call = Call(
            Dialog.of_caller(caller, invite, received), Dialog.of_callee(callee, incoming, sent), received
        )
        event()
        self._confirm(call.caller, call.callee)
        return call

    def _deliver(self, one: Dialog, other: Dialog, method: str) -> None:
        """Send a request of the dialog; whether it comes, and its answer, is counted."""
        self._outcome.requests += 1
        asked = one.start(method, body=SDP if method == "INVITE" else b"")
        try:
            other.expect(method).reply(200, body=SDP if method == "INVITE" else b"")
            asked.expect(200)
        except AssertionError:
            return
        self._outcome.delivered += 1
        if method == "INVITE":
            self._confirm(one, other)

    def _confirm(self, one: Dialog, other: Dialog) -> None:
        self._outcome.requests += 1
        one.acknowledge()
        try:
            other.expect("ACK")
        except AssertionError:
            return
        self._outcome.delivered += 1

    def _intrude(self) -> None:
        """A stranger sends what the sides of a call would, but for its Route."""
        anna, boris = self._anna, self._boris
        before = self._place(anna, boris)
        self._deliver(before.caller, before.callee, "BYE")
        call = self._place(anna, boris)
        bare = f"<sip:{host_port(self._board.address)};lr>"
        routes: list[list[str]] = [[], [bare], before.caller.routes, before.callee.routes]
        forged = [
            _of_stranger(side, method, route, self._stranger.address)
            for side in (call.caller, call.callee)
            for method in ("BYE", "INVITE", "INFO", "UPDATE", "ACK", "CANCEL")
            for route in routes
        ]
        self._outcome.foreign += len(forged)
        self._outcome.reach += self._ground.reached(
            lambda: self._ground.send_all(self._stranger, forged), anna.user, boris.user
        )
        self._deliver(call.callee, call.caller, "BYE")


def _of_stranger(side: Dialog, method: str, routes: list[str], source: Address) -> Message:
    """What this side of the dialog would send next, from elsewhere and with other Route values."""
    made = side.phone.request(
        method, side.target, [("Route", each) for each in routes], sender=side.local, to=side.remote,
        call_id=side.call_id, cseq=side.cseq + 1,
    )  # fmt: skip
    here = host_port(side.phone.address), host_port(source)
    fields = [
        (name, value.replace(*here) if name in ("Via", "Contact") else value) for name, value in made.headers
    ]
    return Message(made.start_line, tuple(fields), made.body)
