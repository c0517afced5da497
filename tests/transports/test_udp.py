"""UDP as the edge uses a transport."""

import select

from flows import udp

from switchboard.sip import flow
from switchboard.transports.udp import UDP


def test_what_is_sent_arrives_over_a_flow_of_its_number() -> None:
    sockets = UDP.bind_sockets("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    assert UDP.make_sender(sockets).send(b"x", udp("127.0.0.1", port))
    assert select.select(sockets, [], [], 20.0)[0]
    assert UDP.receive(sockets[0]) == (b"x", udp("127.0.0.1", port, "127.0.0.1"))
    assert UDP.receive(sockets[0]) is None
    assert UDP.number == flow.UDP
    sockets[0].close()


def test_errors_are_told_and_forgone() -> None:
    (sock,) = UDP.bind_sockets("127.0.0.1", 0)
    UDP.tell_errors(sock, True)
    assert UDP.receive_error(sock) is None
    UDP.tell_errors(sock, False)
    sock.close()
