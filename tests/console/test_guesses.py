"""Passwords that are tried."""

import asyncio
import os
import threading

import pytest

from switchboard.console.guesses import (
    FORGIVEN_S,
    FREE,
    LONGEST_PAUSE_S,
    MOST_OF_ONE,
    MOST_SOURCES,
    MOST_WAITING,
    Attempts,
    PasswordCheck,
    TooManyWait,
)
from switchboard.settings.password import PasswordHash, hash_password

PASSWORD = "correct horse battery"


def test_one_source_waits_longer_and_longer() -> None:
    attempts, now, pauses = Attempts(), 0.0, []
    for _ in range(FREE + 10):
        attempts.failed("10.0.0.1", now)
        pauses.append(attempts.wait_s("10.0.0.1", now))
        now += pauses[-1]
    assert pauses == [0.0] * (FREE - 1) + [1, 2, 4, 8, 16, 32, 64, 128, 256, LONGEST_PAUSE_S, LONGEST_PAUSE_S]


def test_nobody_else_waits_however_many_guess() -> None:
    attempts = Attempts()
    for number in range(5000):
        attempts.failed(f"10.0.{number // 250}.{number % 250}", 0.0)
    assert attempts.wait_s("192.0.2.1", 0.0) == 0.0


def test_the_right_password_forgives_and_so_does_time() -> None:
    attempts = Attempts()
    for _ in range(FREE + 3):
        attempts.failed("10.0.0.1", 0.0)
        attempts.failed("10.0.0.2", 0.0)
    attempts.succeeded("10.0.0.1", 0.0)
    attempts.failed("10.0.0.1", 0.0)
    assert attempts.wait_s("10.0.0.1", 0.0) == 0.0
    attempts.wait_s("10.0.0.2", FORGIVEN_S)
    attempts.failed("10.0.0.2", 4 * FORGIVEN_S)
    assert attempts.wait_s("10.0.0.2", 4 * FORGIVEN_S) == 0.0


def test_memory_is_bounded() -> None:
    attempts = Attempts()
    for number in range(3 * MOST_SOURCES):
        attempts.failed(str(number), 0.0)
    assert len(attempts) <= 2 * MOST_SOURCES


class Gate(PasswordHash):
    """A hash that takes as long as it is told to."""

    opened = threading.Event()
    tried: list[str] = []
    niceness: list[int] = []

    def fits(self, password: str) -> bool:
        self.tried.append(password)
        self.niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.opened.wait(10)
        return super().fits(password)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> type[Gate]:
    monkeypatch.setattr(Gate, "opened", threading.Event())
    monkeypatch.setattr(Gate, "tried", [])
    monkeypatch.setattr(Gate, "niceness", [])
    return Gate


def checking(gate: type[Gate]) -> PasswordCheck:
    made = hash_password(PASSWORD, b"s" * 16, log_n=12)
    return PasswordCheck(gate(made.log_n, made.salt, made.digest))


def always() -> bool:
    return True


def test_one_after_the_other_beside_the_calls(gate: type[Gate]) -> None:
    async def play() -> None:
        check = checking(gate)
        tasks = [asyncio.create_task(check.fits("wrong", str(number), always)) for number in range(3)]
        gate.opened.set()
        assert await asyncio.gather(*tasks) == [False] * 3
        assert set(gate.niceness) == {os.getpriority(os.PRIO_PROCESS, os.getpid()) + 10}

    asyncio.run(play())


def test_so_many_wait_and_few_of_one(gate: type[Gate]) -> None:
    async def play() -> None:
        check = checking(gate)
        tasks = [asyncio.create_task(check.fits("wrong", "10.0.0.1", always)) for _ in range(MOST_OF_ONE)]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWait):
            await check.fits(PASSWORD, "10.0.0.1", always)
        others = range(MOST_WAITING - MOST_OF_ONE)
        tasks += [asyncio.create_task(check.fits("wrong", str(number), lambda: False)) for number in others]
        await asyncio.sleep(0)
        with pytest.raises(TooManyWait):
            await check.fits(PASSWORD, "192.0.2.1", always)
        gate.opened.set()
        assert not any(await asyncio.gather(*tasks))
        assert gate.tried == ["wrong"] * MOST_OF_ONE, "who had to wait meanwhile is not tried"
        assert await check.fits(PASSWORD, "192.0.2.1", always)

    asyncio.run(play())


def test_once_it_was_shown_it_is_known_without_work(gate: type[Gate]) -> None:
    async def play() -> None:
        check = checking(gate)
        gate.opened.set()
        assert await check.fits(PASSWORD, "10.0.0.1", always)
        for password, fits in ((PASSWORD, True), ("wrong", False), ("", False), ("\ud800", False)):
            assert await check.fits(password, "10.0.0.1", always) is fits
        assert gate.tried == [PASSWORD]

    asyncio.run(play())
