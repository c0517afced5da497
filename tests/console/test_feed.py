"""Events for programs; that calls and registrations make them is shown by tests/system/test_api.py."""

import asyncio
from pathlib import Path

import pytest

from switchboard.bus import frames
from switchboard.bus.context import BusContext
from switchboard.console.feed import DROPPED, MOST, WAITING, Feed, Happening, Listener, Registrations, TooMany
from switchboard.registrar.binding import Binding
from switchboard.registrar.store import NUMBERS
from switchboard.settings.model import Settings

NEWS = Happening("call.began", {})


def test_who_does_not_read_is_told_and_gets_no_more() -> None:
    async def read() -> list[Happening]:
        listener = Listener()
        for _ in range(WAITING + 5):
            listener.take(NEWS)
        assert listener.is_dropped
        return [listener.waiting.get_nowait() for _ in range(listener.waiting.qsize())]

    found = asyncio.run(read())
    assert found == [NEWS] * WAITING + [DROPPED]


def test_listeners_are_few(tmp_path: Path) -> None:
    async def listen(feed: Feed, left: int) -> None:
        async with feed.listening():
            if left:
                await listen(feed, left - 1)

    async def all_of_them(feed: Feed) -> None:
        await listen(feed, MOST - 1)
        with pytest.raises(TooMany):
            await listen(feed, MOST)

    (tmp_path / "run").mkdir()
    with BusContext() as context:
        asyncio.run(all_of_them(Feed(Settings(data_dir=tmp_path), context)))


def test_registrations_begin_change_and_end() -> None:
    registrations, one, other = Registrations(), Binding("sip:a@h1", 1.0, 2e9), Binding("sip:a@h2", 1.0, 2e9)

    def told(number: int, *bindings: Binding) -> list[tuple[str, str]]:
        news = registrations._changed(number, {"a": list(bindings)})
        return [(each.kind, each.what.get("contact", "")) for each in news]

    assert told(1, one) == [("registration.began", "sip:a@h1")]
    assert told(2, one, other) == [("registration.changed", "sip:a@h1"), ("registration.began", "sip:a@h2")]
    assert told(3, other) == [("registration.ended", "sip:a@h1"), ("registration.changed", "sip:a@h2")]
    assert told(5) == [("registrations.missed", ""), ("registration.ended", "sip:a@h2")]


def test_of_several_registrars_one_is_heard_and_another_when_that_is_silent() -> None:
    registrations = Registrations()

    def take(registrar: int, number: int, now: float, subject: str = "location.learned") -> list[str]:
        binding = Binding(f"sip:{number}@h", 1.0, 2e9)
        body: list[object] = [registrar * NUMBERS + number]
        if subject != "location.number":
            body.append([["a", [binding.to_wire()]]])
        news = registrations._take(frames.pack(subject, body), now)
        return [each.kind for each in news]

    assert take(0, 1, 10.0) == ["registration.began"]
    assert take(1, 7, 10.5) == []
    assert take(0, 1, 12.0, "location.number") == []
    assert take(1, 8, 14.0) == []
    assert take(0, 2, 14.0) == ["registration.ended", "registration.began"]
    assert take(1, 9, 17.0)[0] == "registrations.missed"
    assert take(0, 3, 17.1) == []
