"""Records of several switchboards, which are on a server, and the copy of them in a file.

Theory. The server decides. Each change of a record there has a number, which grows with the server's time, and changes
are committed in the order of their numbers; so whoever has all up to one asks for what is above. If the server does
not know the number that was seen last, it is another one, or has lost something: then all records are read, and of
those that are here what was changed later than there is put there first. So what was here before the switchboard joined
others gets there, and nothing is lost by a restore. A removed record stays as a name, which wins over what is older.

The copy has all that registrar and routers ask for, so it counts while the server is away. Its own series is that of
the server and some letters of its own, which are new whenever all records are read: routers then do so, too.
"""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from switchboard.storage.following_thread import FollowingThread
from switchboard.storage.record_store import RecordStore
from switchboard.storage.records import NOTHING, Page, R, Was
from switchboard.storage.unusable import NotWritten, RemoteError, UnusableFile
from switchboard.storage.writing import RETRY_S

FOLLOW_EVERY_S: Final = 0.25
START_S: Final = 1.0
"""A start waits this long for the server."""
_QUEUED: Final = 16
_SERIES_END: Final = "+"
T = TypeVar("T")


class News(NamedTuple, Generic[R]):
    """What the server `series` has above a number, oldest first; `is_whole`: it is all that it has."""

    series: str
    number: int
    records: Sequence[R]
    is_whole: bool


class RemoteRecords(Protocol[R]):
    """One connection to a server with records, for one thread. Whatever fails raises RemoteError, within seconds."""

    def check(self) -> None:
        """See whether it can be written."""

    def since(self, series: str, number: int) -> News[R]:
        """What has changed since; all, if the server is not `series`, or does not know that number of its own."""

    def write(self, records: Sequence[R]) -> Mapping[str, Was]:
        """As `RecordStore.write`."""

    def merge(self, records: Sequence[R]) -> int:
        """As `RecordStore.merge`."""

    def close(self) -> None:
        """Let go of the connection."""


class RecordsLink(FollowingThread[News[R]]):
    """Follows the server from the change `number` of `series` on."""

    def __init__(self, remote: RemoteRecords[R], series: str, number: int) -> None:
        super().__init__("records", _QUEUED, RETRY_S)
        self._remote = remote
        self._series, self._number = series, number
        self._place: tuple[str, int] | None = None

    def go_on_from(self, series: str, number: int) -> None:
        """The copy has all up to this number, and no more."""
        self._place = series, number

    def go_round(self) -> float:
        """As in `FollowingThread`."""
        if not self.is_up:
            self._remote.check()
        if self._place:
            (self._series, self._number), self._place = self._place, None
        news = self._remote.since(self._series, self._number)
        if news.is_whole or news.records:
            self._put(news)
            self._series, self._number = news.series, news.number
        self._tell_up()
        return FOLLOW_EVERY_S

    def _let_go(self) -> None:
        self._remote.close()


class SharedStore(RecordStore[R]):
    """See `RecordStore`: the copy. `connect` makes a connection to the server.

    `follows`: hear of others' changes by a thread, as a registrar does; a command asks once.
    """

    def __init__(self, path: Path, connect: Callable[[], RemoteRecords[R]], follows: bool = True) -> None:
        super().__init__(path)
        self._remote = connect()
        self._link: RecordsLink[R] | None = None
        if follows:
            self._link = RecordsLink(connect(), *self._seen())
            self._link.start(START_S)
            self.go_on()
        else:
            self._ask()

    @property
    def fd(self) -> int | None:
        """Readable when `go_on` has something to do."""
        return self._link.fd if self._link else None

    def go_on(self) -> None:
        """Take over what others have changed."""
        link = self._link
        if link is None:
            return
        link.heard()
        try:
            while (news := link.take()) is not None:
                self._take(news)
        except (RemoteError, NotWritten, UnusableFile) as error:
            if isinstance(error, RemoteError):
                self._fail(error)
            with suppress(UnusableFile):
                link.go_on_from(*self._seen())
        if not link.is_up:
            self._fail(link.error)
        elif self.writing.error:
            self.try_again()

    def write(self, records: Sequence[R]) -> Mapping[str, Was]:
        """As in `RecordStore`: there, and in the copy. NotWritten."""
        return self._change_there(lambda remote: remote.write(records))

    def remove_record(self, gone: R) -> bool:
        """As in `RecordStore`: there, and in the copy. NotWritten."""
        return self.write([gone]).get(gone.key, NOTHING).is_there

    def merge(self, records: Sequence[R]) -> int:
        """As in `RecordStore`: there, and in the copy. NotWritten."""
        return self._change_there(lambda remote: remote.merge(records))

    def try_again(self) -> None:
        """As in `RecordStore`, once the server can be used."""
        if self._link is None or self._link.is_up:
            super().try_again()

    def close(self) -> None:
        """Let go of the server and of the file."""
        if self._link:
            self._link.close()
        self._remote.close()
        super().close()

    def _change_there(self, act: Callable[[RemoteRecords[R]], T]) -> T:
        self.keep_place()
        if self.writing.error:
            raise NotWritten(self.writing.note())
        try:
            done = act(self._remote)
            self._take(self._remote.since(*self._seen()))
            if self._link:
                self._link.go_on_from(*self._seen())
        except RemoteError as error:
            self._fail(error)
            raise NotWritten(f"the {self.table.name} cannot be changed: {error}") from error
        return done

    def _ask(self) -> None:
        try:
            self._remote.check()
            self._take(self._remote.since(*self._seen()))
        except RemoteError as error:
            self._fail(error)

    def _fail(self, error: RemoteError | None) -> None:
        if error is None:
            self.writing.failed(errno.EAGAIN, "the server has not answered yet")
            return
        if self._link and self._link.is_up:
            self._link.failed(error)
        self.writing.failed(error.number, str(error))

    def _seen(self) -> tuple[str, int]:
        """The server's series, and its last number that is here."""
        series, number = self.state()
        name, shared, _ = series.partition(_SERIES_END)
        return (name, number) if shared else ("", 0)

    def _take(self, news: News[R]) -> None:
        if news.is_whole:
            self._take_all(news)
            return
        series, number = self._seen()
        records = [each for each in news.records if each.number > number]
        if records and series == news.series:
            self.adopt(Page(self.state()[0], number, records, more=False))

    def _take_all(self, news: News[R]) -> None:
        """What is here, and later than there, is put there before."""
        there = {each.key: each.changed_at for each in news.records}
        later = [each for each in self.page(0, -1).records if each.changed_at > there.get(each.key, 0.0)]
        if later:
            self.joined += self._remote.merge(later)
            news = self._remote.since("", 0)
        series = f"{news.series}{_SERIES_END}{os.urandom(4).hex()}"
        self.adopt(Page(series, 0, news.records, more=False))
