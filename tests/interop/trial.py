"""One stack at a switchboard with one setting: it does what phones do, and the wire says what came of it."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace

from interop.friend import Friend
from interop.stack import AGAIN, ALL, REGISTERS, Place, Stack
from interop.tap import Seen, Tap
from system.dialog import Dialog
from system.lan import HUB
from system.sip_transactions import ClientTransaction

REGISTER_S = 20.0
STEP_S = 6.0
SETTLE_S = 0.4
"""Between two steps, for what is still under way."""
TEXT = "hello"
_PARAM = r'\b{}\s*=\s*("[^"]*"|[^\s,]+)'


@dataclass
class Facts:
    """What was seen of one stack in one setting. An outcome is "yes", why not, or nothing if not tried."""

    outcomes: dict[str, str] = field(default_factory=dict)
    algorithms: list[str] = field(default_factory=list)
    """Which its credentials named, in order of appearance."""
    credentials: str = ""
    """What it does with the credentials that it has: see `habit`."""
    routes: str = ""
    """Whether its requests in dialogs went through the route set."""
    echoes: str = ""
    """Whether its 200 to an INVITE has the Record-Route of that."""
    challenged: int = 0
    failures: list[str] = field(default_factory=list)
    """What the switchboard's log says of failed attempts, though the password is right."""
    complaints: list[str] = field(default_factory=list)
    """What a strict reader refuses in what arrived from it."""

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


class Trial:
    """The steps, each tried whatever became of the others."""

    def __init__(self, stack: Stack, place: Place, friend: Friend, tap: Tap) -> None:
        self.facts = Facts()
        self._stack, self._friend, self._tap = stack, friend, tap
        self._aor, self._address = place.aor, place.address
        self._begin = self._mark = tap.mark
        self._folder = place.folder
        self._phone = stack.start(place)

    def run(self) -> Facts:
        """Do all that the stack can do."""
        try:
            for name, deed in self._steps().items():
                if name == AGAIN and self.facts.outcomes.get(REGISTERS) != "yes":
                    continue
                with self._step(name):
                    deed()
        finally:
            self._phone.stop()
        self._conclude()
        return self.facts

    def _steps(self) -> dict[str, Callable[[], None]]:
        deeds = (
            self.register,
            lambda: self.call(True),
            lambda: self.call(False),
            lambda: self.be_called(True),
            lambda: self.be_called(False),
            self.write,
            self.be_written_to,
            self.register,
        )
        return {name: deed for name, deed in zip(ALL, deeds, strict=True) if name in self._stack.does}

    def register(self) -> None:
        """It registers."""
        self._phone.say("register")

        def accepted(seen: Seen) -> bool:
            return seen.status == 200 and seen.method == "REGISTER" and seen.target[0] == self._address

        self._tap.wait(self._mark, accepted, "200 to REGISTER", REGISTER_S)

    def call(self, hangs_up: bool) -> None:
        """It calls; then it or the friend ends the call."""
        self._phone.say("call", self._friend.user)
        incoming = self._friend.find("INVITE", STEP_S)
        incoming.reply(180)
        self._friend.net.listen(SETTLE_S)
        dialog = self._friend.dialog_of(incoming, incoming.reply(200, body=self._friend.sdp))
        self._friend.find("ACK", STEP_S)
        self._end(dialog, hangs_up)

    def be_called(self, hangs_up: bool) -> None:
        """It is called and answers; then it or the friend ends the call."""
        invite = self._friend.prove_if_asked(lambda: self._friend.invite(self._aor, body=self._friend.sdp))
        try:
            self._wait_ringing(invite.statuses)
            self._phone.say("answer")
            answer = invite.expect(200, STEP_S)
        except AssertionError:
            if not _final(invite):
                self._friend.cancel(invite)
            raise
        dialog = Dialog.of_caller(self._friend, invite, answer)
        dialog.acknowledge()
        self._end(dialog, hangs_up)

    def write(self) -> None:
        """It sends a message."""
        self._phone.say("message", self._friend.user, TEXT)
        self._friend.find("MESSAGE", STEP_S).reply(200)

    def be_written_to(self) -> None:
        """It is sent a message; any answer of its own will do."""
        message = self._friend.prove_if_asked(self._send_message)
        self._friend.net.poll(lambda: _final(message), STEP_S)
        assert _final(message), "no answer to MESSAGE"
        assert _final(message) in (200, 202), message.responses[-1].start_line[8:]

    def _send_message(self) -> ClientTransaction:
        request = self._friend.request("MESSAGE", self._aor)
        headers = (*request.headers, ("Content-Type", "text/plain"))
        return self._friend.start(replace(request, headers=headers, body=TEXT.encode()))

    def _wait_ringing(self, statuses: Callable[[], list[int]]) -> None:
        self._friend.net.poll(lambda: [s for s in statuses() if s > 100], STEP_S)

    def _end(self, dialog: Dialog, hangs_up: bool) -> None:
        self._friend.net.listen(SETTLE_S)
        if hangs_up:
            self._phone.say("hangup")
            self._friend.find("BYE", STEP_S).reply(200)
        else:
            dialog.start("BYE").expect(200, STEP_S)

    @contextmanager
    def _step(self, name: str) -> Iterator[None]:
        if self.facts.outcomes:  # a phone that registers by itself may have done so
            self._mark = self._tap.mark
        try:
            yield
            self.facts.outcomes[name] = "yes"
        except AssertionError as error:
            self.facts.outcomes[name] = _short(str(error)) + self._told()
            self._phone.say("hangup")
        self._friend.net.listen(SETTLE_S)
        self._friend.clear()

    def _told(self) -> str:
        """The last refusal that it was told in this step."""
        refusals = self._tap.since(self._mark, lambda seen: seen.status >= 300 and self._is_to(seen))
        if not refusals:
            return ""
        last = refusals[-1]
        return f" ({last.status} to {last.method})"

    def _is_to(self, seen: Seen) -> bool:
        return seen.target[0] == self._address

    def _conclude(self) -> None:
        (self._folder / "wire").write_text("\n".join(map(str, self._tap.since(self._begin))))
        sent = self._tap.since(self._begin, lambda seen: seen.source[0] == self._address and not seen.status)
        proofs = list(dict.fromkeys(proof for seen in sent for proof in _proofs(seen)))
        self.facts.algorithms = list(dict.fromkeys(proof.algorithm for proof in proofs))
        self.facts.credentials = habit(proofs)
        answers = self._tap.since(self._begin, lambda seen: self._is_to(seen) and seen.status == 200)
        answered = {_key(seen) for seen in answers if seen.method == "INVITE"}
        acks = [seen for seen in sent if seen.method == "ACK" and _key(seen) in answered]
        self.facts.routes = routing([*acks, *(seen for seen in sent if seen.method == "BYE")])
        self.facts.echoes = self._echoes()
        self.facts.challenged = len(self._tap.since(self._begin, self._is_challenge))
        self.facts.complaints = list(dict.fromkeys(map(_short, self._friend.complaints)))

    def _echoes(self) -> str:
        """What its first 200 to an INVITE has."""
        for seen in self._tap.since(self._begin, lambda seen: seen.source[0] == self._address):
            if seen.status == 200 and seen.method == "INVITE":
                return "yes" if seen.values("record-route") else "no"
        return ""

    def _is_challenge(self, seen: Seen) -> bool:
        return seen.status in (401, 407) and self._is_to(seen)


