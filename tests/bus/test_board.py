"""The view of all parents, over real sockets."""

import threading
from pathlib import Path
from typing import Any

import pytest

from switchboard.bus.board import Board
from switchboard.bus.context import BusContext
from switchboard.bus.door import Door

LIMIT_S = 10.0


def serve(door: Door, workers: list[dict[str, Any]], stop: threading.Event) -> None:
    while not stop.is_set():
        if door.sockets[0].poll(10) and (question := door.take()):
            question.reply(workers)


def endpoint(tmp_path: Path, name: str) -> str:
    return f"ipc://{tmp_path}/{name}"


def test_silent_parent_is_not_up(tmp_path: Path) -> None:
    with BusContext() as context:
        board = Board(context, {"edge": endpoint(tmp_path, "edge")})
        board.wait(0.05)
        assert board.answers == {}
        assert board.not_up() == ["edge"]
        board.close()


def test_answers(tmp_path: Path) -> None:
    stop = threading.Event()
    said = {"edge": [{"state": "up"}], "router": [{"state": "up"}, {"state": "starting"}], "journal": []}
    with BusContext() as context:
        doors = {name: Door(context, endpoint(tmp_path, name)) for name in said}
        threads = [
            threading.Thread(target=serve, args=(door, said[name], stop)) for name, door in doors.items()
        ]
        for thread in threads:
            thread.start()
        board = Board(context, {name: endpoint(tmp_path, name) for name in said})
        board.wait(LIMIT_S)
        stop.set()
        for thread in threads:
            thread.join(LIMIT_S)
        assert board.answers == said
        assert board.not_up() == ["router", "journal"]
        board.close()
        for door in doors.values():
            door.close()


def test_nobody_is_asked_again_because_others_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("switchboard.bus.board.PATIENCE_S", LIMIT_S)
    names = [f"router.{number}" for number in range(5)]
    with BusContext() as context:
        doors = {name: Door(context, endpoint(tmp_path, name)) for name in names}
        board = Board(context, {name: endpoint(tmp_path, name) for name in names})
        waiting = threading.Thread(target=board.wait, args=(LIMIT_S,))
        waiting.start()
        for door in doors.values():  # one after the other, so that each answer wakes the board
            assert door.sockets[0].poll(int(LIMIT_S * 1000))
            question = door.take()
            assert question
            question.reply([])
        waiting.join(LIMIT_S)
        assert sorted(board.answers) == names
        assert [door.take() for door in doors.values()] == [None] * len(names)
        board.close()
        for door in doors.values():
            door.close()
