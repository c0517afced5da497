"""The view of all parents, over real sockets."""

import threading
from pathlib import Path
from typing import Any

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
