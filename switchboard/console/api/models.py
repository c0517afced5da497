"""What the JSON API takes and gives. Instants are RFC 3339 in UTC, durations seconds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from switchboard.console.names import MOST_CHARACTERS
from switchboard.console.people import USER
from switchboard.core.call_rules import LONGEST_S, MOST_ALSO, MOST_MEMBERS, SHORTEST_S, USUAL_S
from switchboard.journal.record import CallDetailRecord, Outcome
from switchboard.journal.search import MISSED

A_PAGE = 100
LARGEST_PAGE = 500
Text = Annotated[str, Field(max_length=256)]
Day = Annotated[str, Field(pattern=r"^([0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01]))?$")]


class Asked(BaseModel):
    """The query or the body of a request: nothing but its fields."""

    model_config = ConfigDict(extra="forbid")


class Nothing(Asked):
    """No query."""


class Paged(Asked):
    """How much of a list, and from where: `next` of the page before."""

    limit: Annotated[int, Field(ge=1, le=LARGEST_PAGE, description="Entries at most.")] = A_PAGE
    cursor: Annotated[str, Field(pattern=r"^[0-9]{0,12}$")] = ""


class Page(BaseModel):
    """A part of a list."""

    next: str | None = Field(description="The cursor of the next page; null: this was the last one.")


class Worker(BaseModel):
    """One worker. Numbers are null where nobody can tell."""

    worker: str = Field(description="As `router.0`.")
    host: str
    state: str
    pid: int | None
    uptime_s: float
    restarts: int
    memory_bytes: int | None
    cpu_percent: float | None
    messages_s: float | None
    waiting: int
    lost: int
    cannot_write: str = Field(description="Why it cannot write what it keeps; empty if it can.")


class Figure(BaseModel):
    """One number of the page Now."""

    name: str
    value: float | None
    unit: str
    note: str


class Today(BaseModel):
    """What the page Now tells of the past; null where the journal or the history cannot be read here."""

    calls: int | None = Field(description="Calls that began today and have ended.")
    missed: int | None
    failed_registrations: int | None = Field(description="Of the last hour.")


class Status(BaseModel):
    """How the switchboard is."""

    at: str
    ready: bool
    not_up: list[str]
    calls: int | None
    users: int
    bindings: int
    today: Today
    damaged: list[str] = Field(description="What was lost of files that were damaged, for people.")
    figures: list[Figure]
    workers: list[Worker]


class CallNow(BaseModel):
    """A call that rings or is up."""

    call_id: str
    caller: str
    callee: str
    state: str
    started_at: str
    ringing_at: str | None
    answered_at: str | None


class CallsNow(Page):
    """Calls in progress, the oldest first."""

    calls: list[CallNow]


class RecordsQuery(Asked):
    """Which records; empty fields do not matter. `since`, `until`: days of the switchboard's time zone."""

    user: Annotated[
        Text, Field(description="In the URI of caller or callee, or whom the call was forwarded to.")
    ] = ""
    outcome: Literal["", MISSED, *(each.value for each in Outcome)] = ""  # type: ignore[valid-type]
    since: Day = ""
    until: Day = ""
    call_id: Text = ""


class JournalQuery(Paged, RecordsQuery):
    """Which records, and how many."""


class DayTotals(BaseModel):
    """The calls that began on one day of the switchboard's time zone."""

    day: str
    calls: int
    outcomes: dict[str, int]
    talked_s: float


class Totals(BaseModel):
    """Calls that match a filter. `days`: those with calls, the latest first."""

    calls: int
    missed: int = Field(description="Those that nobody answered, though nothing failed.")
    outcomes: dict[str, int] = Field(description="By outcome; those without calls are left out.")
    talked_s: float
    days: list[DayTotals]


class Demonstrated(BaseModel):
    """A demonstration call. `in_history`: whether its messages can be asked for already."""

    call_id: str
    in_history: bool


class Records(Page):
    """Records, the last that ended first. A page may have fewer than `limit`, even none, and yet a `next`."""

    records: list[CallDetailRecord]


class Told(BaseModel):
    """What became of a call, in words."""

    sentences: list[str]
    advice: list[str]
    failed: bool
    outcome: str
    ended_by: str


class Participant(BaseModel):
    """A column of the ladder."""

    key: str
    label: str
    part: str


class CallOfHistory(BaseModel):
    """One Call-ID, as the history has it."""

    call_id: str
    kind: str
    caller: str
    callee: str
    outcome: str
    status: int
    phrase: str
    started_at: str
    last_at: str
    messages: int
    account: Told
    participants: list[Participant]


class Change(BaseModel):
    """What the switchboard changed in a message."""

    what: str
    before: str
    after: str


class Message(BaseModel):
    """One message. Others are named by their numbers, from 1; null: none."""

    number: int
    at: str
    offset_s: float
    source: str
    destination: str
    direction: Literal["in", "out"]
    label: str
    retransmission: bool
    fork: int
    answers: int | None
    counterpart: int | None
    changes: list[Change]
    text: str = Field(description="The message, its secrets masked; octets that are no UTF-8 are replaced.")


