"""A media engine that does what a test wants: it answers NG commands over UDP, in a thread, or says nothing."""

import re
import socket
from collections.abc import Callable
from threading import Thread
from types import TracebackType
from typing import Any, Self

from switchboard.media.bencode import decode, encode

HOST = "127.0.0.1"
Command = dict[str, Any]
Reply = dict[str, Any] | None
_END = b"end"


class FakeEngine:
    """It runs inside the `with` block. `reply`: what it answers to a command; None: nothing. `asked`: all that came.

    `answers_pings`: to pings it has an answer of its own.
    """

    def __init__(self) -> None:
        self.asked: list[Command] = []
        self.reply: Callable[[Command], Reply] = answered
        self.answers_pings = True
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((HOST, 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = Thread(target=self._serve)

    @property
    def url(self) -> str:
        return f"rtpengine://{HOST}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(_END, (HOST, self.port))
        self._thread.join()
        self._socket.close()

    def of(self, call_id: str) -> list[Command]:
        """The commands about one call, without their repetitions."""
        found: list[Command] = []
        for command in self.asked:
            if command.get("call-id") == call_id and command not in found:
                found.append(command)
        return found

    def _serve(self) -> None:
        while True:
            datagram, source = self._socket.recvfrom(65_535)
            if datagram == _END:
                return
            cookie, _, body = datagram.partition(b" ")
            command = _text(decode(body))
            self.asked.append(command)
            is_ping = command["command"] == "ping"
            reply: Reply = {"result": "pong"} if is_ping and self.answers_pings else None
            if not is_ping:
                reply = self.reply(command)
            if reply is not None:
                self._socket.sendto(cookie + b" " + encode(reply), source)


def answered(command: Command) -> Reply:
    """What an engine answers that has ports enough: 7000 for the offerer, 9000 for who answers."""
    if command["command"] == "delete":
        return {"result": "ok", "tags": {}}
    port = "9000" if command["command"] == "offer" else "7000"
    return {"result": "ok", "sdp": re.sub("m=audio [0-9]+", f"m=audio {port}", command["sdp"])}


def refused(reason: str) -> Callable[[Command], Reply]:
    """Answers each command by this error."""
    return lambda _: {"result": "error", "error-reason": reason}


def silent(_: Command) -> Reply:
    """Says nothing."""
    return None


def _text(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {_text(key): _text(each) for key, each in value.items()}
    return [_text(each) for each in value] if isinstance(value, list) else value
