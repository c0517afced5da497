"""The operations of the JSON API that show something."""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from switchboard.bus.context import BusContext
from switchboard.bus.rpc import call_rpc
from switchboard.console import failures, now
from switchboard.console.api import models, shapes
from switchboard.console.api.operations import GET, Call, Operation
from switchboard.console.api.problems import Problem
from switchboard.console.api.workshop import Workshop
from switchboard.console.call import Told as ToldCall
from switchboard.console.call import tell
from switchboard.console.people import People
from switchboard.console.phrases import PhraseBook
from switchboard.console.watch import Look, Watch
from switchboard.history.failures import failed_registrations
from switchboard.history.place import place_of
from switchboard.history.reader import history_of
from switchboard.journal.file import read_part_before
from switchboard.journal.record import CallDetailRecord, parse_line, timestamp
from switchboard.journal.search import Wanted as WantedRecords
from switchboard.registrar.listing import Wanted as WantedBindings
from switchboard.settings.ask import ask_registrar
from switchboard.settings.model import Settings
from switchboard.settings.site import endpoints_of, is_here
from switchboard.storage.mending import all_reports
from switchboard.survey.connections import connection_page
from switchboard.survey.found import Found
from switchboard.survey.messages import texts_waiting
from switchboard.survey.reach import reach_of
from switchboard.survey.subscriptions import subscription_page
from switchboard.survey.trunks import trunks_of

ANSWER_S = 2.0
PARTS = 4
"""Parts of the journal (1 MB), or pages of the registrar's table, that one request looks through."""


