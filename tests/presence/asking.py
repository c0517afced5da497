"""Requests as routers hand them over, and the core with a replica of its own."""

from collections.abc import Sequence

from flows import udp
from playbook import LUKAS, request

from switchboard.presence.core import PresenceCore
from switchboard.presence.reception import Answer, Refused, Request
from switchboard.presence.watching import Limits, Watchers
from switchboard.registrar.binding import Binding
from switchboard.registrar.replica import Replica
from switchboard.registrar.user_table import pack_users
from switchboard.sip.flow import Flow
from switchboard.sip.message import Message, parse_message

AT = 1_800_000_000.0
LENKA_AOR = "sip:lenka@10.0.0.1"
CONTACT = "Contact: <sip:lukas@10.0.0.11:5060;x=1>"


def ask(
    method: str,
    user: str,
    *lines: str,
    sender: str = "lukas",
    body: bytes = b"",
    to_tag: str = "",
    cseq: int = 1,
    call_id: str = "call-1",
) -> Request:
    """A request of `sender` for `user`."""
    if method == "SUBSCRIBE" and not any(line.startswith("Contact") for line in lines):
        lines = (*lines, CONTACT)
    uri = f"sip:{user}@10.0.0.1"
    raw = request(
        method, uri, lines=lines, body=body, to_tag=to_tag, cseq=cseq, call_id=call_id,
        caller=f"sip:{sender or 'eve'}@10.0.0.1",
    )  # fmt: skip
    return Request(parse_message(raw), udp(*LUKAS, "10.0.0.1"), sender, user)


class Desk:
    """A core, whose clock stands at `at`."""

    def __init__(self, everybody: bool = False) -> None:
        self.at = AT
        self.replica = Replica()
        self.replica.load((0, {}))
        self.core = PresenceCore(
            self.replica, Watchers(everybody), Limits(60, 7200), _place, _user_of, lambda: self.at
        )

    def bind(self, user: str, *contacts: str) -> None:
        """Register `user` at these."""
        bindings = [
            Binding(each, 1.0, expires_at=AT + 1e6, source="10.0.0.12:5060", cseq=7) for each in contacts
        ]
        self.replica.apply(self.replica.number + 1, pack_users({user: bindings}))

    def take(self, request: Request) -> Answer:
        """The answer, also if it is a refusal."""
        try:
            return self.core.handlers[request.message.method].take(request, self.at)
        except Refused as refused:
            return refused.answer

    def subscribe(self, user: str = "lenka", event: str = "presence", *lines: str, **more: object) -> str:
        """The tag of a new subscription."""
        answer = self.take(ask("SUBSCRIBE", user, f"Event: {event}", *lines, **more))  # type: ignore[arg-type]
        assert answer.status == 200
        return answer.to_tag

    def notifies(self, status: int = 200, is_own: bool = False, wait_s: float = 1.0) -> list[Message]:
        """The NOTIFYs of this moment, which get this answer; then time passes."""
        found = self.core.watching.take_due(self.at, 1000)
        for each in found:
            self.core.watching.answered(each.token, status, is_own, self.at)
        self.at += wait_s
        self.core.expire(self.at)
        return [parse_message(_with_via(each.raw)) for each in found]

    def successor(self) -> "Desk":
        """A core that goes on with what this one has kept."""
        records = {name: packed for name, packed in self.kept.items() if packed is not None}
        other = Desk()
        other.at, other.kept = self.at, dict(records)
        other.core.load(records.items(), self.at)
        return other

    kept: dict[str, bytes | None] = {}

    def keep(self) -> None:
        """Write what has changed."""
        self.kept = {**self.kept, **self.core.take_changes()}


def states(messages: Sequence[Message]) -> list[str]:
    """What their Subscription-State says, without expiry."""
    return [(each.get("subscription-state") or "").partition(";expires")[0] for each in messages]


def _with_via(raw: bytes) -> bytes:
    line, _, rest = raw.partition(b"\r\n")
    return line + b"\r\nVia: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1\r\n" + rest


def _place(user: str, flow: Flow) -> str:
    return f"sip:{user}@{flow.local}:5060"


def _user_of(uri: str) -> str:
    user, _, host = uri.removeprefix("sip:").partition("@")
    return user if host == "10.0.0.1" else ""
