"""What all connections have in common."""

import socket

from switchboard.core.timers import TimerValues
from switchboard.transports.tcp_sockets import DIALLED_IDLE_S, KEEPALIVE_IDLE_S, dial, set_up


def test_who_has_vanished_is_found_before_a_request_times_out() -> None:
    """The request has another way then, or is answered by 480."""
    with socket.socket() as sock:
        set_up(sock)
        unanswered_ms = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert 20_000 < unanswered_ms < TimerValues().lifetime * 1000
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_a_connection_that_we_have_made_is_not_forgotten_by_a_translator() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, dial("", *listener.getsockname()) as made:
        idle_s = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE)
        assert idle_s == DIALLED_IDLE_S < KEEPALIVE_IDLE_S
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
