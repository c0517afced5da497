"""What an edge-stream makes of what its keeper says; test_keeping.py has the two together."""

import os
import socket
import tempfile
import threading
from pathlib import Path

from switchboard import codec
from switchboard.sip.flow import TCP
from switchboard.transports.keeper_link import KeeperLink
from switchboard.transports.keeper_words import Word
from switchboard.transports.stream_table import make_table

LIMIT_S = 20.0


def given(serial: bytes) -> list[object]:
    return [serial, TCP, 1.0, True, False, "", 9, "", []]


def test_connections_for_which_there_was_no_descriptor_are_given_back() -> None:
    """The kernel leaves them out of a message (recvmsg(2), MSG_CTRUNC)."""
    with (
        tempfile.TemporaryDirectory(prefix="sb") as directory,
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as desk,
        socket.socket() as phone,
    ):
        desk.bind(f"{directory}/s")
        desk.listen()
        said: list[object] = []

        def keep() -> None:
            keeper, _ = desk.accept()
            keeper.settimeout(LIMIT_S)
            table = make_table()
            with keeper:
                said.append(codec.unpack(keeper.recv(1000)))
                socket.send_fds(keeper, [codec.pack([Word.TABLE])], [table])
                connections = [given(b"12345678"), given(b"abcdefgh")]
                socket.send_fds(keeper, [codec.pack([Word.TAKE, connections])], [phone.fileno()])
                said.extend(codec.unpack(keeper.recv(1000)) for _ in range(2))
            os.close(table)

        thread = threading.Thread(target=keep)
        thread.start()
        link = KeeperLink(Path(directory) / "s", 2)
        while not (found := link.hear()):
            pass
        link.flush()
        thread.join()
        assert [each for each, _ in found] == [given(b"12345678")]
        assert said == [[Word.HELLO, 2], [Word.GOT, 2], [Word.CLOSED, [b"abcdefgh"]]]
        os.close(found[0][1])
        link.close()
