"""The messages of one call, by what they are to it."""

from collections.abc import Sequence
from functools import cached_property

from switchboard.history.account import HangUp, hang_ups, is_operators
from switchboard.history.forwards import forwards, who_is_called
from switchboard.history.ladder import counterpart_of
from switchboard.history.lenient import LenientMessage, short

RINGING = (180, 183)


class ExplainedCall:
    """What the messages of one call show, oldest first; there is at least one initial INVITE."""

    def __init__(self, parsed_messages: Sequence[LenientMessage]) -> None:
        self.parsed_messages = parsed_messages
        initial = [each for each in parsed_messages if each.method == "INVITE" and each.is_initial]
        self.first = next((each for each in initial if each.comes_in), initial[0])
        arrived = [each for each in initial if each.comes_in]
        self.invite = arrived[-1] if arrived else initial[0]
        """The last one: after a challenge it bears the password."""
        self.caller, self.callee = short(self.invite.caller), short(self.invite.uri)

    @cached_property
    def sent(self) -> list[LenientMessage]:
        """The INVITEs to phones, each branch once."""
        found = {each.branch: each for each in reversed(self.parsed_messages) if self._goes_to_phone(each)}
        return list(reversed(found.values()))

    @cached_property
    def answers(self) -> list[LenientMessage]:
        """The responses to the INVITE that the caller got."""
        return [
            each
            for each in self.parsed_messages
            if each.goes_out and each.status and each.method == "INVITE" and each.cseq == self.invite.cseq
        ]

    @cached_property
    def rang(self) -> LenientMessage | None:
        return next((each for each in self.answers if each.status in RINGING), None)

    @cached_property
    def final(self) -> LenientMessage | None:
        return next((each for each in self.answers if each.status >= 200), None)

    @cached_property
    def forwards(self) -> list[str]:
        """A sentence for each forward by rules of users and groups."""
        return list(forwards(self.sent))

    @cached_property
    def called(self) -> str:
        """Who has given the final response, or else is called last; the callee, unless the call was forwarded."""
        branch = "" if self.final is None else self._branch_of(self.final)
        asked = [each for each in self.sent if each.branch == branch] or self.sent[-1:]
        return (who_is_called(asked[0]) if asked else "") or self.callee

    def _branch_of(self, answer: LenientMessage) -> str:
        place = counterpart_of(self.parsed_messages, self.parsed_messages.index(answer))
        return "" if place is None else self.parsed_messages[place].branch

    @property
    def final_is_by_phone(self) -> bool:
        assert self.final is not None
        return counterpart_of(self.parsed_messages, self.parsed_messages.index(self.final)) is not None

    @cached_property
    def cancel(self) -> LenientMessage | None:
        return self._request("CANCEL")

    @cached_property
    def is_ended_early(self) -> bool:
        """Whether the operator ended the call before anybody answered."""
        if self.final is None or self.final.status != 487:
            return False
        return any(is_operators(each) for each in self.parsed_messages if each.method == "CANCEL")

    @cached_property
    def hang_ups(self) -> list[HangUp]:
        return list(hang_ups(self.parsed_messages))

    @property
    def end(self) -> HangUp | None:
        """The BYE that ended the call."""
        return next((each for each in self.hang_ups if each.ends), None)

    @cached_property
    def acks(self) -> list[LenientMessage]:
        """The ACKs for the 2xx as they came; others have the CSeq number of an INVITE that was refused."""
        number = number_of(self.invite)
        return [
            each
            for each in self.parsed_messages
            if each.comes_in and is_request(each, "ACK") and number_of(each) == number
        ]

    @property
    def silent(self) -> list[LenientMessage]:
        """The INVITEs that left and to which no phone said anything."""
        heard = {each.branch for each in self.parsed_messages if each.comes_in and each.status}
        return [each for each in self.sent if each.branch not in heard]

    def tries(self, sent: LenientMessage) -> int:
        """How often an INVITE left."""
        return sum(each.goes_out and each.seen.raw == sent.seen.raw for each in self.parsed_messages)

    def is_of_caller(self, parsed: LenientMessage) -> bool:
        """Whether a message that came in is the caller's: its From has the INVITE's tag."""
        return parsed.from_tag == self.invite.from_tag

    def _request(self, method: str) -> LenientMessage | None:
        return next(
            (each for each in self.parsed_messages if each.comes_in and is_request(each, method)), None
        )

    def _goes_to_phone(self, parsed: LenientMessage) -> bool:
        return (
            parsed.goes_out
            and is_request(parsed, "INVITE")
            and parsed.cseq == self.invite.cseq
            and parsed.is_initial
        )

    @cached_property
    def redirections(self) -> list[LenientMessage]:
        """The 3xx of phones."""
        return [each for each in self.phone_finals if 300 <= each.status < 400]

    @cached_property
    def phone_finals(self) -> list[LenientMessage]:
        """The final responses that phones gave to the INVITEs sent to them, each branch's first."""
        sent = {each.branch for each in self.sent}
        finals: dict[str, LenientMessage] = {}
        for each in self.parsed_messages:
            if each.comes_in and each.status >= 200 and each.method == "INVITE" and each.branch in sent:
                finals.setdefault(each.branch, each)
        return list(finals.values())


def is_request(parsed: LenientMessage, method: str) -> bool:
    """Whether it is a request of that method."""
    return parsed.is_request and parsed.method == method


def number_of(parsed: LenientMessage) -> str:
    """The number in CSeq."""
    return parsed.cseq.partition(" ")[0]
