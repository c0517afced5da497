"""Contacts that lead back: users whose contacts are the switchboard itself, each other, and a victim.

Each way to write our own address has users and two victims of its own: one who never answers, and one who refuses.
Then each group gets one MESSAGE, and the victims count what comes to them (RFC 5393).
"""

import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from system.harness import Switchboard
from system.password import PASSWORD
from system.sipmsg import host_port

from bench.bystander import Ground, Party, Reach

LISTEN_S = 40.0
"""Timer F is 32 s."""
USERS = 5
CONTACTS = 50
COPIES = 5
"""Contacts by which one user leads to another."""
REFUSED = 480
OURS = (
    "127.0.0.1:{port}",
    "127.0.0.1",
    "pbx.test",
    "PBX.Test.:{port}",
    "localhost:{port}",
    "LocalHost.:{port}",
    "other.test:{port};maddr=127.0.0.1",
    "other.test:{port};maddr=localhost",
    "pbx.test;maddr=127.0.0.2",
    "127.0.0.1:{port};transport=udp;lr",
    "127.0.0.1:{port}?Subject=again",
    "[::1]:{port}",
    "[::ffff:127.0.0.1]:{port}",
    "127.0.0.2:{port}",
    "127.1:{port}",
    "0.0.0.0:{port}",
)
"""Hosts of Contacts that we are, as far as a datagram goes."""
PATHS = (
    "<sip:127.0.0.1:{port};lr>",
    "<sip:127.0.0.1:{port};lr>, <sip:pbx.test:{port};lr>",
    "<sip:localhost:{port};lr>",
    "<sip:other.test:{port};maddr=127.0.0.1;lr>",
    "<sip:127.0.0.2:{port}>",
)
DOMAIN = "pbx.test"
SETTINGS = {
    "SWITCHBOARD_SIP_HOST": "",  # all that the machine has lead to us
    "SWITCHBOARD_DOMAINS": DOMAIN,
    "SWITCHBOARD_MAX_CONTACTS": str(CONTACTS + COPIES * USERS),
}
NOBODY = "127.0.0.99"


class Circle(NamedTuple):
    """How users lead to one another: at `ours`, behind `path`. `by_q`: one contact after the other.

    `redirects`: a phone answers with a redirection to the others and the victim.
    """

    ours: str
    path: str = ""
    by_q: bool = False
    redirects: bool = False

    def uri(self, user: str, copy: int) -> str:
        """One of several contacts that lead to a user."""
        host, mark, headers = self.ours.partition("?")
        return f"sip:{user}@{host};copy={copy}{mark}{headers}"

    def values(self, uris: Iterable[str]) -> Iterator[str]:
        """The Contact values."""
        step = 0.01 if self.by_q else 0.0
        return (f"<{uri}>;q={1 - place * step:.2f}" for place, uri in enumerate(uris))

    def __str__(self) -> str:
        words = (self.ours, self.path, "one by one" * self.by_q, "redirected" * self.redirects)
        return " ".join(filter(None, words))


@dataclass(frozen=True)
class Outcome:
    """`request`: octets of the longest MESSAGE. `worst`: what reached the victims who got most, `where`."""

    circles: int
    request: int
    worst: Reach
    where: str


def circles(port: int) -> Iterator[Circle]:
    """One for each spelling, and those in which contacts are tried one after the other."""
    for ours in OURS:
        yield Circle(ours.format(port=port))
    for path in PATHS:
        yield Circle("pbx.test", path.format(port=port))
    for ours in ("pbx.test", "localhost:{port}", "127.0.0.2:{port}"):
        yield Circle(ours.format(port=port), by_q=True)
        yield Circle(ours.format(port=port), redirects=True)


def measure(auth: bool, listen_s: float = LISTEN_S, every: int = 1) -> Outcome:
    """Attack a fresh switchboard, with passwords if `auth`. One circle of `every` so many."""
    settings = SETTINGS | ({"SWITCHBOARD_AUTH": "on"} if auth else {})
    with Switchboard(settings) as board, Ground(board.address) as ground:
        groups = [
            Group(ground, circle, f"g{number}k{kind}", f"127.0.{kind}.{number + 1}", status)
            for number, circle in enumerate([*circles(board.port)][::every])
            for kind, status in enumerate((0, REFUSED), 1)
        ]
        if auth:
            _add_users(board, [user for group in groups for user in group.users])
        sender = Party(ground, NOBODY)
        for group in groups:
            group.register(sender)
        octets = max([group.ask(sender, auth) for group in groups])
        ground.listen(listen_s)
        return _outcome(
            groups, octets, {group: Reach.of(ground.requests_at(group.victim.name)) for group in groups}
        )


class Group:
    """The users of one circle, and the victim at `host`, who answers with `status`."""

    def __init__(self, ground: Ground, circle: Circle, name: str, host: str, status: int) -> None:
        self.circle = circle
        self._ground = ground
        self.victim = Party(ground, host, status)
        self.users = [f"{name}-{number}" for number in range(USERS)]
        self.what = f"{circle}, victim answers {status or 'nothing'}"

    def register(self, sender: Party) -> None:
        """Bind each user to the others, and to the victim under many names."""
        for number, user in enumerate(self.users):
            back = [
                self.circle.uri(other, copy)
                for copy in range(COPIES)
                for other in self.users
                if other != user
            ]
            there = [f"sip:{user}-{number}@{host_port(self.victim.address)}" for number in range(CONTACTS)]
            uris = there + back if number % 2 else back + there
            headers = [("Contact", value) for value in self.circle.values(uris)]
            if self.circle.redirects:
                phone = Party(self._ground, NOBODY, 302, headers)
                headers = [("Contact", f"<sip:{user}@{host_port(phone.address)}>")]
            headers += [("Path", self.circle.path)] if self.circle.path else []
            aor = f"sip:{user}@{DOMAIN}"
            status = sender.ask(
                sender.request("REGISTER", f"sip:{DOMAIN}", aor, aor, headers), user, PASSWORD
            )
            assert status == 200, f"{status} to the REGISTER of {self.circle}"

    def ask(self, sender: Party, auth: bool) -> int:
        """Send the first of them a MESSAGE of the second; return its octets."""
        callee, caller = self.users[:2]
        message = sender.request("MESSAGE", f"sip:{callee}@{DOMAIN}", f"sip:{caller}@{DOMAIN}")
        if auth:
            message = sender.prove(message, caller, PASSWORD)
        else:
            sender.send(message.encode())
        return len(message.encode())


def _outcome(groups: list[Group], octets: int, reached: Mapping[Group, Reach]) -> Outcome:
    first, repeated, busiest, most = (max(each[place] for each in reached.values()) for place in range(4))
    where = max(groups, key=lambda group: reached[group].first)
    return Outcome(len(groups), octets, Reach(first, repeated, busiest, most), where.what)


def _add_users(board: Switchboard, users: list[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("".join(f"{user},{PASSWORD}\n" for user in users))
        file.flush()
        board.cli("user", "import", file.name)