class Messages(Page):
    """Messages in order of time."""

    messages: list[Message]


class Binding(BaseModel):
    """Where a user is reached."""

    user: str
    contact: str
    q: float
    left_s: float
    source: str
    transport: Annotated[str, Field(description="UDP, TCP, TLS, WS or WSS.")]
    connection: Annotated[
        str, Field(description="open; closed: the next request makes another one; empty for UDP.")
    ]
    user_agent: str
    latency_ms: Annotated[
        float | None,
        Field(description="How long the phone took to answer the last OPTIONS (qualify_s); null: unknown."),
    ] = None
    seen_s: Annotated[
        float | None, Field(description="Seconds since it last answered one; null: unknown.")
    ] = None
    unanswered: Annotated[
        int | None, Field(description="How many it has not answered since; null: not asked.")
    ] = None


class BindingsQuery(Paged):
    """Patterns with `*` and `?`, in any case; empty ones fit all."""

    cursor: Annotated[str, Field(pattern=r"^([0-9a-f]{1,16}\.[0-9]{1,12}\.[0-9]{1,12})?$")] = ""

    user: Annotated[Text, Field(description="The user.")] = ""
    contact: Annotated[Text, Field(description="A part of the contact.")] = ""
    source: Annotated[Text, Field(description="Host, host:port, or a network.")] = ""
    agent: Annotated[Text, Field(description="A part of the user agent's name.")] = ""
    transport: Annotated[Text, Field(description="UDP, TCP, TLS, WS or WSS.")] = ""


class Bindings(Page):
    """Bindings in no order. A page may have fewer than `limit`, even none, and yet a `next`."""

    bindings: list[Binding]


class BindingQuery(Asked):
    """Which binding."""

    user: Annotated[str, Field(min_length=1, max_length=256)]
    contact: Annotated[str, Field(min_length=1, max_length=2048)]


class Connection(BaseModel):
    """A connection of a phone."""

    user: str = Field(description="Who has registered over it; empty: nobody.")
    transport: Annotated[str, Field(description="TCP, TLS, WS or WSS.")]
    host: str
    port: int
    cipher: str = Field(description="Version and cipher of TLS; empty: none.")
    since_s: float = Field(description="How long it has been open.")
    idle_s: float = Field(description="Since something came over it.")
    stranger: bool = Field(description="Whether nobody has registered or called over it yet.")
    worker: str = Field(description="As `edge-stream.0`.")


class ConnectionsQuery(Paged):
    """Which connections."""

    text: Annotated[
        Text, Field(description="A part of the user's name or of HOST:PORT, or a transport, in any case.")
    ] = ""


class Connections(Page):
    """Connections, the oldest of each worker first. `found`: how many match; `total`: how many there are."""

    connections: list[Connection]
    found: int
    total: int


class UsersQuery(Paged):
    """Which users."""

    cursor: Text = ""

    prefix: Annotated[Text, Field(description="How their names begin.")] = ""


class User(BaseModel):
    """A user. `is_void`: the password was given for another realm."""

    user: str
    display_name: str
    password_set_at: str | None
    is_void: bool


class UserWithBindings(User):
    """A user, and where it is reached."""

    bindings: list[Binding]


class Users(Page):
    """Users with a password, by name."""

    users: list[User]


class NewUser(Asked):
    """Who is to be added."""

    user: Annotated[str, Field(pattern=f"^{USER.pattern}$")]
    display_name: Annotated[str, Field(max_length=MOST_CHARACTERS)] = ""


class Rename(Asked):
    """What is shown beside the user's name."""

    display_name: Annotated[str, Field(max_length=MOST_CHARACTERS)]


Destination = Annotated[
    str, Field(max_length=255, description="A user, a number, group:NAME or sip:USER@HOST; empty: none.")
]
Seconds = Annotated[int, Field(ge=SHORTEST_S, le=LONGEST_S)]
Way = Literal["all", "turn", "rotate", "idle"]


class Rules(BaseModel):
    """Where the calls of a user go in each case. `no_answer`: after `after_s` of ringing; `also`: rings, too."""

    always: Destination
    busy: Destination
    no_answer: Destination
    unregistered: Destination
    after_s: Seconds
    dnd: bool = Field(description="Nobody disturbs the user.")
    also: list[Destination]


class UserRules(Rules):
    """The rules of a user."""

    user: str
    notes: list[str] = Field(description="What may surprise, for people.")


class RulesOfOne(BaseModel):
    """An entry of the list of all rules."""

    user: str
    rules: Rules


class RulesQuery(Paged):
    """Whose rules."""

    cursor: Text = ""
    prefix: Annotated[Text, Field(description="How the users' names begin.")] = ""


class AllRules(Page):
    """Users with rules, by name. A page may have fewer than `limit`, even none, and yet a `next`."""

    rules: list[RulesOfOne]


