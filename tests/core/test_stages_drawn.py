"""Any rules, any phones, any caller: each call ends once, nobody rings for ever, and nothing is left behind."""

from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st
from playbook import Board, Sent, request, response

from switchboard.core.call_rules import Group, StaticRules, UserRules

CALLER = ("10.0.0.99", 5060)
EVA = "sip:eva@elsewhere.example"
USERS = ("lenka", "lukas", "peter", "jan")
LASTS_S = 1500
TO = st.sampled_from(["", "", *USERS, "group:office", "group:night", "sip:eva@192.0.2.7"])
MANY = st.lists(st.sampled_from([*USERS, "group:night", "sip:eva@192.0.2.7"]), max_size=4).map(tuple)
RULES = st.builds(UserRules, TO, TO, TO, TO, st.integers(1, 30), st.booleans(), MANY)
GROUPS = st.tuples(
    *(
        st.builds(Group, st.just(name), MANY, st.sampled_from(["all", "turn"]), st.integers(1, 30), TO)
        for name in ("office", "night")
    )
)


@dataclass
class Phone:
    """What a phone does with an INVITE: it rings, and says this after so many seconds; 0: it says nothing."""

    rings: bool
    status: int
    after_s: int
    contact: str = ""
    open: dict[str, tuple[Sent, float]] = field(default_factory=dict)
    rung: list[str] = field(default_factory=list)
    cancelled: set[str] = field(default_factory=set)


PHONES = st.builds(
    Phone,
    st.booleans(),
    st.sampled_from([0, 200, 302, 404, 480, 486, 500, 503, 600, 603]),
    st.integers(0, 40),
    st.sampled_from(["sip:peter@10.0.0.1", "sip:jan@10.0.0.1", "sip:eva@192.0.2.7"]),
)


class Play:
    """One call, second by second."""

    def __init__(self, board: Board, phones: dict[str, Phone], gives_up_s: int) -> None:
        self.board = board
        self.phones = phones
        self.gives_up_s = gives_up_s
        self.finals: list[int] = []

    def run(self) -> None:
        self.board.receive(request("INVITE", "sip:lenka@10.0.0.1", source=CALLER, caller=EVA), CALLER)
        for second in range(LASTS_S):
            if second == self.gives_up_s:
                self.board.receive(request("CANCEL", "sip:lenka@10.0.0.1", source=CALLER, caller=EVA), CALLER)
            self.turn(second)
            if not self.board.log:
                return
            self.board.advance(1 if second < 300 else 20)

    def turn(self, second: int) -> None:
        for sent in self.board.sent():
            phone = self.phones[sent.to[0]]
            if sent.message.method == "INVITE" and sent.branch not in phone.rung:
                phone.rung.append(sent.branch)
                phone.open[sent.branch] = sent, second + phone.after_s
                if phone.rings:
                    self.say(sent, 180)
            elif sent.message.method == "CANCEL":
                phone.cancelled.add(sent.branch)
                self.board.receive(response(sent.message, 200), sent.to)
                if sent.branch in phone.open:
                    self.say(phone.open.pop(sent.branch)[0], 487)
        for phone in self.phones.values():
            for branch, (sent, due) in list(phone.open.items()):
                if phone.status and second >= due:
                    del phone.open[branch]
                    self.say(sent, phone.status, f"Contact: <{phone.contact}>")
        for answer in self.board.answers():
            if answer.status >= 200 and answer.message.cseq[1] == "INVITE":
                self.hear(answer)

    def hear(self, answer: Sent) -> None:
        if answer.status not in self.finals:
            self.finals.append(answer.status)
        if answer.status >= 300:
            ack = request(
                "ACK", "sip:lenka@10.0.0.1", source=CALLER, caller=EVA, to_tag=answer.message.to_tag or ""
            )
            self.board.receive(ack, CALLER)

    def say(self, sent: Sent, status: int, *lines: str) -> None:
        self.board.receive(response(sent.message, status, tag=f"t{sent.branch[-12:]}", lines=lines), sent.to)


@settings(max_examples=40, deadline=None)
@given(
    st.dictionaries(st.sampled_from(USERS), RULES, min_size=1),
    GROUPS,
    st.lists(PHONES, min_size=5, max_size=5),
    st.sets(st.sampled_from(USERS), max_size=2),
    st.sampled_from([1, 7, 25, 100_000, 100_000]),
)
def test_each_call_ends_once(
    rules: dict[str, UserRules],
    groups: tuple[Group, ...],
    phones: list[Phone],
    absent: set[str],
    gives_up_s: int,
) -> None:
    board = Board(rules=StaticRules(rules, groups))
    hosts = {f"10.0.0.{number}": phone for number, phone in enumerate(phones[:4], 11)}
    for user, host in zip(USERS, hosts, strict=True):
        if user not in absent:
            board.bind(user, f"sip:{user}@{host}:5060")
    play = Play(board, hosts | {"192.0.2.7": phones[4]}, gives_up_s)
    play.run()
    assert len(play.finals) == 1, play.finals
    assert not board.log
    for phone in play.phones.values():
        assert all(branch in phone.cancelled for branch in phone.open if phone.rings), (
            "somebody rings for ever"
        )
    ends = [event.kind for event in board.events if event.kind in ("answered", "failed")]
    assert ends[:1] == (["answered"] if play.finals[0] < 300 else ["failed"])