@dataclass(frozen=True, slots=True)
class Proof:
    """What credentials say of their use; retransmissions are equal."""

    call_id: str
    cseq: str
    algorithm: str
    nonce: str
    count: str


def habit(proofs: Sequence[Proof]) -> str:
    """What a stack does with credentials: shows them "once", again with a "count", or the "same" again."""
    if not proofs:
        return ""
    pairs = [(proof.nonce, proof.algorithm, proof.count) for proof in proofs]
    if len(set(pairs)) < len(pairs):
        return "same"
    return "count" if len({proof.nonce for proof in proofs}) < len(proofs) else "once"


def routing(requests: Sequence[Seen]) -> str:
    """How ACKs to a 2xx and BYEs went: "yes" by the route set; "past" us; to us with "no Route"."""
    if not requests:
        return ""
    if any(seen.target[0] != HUB for seen in requests):
        return "past"
    return "yes" if all(seen.values("route") for seen in requests) else "no Route"


def _final(transaction: ClientTransaction) -> int:
    """The status that ended it, 0 if none did."""
    return next((status for status in transaction.statuses() if status >= 200), 0)


def _key(seen: Seen) -> tuple[str, str]:
    """What an ACK and the answer that it acknowledges share."""
    return "".join(seen.values("call-id")), "".join(seen.values("cseq")).split(" ")[0]


def _proofs(seen: Seen) -> list[Proof]:
    if seen.method == "ACK":
        return []
    shown = seen.values("authorization") + seen.values("proxy-authorization")
    return [
        Proof(
            *_key(seen),
            _param(value, "algorithm").upper() or "MD5",
            _param(value, "nonce"),
            _param(value, "nc"),
        )
        for value in shown
    ]


def _param(value: str, name: str) -> str:
    match = re.search(_PARAM.format(name), value, re.IGNORECASE)
    return match[1].strip('",') if match else ""


def _short(text: str) -> str:
    line = text.splitlines()[0] if text else "failed"
    return re.sub(r" did not come within .*", " did not come", line)[:120]