class Reading:
    """Owns nothing: asks those who do."""

    def __init__(
        self, settings: Settings, context: BusContext, watch: Watch, people: People, workshop: Workshop
    ) -> None:
        self._settings = settings
        self._context = context
        self._watch = watch
        self._people = people
        self._run = workshop.run
        self._history = history_of(settings)

    @property
    def operations(self) -> list[Operation]:
        """All of them."""
        query = models.Nothing
        return [
            Operation("status", GET, "/status", "How the switchboard is", self.status, models.Status, query),
            Operation("calls", GET, "/calls", "Calls now", self.calls, models.CallsNow, models.Paged),
            Operation(
                "call",
                GET,
                "/calls/{call_id}",
                "What became of a call",
                self.call,
                models.CallOfHistory,
                problems=(404,),
            ),
            Operation(
                "messages",
                GET,
                "/calls/{call_id}/messages",
                "The messages of a call, secrets masked",
                self.messages,
                models.Messages,
                models.Paged,
                problems=(404,),
            ),
            Operation(
                "journal",
                GET,
                "/journal",
                "Calls that have ended",
                self.journal,
                models.Records,
                models.JournalQuery,
            ),
            Operation(
                "users", GET, "/users", "Users with a password", self.users, models.Users, models.UsersQuery
            ),
            Operation(
                "user",
                GET,
                "/users/{user}",
                "A user and its bindings",
                self.user,
                models.UserWithBindings,
                problems=(404,),
            ),
            Operation(
                "bindings",
                GET,
                "/bindings",
                "Who is registered, and where",
                self.bindings,
                models.Bindings,
                models.BindingsQuery,
            ),
            Operation(
                "connections",
                GET,
                "/connections",
                "Connections of phones",
                self.connections,
                models.Connections,
                models.ConnectionsQuery,
            ),
            Operation(
                "subscriptions",
                GET,
                "/subscriptions",
                "Who watches whom",
                self.subscriptions,
                models.Subscriptions,
                models.SubscriptionsQuery,
            ),
            Operation("texts", GET, "/texts", "Texts that wait", self.texts, models.Texts),
            Operation("trunks", GET, "/trunks", "Accounts at providers", self.trunks, models.Trunks),
            Operation(
                "failed_registrations",
                GET,
                "/registrations/failed",
                "Registrations that failed",
                self.failed,
                models.FailedRegistrations,
                models.FailedQuery,
            ),
            Operation(
                "phrases",
                GET,
                "/phrases",
                "What responses say",
                self.phrases,
                models.Phrases,
                models.PhrasesQuery,
            ),
        ]

    async def status(self, _call: Call) -> models.Status:
        """How the switchboard is."""
        look = await self._watch.latest()
        damaged = await self._run(lambda: [str(each) for each in all_reports(self._settings.data_dir)])
        return shapes.status(look, damaged, now.figures(self._watch.looks))

    async def calls(self, call: Call) -> models.CallsNow:
        """The calls that ring or are up."""
        look = await self._watch.latest()
        calls, following = _cut(_known_calls(look), call.query)
        return models.CallsNow(calls=[shapes.call_now(each) for each in calls], next=following)

    async def call(self, call: Call) -> models.CallOfHistory:
        """What became of one Call-ID."""
        return shapes.call_of_history(await self._told(call))

    async def messages(self, call: Call) -> models.Messages:
        """The messages of one Call-ID."""
        ladder = (await self._told(call)).ladder
        arrows, following = _cut(list(enumerate(ladder.arrows, 1)), call.query)
        return models.Messages(
            messages=[shapes.message(number, arrow, ladder) for number, arrow in arrows], next=following
        )

    async def _told(self, call: Call) -> ToldCall:
        history, settings, context = self._history, self._settings, self._context
        found = await self._run(lambda: tell(call.path["call_id"], history, settings, context, hops=False))
        if found is None:
            raise Problem(404, "The history has no message of this Call-ID (any more).")
        return found

    async def journal(self, call: Call) -> models.Records:
        """Calls that have ended."""
        return await self._run(lambda: self._records(call.query))

    def _records(self, query: models.JournalQuery) -> models.Records:
        wanted = query.model_dump(include={"user", "outcome", "since", "until", "call_id"})
        try:
            matcher = WantedRecords(**wanted).matcher()
        except (ValueError, OverflowError, OSError) as error:
            raise Problem(400, f"{error}.") from error
        found: list[CallDetailRecord] = []
        end = int(query.cursor or -1)
        for _ in range(PARTS):
            position, lines = self._lines_before(end)
            end = position + sum(map(len, lines))
            for line in reversed(lines):
                end -= len(line)
                if matcher.may_match(line) and (record := parse_line(line)) and matcher.matches(record):
                    found.append(record)
                    if len(found) == query.limit:
                        return models.Records(records=found, next=_next(end))
            if not end or _is_before(lines, matcher.since):
                return models.Records(records=found, next=None)
        return models.Records(records=found, next=_next(end))

    def _lines_before(self, end: int) -> tuple[int, list[bytes]]:
        if is_here("journal.0", self._settings):
            return read_part_before(self._settings.cdr_path, end)
        position, lines = self._ask("journal", "record.before", end)
        return position, lines

    async def users(self, call: Call) -> models.Users:
        """Users with a password."""
        query: models.UsersQuery = call.query
        found = await self._run(lambda: self._people.some(query.prefix, query.cursor, query.limit))
        following = found[-1].user if len(found) == query.limit else None
        return models.Users(users=[models.User(**shapes.user(each)) for each in found], next=following)

    async def user(self, call: Call) -> models.UserWithBindings:
        """One user."""
        person = await self._run(lambda: self._people.one(call.path["user"]))
        if person is None:
            raise Problem(404, f"There is no user {call.path['user']}.")
        bindings = [shapes.phone(each) for each in person.phones]
        return models.UserWithBindings(**shapes.user(person), bindings=bindings)

    async def bindings(self, call: Call) -> models.Bindings:
        """Who is registered, and where."""
        return await self._run(lambda: self._bindings(call.query))

    def _bindings(self, query: models.BindingsQuery) -> models.Bindings:
        """The cursor: the life and position of a page of the registrar, and how many bindings of it were shown."""
        wanted = WantedBindings("", query.user, query.contact, query.source, query.agent, query.transport)
        patterns = wanted.to_wire()
        life, at, skip = _bindings_cursor(query.cursor)
        for _ in range(PARTS):
            life, users, following = self._ask_registrar("location.list", [life, at, patterns])
            found = [shapes.binding(user, each) for user, bound in users for each in bound]
            shown = found[skip : skip + query.limit]
            if skip + query.limit < len(found):
                return models.Bindings(
                    bindings=self._with_reach(shown), next=f"{life}.{at}.{skip + query.limit}"
                )
            if shown or not following:
                return models.Bindings(
                    bindings=self._with_reach(shown), next=f"{life}.{following}.0" if following else None
                )
            at, skip = following, 0
        return models.Bindings(bindings=[], next=f"{life}.{at}.0")

    def _with_reach(self, bindings: Sequence[models.Binding]) -> list[models.Binding]:
        known = reach_of(self._settings, self._context, (each.user for each in bindings))
        return [
            each.model_copy(update=shapes.reach(known.get((each.user, each.contact)))) for each in bindings
        ]

    async def connections(self, call: Call) -> models.Connections:
        """Connections of phones over TCP, TLS and WebSocket."""
        rows, found = await self._search(call, connection_page)
        return models.Connections(connections=[models.Connection(**each) for each in rows], **found)

    async def subscriptions(self, call: Call) -> models.Subscriptions:
        """Who watches whom."""
        rows, found = await self._search(call, subscription_page)
        return models.Subscriptions(subscriptions=[shapes.subscription(each) for each in rows], **found)

    async def _search(
        self, call: Call, find: Callable[[Settings, BusContext, str, int, int], Found]
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        """Return the rows of a page of what a search finds, and the fields of the answer that tell of the others."""
        query: models.ConnectionsQuery | models.SubscriptionsQuery = call.query
        skip = int(query.cursor or 0)
        found = await self._run(lambda: find(self._settings, self._context, query.text, skip, query.limit))
        end = skip + len(found.rows)
        following = str(end) if skip < end < found.found else None
        return found.rows, {"found": found.found, "total": found.total, "next": following}

    async def texts(self, call: Call) -> models.Texts:  # noqa: ARG002
        """Users for whom texts wait, by name."""
        found = await self._run(lambda: texts_waiting(self._settings, self._context))
        return models.Texts(
            users=[
                models.WaitingTexts(
                    user=each.user,
                    messages=each.messages,
                    oldest_at=timestamp(each.oldest_at),
                    octets=each.octets,
                )
                for each in found
            ]
        )

    async def trunks(self, call: Call) -> models.Trunks:  # noqa: ARG002
        """How the accounts at providers are registered."""
        found = await self._run(lambda: trunks_of(self._settings, self._context))
        return models.Trunks(trunks=[models.Trunk(**each) for each in found])

    async def failed(self, call: Call) -> models.FailedRegistrations:
        """Registrations that failed."""
        query: models.FailedQuery = call.query
        settings, context = self._settings, self._context
        failing = await self._run(lambda: failures.failing_advice(settings, context, query.user))
        failed = await self._run(
            lambda: failed_registrations(self._history, place_of(settings, context), query.user)
        )
        return models.FailedRegistrations(
            failed=[shapes.failed(each) for each in failed[: query.limit]],
            failing=[models.FailingPhone(what=what, advice=advice) for what, advice in failing],
        )

    async def phrases(self, call: Call) -> models.Phrases:
        """What responses say."""
        return await self._run(lambda: self._phrases(call.query))

    def _phrases(self, query: models.PhrasesQuery) -> models.Phrases:
        book = PhraseBook(self._settings)
        chosen = book.chosen(query.language)
        return models.Phrases(
            language=chosen,
            languages=[
                models.Language(tag=each.tag, name=each.name, is_own=each.is_own)
                for each in book.languages.values()
            ],
            phrases=[
                models.Phrase(code=code, english=english, phrase=phrase, is_own=is_own)
                for code, english, phrase, is_own in book.rows(chosen)
            ],
            said=book.say(query.code, query.user, query.accept) if query.code else None,
        )

    def _ask_registrar(self, question: str, body: object) -> Any:
        return ask_registrar(self._settings, self._context, question, body, ANSWER_S)

    def _ask(self, who: str, question: str, body: object) -> Any:
        return call_rpc(endpoints_of(self._settings).ask(who), question, body, ANSWER_S, self._context)


def _next(position: int) -> str | None:
    return str(position) if position else None


def _bindings_cursor(cursor: str) -> tuple[str, int, int]:
    life, at, skip = cursor.split(".") if cursor else ("", "0", "0")
    return life, int(at), int(skip)


def _cut(found: Sequence[Any], query: models.Paged) -> tuple[list[Any], str | None]:
    """The page that is asked for of a list that is there, and the cursor of the next one."""
    start = int(query.cursor or 0)
    end = start + query.limit
    return list(islice(found, start, end)), str(end) if end < len(found) else None


def _is_before(lines: Sequence[bytes], since: str) -> bool:
    """Whether all older records are of calls that began before `since`: the oldest of these had ended by then."""
    oldest = next(filter(None, map(parse_line, lines)), None) if since else None
    return oldest is not None and oldest.ended_at < since


def _known_calls(look: Look) -> Sequence[Mapping[str, Any]]:
    if look.calls is None:
        raise Problem(503, "The journal, which knows the calls, does not answer. Look at /api/v1/status.")
    return look.calls