class RulesChange(Asked):
    """What is to change; what is left out, or null, stays."""

    always: Destination | None = None
    busy: Destination | None = None
    no_answer: Destination | None = None
    unregistered: Destination | None = None
    after_s: Seconds | None = None
    dnd: bool | None = None
    also: Annotated[list[Destination], Field(max_length=MOST_ALSO)] | None = None


class GroupRules(Asked):
    """How a group is called: `members` in the `way`, for `after_s` seconds; the call goes to `then` at the end."""

    members: Annotated[list[Destination], Field(min_length=1, max_length=MOST_MEMBERS)]
    way: Way = "all"
    after_s: Seconds = USUAL_S
    then: Destination = ""


class Group(BaseModel):
    """A group."""

    group: str
    members: list[Destination]
    way: Way
    after_s: Seconds
    then: Destination


class NotedGroup(Group):
    """A group, with what may surprise."""

    notes: list[str] = Field(description="For people.")


class GroupsQuery(Paged):
    """Which groups."""

    cursor: Text = ""


class Groups(Page):
    """Groups, by name."""

    groups: list[Group]


class Password(BaseModel):
    """A password, told this once; null where nobody is asked for one."""

    user: str
    password: str | None


class FailedQuery(Asked):
    """Whose failed registrations; empty: everybody's."""

    user: Text = ""
    limit: Annotated[int, Field(ge=1, le=A_PAGE)] = 50


class FailedGroup(BaseModel):
    """Registrations of one user from one host that failed for one reason."""

    user: str
    source: str
    agent: str
    status: int
    phrase: str
    count: int
    first_at: str
    last_at: str
    call_id: str
    account: Told


class Trunk(BaseModel):
    """An account at a provider."""

    name: str
    registrar: str
    user: str
    registers: bool = Field(description="Whether the settings want it to be registered.")
    registered_s: float = Field(description="For how long it is registered; 0: it is not.")
    next_s: float | None = Field(
        description="Until the next try; none: one is under way, or it does not register."
    )
    is_waiting: bool = Field(description="Whether a REGISTER is under way.")
    refusal: str = Field(description="Why the last try came to nothing; empty: it worked.")
    refused_s: float | None = Field(description="How long ago that was.")
    has_password: bool
    numbers: dict[str, str] = Field(description="Who is called by which number.")


class Trunks(BaseModel):
    """All trunks."""

    trunks: list[Trunk]


class Subscription(BaseModel):
    """Somebody watches a user, or the calls of a group."""

    watcher: str = Field(description="Empty: nobody of this switchboard.")
    from_uri: str = Field(description="Who it is, as the phone says.")
    user: str = Field(description="Who is watched; `group:NAME` for a group.")
    package: str = Field(description="As `presence`, `dialog`, `reg`, `message-summary`.")
    contact: str
    since_at: str
    left_s: float = Field(description="Until it expires.")
    state: Literal["active", "waits", "ends"] = Field(
        description="`waits`: the last NOTIFY is not answered yet; `ends`: it is over, and being told so."
    )
    failures: int = Field(description="How many NOTIFYs in a row were not delivered.")
    tag: str = Field(description="By which it is ended.")


class SubscriptionsQuery(Paged):
    """Which subscriptions."""

    text: Annotated[
        Text, Field(description="A part of watcher, watched user, package or Contact, in any case.")
    ] = ""


class Subscriptions(Page):
    """Subscriptions, the oldest first. `found`: how many match; `total`: how many there are."""

    subscriptions: list[Subscription]
    found: int
    total: int


class WaitingTexts(BaseModel):
    """The texts that wait for a user who is not there."""

    user: str
    messages: int
    oldest_at: str = Field(description="When the oldest was sent.")
    octets: int


class Texts(BaseModel):
    """For whom texts wait."""

    users: list[WaitingTexts]


class FailingPhone(BaseModel):
    """A phone that keeps failing to prove its password."""

    what: str
    advice: str


class FailedRegistrations(BaseModel):
    """The latest first."""

    failed: list[FailedGroup]
    failing: list[FailingPhone]


class PhrasesQuery(Asked):
    """A language, and a response to try: its `code`, the `user` who gets it, and what that phone `accept`s."""

    language: Text = ""
    code: Annotated[str, Field(pattern=r"^([1-6][0-9]{2})?$")] = ""
    user: Text = ""
    accept: Text = ""


class Language(BaseModel):
    """A language that can be chosen."""

    tag: str
    name: str
    is_own: bool = Field(description="Whether the operator has a catalogue of it.")


class Phrase(BaseModel):
    """What a status is called."""

    code: str
    english: str
    phrase: str
    is_own: bool


class Phrases(BaseModel):
    """The phrases of one language."""

    language: str
    languages: list[Language]
    phrases: list[Phrase]
    said: str | None = Field(description="The status line of the response that was tried.")


class Restarted(BaseModel):
    """`restarted`: the new worker is ready; `restarting`: the console itself will be in a moment."""

    worker: str
    state: Literal["restarted", "restarting"]


class HungUp(BaseModel):
    """Who was told that the call ends; the phones answer a moment later."""

    call_id: str
    told: list[str]
    not_told: list[str] = Field(description="The others, each with the reason.")
